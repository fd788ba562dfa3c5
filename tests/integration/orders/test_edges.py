"""Holds and lists at their edges: not yet over, born in one moment, still on their way into a row."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from redis.asyncio import Redis

from engine.core.settings import Settings
from engine.gate import keys
from engine.local.running import Running
from engine.money.payments import LOCK_ORDER
from engine.orders.holds import OVERDUE_PREPAID, OVERDUE_UNPAID, Holds
from engine.orders.orders import Orders, _sequence
from tests.support.ledger import Ledger, open_ledger


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def unpaid(_order_id: str, _amount_fen: int) -> bool:
    """Nobody has paid, and nobody can any more."""
    return True


async def test_a_hold_that_may_still_be_paid_for_is_left_alone(ledger: Ledger) -> None:
    """Whether or not a payment was begun; a moment later both are over."""
    config = await ledger.config()
    await ledger.pool.execute("INSERT INTO stock (config_id, total, reserved) VALUES ($1, 9, 2)", config)
    await ledger.order(config)
    prepaid = await ledger.order(config)
    await ledger.pool.execute("UPDATE orders SET prepaid = true WHERE id = $1", prepaid)
    holds = Holds(ledger.pool, ledger.moves, unpaid, sweep_max=10)
    assert (await holds.expire_unpaid(), await holds.expire_prepaid()) == (0, 0)

    await ledger.pool.execute("UPDATE orders SET pay_before = now()")
    assert (await holds.expire_unpaid(), await holds.expire_prepaid()) == (1, 1)


async def test_the_moment_at_which_a_hold_ends_is_nobodys(ledger: Ledger) -> None:
    """Too late to begin a payment, too early to give it back: no payment is begun that the sweep knows nothing of."""
    config = await ledger.config()
    plain, prepaid = await ledger.order(config), await ledger.order(config)
    async with ledger.pool.acquire() as connection, connection.transaction():  # now() stands still in it
        await connection.execute("UPDATE orders SET pay_before = now(), prepaid = id = $1", prepaid)
        locked = [await connection.fetchrow(LOCK_ORDER, one) for one in (plain, prepaid)]
        overdue = await connection.fetch(OVERDUE_UNPAID, 9)
        overdue += await connection.fetch(OVERDUE_PREPAID, datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0), 9)
    assert ([row and row["in_time"] for row in locked], overdue) == ([False, False], [])


async def test_orders_of_one_moment_are_each_listed_once(ledger: Ledger, valkey: Running) -> None:
    """By their ids, which are in no order of time; the newest moment first."""
    config = await ledger.config()
    for number in range(5):
        order_id = await ledger.order(config)
        moment = f"now() - interval '{number // 3} d'"
        await ledger.pool.execute(f"UPDATE orders SET created_at = date_trunc('day', {moment}) WHERE id = $1", order_id)
    async with Redis.from_url(valkey.url) as redis:
        orders = Orders(ledger.pool, redis, ledger.moves, unpaid, shards=1, sweep_max=10)
        found, cursor = [], None
        for _ in range(5):
            page = await orders.list_for("u1", cursor, 2)
            found += [(one.created_at, one.id) for one in page.items]
            if (cursor := page.next_cursor) is None:
                break
    assert found == sorted(set(found), reverse=True)
    assert len(found) == 5


async def test_a_click_is_behind_until_its_entry_is_gone(ledger: Ledger, valkey: Running) -> None:
    """Whoever asks waits for all that was in the stream when they asked, to the last entry, and for nothing newer."""
    stream = keys.intents(0)
    async with Redis.from_url(valkey.url) as redis:
        orders = Orders(ledger.pool, redis, ledger.moves, unpaid, shards=1, sweep_max=10)
        first, last = [await redis.xadd(stream, {"p": "x"}) for _ in range(2)]
        behind = await orders._undrained()
        assert behind == {0: _sequence(last)}
        newer = await redis.xadd(stream, {"p": "x"})
        for entry in (first, last):
            assert await orders._still_undrained(behind) == behind
            await redis.xdel(stream, entry)
        assert await orders._still_undrained(behind) == {}
        assert await redis.xlen(stream) == 1
        assert newer
