"""A worker that is frozen in the middle of something keeps nobody waiting for long, and a person hears of it."""

import asyncio
import signal
from typing import Any

import asyncpg
import pytest

from api.readiness import readiness_of
from engine.core.settings import Settings
from engine.gate import keys
from engine.runtime import backlog
from engine.stream.ownership import LOCK_SPACE
from tests.integration.runtime.test_worker import quick, worker
from tests.support.market import Market, open_market
from tests.support.waiting import eventually

__all__ = ["quick"]

WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


async def freeze_inside_a_transaction(market: Market, process: Any, config: str, database: str) -> None:
    """It has locked the shard's row and waits for the config's stock; then it is stopped, and gets that, too."""
    operator = await asyncpg.connect(database)
    lock = operator.transaction()
    await lock.start()
    await operator.execute("SELECT FROM stock WHERE config_id = $1 FOR UPDATE", config)
    await market.hold(config, "u1")
    await eventually(lambda: market.pool.fetchval(WAITING), 1)
    process.send_signal(signal.SIGSTOP)
    await lock.rollback()
    await operator.close()
    await eventually(lambda: market.pool.fetchval(WAITING), 0)


async def test_frozen_inside_a_transaction_it_is_replaced(settings: Settings, database: str) -> None:
    """Postgres ends the transaction and the session with the lock; the next worker makes the click a row.

    When the frozen one goes on it is as if it had just been started: it changes nothing, and stands by.
    """
    async with open_market(settings) as market, worker(settings) as frozen:
        config = await market.publish()
        await freeze_inside_a_transaction(market, frozen, config, database)
        async with worker(settings):
            await eventually(lambda: market.pool.fetchval("SELECT count(*) FROM orders"), 1)
            await market.hold(config, "u2")
            await eventually(lambda: market.pool.fetchval("SELECT count(*) FROM orders"), 2)
            frozen.send_signal(signal.SIGCONT)
            await market.hold(config, "u3")
            await eventually(lambda: market.pool.fetchval("SELECT count(*) FROM orders"), 3)
        await market.hold(config, "u4")  # and now it takes over in its turn
        await eventually(lambda: market.pool.fetchval("SELECT count(*) FROM orders"), 4)
        assert await market.stock(config) == (4, 6)


async def test_a_shard_without_a_worker_is_told(quick: Settings) -> None:
    """/readyz names the shard that nobody has, and no longer once somebody has it."""
    async with open_market(quick) as market:
        told = await readiness_of(market.engine, "en")
        assert (told.status, told.warnings) == (
            "degraded",
            [
                "No worker has shards 0: clicks become no orders, unpaid holds are not released; start `wanfa worker`",
            ],
        )
        async with worker(quick):
            await eventually(lambda: warnings(market), [])


async def test_a_shard_that_a_worker_of_another_database_has_is_told(quick: Settings, empty_database: str) -> None:
    """Two installations may share a server of Postgres."""
    other = await asyncpg.connect(empty_database)
    await other.fetchval("SELECT pg_advisory_lock($1, $2)", LOCK_SPACE, 0)
    async with open_market(quick) as market:
        assert await market.engine.backlog.unowned() == [0]
    await other.close()


async def warnings(market: Market) -> list[str]:
    return (await readiness_of(market.engine, "en")).warnings


async def test_a_shard_that_is_not_drained_is_told(
    quick: Settings, database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By /readyz and by the log, once a minute, though its owner looks alive; and the log says when it is over."""
    monkeypatch.setattr(backlog, "LATE_S", 0.2)
    async with open_market(quick) as market:
        config = await market.publish()
        operator = await asyncpg.connect(database)
        await operator.fetchval("SELECT pg_advisory_lock($1, $2)", LOCK_SPACE, 0)
        assert await warnings(market) == []
        await market.hold(config, "u1")
        await eventually(lambda: said(market, "Shard 0 is not drained: its oldest clicks have waited"), True)
        watching = asyncio.create_task(market.engine.backlog.watch())
        await eventually(lambda: logged(caplog, "shard 0 is not drained"), 1)
        await market.drain_all()
        await eventually(lambda: logged(caplog, "shard 0 is drained again"), 1)
        assert await logged(caplog, "shard 0 is not drained") == 1
        watching.cancel()
        await operator.close()


async def test_how_long_a_shard_waits_is_told_by_its_oldest_entry(
    quick: Settings,
) -> None:
    """However many come after it."""
    async with open_market(quick) as market:
        stream, now_ms = keys.intents(0), int((await market.redis.time())[0]) * 1000
        for age_s in (1000, 500, 0):
            await market.redis.xadd(stream, {"x": "y"}, id=f"{now_ms - age_s * 1000}-1")
        assert [age_s >= 999 for age_s in (await market.engine.backlog.late()).values()] == [True]
        await market.redis.delete(stream)
        assert await market.engine.backlog.late() == {}


async def said(market: Market, words: str) -> bool:
    return any(words in warning for warning in await warnings(market))


async def logged(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records)
