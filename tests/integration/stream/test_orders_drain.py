"""Intents become rows: each once, whoever reads them, however often, in whatever order."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import msgspec
import pytest

from engine.core.errors import ShardUnknown
from engine.core.settings import Settings
from engine.gate import keys
from engine.stream.drain import GROUP
from engine.stream.intents import decode
from tests.support.market import PRICE_FEN, Market, open_market
from tests.support.waiting import until


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def entries(redis: Any) -> list[Any]:
    return list(await redis.xrange(keys.intents(0)))


async def test_a_click_becomes_one_held_order(market: Market) -> None:
    """The row says what the click was told, and the stock is reserved with it."""
    config = await market.publish(stock=5)
    order_id = await market.hold(config, "u1", quantity=2)
    await market.drain_all()
    row = await market.pool.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    assert row is not None
    expected = (f"{config}.s1", "u1", "r", 2, 2 * PRICE_FEN, "HELD", 1, [2, 0, 0])
    columns = ["instance_id", "user_id", "request_id", "quantity", "amount_fen", "status", "gate_state", "receipt"]
    assert tuple(row[column] for column in columns) == expected
    assert (row["pay_before"] - row["created_at"]).total_seconds() == 300
    assert await market.stock(config) == (2, 3)


async def test_entries_delivered_twice_and_out_of_order(market: Market) -> None:
    """Applying every entry again, newest first, changes nothing."""
    config = await market.publish("GROUP_BUY", stock=5)
    leader = await market.hold(config, "u1", verb="open")
    await market.hold(config, "u2", suffix=leader[:16])
    raws = await entries(market.redis)
    assert len(raws) == 2
    for raw in [raws[1], raws[0], raws[1], raws[0]]:
        await market.applier.apply(0, [decode(*raw)])
    assert await market.statuses() == {"HELD": 2}
    assert await market.stock(config) == (2, 3)
    cells = await market.pool.fetchval("SELECT cells FROM instances")
    assert cells["seatsLeft"] == 0


async def test_a_worker_that_dies_between_commit_and_acknowledge(market: Market) -> None:
    """Its entries stay, another worker takes them over, and nothing happens twice."""
    config = await market.publish()
    await market.hold(config, "u1")
    read = await market.redis.xreadgroup(GROUP, "dead", {keys.intents(0): ">"})
    await market.applier.apply(0, [decode(*raw) for raw in read[0][1]])
    assert await market.drain("heir").take_over(0) == 1
    assert await entries(market.redis) == []
    assert (await market.redis.xpending(keys.intents(0), GROUP))["pending"] == 0
    assert await market.statuses() == {"HELD": 1}
    assert await market.stock(config) == (1, 9)


async def test_entries_of_a_worker_at_work_are_left_alone(market: Market) -> None:
    """Only entries that were idle for long enough are taken over."""
    await market.hold(await market.publish(), "u1")
    await market.redis.xreadgroup(GROUP, "busy", {keys.intents(0): ">"})
    assert await market.drain("heir").take_over(60_000) == 0
    assert len(await entries(market.redis)) == 1


async def test_nothing_is_acknowledged_before_it_is_committed(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Postgres is away entries wait in the stream; when it is back they become rows."""
    config = await market.publish()
    await market.hold(config, "u1")
    apply, back, attempts = market.applier.apply, asyncio.Event(), count()

    async def flaky(*arguments: Any) -> None:
        if not back.is_set():
            next(attempts)
            raise ConnectionRefusedError
        await apply(*arguments)

    monkeypatch.setattr(market.applier, "apply", flaky)
    step = asyncio.create_task(market.drain().step())
    await until(lambda: repr(attempts) == "count(3)")
    assert not step.done()
    assert len(await entries(market.redis)) == 1
    back.set()
    assert await step == 1
    assert await entries(market.redis) == []
    assert await market.statuses() == {"HELD": 1}


async def test_two_workers_race_for_the_same_stream(market: Market) -> None:
    """Every order once and the stock to the unit, with two drains on several configs."""
    configs = [await market.publish(stock=100) for _ in range(3)]
    for number in range(120):
        await market.hold(configs[number % 3], f"u{number}")
    raws = await entries(market.redis)
    both = [market.drain("a"), market.drain("b")]

    async def empty(drain: Any) -> None:
        while await drain.step():
            pass
        for raw in reversed(raws):  # as if all of it had been delivered to both, backwards
            await market.applier.apply(0, [decode(*raw)])

    await asyncio.gather(*map(empty, both))
    assert await market.statuses() == {"HELD": 120}
    assert [await market.stock(config) for config in configs] == [(40, 60)] * 3


async def test_more_than_there_is(market: Market) -> None:
    """When Redis sold too much, Postgres takes what fits, oldest first, and cancels the rest without stock."""
    config = await market.publish(stock=2)
    await market.redis.hset(keys.cells(0, config), "left", 5)
    orders = [await market.hold(config, f"u{number}") for number in range(4)]
    await market.drain_all()
    expected = [("HELD", None, 1)] * 2 + [("CANCELLED", "OVERSOLD", 0)] * 2
    assert [await market.order(order_id) for order_id in orders] == expected
    assert (await market.stock(config))[0] == 2


async def test_an_entry_of_an_earlier_epoch(market: Market) -> None:
    """Orders of a writer that was fenced off end as CANCELLED, without stock; its snapshots are ignored."""
    config = await market.publish("GROUP_BUY", stock=5)
    leader = await market.hold(config, "u1", verb="open")
    raws = await entries(market.redis)
    await market.pool.execute("UPDATE shards SET epoch = epoch + 1")
    await market.drain_all()
    assert len(raws) == 1
    assert await market.order(leader) == ("CANCELLED", "FENCED", 0)
    assert await market.count("instances") == 0
    assert (await market.stock(config))[0] == 0


async def test_a_fenced_entry_of_known_orders(market: Market) -> None:
    """An entry that is already rows stays as it is when it comes again from an earlier epoch."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    (raw,) = await entries(market.redis)
    await market.drain_all()
    await market.pool.execute("UPDATE shards SET epoch = epoch + 1")
    await market.applier.apply(0, [decode(*raw)])
    assert await market.order(order_id) == ("HELD", None, 1)
    assert (await market.stock(config))[0] == 1


async def test_a_fenced_click_that_is_repeated(market: Market) -> None:
    """Accepted in the new epoch it is held after all, with its stock, and comes back like any other."""
    config = await market.publish(stock=5)
    order_id = await market.hold(config, "u1", quantity=2)
    (raw,) = await entries(market.redis)
    await market.redis.xtrim(keys.intents(0), 0)
    await market.redis.delete(keys.people(0, config))
    await market.recover()
    await market.applier.apply(0, [decode(*raw)])
    assert await market.order(order_id) == ("CANCELLED", "FENCED", 0)
    assert await market.hold(config, "u1", quantity=2) == order_id
    again = await entries(market.redis)
    for _ in range(2):
        await market.applier.apply(0, [decode(*one) for one in again])
    assert await market.order(order_id) == ("HELD", None, 1)
    assert await market.stock(config) == (2, 3)
    await market.age(order_id)
    await market.holds.expire_unpaid()
    await market.settle()
    assert await market.order(order_id) == ("EXPIRED", "NOT_PAID_IN_TIME", 0)
    assert await market.stock(config) == (0, 5)


async def test_an_entry_that_cannot_be_applied(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set aside after some tries; its neighbours in the same read become rows."""
    monkeypatch.setattr("engine.stream.drain.POISON_WAIT_S", 0.001)
    config = await market.publish()
    await market.hold(config, "u1")
    await market.redis.xadd(keys.intents(0), {"e": "1", "p": b"\xc1 not msgpack"})
    await market.hold(config, "u2")
    await market.drain_all()
    assert await market.statuses() == {"HELD": 2}
    assert await market.pool.fetchval("SELECT payload FROM dead_intents") == b"\xc1 not msgpack"
    assert await entries(market.redis) == []


async def test_a_database_that_is_migrated_under_a_worker(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements that no longer fit the tables are not the entry's fault: it waits for the worker that knows them."""
    monkeypatch.setattr("engine.stream.drain.POISON_WAIT_S", 0.001)
    monkeypatch.setattr("engine.stream.drain.BACK_OFF_MAX_S", 0.01)
    config = await market.publish()
    await market.hold(config, "u1")
    await market.pool.execute("ALTER TABLE orders RENAME COLUMN receipt TO receipts")
    draining = asyncio.create_task(market.drain_all())
    await asyncio.sleep(0.5)
    assert await market.count("dead_intents") == 0
    await market.pool.execute("ALTER TABLE orders RENAME COLUMN receipts TO receipt")
    await draining
    assert await market.statuses() == {"HELD": 1}


async def test_a_stream_without_its_group(market: Market) -> None:
    """A group that is gone is made again from the oldest entry on."""
    config = await market.publish()
    await market.hold(config, "u1")
    await market.redis.xgroup_destroy(keys.intents(0), GROUP)
    await market.drain().step()
    await market.drain_all()
    assert await market.statuses() == {"HELD": 1}


async def test_a_shard_without_a_row_is_waited_for(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the database that is not ready, and no fault of the entry's."""
    order_id = await market.hold(await market.publish(), "u1")
    (raw,) = await entries(market.redis)
    drain, apply = market.drain(), market.applier.apply
    refusals = [ShardUnknown(), ShardUnknown()]

    async def not_yet(shard: int, run: Any) -> None:
        if refusals:
            raise refusals.pop()
        await apply(shard, run)

    monkeypatch.setattr(market.applier, "apply", not_yet)
    await drain.persist([raw])
    assert (await market.order(order_id))[0] == "HELD"
    assert await market.count("dead_intents") == 0


async def test_all_that_a_dead_worker_left_is_taken_over(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages it is."""
    config = await market.publish()
    for number in range(5):
        await market.hold(config, f"u{number}")
    await market.redis.xreadgroup(GROUP, "dead", {keys.intents(0): ">"})
    heir = market.drain("heir")
    monkeypatch.setattr(heir, "_settings", msgspec.structs.replace(heir._settings, drain_entries_max=2))
    assert await heir.take_over(0) == 5
    assert await market.statuses() == {"HELD": 5}


async def test_what_kills_its_reader_is_set_aside_unread(market: Market) -> None:
    """Delivered more often than anything may be, and never a word of why."""
    await market.hold(await market.publish(), "u1")
    for number in range(market.engine.settings.orders.deliveries_max + 1):
        await market.redis.xreadgroup(GROUP, "dead", {keys.intents(0): ">"})
        await market.redis.xautoclaim(keys.intents(0), GROUP, f"dead{number}", 0, "0-0")
    await market.drain("heir").take_over(0)
    assert (await market.count("dead_intents"), await market.count("orders")) == (1, 0)
    assert await entries(market.redis) == []
