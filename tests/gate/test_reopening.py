"""Units that come back to a sold-out sale wait a moment, so that no API process refuses a winner from old memory."""

import asyncio

from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState
from engine.local.running import Running
from tests.gate.stage import Stage, open_stage
from tests.support.gate import SHARD

HOUR_MS = 3_600_000


async def reopens_ms(stage: Stage) -> int:
    """When units that came back are sold again."""
    return int(await stage.redis.execute_command("HGET", keys.cells(SHARD, stage.config_id), "reopens"))


async def now_ms(stage: Stage) -> int:
    """When the last script call was decided."""
    return int((await stage.intents())[-1][0])


async def test_a_sold_out_sale_reopens_a_moment_later(valkey: Running) -> None:
    """The unit is back at once, nobody gets it for `reopen_ms`, then exactly one does."""
    async with open_stage(valkey.url, reopen_ms=HOUR_MS) as stage:
        await stage.publish(stock=1)
        first = await stage.click("u1")
        await stage.event("released", "u1")

        assert await stage.left() == 1
        assert (await stage.click("u2")).outcome == Outcome.SOLD_OUT
        assert await stage.click("u1") == first._replace(state=EffectState.RELEASED)

        assert await reopens_ms(stage) == await now_ms(stage) + HOUR_MS
        await stage.age(HOUR_MS)
        replies = await asyncio.gather(*(stage.click(f"v{i}") for i in range(20)))
        assert [reply.outcome for reply in replies].count(Outcome.RESERVED) == 1
        assert await stage.left() == 0


async def test_a_sale_that_was_not_sold_out_sells_returned_units_at_once(valkey: Running) -> None:
    """Nobody has been refused from memory, so there is nothing to wait for."""
    async with open_stage(valkey.url, reopen_ms=60_000) as stage:
        await stage.publish(stock=2)
        await stage.click("u1")
        await stage.event("released", "u1")

        assert (await stage.click("u2", quantity=2)).outcome == Outcome.RESERVED


async def test_more_returns_do_not_reopen_earlier_or_never(valkey: Running) -> None:
    """A second unit that comes back while the first waits neither shortens nor restarts the wait."""
    async with open_stage(valkey.url, reopen_ms=HOUR_MS) as stage:
        await stage.publish(stock=2)
        await asyncio.gather(stage.click("u1"), stage.click("u2"))
        await stage.event("released", "u1")
        await stage.age(HOUR_MS // 2)
        reopens = await reopens_ms(stage)
        await stage.event("released", "u2")
        assert await reopens_ms(stage) == reopens
        assert (await stage.click("u3")).outcome == Outcome.SOLD_OUT

        await stage.age(HOUR_MS // 2)
        assert (await stage.click("u3", "again", quantity=2)).outcome == Outcome.RESERVED
