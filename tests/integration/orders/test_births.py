"""How an order is born: with its units, once; and how one of a fenced-off writer comes back to life."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytest

from engine.core.settings import Settings
from engine.core.transact import transact
from engine.orders import births
from tests.support.ledger import Ledger, open_ledger

ADD_STOCK = "INSERT INTO stock (config_id, total) VALUES ($1, 9)"
ADD_SESSION_STOCK = "INSERT INTO session_stock (config_id, instance_id, total) VALUES ($1, $1 || '.s2', 3)"
ROW = """
SELECT status, reason, gate_state, instance_id, quantity, amount_fen, fingerprint, receipt,
       (extract(epoch FROM pay_before) * 1000)::bigint AS pay_before_ms,
       (extract(epoch FROM created_at) * 1000)::bigint AS created_ms
  FROM orders WHERE id = $1
"""
HISTORY = "SELECT from_status, to_status, why, by_whom FROM order_events WHERE order_id = $1 ORDER BY id"


class Birth(NamedTuple):
    """A row in the order of births.COLUMNS."""

    id: str
    config_id: str
    suffix: str = "s1"
    user_id: str = "u1"
    request_id: str = "r1"
    quantity: int = 1
    amount_fen: int = 990
    pay_before_ms: int = 1_900_000_300_000
    fingerprint: int = 7
    status: int = 1
    current: int = 2
    target: int = 3
    now_ms: int = 1_900_000_000_000


def number(value: int) -> str:
    """An order id."""
    return f"{value:032x}"


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def on_sale(ledger: Ledger) -> str:
    """A config with nine units, three of them in its session `s2`."""
    config = await ledger.config()
    await ledger.pool.execute(ADD_STOCK, config)
    await ledger.pool.execute(ADD_SESSION_STOCK, config)
    return config


def columns(rows: Sequence[Birth]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def hold(ledger: Ledger, *rows: Birth) -> None:
    work = partial(births.hold, moves=ledger.moves, columns=columns(rows), of_sessions=True)
    await transact(ledger.pool, work)


async def cancel(ledger: Ledger, *rows: Birth, why: str) -> int:
    return await transact(ledger.pool, partial(births.cancel_at_birth, columns=columns(rows), why=why))


async def reserved(ledger: Ledger, config: str) -> tuple[int, int]:
    """Units taken of the config, and of its session."""
    of_config = await ledger.pool.fetchval("SELECT reserved FROM stock WHERE config_id = $1", config)
    of_session = await ledger.pool.fetchval("SELECT reserved FROM session_stock WHERE config_id = $1", config)
    return of_config, of_session


async def row(ledger: Ledger, order_id: str) -> dict[str, Any]:
    found = await ledger.pool.fetchrow(ROW, order_id)
    assert found is not None
    return dict(found)


async def test_a_birth_takes_its_units_once(ledger: Ledger) -> None:
    """Of the config and of the session, by their number, however often it is applied; it has no history."""
    config = await on_sale(ledger)
    for _ in range(2):
        await hold(ledger, Birth(number(1), config, quantity=2), Birth(number(2), config, suffix="s2", quantity=3))
    assert await reserved(ledger, config) == (5, 3)
    assert await ledger.pool.fetchval("SELECT count(*) FROM order_events") == 0


async def test_a_revived_order_is_its_second_click(ledger: Ledger) -> None:
    """All of it: where, how many, for how much, what it was answered with and until when it is held."""
    config = await on_sale(ledger)
    assert await cancel(ledger, Birth(number(1), config), why="FENCED") == 1
    again = Birth(number(1), config, "s2", "u1", "r1", 2, 1500, 1_900_000_900_000, 8, 4, 5, 6, 1_900_000_600_000)
    for _ in range(2):
        await hold(ledger, again, Birth(number(2), config))
    assert await row(ledger, number(1)) == {
        "status": "HELD",
        "reason": None,
        "gate_state": 1,
        "instance_id": f"{config}.s2",
        "quantity": 2,
        "amount_fen": 1500,
        "fingerprint": 8,
        "receipt": [4, 5, 6],
        "pay_before_ms": 1_900_000_900_000,
        "created_ms": 1_900_000_600_000,
    }
    assert await reserved(ledger, config) == (3, 2)
    told = await ledger.pool.fetch(HISTORY, number(1))
    assert [tuple(event) for event in told] == [("CANCELLED", "HELD", "CLICKED_AGAIN", "gate")]


@pytest.mark.parametrize("why", ["OVERSOLD", "BY_CONSUMER"])
async def test_who_was_cancelled_for_another_reason_stays_so(ledger: Ledger, why: str) -> None:
    """Only a fenced-off writer's click was never really answered."""
    config = await on_sale(ledger)
    await cancel(ledger, Birth(number(1), config), why=why)
    await hold(ledger, Birth(number(1), config, quantity=2))
    assert (await row(ledger, number(1)))["status"] == "CANCELLED"
    assert await reserved(ledger, config) == (0, 0)


async def test_what_fits(ledger: Ledger) -> None:
    """A new order by the units that are left, to the last one; one that is there already, always; a fenced one anew."""
    config = await on_sale(ledger)
    await cancel(ledger, Birth(number(1), config), why="FENCED")
    await hold(ledger, Birth(number(2), config, quantity=6), Birth(number(3), config, suffix="s2", quantity=2))

    async def fits(order_id: str, quantity: int, suffix: str = "s1") -> bool:
        async with ledger.pool.acquire() as connection:
            return await births.fits(connection, order_id, config, quantity, suffix)

    assert await fits(number(4), 1)
    assert not await fits(number(4), 2)
    assert await fits(number(4), 1, "s2")
    assert not await fits(number(4), 2, "s2")
    assert await fits(number(2), 6)
    assert not await fits(number(1), 2)


async def test_a_birth_remembers_what_its_click_was_told(ledger: Ledger) -> None:
    """Status, current and target, in this order: a repeat is told the same by a Redis that was rebuilt from it."""
    config = await on_sale(ledger)
    columns = [[value] for value in Birth(number(1), config)]
    await transact(ledger.pool, partial(births.hold, moves=ledger.moves, columns=columns, of_sessions=False))
    assert await ledger.pool.fetchval("SELECT receipt FROM orders") == [1, 2, 3]
