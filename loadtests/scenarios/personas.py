"""Who comes to a sale."""

import random
import uuid
from typing import Any

from locust import between, constant, tag, task

from loadtests.scenarios.consumer import DETAIL, FLASH_SALE, GROUP_BUY, REFUSALS, Consumer

BOT_ALLOWED = REFUSALS | {
    "RATE_LIMITED", "RISK_BLOCKED", "TOKEN_INVALID", "TOKEN_MISSING", "MALFORMED_BODY", "VALIDATION_FAILED",
    "BODY_TOO_LARGE", "INSTANCE_NOT_FOUND", "REQUEST_ID_REUSED",
}  # fmt: skip


class Browser(Consumer):
    """看客: looks at lists and details, never clicks; asks again with the ETag it has."""

    weight = 5
    wait_time = between(0.5, 2)

    @tag("read")
    @task(3)
    def browse(self) -> None:
        """A list, and one thing on it."""
        items = self.look_around(status=random.choice(("", "ACTIVE")))
        if items:
            self.look_at(random.choice(items)["id"])

    @tag("read")
    @task(1)
    def poll(self) -> None:
        """The page that is left open on the phone."""
        items = self.look_around()
        if not items:
            return
        item = random.choice(items)
        self.look_at_offer(item["configId"])
        path = f"/v1/instances/{item['id']}"
        with self.client.get(path, name=DETAIL, catch_response=True) as first:
            etag = (first.headers or {}).get("etag", "")
        self.ask("GET", path, name=f"{DETAIL} again", headers={"If-None-Match": etag} if etag else None)


class Buyer(Consumer):
    """买家: picks something from the flash sales, clicks, and mostly pays."""

    weight = 5
    wait_time = between(0.2, 1)

    @tag("click")
    @task
    def buy(self) -> None:
        """From the list to the payment."""
        items = self.look_around(FLASH_SALE, "ACTIVE") or self.look_around(FLASH_SALE)
        if not items:
            return
        item = random.choice(items)
        self.look_at_offer(item["configId"])
        reply = self.join(item["id"])
        if reply.code == "RESERVED":
            self.settle(reply)
        elif reply.code == "LIMIT_REACHED":
            self.become_somebody()


class GroupLeader(Consumer):
    """团长: opens groups."""

    weight = 1
    wait_time = between(0.5, 2)

    @tag("click", "group")
    @task
    def lead(self) -> None:
        """Open a group and pay for the own seat, so that others see it."""
        configs = group_configs(self)
        if not configs:
            return
        config = random.choice(configs)
        self.look_at_offer(config)
        reply = self.open(config)
        if reply.code == "RESERVED":
            self.settle(reply, pay=0.9, cancel=0.05)
        self.become_somebody()


class GroupJoiner(Consumer):
    """团员: joins a group that still has a seat; several race for the last one."""

    weight = 3
    wait_time = between(0.2, 1)

    @tag("click", "group")
    @task
    def join_a_group(self) -> None:
        """Take the group with the fewest seats left: that is where the race is."""
        groups = [item for item in self.look_around(GROUP_BUY) if not item["button"]["disabled"]]
        if not groups:
            return
        group = min(groups, key=lambda item: item.get("seatsLeft") or 0)
        self.look_at_offer(group["configId"])
        reply = self.join(group["id"])
        if reply.code == "RESERVED":
            self.settle(reply, pay=0.9, cancel=0.05)
        self.become_somebody()


class DoubleClicker(Consumer):
    """急性子: clicks twice at once, because nothing happened for 50 ms."""

    weight = 2
    wait_time = between(0.2, 1)

    @tag("click")
    @task
    def hammer(self) -> None:
        """One request, sent twice; then the next person."""
        items = self.look_around(FLASH_SALE)
        if items:
            self.look_at_offer(items[0]["configId"])
            self.join_twice(random.choice(items)["id"])
        self.become_somebody()


class Bot(Consumer):
    """机器人: one account, no pauses, and rubbish in between. It must get refusals, and nothing else."""

    weight = 1
    wait_time = constant(0.05)

    @tag("click", "bot")
    @task(5)
    def grab(self) -> None:
        """New request ids as fast as it goes."""
        items = self.look_around(FLASH_SALE)
        if items:
            self.join(items[0]["id"], allowed=BOT_ALLOWED)

    @tag("bot")
    @task(1)
    def send_rubbish(self) -> None:
        """Bodies, ids and tokens that no client of ours would send."""
        path, body = random.choice(_rubbish())
        self.ask("POST", path, name="rubbish", body=body, allowed=BOT_ALLOWED)

    @tag("bot")
    @task(1)
    def forge(self) -> None:
        """A token that nobody issued."""
        real, self.token = self.token, "forged.token"
        self.join(f"{uuid.uuid4().hex[:13]}.s1", allowed=BOT_ALLOWED)
        self.token = real


def _rubbish() -> list[tuple[str, Any]]:
    nowhere = "/v1/instances/c000000000000.s1/join"
    return [
        (nowhere, {"requestId": "x", "quantity": -1}),
        (nowhere, {"requestId": "x" * 5000, "quantity": 1}),
        (nowhere, {"requestId": "x", "quantity": 1, "price": 1}),
        (nowhere, ["not", "an", "object"]),
        ("/v1/instances/no-instance/join", {"requestId": "x", "quantity": 1}),
    ]


def group_configs(user: Consumer) -> list[str]:
    """Configs to open groups of: those named with --group-configs, else the store's, else those the list shows."""
    options: Any = user.environment.parsed_options
    if options.group_configs:
        return str(options.group_configs).split(",")
    return store_configs(user) or sorted({item["configId"] for item in user.look_around(GROUP_BUY)})


def store_configs(user: Consumer) -> list[str]:
    """Group buys of the store that --store-user and --store-password log in to; asked for once a process."""
    known: list[str] | None = getattr(user.environment, "wanfa_group_configs", None)
    options: Any = user.environment.parsed_options
    if known is None and options.store_password:
        user.environment.wanfa_group_configs = known = []
        login = {"username": options.store_user, "password": options.store_password}
        mine, user.token = user.token, ""
        user.token = user.ask("POST", "/v1/auth/staff", body=login).data.get("token", "")
        items = user.ask("GET", "/v1/store/play-configs?limit=100", name="/v1/store/play-configs").data.get("items", [])
        known += [item["id"] for item in items if item["templateCode"] == GROUP_BUY and item["status"] == "PUBLISHED"]
        user.token = mine
    return known or []
