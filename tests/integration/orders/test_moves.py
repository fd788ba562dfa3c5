"""Every move of an order: from where, to where, why; what follows; and the history that it leaves."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionProxy
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.core.settings import Settings
from engine.core.transact import transact
from engine.orders import moves
from engine.orders.moves import MOVES, Move, Moves
from engine.runtime.consequences import OF_MOVES
from tests.support.history import broken_histories
from tests.support.ledger import Ledger, open_ledger

README = Path(__file__).resolve().parents[3] / "engine" / "orders" / "README.md"
STATUSES = ("HELD", "PAID", "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED")
# Moves that take parameters of their own have tests of their own, in late payments and in the drain.
PLAIN = tuple(move for move in MOVES if not move.rows)

HISTORY = "SELECT from_status, to_status, why, by_whom FROM order_events WHERE order_id = $1 ORDER BY id"


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def make(ledger: Ledger, made: Moves, move: Move, order_ids: Sequence[str], **how: Any) -> list[str]:
    """The ids that were moved."""
    work = partial(made.make, move=move, order_ids=order_ids, by="test", **how)
    return [row["id"].hex for row in await transact(ledger.pool, work)]


async def history(ledger: Ledger, order_id: str) -> list[tuple[str, str, str, str]]:
    return [tuple(row) for row in await ledger.pool.fetch(HISTORY, order_id)]


async def order(ledger: Ledger, config: str, status: str, move: Move | None = None) -> str:
    """The id of an order with this status, of which `move` may believe that a seat was asked for it."""
    order_id = await ledger.order(config, status=status, reason="LATE_PAYMENT" if move and move.guard else None)
    if move and move.guard:
        await ledger.pool.execute("UPDATE orders SET seat_asked = true WHERE id = $1", order_id)
    return order_id


@pytest.mark.parametrize("move", PLAIN, ids=lambda move: move.name)
async def test_a_move_leaves_what_it_may_leave_and_nothing_else(ledger: Ledger, move: Move) -> None:
    """In bulk: orders of every status are asked for, those it begins from are moved, each with one row of history."""
    config = await ledger.config()
    reason = "LATE_PAYMENT" if move.guard else None
    asked = {status: await order(ledger, config, status, move) for status in STATUSES}
    moved = await make(ledger, ledger.moves, move, list(asked.values()))
    assert sorted(moved) == sorted(asked[status] for status in move.sources)
    for status, order_id in asked.items():
        if status in move.sources:
            assert (await ledger.status(order_id))[0] == move.target
            assert await history(ledger, order_id) == [(status, move.target, move.whys[0], "test")]
        else:
            assert await ledger.status(order_id) == (status, reason)
            assert await history(ledger, order_id) == []


@pytest.mark.parametrize("move", PLAIN, ids=lambda move: move.name)
async def test_of_two_who_move_one_does(ledger: Ledger, move: Move) -> None:
    """Whoever comes second moves nothing, writes nothing and lets nothing follow."""
    config = await ledger.config()
    order_id = await order(ledger, config, move.sources[0], move)
    heard: list[str] = []

    async def follows(_connection: PoolConnectionProxy, rows: Sequence[asyncpg.Record]) -> None:
        heard.extend(row["id"].hex for row in rows)

    made = Moves({**OF_MOVES, move: (*OF_MOVES[move], follows)})
    rounds = await asyncio.gather(*(make(ledger, made, move, [order_id]) for _ in range(4)))
    assert sorted(map(len, rounds)) == [0, 0, 0, 1]
    assert heard == [order_id]
    assert len(await history(ledger, order_id)) == 1


async def test_a_move_of_one_says_who_and_why_and_when(ledger: Ledger) -> None:
    """As one of many does; and the row knows when it was changed."""
    config = await ledger.config()
    alone, *others = [await order(ledger, config, "PAID") for _ in range(3)]
    await ledger.pool.execute("UPDATE orders SET updated_at = now() - interval '1 h'")
    for order_ids in ([alone], others):
        work = partial(ledger.moves.make, move=moves.OWE, order_ids=order_ids, why="PAYMENT_REFUSED", by="somebody")
        await transact(ledger.pool, work)
    for order_id in (alone, *others):
        assert await history(ledger, order_id) == [("PAID", "REFUNDING", "PAYMENT_REFUSED", "somebody")]
    assert await ledger.pool.fetchval("SELECT count(*) FROM orders WHERE updated_at > now() - interval '1 min'") == 3


async def test_what_follows_comes_in_order(ledger: Ledger) -> None:
    """That of the table, with the rows that were moved, those of every source among them."""
    config = await ledger.config()
    late = [await order(ledger, config, status) for status in moves.OWE_LATE.sources]
    heard: list[tuple[str, set[str]]] = []

    def hears(name: str) -> moves.Consequence:
        async def hear(_connection: PoolConnectionProxy, rows: Sequence[asyncpg.Record]) -> None:
            heard.append((name, {row["id"].hex for row in rows}))

        return hear

    await make(ledger, Moves({**OF_MOVES, moves.OWE_LATE: (hears("first"), hears("second"))}), moves.OWE_LATE, late)
    assert heard == [("first", set(late)), ("second", set(late))]


async def test_what_follows_fails_with_its_move(ledger: Ledger) -> None:
    """All of it happens or nothing: neither the move nor its history nor what followed before stays."""
    config = await ledger.config()
    order_id = await order(ledger, config, "PAID")

    async def fails(_connection: PoolConnectionProxy, _rows: Sequence[asyncpg.Record]) -> None:
        raise RuntimeError("no")

    made = Moves({**OF_MOVES, moves.OWE: (*OF_MOVES[moves.OWE], fails)})
    with pytest.raises(RuntimeError):
        await make(ledger, made, moves.OWE, [order_id])
    assert await ledger.status(order_id) == ("PAID", None)
    assert await history(ledger, order_id) == []
    assert await ledger.owed(order_id) == {}
    assert await ledger.pool.fetchval("SELECT count(*) FROM gate_events") == 0


async def test_a_reason_of_another_move_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="RESEATED is no reason for OWE"):
        await make(ledger, ledger.moves, moves.OWE, [], why="RESEATED")


async def test_history_is_only_ever_added_to(ledger: Ledger) -> None:
    """Postgres refuses to change or remove a row of it."""
    await make(ledger, ledger.moves, moves.EXPIRE, [await order(ledger, await ledger.config(), "HELD")])
    for rewriting in ("UPDATE order_events SET why = 'x'", "DELETE FROM order_events"):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await ledger.pool.execute(rewriting)


def test_nothing_follows_that_is_not_said() -> None:
    """A new move must say what follows it, be it nothing."""
    assert set(OF_MOVES) == set(MOVES)
    without = {move: follows for move, follows in OF_MOVES.items() if move is not moves.OWE}
    with pytest.raises(ValueError, match="what follows OWE is not said"):
        Moves(without)


def test_the_page_says_what_the_code_does() -> None:
    """The table of moves in engine/orders/README.md, cell by cell."""
    rows = re.findall(
        r"^\| ([A-Z_]+) \| (.*?) \| (\w+) \| (.*?) \| (.*?) ?\|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [
        (
            move.name,
            ", ".join(move.sources),
            move.target,
            ", ".join(move.whys),
            ", ".join(f"{one.__module__.rpartition('.')[2]}.{one.__name__}" for one in OF_MOVES[move]),
        )
        for move in MOVES
    ]


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(PLAIN), st.integers(0, 3)), max_size=25))
async def test_whatever_is_tried_the_history_is_whole(ledger: Ledger, tried: list[tuple[Move, int]]) -> None:
    """Any moves in any order on four orders: what their rows say is where their histories lead."""
    config = await ledger.config()
    orders = [await order(ledger, config, "HELD") for _ in range(4)]
    for move, number in tried:
        await make(ledger, ledger.moves, move, orders[number : number + 2], why=move.whys[-1])
    assert await broken_histories(ledger.pool) == []
    for order_id in orders:
        told = await history(ledger, order_id)
        assert (await ledger.status(order_id))[0] == (told[-1][1] if told else "HELD")
