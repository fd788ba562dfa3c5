"""Each loop and each job of a worker has its effect in a running one, which does the whole of its tables."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from engine.core import ids
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.records import HeadStatus
from engine.runtime.jobs import JOBS, LOOPS
from engine.stream.ownership import LOCK_SPACE
from tests.integration.runtime.test_worker import PROGRAM, PROMISES, status, worker
from tests.support.club import paid
from tests.support.market import Market, open_market
from tests.support.waiting import WAIT_S, eventually

IMPATIENT = "from engine.runtime import backlog; backlog.LATE_S = 0.2; " + PROGRAM
LONG_OVER = """
UPDATE play_configs SET starts_at = now() - interval '1 day', ends_at = now() - interval '2 hours';
UPDATE instances SET wake_at = NULL, status = 'FAILED'
"""

Read = Callable[[], Awaitable[Any]]


async def held(market: Market, **rules: Any) -> tuple[str, str]:
    """(config, order) of a hold that is a row."""
    config_id = await market.publish(**rules)
    order_id = await market.hold(config_id, "u1")
    await market.drain_all()
    return config_id, order_id


def reads(market: Market, query: str, *args: Any) -> Read:
    return lambda: market.pool.fetchval(query, *args)


async def a_click(market: Market) -> tuple[Read, Any]:
    await market.hold(await market.publish(), "u1")
    return reads(market, "SELECT count(*) FROM orders"), 1


async def a_payment_that_redis_has_not_heard_of(market: Market) -> tuple[Read, Any]:
    _, order_id = await held(market)
    await market.pay(order_id, "u1")
    return lambda: market.order(order_id), ("PAID", None, 2)


async def an_event_whose_answer_was_lost(market: Market) -> tuple[Read, Any]:
    told = await a_payment_that_redis_has_not_heard_of(market)
    await market.pool.execute("UPDATE gate_events SET sent_at = now() - interval '3 s'")
    return told


async def an_overdue_hold(market: Market) -> tuple[Read, Any]:
    _, order_id = await held(market)
    await market.age(order_id)
    return lambda: status(market, order_id), "EXPIRED"


async def a_group_whose_time_is_over(market: Market) -> tuple[Read, Any]:
    config_id = await market.publish("GROUP_BUY")
    order_id = await paid(market, config_id, "u1", verb="open")
    group = ids.instance_id(config_id, ids.opened_suffix(order_id))
    await market.run_out(group)
    return reads(market, "SELECT status FROM instances WHERE id = $1", group), "FAILED"


async def an_overdue_hold_whose_payment_was_begun(market: Market) -> tuple[Read, Any]:
    _, order_id = await held(market)
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.age(order_id)
    return lambda: status(market, order_id), "EXPIRED"


async def money_that_nobody_told_of(market: Market) -> tuple[Read, Any]:
    _, order_id = await held(market)
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.engine.orders.cancel(order_id, "u1")
    await market.sandbox.pay(order_id, late=True, notify=False)
    await market.pool.execute("UPDATE payments SET ask_at = now() - interval '1 s'")
    return reads(market, "SELECT status FROM payments WHERE order_id = $1", order_id), "PAID"


async def money_that_is_owed(market: Market) -> tuple[Read, Any]:
    config_id = await market.publish("GROUP_BUY")
    order_id = await paid(market, config_id, "u1", verb="open")
    await market.end_group(ids.instance_id(config_id, ids.opened_suffix(order_id)))
    await market.settle()
    assert await status(market, order_id) == "REFUNDING"
    return lambda: status(market, order_id), "REFUNDED"


async def a_reward(market: Market) -> tuple[Read, Any]:
    await market.pool.execute(PROMISES)
    return reads(market, "SELECT status FROM rewards"), "GRANTED"


async def a_notice(market: Market) -> tuple[Read, Any]:
    await market.pool.execute(PROMISES)
    return reads(market, "SELECT status FROM notices"), "SENT"


async def a_change_that_redis_has_not_heard_of(market: Market) -> tuple[Read, Any]:
    config_id = await market.publish()
    await market.pool.execute("UPDATE play_configs SET status = 'PAUSED', warm_pending = true")

    async def told() -> int:
        head = await market.redis.hget(keys.cells(0, config_id), "head")
        known: int = msgspec.msgpack.decode(head)["status"]
        return known

    return told, HeadStatus.PAUSED


async def a_product_that_is_long_over(market: Market) -> tuple[Read, Any]:
    await market.publish()
    await market.pool.execute(LONG_OVER)
    return reads(market, "SELECT archived_at IS NOT NULL FROM play_configs"), True


async def a_product_that_starts_soon(market: Market) -> tuple[Read, Any]:
    await market.publish()
    await market.pool.execute("UPDATE play_configs SET starts_at = now() + interval '3 min', warmed_up = false")
    return reads(market, "SELECT warmed_up FROM play_configs"), True


# Of a loop or a job: what it finds when the worker starts, and what is to be read of it then.
EFFECTS = [
    ("shards", a_click),
    ("gate events", a_payment_that_redis_has_not_heard_of),
    ("gate events", an_event_whose_answer_was_lost),
    ("unpaid holds", an_overdue_hold),
    ("deadlines", a_group_whose_time_is_over),
    ("expire_prepaid", an_overdue_hold_whose_payment_was_begun),
    ("ask_again", money_that_nobody_told_of),
    ("pay_refunds", money_that_is_owed),
    ("settle_rewards", a_reward),
    ("send_notices", a_notice),
    ("warm_configs", a_change_that_redis_has_not_heard_of),
    ("archive_ended", a_product_that_is_long_over),
    ("warm_up", a_product_that_starts_soon),
]
SAID = {"backlog"}  # whose effect is a line of the log


def test_every_loop_and_job_is_shown() -> None:
    assert {name for name, _ in EFFECTS} | SAID == {one.name for one in (*LOOPS, *JOBS)}


@pytest.mark.parametrize(("name", "prepare"), EFFECTS, ids=[f"{name}: {what.__name__}" for name, what in EFFECTS])
async def test_a_running_worker_does_it(
    settings: Settings, name: str, prepare: Callable[[Market], Awaitable[tuple[Read, Any]]]
) -> None:
    """Nobody else does: what is tested is told to do nothing by itself."""
    async with open_market(settings) as market:
        read, expected = await prepare(market)
        assert await read() != expected, name
        async with worker(settings):
            await eventually(read, expected)


async def test_a_running_worker_says_which_shard_is_not_drained(settings: Settings, database: str) -> None:
    """Its lock is somebody else's, who does nothing with it."""
    async with open_market(settings) as market:
        operator = await asyncpg.connect(database)
        await operator.fetchval("SELECT pg_advisory_lock($1, $2)", LOCK_SPACE, 0)
        await market.hold(await market.publish(), "u1")
        async with worker(settings, IMPATIENT, stderr=asyncio.subprocess.PIPE) as process:
            assert process.stderr is not None
            said = b""
            async with asyncio.timeout(WAIT_S):
                while b"shard 0 is not drained" not in said:
                    said += await process.stderr.read(4096)
        await operator.close()
