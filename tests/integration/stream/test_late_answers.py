"""What Redis answered about a payer who came late, applied to rows: seated, turned away, or a seat that nobody uses."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from engine.core.settings import Settings
from engine.core.transact import transact
from engine.stream import gate_events
from engine.stream.intents import Followed, Seat
from engine.stream.late import settle_late
from tests.support.ledger import RESEATING, Ledger, open_ledger

NOW_MS = 1_900_000_000_000
EVENTS = "SELECT kind FROM gate_events WHERE order_id = $1 ORDER BY kind"
HISTORY = "SELECT to_status, why, by_whom FROM order_events WHERE order_id = $1 ORDER BY id"
TOLD_LATE = "INSERT INTO gate_events (order_id, kind, config_id) SELECT id, 'late', config_id FROM orders WHERE id = $1"


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


class Sale:
    """A config with a session `s2`, and payers who came late."""

    def __init__(self, ledger: Ledger, config: str) -> None:
        self.ledger = ledger
        self.config = config

    async def late(self, user: str = "u1", *, asks: bool = True, status: str = "REFUNDING") -> str:
        """The id of an order that was paid after its time; `asks`: whether Redis was asked to take its payer in."""
        order_id = await self.ledger.order(self.config, user, status=status, reason="LATE_PAYMENT")
        await self.ledger.pool.execute(
            "UPDATE orders SET seat_asked = $2, gate_state = 0 WHERE id = $1", order_id, asks
        )
        await self.ledger.pool.execute(TOLD_LATE, order_id)
        return order_id

    async def settle(self, answers: dict[str, Followed], *, one_by_one: bool = False) -> list[str]:
        """Apply the answers by order id; those that are PAID by it."""
        work = partial(settle_late, moves=self.ledger.moves, events=answers, one_by_one=one_by_one)
        return await transact(self.ledger.pool, work)

    async def row(self, order_id: str) -> tuple[Any, ...]:
        """(status, reason, instance, gate_state)."""
        query = "SELECT status, reason, instance_id, gate_state FROM orders WHERE id = $1"
        return tuple(await self.ledger.pool.fetchrow(query, order_id) or ())

    def answer(
        self, suffix: str = "", *, taken: bool = True, turned_away: bool = False, at_ms: int = NOW_MS
    ) -> Followed:
        """What Redis said of an order."""
        seat = Seat(suffix, at_ms, taken) if suffix else None
        return Followed(self.config, seat=seat, turned_away=turned_away)

    async def events(self, order_id: str) -> list[str]:
        """What Redis is still to be told."""
        return [row["kind"] for row in await self.ledger.pool.fetch(EVENTS, order_id)]


async def on_sale(ledger: Ledger, *, total: int = 9, session: int | None = None) -> Sale:
    config = await ledger.config(RESEATING)
    await ledger.pool.execute("INSERT INTO stock (config_id, total) VALUES ($1, $2)", config, total)
    await ledger.instance(config, "s2")
    if session is not None:
        add = "INSERT INTO session_stock (config_id, instance_id, total) VALUES ($1, $1 || '.s2', $2)"
        await ledger.pool.execute(add, config, session)
    return Sale(ledger, config)


async def test_who_is_taken_in_is_paid_where_redis_has_put_them(ledger: Ledger) -> None:
    """By the gate, says the history."""
    sale = await on_sale(ledger)
    order_id = await sale.late()
    assert await sale.settle({order_id: sale.answer("s2")}) == [order_id]

    assert await sale.row(order_id) == ("PAID", "RESEATED", f"{sale.config}.s2", 2)
    assert [tuple(row) for row in await ledger.pool.fetch(HISTORY, order_id)] == [("PAID", "RESEATED", "gate")]


async def test_who_is_turned_away_is_owed_the_money(ledger: Ledger) -> None:
    """By the gate, says the history; and nobody asks it for a seat any more."""
    sale = await on_sale(ledger)
    order_id = await sale.late()
    assert await sale.settle({order_id: sale.answer(turned_away=True)}) == []

    assert (await sale.row(order_id))[:2] == ("REFUNDING", "LATE_PAYMENT")
    assert [tuple(row) for row in await ledger.pool.fetch(HISTORY, order_id)] == [("REFUNDING", "NO_SEAT", "gate")]
    assert await ledger.owed(order_id) == {"WHOLE": (990, "PENDING")}
    assert await sale.events(order_id) == []


async def test_who_was_seated_is_not_turned_away_by_another_answer(ledger: Ledger) -> None:
    """Asked twice, Redis said yes and then no: they have the seat."""
    sale = await on_sale(ledger)
    order_id = await sale.late()
    assert await sale.settle({order_id: sale.answer("s2", turned_away=True)}) == [order_id]
    assert await ledger.owed(order_id) == {}


@pytest.mark.parametrize(
    ("total", "session", "seated"), [(1, 1, True), (1, None, True), (0, None, False), (9, 0, False)], ids=str
)
async def test_where_stock_is_short_a_seat_needs_units(
    ledger: Ledger, total: int, session: int | None, seated: bool
) -> None:
    """The config's and its session's; the last one is enough. Without, the money is owed."""
    sale = await on_sale(ledger, total=total, session=session)
    order_id = await sale.late()
    assert await sale.settle({order_id: sale.answer("s2")}, one_by_one=True) == [order_id] * seated
    assert (await sale.row(order_id))[0] == ("PAID" if seated else "REFUNDING")
    assert await ledger.owed(order_id) == ({} if seated else {"WHOLE": (990, "PENDING")})


async def test_who_was_seated_before_needs_no_second_unit(ledger: Ledger) -> None:
    """The answer is drained once more while stock is short: nothing happens, least of all to their money."""
    sale = await on_sale(ledger, total=1)
    order_id = await sale.late()
    await sale.settle({order_id: sale.answer("s2")})
    await sale.settle({order_id: sale.answer("s2")}, one_by_one=True)

    assert (await sale.row(order_id))[0] == "PAID"
    assert (await ledger.owed(order_id), await sale.events(order_id)) == ({}, ["late"])


async def test_a_seat_for_who_is_paid_back_already_is_given_back(ledger: Ledger) -> None:
    """Redis is told once; an older answer, or the same once more, is no news."""
    sale = await on_sale(ledger)
    order_id = await sale.late(asks=False)
    assert await sale.settle({order_id: sale.answer("s2")}) == []

    assert await sale.row(order_id) == ("REFUNDING", "LATE_PAYMENT", f"{sale.config}.s2", 2)
    assert await sale.events(order_id) == ["late", "released"]
    await ledger.pool.execute("DELETE FROM gate_events WHERE kind = 'released'")
    await sale.settle({order_id: sale.answer("s2")})
    await sale.settle({order_id: sale.answer("s1", at_ms=NOW_MS - 1)})
    assert await sale.events(order_id) == ["late"]


async def test_a_seat_that_an_answer_only_mentions_is_nothing_to_give_back(ledger: Ledger) -> None:
    """It was taken by another answer, which says so itself."""
    sale = await on_sale(ledger)
    order_id = await sale.late(asks=False)
    await sale.settle({order_id: sale.answer("s2", taken=False)})
    assert (await sale.row(order_id))[2:] == (f"{sale.config}.s1", 0)
    assert await sale.events(order_id) == ["late"]


async def test_who_has_the_seat_does_not_give_it_back(ledger: Ledger) -> None:
    sale = await on_sale(ledger)
    order_id = await sale.late()
    await sale.settle({order_id: sale.answer("s2")})
    assert await sale.events(order_id) == ["late"]


@pytest.mark.parametrize(
    ("answered_ms", "left"), [(NOW_MS - 1, ["released"]), (NOW_MS, ["released"]), (NOW_MS + 1, [])]
)
async def test_an_answer_from_before_the_new_seat_is_none_to_its_release(
    ledger: Ledger, answered_ms: int, left: list[str]
) -> None:
    """Nor one of the very moment: it tells of the hold that was given back before."""
    sale = await on_sale(ledger)
    order_id = await sale.late()
    await sale.settle({order_id: sale.answer("s2")})
    await ledger.pool.execute("UPDATE gate_events SET kind = 'released'")

    strike = partial(gate_events.strike_off, order_ids=[order_id], kinds=["released"], answered_ms=[answered_ms])
    await transact(ledger.pool, strike)
    assert await sale.events(order_id) == left
