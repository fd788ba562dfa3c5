"""Random schedules of everything at once: late payments, promises, stock per session, losses, and stale repetitions.

What a frozen process might do when it wakes is part of them: an entry of long ago is applied once more, an
event of long ago reaches the gate once more.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.core.errors import NotFound, OrderNotReady, PaymentClosed, StateConflict
from engine.core.ids import instance_id, split_instance_id
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply
from engine.stream.apply import Applier
from engine.stream.intents import Entry
from tests.support.club import CODE, REBATE_FEN, open_club, pay_late
from tests.support.market import PRICE_FEN, Market
from tests.support.tail import Tail, redis_state

STOCK = 6
SESSION_STOCK = 2

PEOPLE = st.integers(0, 3)
ANY = st.integers(0, 50)
PERSONAL = ["buy", "open", "join", "pay", "miss", "miss", "expire", "cancel", "remind"]
# More often than not somebody acts; what follows a late payment is what the schedules are to reach.
STEP = st.one_of(
    st.tuples(st.sampled_from(PERSONAL), PEOPLE),
    st.tuples(st.sampled_from(PERSONAL), PEOPLE),
    st.tuples(st.sampled_from(["drain", "tell", "mark", "lose", "end", "settle"]), st.just(0)),
    st.tuples(st.sampled_from(["apply_again", "send_again"]), ANY),
)


@pytest.fixture
async def market(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    async with open_club(settings, monkeypatch) as market:
        yield market


class Recorder(Applier):
    """Remembers every entry that was ever applied."""

    entries: list[Entry]

    async def apply(self, shard: int, entries: Sequence[Entry]) -> None:
        """As the applier does."""
        self.entries += entries
        await super().apply(shard, entries)


# What a person may hear whose order is over, not a row yet, lost with a tail, or never was.
NOTHING_OF_THEIRS = dict.fromkeys(["pay", "miss", "cancel"], (NotFound, OrderNotReady, StateConflict, PaymentClosed))


class Story:
    """A random schedule on one config with a session and clubs."""

    def __init__(self, market: Market, config: str) -> None:
        self.market = market
        self.config = config
        self.applier = Recorder(market.pool, market.engine.orders.moves, market.engine.playbooks.loaded)
        self.applier.entries = []
        market.applier = self.applier
        self.events: list[tuple[Any, ...]] = []
        self.orders: list[tuple[str, str]] = []
        self.clubs: list[str] = []
        self.tail = Tail()
        self.refused: list[str] = []

    async def step(self, what: str, who: int) -> None:
        """One step. Who has nothing to pay for, or nothing to give back, hears it; no other refusal is right."""
        try:
            await getattr(self, what)(who)
        except NOTHING_OF_THEIRS.get(what, ()):
            self.refused.append(what)

    async def event(self, *event: Any) -> Reply:
        """What a dispatcher tells the gate, remembered."""
        self.events.append(event)
        return await Gate.event(self.market.engine.gate, *event)

    async def _hold(self, who: int, **click: Any) -> str | None:
        request = f"r{len(self.orders)}"
        reply = await self.market.click(self.config, f"u{who}", request=request, **click)
        if reply.outcome != Outcome.RESERVED:
            return None
        order_id = await self.market.hold(self.config, f"u{who}", request=request, **click)
        self.orders.append((order_id, f"u{who}"))
        return order_id

    async def buy(self, who: int) -> None:
        await self._hold(who)

    async def open(self, who: int) -> None:
        if order_id := await self._hold(who, verb="open"):
            self.clubs.append(order_id[:16])

    async def join(self, who: int) -> None:
        if self.clubs:
            await self._hold(who, suffix=self.clubs[-1])

    async def remind(self, who: int) -> None:
        await self.market.click(self.config, f"u{who}", verb="remind", request=f"n{len(self.applier.entries)}")

    def _mine(self, who: int) -> str:
        mine = [order_id for order_id, owner in self.orders if owner == f"u{who}"]
        return mine[-1] if mine else "0" * 32

    async def pay(self, who: int) -> None:
        """In time, or too late: only the order knows."""
        await pay_late(self.market, self._mine(who))

    async def expire(self, who: int) -> None:
        await self.market.age(self._mine(who))
        await self.market.holds.expire_unpaid()

    async def miss(self, who: int) -> None:
        """Pay what has just expired."""
        await self.market.drain_all()
        await self.expire(who)
        await self.pay(who)

    async def settle(self, _: int) -> None:
        await self.market.settle()

    async def cancel(self, who: int) -> None:
        await self.market.engine.orders.cancel(self._mine(who), f"u{who}")

    async def drain(self, _: int) -> None:
        await self.market.drain_all()

    async def tell(self, _: int) -> None:
        await self.market.dispatcher.send_new()

    async def mark(self, _: int) -> None:
        await self.tail.mark(self.market.redis)

    async def lose(self, _: int) -> None:
        await self.tail.lose(self.market.redis)
        self.tail = Tail()
        await self.market.recover()
        await self.tail.mark(self.market.redis)

    async def end(self, _: int) -> None:
        if self.clubs and await self.market.redis.hexists(keys.cells(0, self.config), self.clubs[-1]):
            await self.market.drain_all()
            club = instance_id(self.config, self.clubs[-1])
            if (await self.market.instance(club))[0] == "PENDING":
                self.market.waker._woken.clear()
                await self.market.end_group(club)

    async def apply_again(self, number: int) -> None:
        if self.applier.entries:
            entry = self.applier.entries[-1 - number % len(self.applier.entries)]
            await Applier.apply(self.applier, 0, [entry])

    async def send_again(self, number: int) -> None:
        if self.events:
            await Gate.event(self.market.engine.gate, *self.events[-1 - number % len(self.events)])

    async def finish(self) -> None:
        """Everything that was decided is told."""
        await self.market.drain_all()
        for _ in range(3):  # a late answer may have brought about another decision
            await self.market.pool.execute("UPDATE gate_events SET sent_at = NULL")
            await self.market.settle()


async def check_orders(story: Story) -> None:
    """Redis and Postgres agree about each order, and its money is either earned or owed, to the fen."""
    pool = story.market.pool
    assert await story.market.count("gate_events") == 0
    assert await story.market.count("dead_intents") == 0
    wrong_state = """
    SELECT id, status, reason, gate_state FROM orders
     WHERE gate_state <> CASE status WHEN 'HELD' THEN 1 WHEN 'PAID' THEN 2 ELSE 0 END
    """
    assert await pool.fetch(wrong_state) == []
    money = """
    SELECT o.id, o.status, o.reason, p.status AS paid, w.amount_fen AS whole, r.amount_fen AS rebate,
           i.status = 'SUCCESS' AND o.status = 'PAID' AS cheaper
      FROM orders o JOIN instances i ON i.id = o.instance_id LEFT JOIN payments p ON p.order_id = o.id
      LEFT JOIN refunds w ON w.order_id = o.id AND w.kind = 'WHOLE'
      LEFT JOIN refunds r ON r.order_id = o.id AND r.kind = 'REBATE'
    """
    for row in await pool.fetch(money):
        assert (row["paid"] == "PAID") == (row["status"] in {"PAID", "REFUNDING"}), dict(row)
        assert (row["whole"] is not None) == (row["status"] == "REFUNDING"), dict(row)
        assert row["rebate"] in (None, REBATE_FEN), dict(row)
        assert row["rebate"] or not row["cheaper"], dict(row)
        assert row["whole"] in (None, PRICE_FEN - (row["rebate"] or 0)), dict(row)


async def check_instances(story: Story) -> None:
    """Each counts who has paid in it and knows what it has left; the stock of the session and the config add up."""
    pool, redis = story.market.pool, story.market.redis
    query = """
    SELECT i.id, i.status, i.current, s.reserved, s.total AS stock, coalesce(sum(o.quantity), 0) AS units,
           count(o.id) FILTER (WHERE o.status = 'PAID') AS paid
      FROM instances i LEFT JOIN session_stock s ON s.instance_id = i.id
      LEFT JOIN orders o ON o.instance_id = i.id AND o.status IN ('HELD', 'PAID') GROUP BY i.id, s.instance_id
    """
    for row in await pool.fetch(query):
        cells = msgspec.msgpack.decode(await redis.hget(keys.cells(0, story.config), split_instance_id(row["id"])[1]))
        assert cells["current"] == row["current"] == row["paid"], dict(row)
        assert row["status"] != "FAILED" or row["paid"] == 0, dict(row)
        assert cells.get("left") == (row["stock"] and row["stock"] - row["units"]), dict(row)
        assert row["reserved"] == (row["units"] if row["stock"] else None), dict(row)
        if row["status"] == "PENDING" and "seatsLeft" in cells:
            assert cells["seatsLeft"] == 2 - row["units"], dict(row)
    units = await pool.fetchval("SELECT coalesce(sum(quantity), 0) FROM orders WHERE status IN ('HELD', 'PAID')")
    assert await story.market.stock(story.config) == (units, STOCK - units)


async def check_promises(story: Story) -> None:
    """One reward for each order that is paid for; what a person's cells count is what they have."""
    pool = story.market.pool
    frozen = await pool.fetch("SELECT order_id FROM rewards WHERE status = 'FROZEN' ORDER BY order_id")
    paid = await pool.fetch("SELECT id FROM orders WHERE status = 'PAID' ORDER BY id")
    assert [row["order_id"] for row in frozen] == [row["id"] for row in paid]
    people = """
    SELECT coalesce((p.cells ->> 'clicks')::int, 0) AS clicks, coalesce((p.cells ->> 'paid')::int, 0) AS paid,
           (SELECT count(*) FROM orders o WHERE o.user_id = p.user_id) AS orders,
           (SELECT count(*) FROM orders o WHERE o.user_id = p.user_id AND o.status = 'PAID') AS orders_paid
      FROM people p
    """
    for row in await pool.fetch(people):
        assert (row["clicks"], row["paid"]) == (row["orders"], row["orders_paid"]), dict(row)
    assert await story.market.count("notices") == await story.market.count("actions")


async def test_every_step_of_a_story_has_an_effect(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is refused in this one, so the others are not made of refusals alone."""
    sale = [("buy", 0), ("buy", 1), ("drain", 0), ("pay", 0), ("cancel", 1), ("settle", 0), ("buy", 2), ("miss", 2)]
    clubs = [("open", 3), ("join", 4), ("drain", 0), ("pay", 3), ("pay", 4), ("tell", 0), ("open", 5), ("remind", 3)]
    fails = [("drain", 0), ("pay", 5), ("tell", 0), ("end", 0), ("settle", 0), ("apply_again", 2), ("send_again", 1)]
    story = await tell_story(market, monkeypatch, [*sale, *clubs, *fails, ("mark", 0), ("buy", 4), ("lose", 0)])
    assert story.refused == []
    assert await market.statuses() == {"PAID": 4, "REFUNDING": 1, "CANCELLED": 1}


async def tell_story(market: Market, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]) -> Story:
    """Play the steps, let everything settle, check; then recover from nothing, and check that it is the same."""
    await market.clear()
    story = Story(market, await market.publish(CODE, stock=STOCK, sessionStock=SESSION_STOCK))
    monkeypatch.setattr(market.engine.gate, "event", story.event)
    await story.tail.mark(market.redis)
    for what, who in steps:
        await story.step(what, who)
    await story.finish()
    await check_orders(story)
    await check_instances(story)
    await check_promises(story)
    before = await redis_state(market.redis)
    await market.redis.flushall()
    await market.redis.script_flush()
    await market.recover()
    assert await redis_state(market.redis) == before
    return story


@given(steps=st.lists(STEP, min_size=30, max_size=50))
@hypothesis_settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_schedule_ends_well(
    market: Market, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]
) -> None:
    """Whatever is repeated, lost or late: money, stock, seats and promises agree in the end."""
    await tell_story(market, monkeypatch, steps)


@pytest.mark.long
@pytest.mark.timeout(3600)
@given(steps=st.lists(STEP, min_size=30, max_size=120))
@hypothesis_settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_schedule_ends_well_at_length(
    market: Market, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]
) -> None:
    """The same, longer and more often."""
    await tell_story(market, monkeypatch, steps)
