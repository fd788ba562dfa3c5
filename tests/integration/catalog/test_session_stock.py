"""A session with a stock of its own: counted with the config's, in Redis and in Postgres, before and after a loss."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.core.ids import instance_id
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.stream.intents import decode
from tests.support.club import CODE, fail_club, open_club, paid
from tests.support.market import Market


@pytest.fixture
async def market(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    async with open_club(settings, monkeypatch) as market:
        yield market


async def session(market: Market, config: str, suffix: str = "s1") -> tuple[int | None, int | None]:
    """(units reserved in Postgres, units left in Redis) of a session."""
    query = "SELECT reserved FROM session_stock WHERE instance_id = $1"
    reserved = await market.pool.fetchval(query, instance_id(config, suffix))
    packed = await market.redis.hget(keys.cells(0, config), suffix)
    return reserved, msgspec.msgpack.decode(packed or b"").get("left")


async def test_a_session_sells_its_own_stock_and_no_more(market: Market) -> None:
    """The config has more; both count what is held, and both get back what expires."""
    config = await market.publish(CODE, stock=9, sessionStock=3)
    orders = [await market.hold(config, "u1", quantity=2), await market.hold(config, "u2")]
    assert (await market.click(config, "u3")).outcome == Outcome.SOLD_OUT
    await market.drain_all()
    assert (await session(market, config), await market.stock(config)) == ((3, 0), (3, 6))
    await market.age(orders[0])
    await market.holds.expire_unpaid()
    await market.settle()
    assert (await session(market, config), await market.stock(config)) == ((1, 2), (1, 8))


async def test_instances_without_a_stock_of_their_own_count_nothing(market: Market) -> None:
    """A club beside the session: only the config's stock moves."""
    config = await market.publish(CODE, stock=9, sessionStock=3)
    club = await paid(market, config, "u1", verb="open")
    await paid(market, config, "u2")
    assert (await session(market, config), await market.stock(config)) == ((1, 2), (2, 7))
    assert await session(market, config, club[:16]) == (None, None)
    await fail_club(market, config, club[:16])
    assert (await session(market, config), await market.stock(config)) == ((1, 2), (1, 8))
    assert await session(market, config, club[:16]) == (None, None)


async def test_orders_drained_twice_are_counted_once(market: Market) -> None:
    """Sessions of several configs, with and without a stock, in one transaction."""
    configs = [await market.publish(CODE, sessionStock=stock) for stock in (5, 0, 4)]
    for config in configs:
        await market.hold(config, "u1", quantity=2)
        await market.hold(config, "u2")
    raws = await market.redis.xrange(keys.intents(0))
    for _ in range(2):
        await market.applier.apply(0, [decode(*raw) for raw in raws])
    assert [await session(market, config) for config in configs] == [(3, 2), (None, None), (3, 1)]
    assert [await market.stock(config) for config in configs] == [(3, 7)] * 3


async def test_more_than_the_session_has(market: Market) -> None:
    """When Redis sold too much of a session, what does not fit is cancelled, although the config has more."""
    config = await market.publish(CODE, stock=9, sessionStock=2)
    cells = msgspec.msgpack.decode(await market.redis.hget(keys.cells(0, config), "s1") or b"")
    await market.redis.hset(keys.cells(0, config), "s1", msgspec.msgpack.encode(cells | {"left": 9}))
    orders = [await market.hold(config, f"u{number}") for number in range(3)]
    orders.append(await market.hold(config, "u9", verb="open"))
    await market.drain_all()
    expected = [("HELD", None, 1)] * 2 + [("CANCELLED", "OVERSOLD", 0), ("HELD", None, 1)]
    assert [await market.order(order_id) for order_id in orders] == expected
    assert (await session(market, config))[0] == 2
    assert (await market.stock(config))[0] == 3


async def test_what_a_session_has_left_is_counted_anew_after_a_loss(market: Market) -> None:
    """From the orders that Redis knows, never from a snapshot; and the cell is not stored at all."""
    config = await market.publish(CODE, stock=9, sessionStock=4)
    orders = [await market.hold(config, f"u{number}") for number in range(3)]
    await market.drain_all()
    await market.age(orders[0])
    await market.holds.expire_unpaid()  # Redis has not heard of it: to it the unit is held
    await market.redis.flushall()
    await market.recover()
    assert (await session(market, config), await market.stock(config)) == ((2, 1), (2, 6))
    await market.settle()
    assert (await session(market, config), await market.stock(config)) == ((2, 2), (2, 7))
    assert "left" not in await market.pool.fetchval("SELECT cells FROM instances")
    for number in range(2):
        await market.hold(config, f"v{number}")
    assert (await market.click(config, "v2")).outcome == Outcome.SOLD_OUT


async def test_a_session_nobody_has_clicked_on_is_whole_after_a_loss(market: Market) -> None:
    config = await market.publish(CODE, stock=9, sessionStock=4)
    await market.redis.flushall()
    await market.recover()
    assert (await session(market, config), await market.stock(config)) == ((0, 4), (0, 9))
