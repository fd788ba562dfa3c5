"""After any loss Redis is filled from Postgres, to the unit, before it answers anybody."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis.exceptions import RedisError

from engine.core.errors import NotFound, OrderNotReady, PaymentClosed, StateConflict
from engine.core.ids import instance_id, split_instance_id
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.stream.ownership import ShardOwner
from tests.conftest import OwnValkey
from tests.support.market import Market, open_market
from tests.support.tail import Tail, redis_state
from tests.support.waiting import eventually, until


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def busy(market: Market) -> tuple[str, str]:
    """A flash sale and a group buy with orders in every state."""
    sale, group = await market.publish(stock=20), await market.publish("GROUP_BUY", stock=20)
    orders = [await market.hold(sale, f"u{number}", quantity=2) for number in range(5)]
    leader = await market.hold(group, "u1", verb="open")
    await market.hold(group, "u2", suffix=leader[:16])
    await market.drain_all()
    await market.pay(orders[0], "u0")
    await market.pay(leader, "u1")
    await market.age(orders[1])
    await market.holds.expire_unpaid()
    await market.engine.orders.cancel(orders[2], "u2")
    await market.settle()
    return sale, group


async def test_rebuilt_equals_before(market: Market) -> None:
    """A recovery that nothing was lost before changes nothing that Redis knows."""
    await busy(market)
    before = await redis_state(market.redis)
    await market.recover()
    assert await redis_state(market.redis) == before


async def test_rebuilt_from_nothing(market: Market) -> None:
    """An empty Redis is filled completely, and clicks are answered as if nothing had happened."""
    sale, group = await busy(market)
    before = await redis_state(market.redis)
    first = await market.click(sale, "u3", quantity=2)
    await market.redis.flushall()
    await market.redis.script_flush()
    assert not await market.recovery.is_open(0)
    await market.recover()
    assert await market.recovery.is_open(0)
    assert await redis_state(market.redis) == before
    again = await market.click(sale, "u3", quantity=2)
    assert again == first
    assert (again.outcome, again.replayed) == (Outcome.RESERVED, True)
    assert (await market.click(sale, "u3", quantity=1)).outcome == Outcome.REQUEST_ID_REUSED
    assert (await market.click(group, "u9", verb="open")).outcome == Outcome.RESERVED


async def test_what_is_in_the_stream_is_not_lost(market: Market) -> None:
    """A restart without loss: clicks that were acknowledged and not drained are rows afterwards, still held."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.redis.script_flush()
    await market.recover()
    assert await market.order(order_id) == ("HELD", None, 1)
    assert await market.redis.xlen(keys.intents(0)) == 0
    assert await market.stock(config) == (1, 9)


async def test_a_lost_tail_cannot_be_sold_twice(market: Market) -> None:
    """Redis forgot units that Postgres has sold: after the recovery they are sold still."""
    config = await market.publish(stock=3)
    tail = Tail()
    await tail.mark(market.redis)
    for number in range(3):
        await market.hold(config, f"u{number}")
    await market.drain_all()
    await tail.lose(market.redis)
    blocked = asyncio.create_task(market.click(config, "u9"))
    await until(lambda: not market.engine.gate.lanes[0].open)
    assert not blocked.done(), "nobody is answered before the recovery"
    await market.recover()
    assert (await blocked).outcome == Outcome.SOLD_OUT
    assert await market.stock(config) == (3, 0)


async def test_a_decision_that_redis_forgot_is_told_again(market: Market) -> None:
    """A payment that Redis had counted in the lost tail is counted once, after the recovery."""
    config = await market.publish("GROUP_BUY")
    leader = await market.hold(config, "u1", verb="open")
    await market.drain_all()
    tail = Tail()
    await tail.mark(market.redis)
    await market.pay(leader, "u1")
    await market.dispatcher.send_new()
    await tail.lose(market.redis)
    await market.recover()
    await market.pool.execute("UPDATE gate_events SET sent_at = now() - interval '1 h'")
    await market.dispatcher.send_again()
    await market.settle()
    assert await market.instance(f"{config}.{leader[:16]}") == ("ACTIVE", 1, 2)
    assert await market.order(leader) == ("PAID", None, 2)


async def test_epochs_disagree(market: Market) -> None:
    """Whichever side has the older epoch, the next one is above both."""
    await market.redis.set(keys.epoch(0), 41)
    assert not await market.recovery.is_open(0)
    assert await market.recover() == 42
    await market.pool.execute("UPDATE shards SET epoch = 99")
    assert await market.recover() == 100
    assert await market.recovery.is_open(0)


@pytest.mark.parametrize("value", ["\0", "one", "-7", "1.5", "1_0", "²", "9" * 18, "9" * 30, "9" * 5000])
async def test_an_epoch_that_is_damaged_counts_as_none(market: Market, value: str) -> None:
    """That of Postgres is used, and the shard opens."""
    await market.pool.execute("UPDATE shards SET epoch = 41")
    await market.redis.set(keys.epoch(0), value)
    assert not await market.recovery.is_open(0)
    assert await market.recover() == 42
    assert await market.recovery.is_open(0)


async def test_an_epoch_that_is_no_text_counts_as_none(market: Market) -> None:
    await market.redis.delete(keys.epoch(0))
    await market.redis.rpush(keys.epoch(0), "1")
    assert not await market.recovery.is_open(0)
    await market.recover()
    assert await market.recovery.is_open(0)


async def test_a_crash_in_the_middle_leaves_it_closed(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is answered from half a state, and the next recovery completes it."""
    config = await market.publish()
    await market.hold(config, "u1")

    async def crash(*_arguments: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr("engine.stream.recovery.load_config", crash)
    with pytest.raises(ConnectionError):
        await market.recover()
    assert await market.redis.get(keys.epoch(0)) is None
    monkeypatch.undo()
    await market.recover()
    assert await market.stock(config) == (1, 9)


async def test_a_restart_in_the_middle_leaves_it_closed(
    settings: Settings, own_valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is killed while it is being filled: the recovery notices, although a new connection would work."""
    valkey = await own_valkey()
    replace = msgspec.structs.replace
    own = replace(settings, redis=replace(settings.redis, hot_url=valkey.url, queue_url=valkey.url))
    async with open_market(own) as market:
        await market.publish()
        load = market.recovery._fill

        async def kill_first(*arguments: Any) -> list[str]:
            await valkey.restart()
            return await load(*arguments)

        monkeypatch.setattr(market.recovery, "_fill", kill_first)
        with pytest.raises((RedisError, OSError)):
            await market.recover()
        monkeypatch.undo()
        assert not await market.recovery.is_open(0)
        await market.recover()
        assert await market.recovery.is_open(0)


async def test_whoever_lifts_the_fence_closes_every_shard_first(settings: Settings) -> None:
    """One shard's recovery loads the script; the others, not recovered yet, must not look open because of it."""
    async with open_market(settings) as market:
        for shard in (1, 2, 3):
            await market.redis.set(keys.epoch(shard), 1)
        market.recovery._shards = 4
        await market.redis.script_flush()
        await market.recover()
        assert [await market.redis.get(keys.epoch(shard)) for shard in (1, 2, 3)] == [None] * 3


async def test_an_owner_recovers_by_itself(settings: Settings) -> None:
    """It opens its shards at the start and after a loss, drains what comes, and one of two owners has each shard."""
    async with open_market(settings) as market:
        replace = msgspec.structs.replace
        one = replace(settings, gate=replace(settings.gate, shards=1))
        parts: dict[str, Any] = {"recovery": market.recovery, "applier": market.applier, "settings": one}
        owners = [ShardOwner(pool=market.pool, redis=market.redis, **parts) for _ in range(2)]
        async with running([owner.run() for owner in owners]) as tasks:
            config = await market.publish()
            await market.hold(config, "u1")
            await eventually(market.statuses, {"HELD": 1})
            assert sum(len(owner._owned) for owner in owners) == 1
            await market.redis.flushall()
            await market.redis.script_flush()
            await market.hold(config, "u2")
            await eventually(market.statuses, {"HELD": 2})
            holder = next(number for number, owner in enumerate(owners) if owner._owned)
            tasks[holder].cancel()
            await market.hold(config, "u3")
            await eventually(market.statuses, {"HELD": 3})
            assert await market.stock(config) == (3, 7)


@asynccontextmanager
async def running(works: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that end with the test, also when it fails: the pool waits for every connection that they have."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- random schedules ---------------------------------------------------------------------

PEOPLE = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(st.sampled_from(["buy", "open", "join", "pay", "prepay", "expire", "cancel"]), PEOPLE),
    st.tuples(st.sampled_from(["drain", "tell", "mark", "lose", "end", "refund"]), st.just(0)),
)


# What a person may hear whose order is over, not a row yet, lost with a tail, or never was.
NOTHING_OF_THEIRS = dict.fromkeys(["pay", "prepay", "cancel"], (NotFound, OrderNotReady, StateConflict, PaymentClosed))


class Story:
    """A random schedule on one flash sale and one group buy."""

    def __init__(self, market: Market, sale: str, group: str) -> None:
        self.market = market
        self.sale = sale
        self.group = group
        self.orders: list[tuple[str, str]] = []
        self.groups: list[str] = []
        self.tail = Tail()
        self.clicks = 0
        self.refused: list[str] = []

    async def step(self, what: str, who: int) -> None:
        """One step. Who has nothing to pay for, or nothing to give back, hears it; no other refusal is right."""
        try:
            await getattr(self, what)(f"u{who}")
        except NOTHING_OF_THEIRS.get(what, ()):
            self.refused.append(what)

    async def _hold(self, config: str, user: str, **click: Any) -> str | None:
        self.clicks += 1
        reply = await self.market.click(config, user, request=f"r{self.clicks}", **click)
        if reply.outcome != Outcome.RESERVED:
            return None
        await self.market.redis.ping()
        order_id = await self.market.hold(config, user, request=f"r{self.clicks}", **click)
        self.orders.append((order_id, user))
        return order_id

    async def buy(self, user: str) -> None:
        await self._hold(self.sale, user)

    async def open(self, user: str) -> None:
        if order_id := await self._hold(self.group, user, verb="open"):
            self.groups.append(order_id[:16])

    async def join(self, user: str) -> None:
        if self.groups:
            await self._hold(self.group, user, suffix=self.groups[-1])

    def _mine(self, user: str) -> str:
        mine = [order_id for order_id, owner in self.orders if owner == user]
        return mine[-1] if mine else "0" * 32

    async def pay(self, user: str) -> None:
        await self.market.pay(self._mine(user), user)

    async def prepay(self, user: str) -> None:
        await self.market.engine.money.payments.prepay(self._mine(user), user)

    async def expire(self, user: str) -> None:
        await self.market.age(self._mine(user))
        await self.market.holds.expire_unpaid()
        await self.market.holds.expire_prepaid()

    async def cancel(self, user: str) -> None:
        await self.market.engine.orders.cancel(self._mine(user), user)

    async def drain(self, _: str) -> None:
        await self.market.drain_all()

    async def tell(self, _: str) -> None:
        await self.market.dispatcher.send_new()

    async def mark(self, _: str) -> None:
        await self.tail.mark(self.market.redis)

    async def lose(self, _: str) -> None:
        if self.tail._keys:
            await self.tail.lose(self.market.redis)
            self.tail = Tail()
            await self.market.recover()

    async def end(self, _: str) -> None:
        if self.groups:
            instance = instance_id(self.group, self.groups[-1])
            if await self.market.redis.hexists(keys.cells(0, self.group), self.groups[-1]):
                await self.market.drain_all()
                row = await self.market.pool.fetchval("SELECT status FROM instances WHERE id = $1", instance)
                if row in {"PENDING", "ACTIVE"}:
                    self.market.waker._woken.clear()
                    await self.market.end_group(instance)

    async def refund(self, _: str) -> None:
        await self.market.refunds.pay_due(100)

    async def finish(self) -> None:
        """Everything that was decided is told."""
        await self.market.drain_all()
        await self.market.pool.execute("UPDATE gate_events SET sent_at = NULL")
        await self.market.settle()


async def check(story: Story) -> None:
    """What must be true of any story at its end."""
    pool = story.market.pool
    assert await story.market.count("gate_events") == 0
    assert await story.market.count("dead_intents") == 0
    for config in (story.sale, story.group):
        live = "SELECT coalesce(sum(quantity), 0) FROM orders WHERE config_id = $1 AND status IN ('HELD', 'PAID')"
        units = await pool.fetchval(live, config)
        total = await pool.fetchval("SELECT total FROM stock WHERE config_id = $1", config)
        assert await story.market.stock(config) == (units, total - units)
    ids = [story.sale, story.group]
    wrong_state = """
    SELECT id, status, gate_state FROM orders WHERE config_id = ANY($1)
       AND gate_state <> CASE status WHEN 'HELD' THEN 1 WHEN 'PAID' THEN 2 ELSE 0 END
    """
    assert await pool.fetch(wrong_state, ids) == []
    money = """
    SELECT o.id, o.status, t.status FROM orders o LEFT JOIN sandbox_trades t
        ON t.out_trade_no = replace(o.id::text, '-', '')
     WHERE o.config_id = ANY($1) AND coalesce(t.status, '') IN ('PAID', 'REFUNDED')
           <> (o.status IN ('PAID', 'REFUNDING', 'REFUNDED'))
    """
    assert await pool.fetch(money, ids) == []
    groups = """
    SELECT i.id, i.status, i.current, count(o.id) AS paid FROM instances i
      LEFT JOIN orders o ON o.instance_id = i.id AND o.status = 'PAID'
     WHERE i.config_id = $1 GROUP BY i.id
    """
    for row in await pool.fetch(groups, story.group):
        assert row["current"] == row["paid"], dict(row)
        assert row["status"] != "SUCCESS" or row["paid"] == 2, dict(row)
        assert row["status"] != "FAILED" or row["paid"] == 0, dict(row)
        suffix = split_instance_id(row["id"])[1]
        cells = msgspec.msgpack.decode(await story.market.redis.hget(keys.cells(0, story.group), suffix) or b"")
        assert cells["status"] in {3, 4} or cells["seatsLeft"] == 2 - await pool.fetchval(
            "SELECT count(*) FROM orders WHERE instance_id = $1 AND status IN ('HELD', 'PAID')", row["id"]
        )


@given(steps=st.lists(STEP, max_size=30))
@hypothesis_settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_schedule_ends_well(market: Market, steps: list[tuple[str, int]]) -> None:
    """Opening, joining, paying, expiring, cancelling, failing and losing Redis' tail, in any order."""
    await tell_story(market, steps)


@pytest.mark.long
@pytest.mark.timeout(3600)
@given(steps=st.lists(STEP, min_size=10, max_size=80))
@hypothesis_settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_schedule_ends_well_at_length(market: Market, steps: list[tuple[str, int]]) -> None:
    """The same, longer and more often."""
    await tell_story(market, steps)


async def test_every_step_of_a_story_has_an_effect(market: Market) -> None:
    """Nobody is refused in this one, so the others are not made of refusals alone."""
    sale = [("buy", 0), ("buy", 1), ("buy", 2), ("drain", 0), ("pay", 0), ("prepay", 1), ("expire", 1), ("cancel", 2)]
    groups = [("open", 3), ("join", 4), ("drain", 0), ("pay", 3), ("pay", 4), ("tell", 0), ("open", 5), ("drain", 0)]
    fails = [("pay", 5), ("tell", 0), ("end", 0), ("drain", 0), ("refund", 0), ("mark", 0), ("buy", 4), ("lose", 0)]
    story = await tell_story(market, [*sale, *groups, *fails])
    assert story.refused == []
    assert await market.statuses() == {"PAID": 3, "EXPIRED": 1, "CANCELLED": 1, "REFUNDED": 1}


async def tell_story(market: Market, steps: list[tuple[str, int]]) -> Story:
    """Play the steps, let everything settle, check; then recover from nothing, and check that it is the same."""
    await market.clear()
    story = Story(market, await market.publish(stock=5), await market.publish("GROUP_BUY", stock=6))
    await story.tail.mark(market.redis)
    for what, who in steps:
        await story.step(what, who)
    await story.finish()
    await check(story)
    before = await redis_state(market.redis)
    await market.redis.flushall()
    await market.redis.script_flush()
    await market.recover()
    assert await redis_state(market.redis) == before
    return story
