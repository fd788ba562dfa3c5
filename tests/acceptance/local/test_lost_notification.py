"""Money that came after its order was cancelled, with a notification that nobody hears: it is found and paid back."""

import json
import os
import signal
import time
from typing import Any

import httpx

from tests.support.up import READY_TIMEOUT_S, Up, up_in_a_folder


def call(up: Up, method: str, path: str, token: str, body: Any = None, *, status: int = 200) -> dict[str, Any]:
    """One request as its consumer."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.request(method, f"{up.url}/v1/{path}", headers=headers, json=body)
    assert answer.status_code == status, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_payment_that_lands_after_the_end_while_the_api_dies() -> None:
    """Joined, begun to pay, cancelled; the bank pays late, the API is killed before it hears of it."""
    with up_in_a_folder(WANFA_MONEY_ASK_AGAIN_S=json.dumps([1] * 60)) as up:
        up.start()
        token = httpx.post(f"{up.url}/v1/auth/wechat", json={"code": "demo-late"}).json()["token"]
        sales = call(up, "GET", "instances?playCode=FLASH_SALE", token)["items"]
        instance = next(one["id"] for one in sales if one["status"] == "ACTIVE")
        click = {"requestId": "r1", "quantity": 1}
        order_id = call(up, "POST", f"instances/{instance}/join", token, click, status=201)["orderId"]
        call(up, "POST", f"orders/{order_id}/payment", token)
        assert call(up, "POST", f"orders/{order_id}/cancel", token)["status"] == "CANCELLED"
        late = {"late": True, "notifyAfterMs": 60_000}
        assert call(up, "POST", f"payments/sandbox/{order_id}/pay", token, late)["state"] == "PAID"
        os.kill(up.pid_of("main serve"), signal.SIGKILL)
        up.until_ready()
        order = _until(up, token, order_id, "REFUNDED")
        assert (order["reason"], order["refundedFen"]) == ("LATE_PAYMENT", order["amountFen"])
        trade = call(up, "POST", f"payments/sandbox/{order_id}/notify", token)
        assert trade["state"] == "REFUNDED"
        up.end()


def _until(up: Up, token: str, order_id: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while (order := call(up, "GET", f"orders/{order_id}", token))["status"] != status:
        assert time.monotonic() < deadline, order
        time.sleep(0.2)
    return order
