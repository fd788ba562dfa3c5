"""What a crowd of clients can see that must never be: more won than there was, a group over its target.

Each locust process keeps one Watch. What it finds becomes a failed `CHECK` request, so that it reaches the
statistics of a distributed run's master as well.
"""

import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from locust.env import Environment

OVERSELL = "oversell"
TWO_EFFECTS = "two effects of one request"


class Seen(Exception):
    """Something that must not happen, as locust reports it."""


class Watch:
    """Remembers the orders won and not given back, by config, and compares them with the stock."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._stock: dict[str, int] = {}
        self._won: dict[str, dict[str, float]] = defaultdict(dict)  # config -> order -> until when it is surely live

    def offer(self, offer: dict[str, Any]) -> None:
        """A play config as `GET /v1/play-configs/{id}` shows it."""
        self._stock[offer["id"]] = offer["stock"]
        if offer["stockLeft"] < 0:
            self.report(OVERSELL, f"{offer['id']} shows {offer['stockLeft']} units left")

    def instance(self, view: dict[str, Any]) -> None:
        """An instance as the list or the detail shows it."""
        progress = view["progress"]
        if progress["target"] and progress["current"] > progress["target"]:
            self.report(OVERSELL, f"{view['id']} has {progress['current']} of {progress['target']}")
        if view["stockLeft"] < 0 or (view.get("seatsLeft") or 0) < 0:
            self.report(OVERSELL, f"{view['id']} shows less than nothing left")

    def won(self, reply: dict[str, Any]) -> None:
        """A click's RESERVED. Until `payBefore` the unit is nobody else's."""
        config = str(reply["instanceId"]).partition(".")[0]
        live = self._won[config]
        live[reply["orderId"]] = datetime.fromisoformat(reply["payBefore"]).timestamp()
        if config in self._stock and len(live) > self._stock[config]:
            now = time.time()
            for order in [order for order, until in live.items() if until < now]:
                del live[order]
            if len(live) > self._stock[config]:
                self.report(OVERSELL, f"{config}: {len(live)} units won of {self._stock[config]}")

    def paid(self, config: str, order: str) -> None:
        """A paid order is live until it is refunded, which nobody here asks for."""
        if order in self._won[config]:
            self._won[config][order] = float("inf")

    def given_back(self, config: str, order: str) -> None:
        """Cancelled by its owner."""
        self._won[config].pop(order, None)

    def report(self, kind: str, what: str) -> None:
        """Count it as a failed check."""
        self._environment.events.request.fire(  # type: ignore[no-untyped-call]  # locust is partly untyped
            request_type="CHECK",
            name=kind,
            response_time=0,
            response_length=0,
            response=None,
            context={},
            exception=Seen(f"{kind}: {what}"),
        )
