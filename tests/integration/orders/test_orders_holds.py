"""A hold resolves once: paid, expired or cancelled; what it held comes back completely, once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from engine.core.errors import NotFound, OrderNotReady, PaymentClosed, StateConflict
from engine.core.settings import Settings
from engine.gate.outcome import Outcome
from engine.money.providers.port import ProviderFailed, Trade, TradeState
from engine.orders.holds import Holds
from engine.orders.moves import Moves
from engine.runtime.consequences import OF_MOVES
from tests.support.market import Market, open_market


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def test_unpaid_holds_come_back(market: Market) -> None:
    """All units are back in Postgres and in Redis, and can be held again."""
    config = await market.publish(stock=3)
    orders = [await market.hold(config, f"u{number}") for number in range(3)]
    assert (await market.click(config, "late")).outcome == Outcome.SOLD_OUT
    await market.drain_all()
    await market.age(*orders)
    assert await market.holds.expire_unpaid() == 3
    await market.settle()
    assert [await market.order(order_id) for order_id in orders] == [("EXPIRED", "NOT_PAID_IN_TIME", 0)] * 3
    assert await market.stock(config) == (0, 3)
    assert await market.count("gate_events") == 0
    await market.hold(config, "late")


async def test_a_hold_in_time_is_left_alone(market: Market) -> None:
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    assert await market.holds.expire_unpaid() == 0
    assert (await market.order(order_id))[0] == "HELD"


async def test_sweeps_race_each_other(market: Market) -> None:
    """However many processes sweep, each hold is given back once."""
    config = await market.publish(stock=50)
    orders = [await market.hold(config, f"u{number}") for number in range(50)]
    await market.drain_all()
    await market.age(*orders)
    assert sum(await asyncio.gather(*(market.holds.expire_unpaid() for _ in range(4)))) == 50
    await market.settle()
    assert await market.stock(config) == (0, 50)


async def test_a_release_that_is_sent_again(market: Market) -> None:
    """Redis gives a unit back once, however often it is told."""
    config = await market.publish(stock=2)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.age(order_id)
    await market.holds.expire_unpaid()
    for _ in range(3):
        await market.dispatcher.send_new()
        await market.pool.execute("UPDATE gate_events SET sent_at = now() - interval '1 h'")
        await market.dispatcher.send_again()
    await market.settle()
    assert await market.stock(config) == (0, 2)


async def test_expiry_races_payment(market: Market) -> None:
    """Of a payment and an expiry at the same moment one wins; stock and money agree with the winner."""
    config = await market.publish(stock=40)
    orders = {f"u{number}": await market.hold(config, f"u{number}") for number in range(40)}
    await market.drain_all()
    await asyncio.gather(*(market.engine.money.payments.prepay(id_, user) for user, id_ in orders.items()))
    await market.age(*orders.values())
    payers = [market.sandbox.pay(order_id) for order_id in orders.values()]
    sweeps = [market.holds.expire_prepaid() for _ in range(2)]
    await asyncio.gather(*payers[:20], *sweeps, *payers[20:], return_exceptions=True)
    await market.settle()
    paid = await market.pool.fetchval("SELECT count(*) FROM sandbox_trades WHERE status = 'PAID'")
    statuses = await market.statuses()
    assert statuses.get("PAID", 0) == paid
    assert statuses.get("PAID", 0) + statuses.get("EXPIRED", 0) == 40
    assert await market.stock(config) == (paid, 40 - paid)


async def test_a_payment_that_was_never_notified(market: Market) -> None:
    """The sweep asks the provider before it gives back, and finds the payment."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.pay(order_id, "u1", notify=False)
    await market.age(order_id)
    assert await market.holds.expire_unpaid() == 0
    assert await market.holds.expire_prepaid() == 0
    await market.settle()
    assert await market.order(order_id) == ("PAID", None, 2)
    assert await market.stock(config) == (1, 9)


async def test_a_prepaid_hold_is_closed_before_it_is_given_back(market: Market) -> None:
    """Nobody can pay for what was given back."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.age(order_id)
    assert await market.holds.expire_prepaid() == 1
    with pytest.raises(PaymentClosed):
        await market.sandbox.pay(order_id)
    assert (await market.order(order_id))[0] == "EXPIRED"
    assert await market.pool.fetchval("SELECT status FROM payments") == "CLOSED"


async def test_a_provider_that_does_not_answer(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hold stays, others are not kept waiting, and the next sweep resolves it."""
    config = await market.publish()
    stuck, other = await market.hold(config, "u1"), await market.hold(config, "u2")
    await market.drain_all()
    for order_id, user in ((stuck, "u1"), (other, "u2")):
        await market.engine.money.payments.prepay(order_id, user)
    await market.age(stuck, other)
    query = market.sandbox.query

    async def flaky(order_id: str) -> Trade:
        if order_id == stuck:
            raise ProviderFailed
        return await query(order_id)

    monkeypatch.setattr(market.sandbox, "query", flaky)
    assert await market.holds.expire_prepaid() == 1
    assert [(await market.order(id_))[0] for id_ in (stuck, other)] == ["HELD", "EXPIRED"]
    monkeypatch.undo()
    assert await market.holds.expire_prepaid() == 1
    assert (await market.order(stuck))[0] == "EXPIRED"


async def test_an_order_that_something_is_wrong_with_keeps_no_other_waiting(market: Market) -> None:
    """Whatever it is, and however many pages of orders come behind it."""
    config = await market.publish()
    orders = [await market.hold(config, f"u{number}") for number in range(4)]
    await market.drain_all()
    for number, order_id in enumerate(orders):
        await market.engine.money.payments.prepay(order_id, f"u{number}")
        await market.age(order_id)
    closed = []

    async def close(order_id: str, _amount_fen: int) -> bool:
        closed.append(order_id)
        if len(closed) == 1:
            raise asyncpg.DataError
        return True

    holds = Holds(market.pool, Moves(OF_MOVES), close, sweep_max=1)
    assert await holds.expire_prepaid() == 3
    assert (await market.order(closed[0]))[0] == "HELD"


async def test_cancel_gives_back_at_once(market: Market) -> None:
    """The consumer's own cancel; a second one answers the same."""
    config = await market.publish(stock=1)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    for _ in range(2):
        order = await market.engine.orders.cancel(order_id, "u1")
        assert (order.status, order.reason) == ("CANCELLED", "BY_CONSUMER")
    await market.settle()
    assert await market.stock(config) == (0, 1)


async def test_cancel_of_a_begun_payment_closes_it(market: Market) -> None:
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.engine.money.payments.prepay(order_id, "u1")
    assert (await market.engine.orders.cancel(order_id, "u1")).status == "CANCELLED"
    assert (await market.sandbox.query(order_id)).state is TradeState.CLOSED


async def test_cancel_of_what_is_paid(market: Market) -> None:
    """Refused, also when the payment was not notified yet."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.pay(order_id, "u1", notify=False)
    with pytest.raises(StateConflict, match="订单已付款，不能取消"):
        await market.engine.orders.cancel(order_id, "u1")
    assert (await market.order(order_id))[0] == "PAID"


async def test_an_order_that_is_not_a_row_yet(market: Market) -> None:
    """It is waited for; NotFound only when everything acknowledged before has become rows."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    with pytest.raises(OrderNotReady):
        await market.engine.orders.get(order_id, "u1")
    waiting = asyncio.create_task(market.engine.orders.get(order_id, "u1"))
    await asyncio.sleep(0.05)
    await market.drain_all()
    assert (await waiting).status == "HELD"
    for unknown, user in (("0" * 32, "u1"), (order_id, "somebody else"), ("not an id", "u1")):
        with pytest.raises(NotFound):
            await market.engine.orders.get(unknown, user)


async def test_my_orders_page_by_page(market: Market) -> None:
    """Newest first, each once, nobody else's."""
    config = await market.publish()
    mine = [await market.hold(config, "u1", request=f"r{number}") for number in range(5)]
    await market.hold(config, "u2")
    await market.drain_all()
    mine = [*sorted(mine)[::2], *sorted(mine)[1::2]]  # in another order than their ids
    for minutes, order_id in enumerate(mine):
        when = "UPDATE orders SET created_at = created_at - interval '1 min' * $2 WHERE id = $1"
        await market.pool.execute(when, order_id, minutes)
    seen: list[Any] = []
    cursor: str | None = None
    while True:
        page = await market.engine.orders.list_for("u1", cursor, 2)
        seen += [order.id for order in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == mine
