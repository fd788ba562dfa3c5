"""What a payment is not: of another amount, of an order that is over, of a trade that was closed."""

from collections.abc import AsyncIterator

import pytest

from engine.core.errors import PaymentClosed, StateConflict
from engine.core.settings import Settings
from engine.money.providers.port import TradeState
from engine.orders.moves import CANCEL, EXPIRE, Move
from tests.support.ledger import PRICE_FEN, Ledger, open_ledger


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


@pytest.mark.parametrize("fen", [PRICE_FEN - 1, PRICE_FEN + 1, 0, 2 * PRICE_FEN])
async def test_another_amount_pays_for_nothing(ledger: Ledger, fen: int) -> None:
    """Neither too little nor too much: a person has to look."""
    order_id = await ledger.order(await ledger.config())
    assert await ledger.payments.apply_notification(order_id, fen, "t1") is None
    assert await ledger.status(order_id) == ("HELD", None)
    assert [one["why"] for one in await ledger.pool.fetch("SELECT why FROM stray_payments")] == ["OTHER_AMOUNT"]
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t2") == "PAID"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("PAID", "已付款"),
        ("EXPIRED", "已超时关闭"),
        ("CANCELLED", "已取消"),
        ("REFUNDING", "退款中"),
        ("REFUNDED", "已退款"),
    ],
    ids=["PAID", "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED"],
)
async def test_only_a_hold_is_paid_for(ledger: Ledger, status: str, said: str) -> None:
    """And the order's status is said in the language of the sentence."""
    order_id = await ledger.order(await ledger.config(), status=status)
    with pytest.raises(StateConflict, match=f"订单{said}，不能支付"):
        await ledger.payments.prepay(order_id, "u1")


async def test_a_trade_that_was_never_opened_is_closed_as_well(ledger: Ledger) -> None:
    """Whoever was about to open it comes too late."""
    order_id = await ledger.order(await ledger.config())
    assert await ledger.payments.close(order_id, PRICE_FEN)
    with pytest.raises(PaymentClosed):
        await ledger.payments.prepay(order_id, "u1")


async def test_a_payment_that_was_made_stays_one(ledger: Ledger) -> None:
    """Also when its order is paid back, and somebody closes it once more."""
    order_id = await ledger.paid(await ledger.config())
    await ledger.take_back(order_id)
    await ledger.wait()
    await ledger.refunds.pay_due(10)
    assert (await ledger.sandbox.query(order_id)).state is TradeState.REFUNDED
    await ledger.payments.close(order_id, PRICE_FEN)
    assert await ledger.pool.fetchval("SELECT status FROM payments WHERE order_id = $1", order_id) == "PAID"


async def test_the_sandbox_is_paid_once_and_closes_what_is_not(ledger: Ledger) -> None:
    """Paying again is the same transaction; closing what is paid changes nothing."""
    order_id = await ledger.paid(await ledger.config())
    first = await ledger.sandbox.query(order_id)
    assert await ledger.sandbox.pay(order_id, payer="somebody else") == first
    assert await ledger.sandbox.close(order_id, PRICE_FEN) == first
    assert first.state is TradeState.PAID


@pytest.mark.parametrize("move", [EXPIRE, CANCEL], ids=lambda move: move.name)
async def test_rewards_of_a_hold_end_with_it(ledger: Ledger, move: Move) -> None:
    config = await ledger.config()
    order_id = await ledger.order(config)
    await ledger.pool.execute("INSERT INTO stock (config_id, total, reserved) VALUES ($1, 9, 1)", config)
    await ledger.reward(config, "u2", order_id)
    async with ledger.pool.acquire() as connection, connection.transaction():
        await ledger.moves.make(connection, move, [order_id], by="test")
    rows = await ledger.pool.fetch("SELECT status, reason FROM rewards")
    assert [tuple(row) for row in rows] == [("VOID", "ORDER_NOT_PAID")]
