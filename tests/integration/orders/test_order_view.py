"""What an order's buyer is told of the money that goes back."""

from collections.abc import AsyncIterator

import pytest

from engine.core.settings import Settings
from engine.orders.orders import Orders
from tests.support.ledger import PRICE_FEN, Ledger, open_ledger

REBATE_FEN = 100


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def seen(ledger: Ledger, order_id: str) -> tuple[int, int, int]:
    """(part of the price, all that goes back, what of it has come back) in fen, as one order and in the list."""
    pool = ledger.pool
    orders = Orders(pool, None, ledger.moves, ledger.payments.close, shards=1, sweep_max=1)  # type: ignore[arg-type]
    order = await orders.get(order_id, "u1")
    listed = (await orders.list_for("u1", None, 10)).items
    assert [one for one in listed if one.id == order_id] == [order]
    return order.rebate_fen, order.refund_fen, order.refunded_fen


async def test_nothing_goes_back_of_an_order_that_stands(ledger: Ledger) -> None:
    assert await seen(ledger, await ledger.paid(await ledger.config())) == (0, 0, 0)


async def test_a_rebate_is_owed_and_then_paid(ledger: Ledger) -> None:
    """The buyer sees it from the moment it is owed; somebody else's is not theirs."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.paid(config, "u2", quantity=5)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=REBATE_FEN))
    assert await seen(ledger, order_id) == (REBATE_FEN, REBATE_FEN, 0)
    await ledger.refunds.pay_due(10)
    assert await seen(ledger, order_id) == (REBATE_FEN, REBATE_FEN, REBATE_FEN)


async def test_the_rest_goes_back_as_well(ledger: Ledger) -> None:
    """Of a rebate that came before, the view still tells; together they are the price."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=REBATE_FEN))
    await ledger.refunds.pay_due(10)
    await ledger.take_back(order_id)
    assert await seen(ledger, order_id) == (REBATE_FEN, PRICE_FEN, REBATE_FEN)
    await ledger.wait()
    await ledger.refunds.pay_due(10)
    assert await seen(ledger, order_id) == (REBATE_FEN, PRICE_FEN, PRICE_FEN)


async def test_an_order_that_is_owed_whole(ledger: Ledger) -> None:
    order_id = await ledger.paid(await ledger.config())
    await ledger.take_back(order_id)
    assert await seen(ledger, order_id) == (0, PRICE_FEN, 0)
