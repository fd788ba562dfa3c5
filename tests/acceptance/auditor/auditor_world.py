"""A small, clean world as evidence for the auditor; tests change one thing in it."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests.auditor.audit import audit
from loadtests.auditor.evidence import load
from loadtests.auditor.verdict import Question, Verdict

NOON_MS = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
HOLD_MS = 300_000
PRICE_FEN = 990
SALE, GROUPS = "c0000000000aa", "c0000000000bb"
# status -> how an order of this world came there: (to, why, ms after the click)
PATHS: dict[str, list[tuple[str, str, int]]] = {
    "HELD": [],
    "PAID": [("PAID", "PAID_IN_TIME", 1000)],
    "EXPIRED": [("EXPIRED", "NOT_PAID_IN_TIME", HOLD_MS + 400)],
    "CANCELLED": [("CANCELLED", "BY_CONSUMER", 1000)],
    "REFUNDING": [("PAID", "PAID_IN_TIME", 1000), ("REFUNDING", "INSTANCE_FAILED", 2000)],
}
PATHS["REFUNDED"] = [*PATHS["REFUNDING"], ("REFUNDED", "PAID_BACK", 3000)]
LATE = [*PATHS["EXPIRED"], ("REFUNDING", "LATE_PAYMENT", HOLD_MS + 3000)]
KEEP_THE_REASON = frozenset({"PAID_IN_TIME", "NO_SEAT", "PAID_BACK"})
GATE_STATE = {"HELD": 1, "PAID": 2, "EXPIRED": 0, "CANCELLED": 0, "REFUNDING": 0, "REFUNDED": 0}
ACTION = 3  # as Redis numbers the effect of a click that holds nothing


def stamp(at_ms: int) -> str:
    """RFC 3339, as Postgres writes it into JSON."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def id_of(config_id: str, user: str, request: str) -> str:
    """The id of an order of this world."""
    return hashlib.sha256(f"{config_id}{user}{request}".encode()).hexdigest()[:32]


class World:
    """Rows, Redis records and journal lines that belong together."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {
            "play_configs": [
                self._config(SALE, "FLASH_SALE", {"limitPerPerson": 2}, 10),
                self._config(GROUPS, "GROUP_BUY", {"limitPerPerson": 1, "target": 3}, 30),
            ],
            "stock": [
                {"config_id": SALE, "total": 10, "reserved": 0},
                {"config_id": GROUPS, "total": 30, "reserved": 0},
            ],
            "instances": [],
            "session_stock": [],
            "orders": [],
            "order_events": [],
            "actions": [],
            "gate_events": [],
            "dead_intents": [],
            "payments": [],
            "refunds": [],
            "stray_payments": [],
            "sandbox_trades": [],
            "sandbox_refunds": [],
            "people": [],
            "rewards": [],
        }
        self.warmed: dict[str, dict[str, Any]] = {
            SALE: {"shard": 0, "left": 10, "head": {"limit": 2}, "instances": {}, "people": {}, "remembered": {}},
            GROUPS: {"shard": 1, "left": 30, "head": {"limit": 1}, "instances": {}, "people": {}, "remembered": {}},
        }
        self.shards: list[dict[str, Any]] = [
            {"shard": shard, "epoch": 1, "undrained": [], "orders": []} for shard in (0, 1)
        ]
        self.lines: list[dict[str, Any]] = []

    def _config(self, config_id: str, code: str, rules: dict[str, Any], stock: int) -> dict[str, Any]:
        return {
            "id": config_id,
            "template_code": code,
            "price_fen": PRICE_FEN,
            "stock": stock,
            "rules": rules,
            "starts_at": stamp(NOON_MS),
            "ends_at": stamp(NOON_MS + HOUR_MS),
            "status": "PUBLISHED",
            "shard": 0 if config_id == SALE else 1,
            "warm_pending": False,
        }

    def instance(
        self,
        config_id: str,
        suffix: str,
        status: str,
        current: int,
        target: int,
        *,
        stock: int | None = None,
        **own: int,
    ) -> None:
        """The same run in both stores; with a stock of its own nothing is sold of it yet."""
        number = {"PENDING": 1, "ACTIVE": 2, "SUCCESS": 3, "FAILED": 4}[status]
        row: dict[str, Any] = {
            "id": f"{config_id}.{suffix}",
            "config_id": config_id,
            "suffix": suffix,
            "status": status,
        }
        row |= {"current": current, "target": target, "rev": 7, "cells": dict(own)}
        self.tables["instances"].append(row)
        cells = {"status": number, "current": current, "target": target, "wakeAt": 0, "rev": 7, **own}
        if stock is not None:
            cells["left"] = stock
            session = {"instance_id": row["id"], "config_id": config_id, "total": stock, "reserved": 0}
            self.tables["session_stock"].append(session)
        self.warmed[config_id]["instances"][suffix] = cells

    def order(
        self,
        config_id: str,
        suffix: str,
        user: str,
        request: str,
        *,
        status: str = "HELD",
        quantity: int = 1,
        at: int = 0,
        price_fen: int = PRICE_FEN,
    ) -> dict[str, Any]:
        """A click that won, `at` ms after noon, with all its traces; returns its order row."""
        order_id = id_of(config_id, user, request)
        at_ms, state = NOON_MS + at, GATE_STATE[status]
        row: dict[str, Any] = {
            "id": order_id,
            "config_id": config_id,
            "instance_id": f"{config_id}.{suffix}",
            "user_id": user,
        }
        row |= {"request_id": request, "quantity": quantity, "amount_fen": price_fen * quantity, "status": status}
        row |= {"reason": None, "gate_state": state, "fingerprint": 5, "receipt": [1, 0, 0]}
        row |= {"pay_before": stamp(at_ms + HOLD_MS), "created_at": stamp(at_ms), "updated_at": stamp(at_ms + 1000)}
        self.tables["orders"].append(row)
        row["reseated_at"] = None
        self.tell(row, PATHS[status], at=at)
        if status in ("PAID", "REFUNDING", "REFUNDED"):
            self.pay(order_id, row["amount_fen"])
        if state:
            self.stock(config_id)["reserved"] += quantity
            self.warmed[config_id]["left"] -= quantity
            self._take_of_session(row["instance_id"], quantity)
        effect = [order_id[:16], 5, state, quantity, suffix, at_ms + HOLD_MS, 1, 0, 0]
        self.warmed[config_id]["people"].setdefault(user, []).append(effect)
        self.win(row, at_ms=at_ms)
        return row

    def act(self, config_id: str, suffix: str, user: str, request: str) -> dict[str, Any]:
        """A click that holds nothing, with all its traces; returns its row of actions."""
        action_id = id_of(config_id, user, request)
        row = {"id": action_id, "config_id": config_id, "instance_id": f"{config_id}.{suffix}", "user_id": user}
        self.tables["actions"].append(row | {"request_id": request})
        effect = [action_id[:16], 5, ACTION, 0, suffix, 0, 1, 0, 0]
        self.warmed[config_id]["people"].setdefault(user, []).append(effect)
        self.click(
            config_id, user, request, status=200, outcome="DONE", wonInstanceId=row["instance_id"], replayed=False
        )
        return self.tables["actions"][-1]

    def tell(
        self, order: dict[str, Any], moves: list[tuple[str, str, int]], *, birth: str = "HELD", at: int = 0
    ) -> None:
        """Give the order this history instead, each move some ms after `at`, and the reason that it leaves behind."""
        events = self.tables["order_events"]
        events[:] = [event for event in events if event["order_id"] != order["id"]]
        status, order["reason"] = birth, None
        for to, why, after_ms in moves:
            event = {"order_id": order["id"], "id": len(events) + 1, "from_status": status, "to_status": to}
            order["updated_at"] = stamp(NOON_MS + at + after_ms)
            events.append(event | {"why": why, "by_whom": "worker", "at": order["updated_at"]})
            if why not in KEEP_THE_REASON:
                order["reason"] = None if why == "CLICKED_AGAIN" else why
            status = to

    def events_of(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """The moves of an order, in their order."""
        return [event for event in self.tables["order_events"] if event["order_id"] == order["id"]]

    def _take_of_session(self, instance_id: str, quantity: int) -> None:
        for row in self.tables["session_stock"]:
            if row["instance_id"] == instance_id:
                row["reserved"] += quantity
                suffix = instance_id.partition(".")[2]
                self.warmed[row["config_id"]]["instances"][suffix]["left"] -= quantity

    def pay(self, order_id: str, amount_fen: int) -> None:
        """Money that came in, in our books and in the provider's."""
        row = {"amount_fen": amount_fen, "status": "PAID", "transaction_id": f"t-{order_id}"}
        self.tables["payments"].append({"order_id": order_id, "ask_at": None, **row})
        self.tables["sandbox_trades"].append({"out_trade_no": order_id, **row})

    def refund(self, order: dict[str, Any], kind: str, amount_fen: int, status: str = "DONE") -> None:
        """Money that goes back."""
        row = {"order_id": order["id"], "kind": kind, "amount_fen": amount_fen, "status": status}
        number = kind[0].lower() + order["id"]
        self.tables["refunds"].append(row | {"refund_no": number})
        if status == "DONE":
            given = {"refund_no": number, "out_trade_no": order["id"], "amount_fen": amount_fen}
            self.tables["sandbox_refunds"].append(given)

    def reseat(self, order: dict[str, Any], promised: str) -> None:
        """The order was promised in another group and paid late."""
        order["reseated_at"] = stamp(NOON_MS + HOLD_MS + 5000)
        self.tell(order, [*LATE, ("PAID", "RESEATED", HOLD_MS + 5000)])
        for line in self.lines:
            if line.get("orderId") == order["id"]:
                line |= {"instanceId": promised, "wonInstanceId": promised}
            elif (line["user"], line["requestId"]) == (order["user_id"], order["request_id"]):
                line["instanceId"] = promised

    def remember(self, config_id: str, user: str, **cells: Any) -> None:
        """What a playbook keeps of somebody, in both stores."""
        person = {"config_id": config_id, "user_id": user, "cells": cells, "rev": 3}
        self.tables["people"].append(person)
        self.warmed[config_id]["remembered"][user] = {**cells, "rev": 3}

    def reward(self, source: str, order: dict[str, Any] | None, status: str, reason: str | None = None) -> None:
        """A promise that was due ten seconds after noon."""
        row: dict[str, Any] = {"source": source, "number": 1, "order_id": order and order["id"], "amount": 500}
        row |= {"status": status, "reason": reason, "unfreezes_at": stamp(NOON_MS + 10_000)}
        decided_at = NOON_MS + (11_000 if status in ("GRANTED", "FLAGGED") else 0)
        self.tables["rewards"].append(row | {"updated_at": stamp(decided_at)})

    def stock(self, config_id: str) -> dict[str, Any]:
        """The stock row."""
        return next(row for row in self.tables["stock"] if row["config_id"] == config_id)

    def win(self, order: dict[str, Any], *, at_ms: int = NOON_MS, replayed: bool = False, **other: Any) -> None:
        """A client was told RESERVED."""
        answer = {"status": 201, "outcome": "RESERVED", "orderId": order["id"], "wonInstanceId": order["instance_id"]}
        answer |= {"payBefore": order["pay_before"], "replayed": replayed}
        config_id, user, request = order["config_id"], order["user_id"], order["request_id"]
        ask = {"instanceId": order["instance_id"], "quantity": order["quantity"], "at_ms": at_ms}
        self.click(config_id, user, request, **(ask | answer | other))

    def click(self, config_id: str, user: str, request: str, *, at_ms: int = NOON_MS, **answer: Any) -> None:
        """A click was sent; with `status` it was also answered."""
        line = {"user": user, "configId": config_id, "verb": "join", "requestId": request, "sentAt": at_ms}
        line |= {"instanceId": answer.pop("instanceId", f"{config_id}.s1"), "quantity": answer.pop("quantity", 1)}
        self.lines.append(line)
        if answer:
            self.lines.append(line | {"receivedAt": at_ms + 3} | answer)

    def audit(
        self, folder: Path, *, quiescent: bool = True, torn: tuple[tuple[int, int], ...] = ()
    ) -> dict[int | str, Verdict]:
        """Write the evidence as files, read it back, judge it: verdicts by invariant."""
        self.write(folder)
        evidence = load(folder / "journals", folder / "redis.jsonl", folder / "postgres.jsonl")
        verdicts = audit(evidence, Question(quiescent=quiescent, torn=torn))
        return {verdict.invariant: verdict for verdict in verdicts}

    def write(self, folder: Path) -> None:
        """journals/client.jsonl, redis.jsonl and postgres.jsonl under `folder`."""
        (folder / "journals").mkdir(parents=True)
        _write(folder / "journals/client.jsonl", self.lines)
        redis: list[dict[str, Any]] = [{"record": "shard", **shard} for shard in self.shards]
        redis += [{"record": "config", "config": config_id, **warmed} for config_id, warmed in self.warmed.items()]
        _write(folder / "redis.jsonl", redis)
        rows = [{"table": table, "row": row} for table, many in self.tables.items() for row in many]
        rows.append({"table": "dump", "row": {"at_ms": NOON_MS + 60_000}})
        _write(folder / "postgres.jsonl", rows)


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def clean_world() -> World:
    """A flash sale and groups with orders in every state, an action, replays, refusals and an unanswered click."""
    world = World()
    world.instance(SALE, "s1", "ACTIVE", 3, 0, opensAt=NOON_MS, endsAt=NOON_MS + HOUR_MS)
    world.order(SALE, "s1", "ua", "r1", status="PAID", quantity=2)
    world.order(SALE, "s1", "ub", "r1", status="PAID")
    held = world.order(SALE, "s1", "uc", "r1")
    world.win(held, at_ms=NOON_MS + 50, replayed=True)
    world.order(SALE, "s1", "ud", "r1", status="EXPIRED", quantity=2)
    world.order(SALE, "s1", "ud", "r2", quantity=2, at=HOLD_MS + 10)
    world.order(SALE, "s1", "ue", "r1", status="CANCELLED", quantity=2)
    world.click(SALE, "uf", "r1", status=409, outcome="SOLD_OUT")
    world.click(SALE, "ug", "r1")  # never answered, and nothing happened
    world.act(SALE, "s1", "ub", "a1")
    world.order(SALE, "s1", "uh", "r1")
    world.lines.pop()  # never answered, but it happened
    world.click(SALE, "uc", "r1", status=422, outcome="REQUEST_ID_REUSED", quantity=2)
    _moved_oddly(world)
    ends = NOON_MS + HOUR_MS
    world.instance(GROUPS, "g1", "SUCCESS", 3, 3, seatsLeft=0, endsAt=ends)
    for user in ("ua", "ub", "uc"):
        world.order(GROUPS, "g1", user, "g", status="PAID")
    world.instance(GROUPS, "g2", "ACTIVE", 1, 3, seatsLeft=1, endsAt=ends)
    world.order(GROUPS, "g2", "ud", "g", status="PAID")
    world.order(GROUPS, "g2", "ue", "g")
    world.order(GROUPS, "g2", "uf", "g", status="EXPIRED")
    turned_away = world.order(GROUPS, "g2", "um", "g", status="REFUNDED")
    world.refund(turned_away, "WHOLE", PRICE_FEN)
    answered = [("REFUNDING", "NO_SEAT", HOLD_MS + 4000), ("REFUNDED", "PAID_BACK", HOLD_MS + 5000)]
    world.tell(turned_away, [*LATE, *answered])
    _paid_back(world)
    _promised(world)
    return world


def _moved_oddly(world: World) -> None:
    """A click that a fence had cancelled and that was repeated, and a payment that came after its cancellation."""
    again = world.order(SALE, "s1", "uv", "r1")
    world.tell(again, [("HELD", "CLICKED_AGAIN", 100)], birth="CANCELLED")
    late = world.order(SALE, "s1", "uw", "r1", status="REFUNDED")
    world.refund(late, "WHOLE", PRICE_FEN)
    paid_after = [("REFUNDING", "LATE_PAYMENT", 2000), ("REFUNDED", "PAID_BACK", 3000)]
    world.tell(late, [*PATHS["CANCELLED"], *paid_after])


def _paid_back(world: World) -> None:
    """A session with stock of its own, a group that reached a cheaper tier, and one where a late payer sits."""
    ends = NOON_MS + HOUR_MS
    world.instance(SALE, "s2", "ACTIVE", 1, 0, stock=4, opensAt=NOON_MS, endsAt=ends)
    world.order(SALE, "s2", "ui", "r1", status="PAID")
    world.order(SALE, "s2", "uj", "r1", status="EXPIRED", quantity=2)
    world.instance(GROUPS, "g3", "SUCCESS", 3, 3, seats=5, seatsLeft=1, endsAt=ends, rebateFen=90)
    for user in ("ug", "uh", "ui"):
        paid = world.order(GROUPS, "g3", user, "g", status="PAID")
        world.refund(paid, "REBATE", 90, "PENDING" if user == "ug" else "DONE")
    gone = world.order(GROUPS, "g3", "uj", "g", status="REFUNDED")
    world.refund(gone, "REBATE", 90)
    world.refund(gone, "WHOLE", PRICE_FEN - 90)
    world.instance(GROUPS, "g4", "ACTIVE", 1, 3, seatsLeft=2, endsAt=ends)
    late = world.order(GROUPS, "g4", "uk", "g", status="PAID")
    world.reseat(late, f"{GROUPS}.g1")


def _promised(world: World) -> None:
    """Rewards in every state, and what a playbook remembers of two people."""
    paid, gone = world.tables["orders"][0], world.tables["orders"][-2]
    world.reward("granted", paid, "GRANTED")
    world.reward("flagged", paid, "FLAGGED", "SHARED_DEVICE")
    world.reward("frozen", None, "FROZEN")
    world.reward("void", gone, "VOID", "ORDER_REFUNDED")
    world.remember(SALE, "ua", device="d1")
    world.remember(SALE, "ux", visits=2)
