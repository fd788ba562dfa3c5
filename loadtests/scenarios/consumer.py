"""What all consumers can do: log in, look, click, pay. A persona decides when."""

import random
import uuid
from typing import Any, NamedTuple

import gevent
from locust import FastHttpUser
from locust.env import Environment

from loadtests.scenarios.watch import TWO_EFFECTS, Watch

FLASH_SALE = "FLASH_SALE"
GROUP_BUY = "GROUP_BUY"
# Refusals that are the system's right answer to a click that came too late, too often or too early.
REFUSALS = frozenset({"SOLD_OUT", "LIMIT_REACHED", "INSTANCE_FULL", "NOT_STARTED", "ENDED", "CONFLICT", "NOT_ELIGIBLE"})
NOT_READY = frozenset({"ORDER_NOT_READY"})
LIST = "/v1/instances"
DETAIL = "/v1/instances/[id]"


class Reply(NamedTuple):
    """An answer; `code` is the outcome of a won click or the code of a refusal."""

    status: int
    code: str
    data: dict[str, Any]


def watch_of(environment: Environment) -> Watch:
    """The one Watch of this process."""
    watch = getattr(environment, "wanfa_watch", None)
    if watch is None:
        watch = Watch(environment)
        environment.wanfa_watch = watch  # type: ignore[attr-defined]  # locust has no other place for it
    return watch


class Consumer(FastHttpUser):
    """A logged-in consumer."""

    abstract = True
    connection_timeout = 10.0
    network_timeout = 10.0

    def on_start(self) -> None:
        """Log in."""
        self.watch = watch_of(self.environment)
        self.become_somebody()

    def become_somebody(self) -> None:
        """Log in as a person who has not been here before."""
        self.token = ""
        code = f"demo-{type(self).__name__.lower()}-{uuid.uuid4().hex[:12]}"
        self.token = self.ask("POST", "/v1/auth/wechat", body={"code": code}).data.get("token", "")

    def ask(
        self,
        method: str,
        path: str,
        *,
        name: str = "",
        body: object = None,
        allowed: frozenset[str] = frozenset(),
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request. Anything that is neither a success nor one of the `allowed` codes is a failure."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with self.client.request(
            method, path, name=name or path, json=body, headers=sent | (headers or {}), catch_response=True
        ) as response:
            status = response.status_code
            data = _decoded(response)
            code = str(data.get("outcome") or data.get("code") or "")
            if status == 0:
                response.failure(f"no answer: {response.error}")
            elif status < 400 or code in allowed:
                response.success()
            elif status >= 500:
                response.failure(f"5xx: {status} {code}")
            else:
                response.failure(f"unexpected: {status} {code}")
            return Reply(status, code, data)

    def look_around(self, play_code: str = "", status: str = "") -> list[dict[str, Any]]:
        """The first page of the list."""
        query = "&".join(f"{key}={value}" for key, value in (("playCode", play_code), ("status", status)) if value)
        items: list[dict[str, Any]] = self.ask("GET", f"{LIST}?{query}", name=LIST).data.get("items", [])
        for item in items:
            self.watch.instance(item)
        return items

    def look_at(self, instance: str) -> dict[str, Any]:
        """An instance's detail."""
        view = self.ask("GET", f"/v1/instances/{instance}", name=DETAIL).data
        if "progress" in view:
            self.watch.instance(view)
        return view

    def look_at_offer(self, config: str) -> dict[str, Any]:
        """The marketing product an instance belongs to."""
        offer = self.ask("GET", f"/v1/play-configs/{config}", name="/v1/play-configs/[id]").data
        if "stockLeft" in offer:
            self.watch.offer(offer)
        return offer

    def join(self, instance: str, request_id: str = "", allowed: frozenset[str] = REFUSALS) -> Reply:
        """Click on an instance."""
        body = {"requestId": request_id or str(uuid.uuid4()), "quantity": 1}
        return self._won(
            self.ask("POST", f"/v1/instances/{instance}/join", name=f"{DETAIL}/join", body=body, allowed=allowed)
        )

    def open(self, config: str) -> Reply:
        """Open an instance of one's own."""
        body = {"requestId": str(uuid.uuid4()), "quantity": 1}
        path = f"/v1/play-configs/{config}/instances"
        return self._won(self.ask("POST", path, name="/v1/play-configs/[id]/instances", body=body, allowed=REFUSALS))

    def join_twice(self, instance: str) -> None:
        """The same click twice at once: whatever comes, it may have one effect only."""
        request_id = str(uuid.uuid4())
        clicks = [gevent.spawn(self.join, instance, request_id) for _ in range(2)]
        gevent.joinall(clicks)
        orders = {click.value.data.get("orderId") for click in clicks if click.value and click.value.code == "RESERVED"}
        if len(orders) > 1:
            self.watch.report(TWO_EFFECTS, f"orders {sorted(map(str, orders))}")

    def settle(self, won: Reply, pay: float = 0.7, cancel: float = 0.2) -> None:
        """What people do with a hold: most pay, some cancel, the rest let it run out."""
        order, config = won.data["orderId"], won.data["instanceId"].partition(".")[0]
        chance = random.random()
        if chance < pay:
            begun = self._try_order(f"/v1/orders/{order}/payment", "/v1/orders/[id]/payment")
            paid = begun and self._try_order(f"/v1/payments/sandbox/{order}/pay", "/v1/payments/sandbox/[id]/pay")
            if paid:
                self.watch.paid(config, order)
        elif chance < pay + cancel and self._try_order(f"/v1/orders/{order}/cancel", "/v1/orders/[id]/cancel"):
            self.watch.given_back(config, order)

    def _try_order(self, path: str, name: str) -> bool:
        """Ask until the order has become a row; False when it never did."""
        for _ in range(5):
            reply = self.ask("POST", path, name=name, body={}, allowed=NOT_READY)
            if reply.code not in NOT_READY:
                return reply.status < 400
            gevent.sleep(1)
        return False

    def _won(self, reply: Reply) -> Reply:
        if reply.code == "RESERVED":
            self.watch.won(reply.data)
        return reply


def _decoded(response: Any) -> dict[str, Any]:
    try:
        data = response.json()
    except (ValueError, TypeError, AttributeError):
        return {}
    return data if isinstance(data, dict) else {}
