"""The life of an order, as its history tells it: which moves, why, and by whom."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.errors import PaymentClosed
from engine.core.ids import instance_id
from engine.core.settings import Settings
from engine.orders import gate_state
from engine.orders.holds import Holds
from tests.support.club import CODE, expired, fail_club, open_club, paid, pay_late
from tests.support.ledger import Ledger, open_ledger
from tests.support.market import Market

LIFE = "SELECT from_status, to_status, why, by_whom FROM order_events WHERE order_id = $1 ORDER BY id"

PAID = ("HELD", "PAID", "PAID_IN_TIME", "sandbox")
FAILED = ("PAID", "REFUNDING", "INSTANCE_FAILED", "gate")
PAID_BACK = ("REFUNDING", "REFUNDED", "PAID_BACK", "sandbox")


@pytest.fixture
async def market(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    async with open_club(settings, monkeypatch) as market:
        yield market


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def life(market: Market, order_id: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in await market.pool.fetch(LIFE, order_id)]


async def test_nobody_pays(market: Market) -> None:
    """The sweep ends it."""
    order_id = await expired(market, await market.publish(CODE), "u1")
    assert await life(market, order_id) == [("HELD", "EXPIRED", "NOT_PAID_IN_TIME", "holds")]


async def test_it_is_cancelled(market: Market) -> None:
    """By whose it is, and by nobody else."""
    order_id = await market.hold(await market.publish(CODE), "u1")
    await market.drain_all()
    await market.engine.orders.cancel(order_id, "u1")
    assert await life(market, order_id) == [("HELD", "CANCELLED", "BY_CONSUMER", "u1")]


async def test_its_club_fails(market: Market) -> None:
    """Paid for, owed, paid back."""
    config = await market.publish(CODE, stock=3)
    order_id = await paid(market, config, "u1", verb="open")
    await fail_club(market, config, order_id[:16])
    await market.settle()
    assert await market.refunds.pay_due(10) == 1
    assert await life(market, order_id) == [PAID, FAILED, PAID_BACK]


async def test_it_is_paid_for_too_late_and_seated(market: Market) -> None:
    order_id = await expired(market, await market.publish(CODE, stock=3), "u1")
    await pay_late(market, order_id)
    await market.settle()
    assert (await life(market, order_id))[1:] == [
        ("EXPIRED", "REFUNDING", "LATE_PAYMENT", "sandbox"),
        ("REFUNDING", "PAID", "RESEATED", "gate"),
    ]


async def test_it_is_paid_for_too_late_and_nobody_has_a_seat(market: Market) -> None:
    """Somebody else has bought the last unit meanwhile."""
    config = await market.publish(CODE, stock=1)
    order_id = await expired(market, config, "u1")
    await market.settle()
    await asyncio.sleep(market.engine.settings.gate.reopen_ms / 1000)
    await paid(market, config, "u2")
    await pay_late(market, order_id)
    await market.settle()
    assert (await life(market, order_id))[1:] == [
        ("EXPIRED", "REFUNDING", "LATE_PAYMENT", "sandbox"),
        ("REFUNDING", "REFUNDING", "NO_SEAT", "gate"),
    ]


async def test_a_payment_that_begins_while_its_hold_is_cancelled(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed first: nobody can pay for what was given back."""
    order_id = await market.hold(await market.publish(CODE), "u1")
    await market.drain_all()
    cancel, begun = market.engine.orders._cancel, asyncio.Event()

    async def after_a_payment_began(connection: Any, **how: Any) -> None:
        if not begun.is_set():
            begun.set()
            await market.engine.money.payments.prepay(order_id, "u1")
        await cancel(connection, **how)

    monkeypatch.setattr(market.engine.orders, "_cancel", after_a_payment_began)
    assert (await market.engine.orders.cancel(order_id, "u1")).status == "CANCELLED"
    with pytest.raises(PaymentClosed):
        await market.sandbox.pay(order_id)


@pytest.mark.parametrize("prepaid", [False, True])
async def test_every_overdue_hold_is_found(ledger: Ledger, prepaid: bool) -> None:
    """However many there are, beyond what one statement looks at."""
    config = await ledger.config()
    orders = [await ledger.order(config, f"u{number}") for number in range(5)]
    overdue = "UPDATE orders SET pay_before = now() - interval '1 s', prepaid = $1"
    await ledger.pool.execute(overdue, prepaid)
    holds = Holds(ledger.pool, ledger.moves, ledger.payments.close, sweep_max=2)
    found = await holds.expire_prepaid() if prepaid else await holds.expire_unpaid()
    assert found == 5
    assert {(await ledger.status(order_id))[0] for order_id in orders} == {"EXPIRED"}


@pytest.mark.parametrize(
    ("believed", "answered", "then"),
    [(1, 2, 2), (1, 0, 0), (2, 0, 0), (0, 2, 0), (2, 1, 2), (0, 1, 0), (1, 1, 1)],
)
async def test_what_redis_is_believed_to_know_goes_forwards_only(
    ledger: Ledger, believed: int, answered: int, then: int
) -> None:
    """Held (1), paid (2), released (0): an answer that comes again, or late, changes nothing."""
    order_id = await ledger.order(await ledger.config())
    await ledger.pool.execute("UPDATE orders SET gate_state = $1", believed)
    async with ledger.pool.acquire() as connection:
        await gate_state.follow(connection, [order_id], [answered], [1_900_000_000_000])
    assert await ledger.pool.fetchval("SELECT gate_state FROM orders") == then


@pytest.mark.parametrize("status", ["HELD", "PAID", "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED"])
async def test_a_stray_seat_is_noted_where_money_is_on_its_way_back(ledger: Ledger, status: str) -> None:
    """With the instance that Redis gave it in; of another order it is no news, nor a second time."""
    config = await ledger.config()
    order_id = await ledger.order(config, status=status)
    await ledger.pool.execute("UPDATE orders SET gate_state = 0")
    stray = status in ("REFUNDING", "REFUNDED")
    async with ledger.pool.acquire() as connection:
        news = [await gate_state.note_stray_seats(connection, [order_id], ["s2"], [1_900_000_000_000]) for _ in "12"]
    assert [len(rows) for rows in news] == [int(stray), 0]
    row = await ledger.pool.fetchrow("SELECT instance_id, gate_state FROM orders")
    assert row is not None
    assert tuple(row) == (instance_id(config, "s2" if stray else "s1"), 2 if stray else 0)
