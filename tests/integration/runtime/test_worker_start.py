"""What a worker does once when it starts, because playbooks may have changed since: as the process it is."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engine.catalog.drafts import Draft
from engine.core.settings import Settings, environment
from engine.gate import keys
from tests.support.market import STORE, Market, open_market
from tests.support.waiting import WAIT_S, eventually

PROGRAM = "import sys; from engine.cli.main import main; sys.argv = ['wanfa', 'worker']; main()"


@asynccontextmanager
async def worker(settings: Settings, **variables: str) -> AsyncIterator[None]:
    """`wanfa worker` on these settings."""
    env = {**os.environ, **environment(settings), "WANFA_ENV": "test", "WANFA_GATE_SHARDS": "1", **variables}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, env=env)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), WAIT_S)
        except TimeoutError:
            process.kill()


async def status(market: Market, config_id: str) -> tuple[str, str | None]:
    row = await market.pool.fetchrow("SELECT status, paused_why FROM play_configs WHERE id = $1", config_id)
    assert row is not None
    return tuple(row)


async def head_status(market: Market, config_id: str) -> int | None:
    packed = await market.redis.hget(keys.cells(0, config_id), "head")
    return msgspec.msgpack.decode(packed)["status"] if packed else None


async def test_it_pauses_what_its_playbooks_do_not_sell_any_more(settings: Settings) -> None:
    """In Postgres and in Redis; the others sell on."""
    async with open_market(settings) as market:
        gone, other = await market.publish("GROUP_BUY"), await market.publish()
        async with worker(settings, WANFA_PLAYBOOKS_DISABLED='["GROUP_BUY"]'):
            await eventually(lambda: status(market, gone), ("PAUSED", "PLAYBOOK_MISSING"))
            await eventually(lambda: head_status(market, gone), 2)
            await eventually(lambda: head_status(market, other), 1)
        assert await status(market, other) == ("PUBLISHED", None)


async def test_it_upgrades_drafts_and_warms_up_what_is_about_to_start(settings: Settings) -> None:
    async with open_market(settings) as market:
        catalog, starts_at = market.engine.catalog, datetime.now(UTC) + timedelta(minutes=3)
        fields: dict[str, Any] = {"service_id": market._service, "title": "t", "price_fen": 990, "stock": 1}
        fields |= {"template_code": "FLASH_SALE", "rules": {}, "ends_at": starts_at + timedelta(hours=1)}
        draft, soon = [(await catalog.drafts.create(STORE, Draft(starts_at=starts_at, **fields))).id for _ in "12"]
        await catalog.life.publish(STORE, soon)
        await market.pool.execute("UPDATE play_configs SET rules_version = '0.0.1' WHERE id = $1", draft)
        version = market.engine.playbooks.loaded["FLASH_SALE"].version

        async def stored() -> list[Any]:
            rows = await market.pool.fetch(
                "SELECT rules_version, warmed_up, warm_pending FROM play_configs ORDER BY id = $1", soon
            )
            return [tuple(row) for row in rows]

        async with worker(settings):
            await eventually(stored, [(version, False, False), (version, True, False)])
