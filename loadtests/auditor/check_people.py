"""Invariant 6: limits and windows hold for everybody, at every moment the rows can tell of."""

from collections import defaultdict

from loadtests.auditor.evidence import Evidence, Order, millis
from loadtests.auditor.verdict import Verdict

ONE_SEAT_A_GROUP = frozenset({"GROUP_BUY"})


def limits_hold(evidence: Evidence) -> Verdict:
    """No person over a limit, no order outside its config's or instance's time window."""
    verdict = Verdict(6, "limits and windows hold")
    by_person: dict[tuple[str, str], list[Order]] = defaultdict(list)
    for order in evidence.orders:
        by_person[order.config_id, order.user_id].append(order)
        _in_window(verdict, evidence, order)
    for (config_id, user), orders in by_person.items():
        config = evidence.configs.get(config_id)
        if config is None:
            verdict.check("people", False, config_id, "orders of an unknown config")
            continue
        limit = int(config.rules.get("limitPerPerson", 0))
        peak = peak_units(orders)
        text = f"{peak} units at once, limit {limit}"
        verdict.check("people", not limit or peak <= limit, f"{config_id}/{user}", text)
        if config.template_code in ONE_SEAT_A_GROUP:
            _one_seat(verdict, user, orders)
    _newcomers_once(verdict, evidence)
    return verdict


def _newcomers_once(verdict: Verdict, evidence: Evidence) -> None:
    """Of what only newcomers may join, everybody has one paid order at most, whatever the products."""
    kept: dict[str, list[Order]] = defaultdict(list)
    for order in evidence.orders:
        config = evidence.configs.get(order.config_id)
        if config and "join" in config.newcomer_verbs and not order.id.startswith(order.suffix):
            kept[order.user_id] += [order] if order.status == "PAID" else []
    for user, orders in kept.items():
        text = f"a newcomer with {len(orders)} paid orders: {', '.join(order.id for order in orders)}"
        verdict.check("newcomers", len(orders) <= 1, user, text)


def _one_seat(verdict: Verdict, user: str, orders: list[Order]) -> None:
    groups: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        groups[order.instance_id].append(order)
    for instance_id, own in groups.items():
        seats = peak_units(own, seats=True)
        verdict.check("seats", seats <= 1, f"{instance_id}/{user}", f"{seats} seats of one person at once")


def _in_window(verdict: Verdict, evidence: Evidence, order: Order) -> None:
    if config := evidence.configs.get(order.config_id):
        inside = config.starts_at <= order.created_at < config.ends_at
        verdict.check("windows", inside, order.id, f"clicked at {order.created_at}, outside its config's window")
    instance = evidence.instances.get(order.instance_id)
    if instance and not order.reseated_at:
        at_ms = millis(order.created_at)
        opens, ends = instance.cells.get("opensAt", 0), instance.cells.get("endsAt", at_ms + 1)
        text = f"clicked at {order.created_at}, outside its instance's window"
        verdict.check("windows", opens <= at_ms < ends, order.id, text)


def peak_units(orders: list[Order], *, seats: bool = False) -> int:
    """Most units (or seats) that certainly were one person's at the same time.

    A live order is theirs from its click on, an expired one at least until its deadline, a cancelled one
    at least until Postgres said so. When one that was paid for ended, its row does not tell: it counts for
    the moment of its click only. One that was paid late was nobody's between its end and its new seat.
    """
    moments: list[tuple[int, int]] = []
    for order in orders:
        if order.reason in ("FENCED", "OVERSOLD"):
            continue  # never held anything
        amount = 1 if seats else order.quantity
        start = millis(order.created_at)
        moments.append((start, amount))
        if order.reseated_at:
            moments.append((start + 1, -amount))
            if order.live:
                moments.append((millis(order.reseated_at), amount))
        elif not order.live:
            ends = {"EXPIRED": order.pay_before, "CANCELLED": order.updated_at}.get(order.status, order.created_at)
            moments.append((max(millis(ends), start + 1), -amount))
    peak = held = 0
    for _, change in sorted(moments):  # ends sort before starts of the same millisecond
        held += change
        peak = max(peak, held)
    return peak
