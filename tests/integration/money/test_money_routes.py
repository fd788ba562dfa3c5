"""What finance sees of money that waits for a person, and what they can do about it."""

from collections.abc import AsyncIterator

import pytest

from engine.core.settings import Settings
from tests.support.doors import CALLERS, NOBODY, Doors, open_doors

UNKNOWN = "f" * 32
OTHERS = sorted({NOBODY, *CALLERS} - {"HQ", "FINANCE"})


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


async def stuck(doors: Doors) -> str:
    """The id of an order whose refund the provider would not make."""
    market = doors.market
    order_id = await market.hold(await market.publish(), "u1")
    await market.drain_all()
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.engine.orders.cancel(order_id, "u1")
    await market.sandbox.pay(order_id, late=True)
    await market.pool.execute("UPDATE refunds SET status = 'STUCK', attempts = 3, last_error = '余额不足'")
    return order_id


async def test_a_stuck_refund_is_listed_and_tried_again(doors: Doors) -> None:
    """With what the provider said; afterwards it is paid, and the list is empty."""
    order_id = await stuck(doors)
    answer = await doors.send("FINANCE", "GET", "/v1/hq/refunds")
    (item,) = answer.json()["items"]
    assert (item["orderId"], item["kind"], item["refundNo"]) == (order_id, "WHOLE", f"r{order_id}")
    assert (item["amountFen"], item["lastError"]) == (990, "余额不足")
    assert (await doors.send("FINANCE", "POST", f"/v1/hq/refunds/{order_id}/retry")).status_code == 204
    assert (await doors.send("HQ", "GET", "/v1/hq/refunds")).json() == {"items": [], "nextCursor": None}
    assert await doors.market.refunds.stuck() == 0, "it goes on"
    assert await doors.market.refunds.pay_due(10) == 1
    assert (await doors.market.order(order_id))[0] == "REFUNDED"
    assert (await doors.send("FINANCE", "POST", f"/v1/hq/refunds/{order_id}/retry")).status_code == 404


async def test_stuck_refunds_come_page_by_page(doors: Doors) -> None:
    """The oldest first, each once, also those of one moment, and the two of one order."""
    config = await doors.market.publish(stock=9)
    for number in range(5):
        user = f"u{number}"
        order_id = await doors.market.hold(config, user)
        await doors.market.drain_all()
        await doors.market.engine.money.payments.prepay(order_id, user)
        await doors.market.engine.orders.cancel(order_id, user)
        await doors.market.sandbox.pay(order_id, late=True)
    await doors.market.pool.execute(
        "INSERT INTO refunds (order_id, kind, refund_no, amount_fen)"
        " SELECT order_id, 'REBATE', 'b' || order_id, 1 FROM refunds"
    )
    await doors.market.pool.execute("UPDATE refunds SET status = 'STUCK', created_at = date_trunc('day', created_at)")
    found: list[tuple[str, str]] = []
    query = "limit=1"
    while query and len(found) <= 10:
        page = (await doors.send("HQ", "GET", f"/v1/hq/refunds?{query}")).json()
        found += [(item["orderId"], item["kind"]) for item in page["items"]]
        query = page["nextCursor"] and f"limit=1&cursor={page['nextCursor']}"
    assert (len(found), found) == (10, sorted(found))


async def test_a_stray_payment_is_listed_and_settled(doors: Doors) -> None:
    """/readyz says so until somebody has dealt with it, and who that was is kept."""
    await doors.engine.money.payments.apply_notification(UNKNOWN, 500, "t1", "p1")
    (item,) = (await doors.send("FINANCE", "GET", "/v1/hq/stray-payments")).json()["items"]
    told = {"transactionId": "t1", "orderId": UNKNOWN, "provider": "sandbox", "amountFen": 500, "currency": "CNY"}
    assert item == told | {"payer": "p1", "why": "UNKNOWN_ORDER", "createdAt": item["createdAt"]}
    warnings = (await doors.send(NOBODY, "GET", "/readyz")).json()["warnings"]
    assert "1 笔付款无法对应订单，需人工处理" in warnings
    assert (await doors.send("FINANCE", "POST", "/v1/hq/stray-payments/t1/settle")).status_code == 204
    assert (await doors.send("FINANCE", "POST", "/v1/hq/stray-payments/t1/settle")).status_code == 404
    assert (await doors.send("HQ", "GET", "/v1/hq/stray-payments")).json()["items"] == []
    warnings = (await doors.send(NOBODY, "GET", "/readyz")).json()["warnings"]
    assert not [text for text in warnings if "付款" in text]
    assert await doors.market.pool.fetchval("SELECT settled_by FROM stray_payments") == "ufinance"


@pytest.mark.parametrize("path", ["refunds", "stray-payments"])
async def test_a_cursor_that_is_none_is_refused(doors: Doors, path: str) -> None:
    for cursor in ("x", "WyJhIiwiYiIsImMiXQ"):
        answer = await doors.send("HQ", "GET", f"/v1/hq/{path}?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "CURSOR_INVALID")


@pytest.mark.parametrize("order_id", [UNKNOWN, "x", "F" * 32, "%00"])
async def test_nothing_is_tried_again_for_an_order_without_a_stuck_refund(doors: Doors, order_id: str) -> None:
    await stuck(doors)
    assert (await doors.send("HQ", "POST", f"/v1/hq/refunds/{order_id}/retry")).status_code == 404
    assert await doors.market.refunds.stuck() == 1


@pytest.mark.parametrize("transaction_id", ["t2", "%00", "%EF%BF%BD", "T1"])
async def test_nothing_is_settled_that_does_not_wait(doors: Doors, transaction_id: str) -> None:
    await doors.engine.money.payments.apply_notification(UNKNOWN, 500, "t1")
    answer = await doors.send("HQ", "POST", f"/v1/hq/stray-payments/{transaction_id}/settle")
    assert (answer.status_code, await doors.engine.money.strays.waiting()) == (404, 1)


@pytest.mark.parametrize("caller", OTHERS)
async def test_only_headquarters_and_finance_may(doors: Doors, caller: str) -> None:
    """Nobody else reads or changes any of it."""
    order_id = await stuck(doors)
    await doors.engine.money.payments.apply_notification(UNKNOWN, 500, "t1")
    asked = [
        ("GET", "refunds"),
        ("GET", "stray-payments"),
        ("POST", f"refunds/{order_id}/retry"),
        ("POST", "stray-payments/t1/settle"),
    ]
    answers = [await doors.send(caller, method, f"/v1/hq/{path}") for method, path in asked]
    assert {answer.status_code for answer in answers} == {401 if caller == NOBODY else 403}
    assert (await doors.market.refunds.stuck(), await doors.engine.money.strays.waiting()) == (1, 1)
