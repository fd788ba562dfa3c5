"""Invariants 1 and 8: nothing is sold twice, and what is given back comes back once."""

from collections import Counter

from loadtests.auditor.evidence import STATUS_NAMES, Evidence, Instance, Warmed
from loadtests.auditor.verdict import Question, Verdict

TAKEN = (1, 2)  # an effect that is held or paid
# What `current` counts in the playbooks wanfa ships with; of others only the engine's rules are checked.
CURRENT_COUNTS = {"GROUP_BUY": "orders", "FLASH_SALE": "units"}
OPEN = frozenset({"PENDING", "ACTIVE"})


def never_oversold(evidence: Evidence) -> Verdict:
    """Invariant 1: held + sold ≤ stock in both stores, and no instance over its target."""
    verdict = Verdict(1, "held + sold never exceed the stock or a group's target")
    for config_id, stock in evidence.stock.items():
        units = sum(order.quantity for order in evidence.orders_of_config[config_id] if order.live)
        verdict.check("configs", units <= stock.total, config_id, f"{units} live units of a stock of {stock.total}")
        text = f"stock.reserved is {stock.reserved}, the orders say {units}"
        verdict.check("configs", stock.reserved == units, config_id, text)
        config = evidence.configs.get(config_id)
        planned = config.stock if config else -1
        verdict.check("configs", planned == stock.total, config_id, f"stock.total {stock.total}, published {planned}")
    for warmed in evidence.warmed.values():
        _redis_adds_up(verdict, evidence, warmed)
    for instance in evidence.instances.values():
        live = [order for order in evidence.orders_of_instance[instance.id] if order.live]
        if _seats_orders(evidence, instance.config_id) and instance.seats:
            text = f"{len(live)} live orders, {instance.seats} seats"
            verdict.check("instances", len(live) <= instance.seats, instance.id, text)
        if session := evidence.sessions.get(instance.id):
            units = sum(order.quantity for order in live)
            text = f"{units} live units of the session's {session.total}, reserved {session.reserved}"
            verdict.check("sessions", units == session.reserved <= session.total, instance.id, text)
    return verdict


def _seats_orders(evidence: Evidence, config_id: str) -> bool:
    """Whether each order of the config's instances takes one of their seats."""
    config = evidence.configs.get(config_id)
    return config is not None and CURRENT_COUNTS.get(config.template_code) == "orders"


def _redis_adds_up(verdict: Verdict, evidence: Evidence, warmed: Warmed) -> None:
    taken = sum(effect.quantity for _, effect in warmed.effects() if effect.state in TAKEN)
    verdict.check("redis", warmed.left >= 0, warmed.config, f"Redis has {warmed.left} units left")
    if stock := evidence.stock.get(warmed.config):
        text = f"Redis: {warmed.left} left + {taken} taken, stock {stock.total}"
        verdict.check("redis", warmed.left + taken == stock.total, warmed.config, text)
    live = [effect for _, effect in warmed.effects() if effect.state in TAKEN]
    taken_seats, taken_units = Counter(effect.suffix for effect in live), Counter[str]()
    for effect in live:
        taken_units[effect.suffix] += effect.quantity
    for suffix, cells in warmed.instances.items():
        name = f"{warmed.config}.{suffix}"
        seats = int(cells.get("seats", cells["target"])) if _seats_orders(evidence, warmed.config) else 0
        text = f"Redis: {taken_seats[suffix]} live effects, {seats} seats"
        verdict.check("redis", not seats or taken_seats[suffix] <= seats, name, text)
        if session := evidence.sessions.get(name):
            left = cells.get("left", -1)
            text = f"Redis: {left} left + {taken_units[suffix]} taken, the session's stock {session.total}"
            verdict.check("sessions", 0 <= left == session.total - taken_units[suffix], name, text)


def comes_back_once(evidence: Evidence, question: Question) -> Verdict:
    """Invariant 8: once all is followed, units left and seats left are exactly what no live order has."""
    verdict = Verdict(8, "stock and seats given back come back completely and once")
    if not question.quiescent:
        verdict.notes["only checked with --quiescent"] += 1
        return verdict
    _nothing_waits(verdict, evidence)
    for config in evidence.configs.values():
        warmed = evidence.warmed.get(config.id)
        if not config.in_redis:
            verdict.check("configs", warmed is None, config.id, "archived or a draft, but in Redis")
            continue
        verdict.check("configs", warmed is not None, config.id, "published, but Redis does not know it")
        if warmed is not None:
            live = sum(order.quantity for order in evidence.orders_of_config[config.id] if order.live)
            text = f"Redis has {warmed.left} left, {live} are live, stock {config.stock}"
            verdict.check("configs", warmed.left + live == config.stock, config.id, text)
    for instance in evidence.instances.values():
        if evidence.configs[instance.config_id].in_redis:
            _instance_agrees(verdict, evidence, instance)
    for warmed in evidence.warmed.values():
        for suffix in warmed.instances:
            known = f"{warmed.config}.{suffix}" in evidence.instances
            verdict.check("instances", known, f"{warmed.config}.{suffix}", "in Redis, but not in Postgres")
    return verdict


def _nothing_waits(verdict: Verdict, evidence: Evidence) -> None:
    for shard in evidence.shards:
        waiting = len(shard.undrained)
        verdict.check("streams", waiting == 0, f"shard {shard.shard}", f"{waiting} entries are not drained")
    waiting = len(evidence.gate_events)
    verdict.check("events", waiting == 0, "gate_events", f"{waiting} events are not followed")
    for dead in evidence.dead_intents:
        verdict.check("dead letters", False, f"{dead.shard}/{dead.entry_id}", dead.error)


def _instance_agrees(verdict: Verdict, evidence: Evidence, row: Instance) -> None:
    warmed = evidence.warmed.get(row.config_id)
    cells = warmed.instances.get(row.suffix) if warmed else None
    verdict.check("instances", cells is not None, row.id, "in Postgres, but not in Redis")
    if cells is None:
        return
    status = STATUS_NAMES.get(int(cells["status"]), "?")
    redis_says = (status, cells["current"], cells["target"], cells["rev"])
    postgres_says = (row.status, row.current, row.target, row.rev)
    text = f"Redis says {redis_says}, Postgres {postgres_says}"
    verdict.check("instances", redis_says == postgres_says, row.id, text)
    orders = evidence.orders_of_instance[row.id]
    live = [order for order in orders if order.live]
    if "seatsLeft" in cells and status in OPEN:
        text = f"{cells['seatsLeft']} seats left + {len(live)} live orders, {row.seats} seats"
        verdict.check("seats", cells["seatsLeft"] + len(live) == row.seats, row.id, text)
    if session := evidence.sessions.get(row.id):
        units = sum(order.quantity for order in live)
        text = f"Redis has {cells.get('left')} left of the session, {units} are live, its stock {session.total}"
        verdict.check("sessions", cells.get("left") == session.total - units, row.id, text)
    else:
        verdict.check("sessions", "left" not in cells, row.id, "Redis has stock of the session, Postgres has not")
    config = evidence.configs[row.config_id]
    counts = CURRENT_COUNTS.get(config.template_code)
    if counts:
        paid = [order for order in orders if order.status == "PAID"]
        expected = len(paid) if counts == "orders" else sum(order.quantity for order in paid)
        verdict.check("progress", row.current == expected, row.id, f"current {row.current}, paid {expected}")
    if counts == "orders":
        _group_is_whole(verdict, evidence, row, simulated=bool(cells.get("simulated")))


def _group_is_whole(verdict: Verdict, evidence: Evidence, row: Instance, *, simulated: bool) -> None:
    """A group succeeds when enough have paid, at the latest when it is full; a failed one keeps nobody's money."""
    orders = evidence.orders_of_instance[row.id]
    paid = sum(1 for order in orders if order.status == "PAID")
    ever_paid = paid + sum(1 for order in orders if order.status in ("REFUNDING", "REFUNDED"))
    if row.status == "SUCCESS":
        percent = int(evidence.configs[row.config_id].rules.get("simulatedPercent", 0)) if simulated else 100
        enough = 0 < percent * row.target <= 100 * ever_paid
        verdict.check("groups", enough, row.id, f"SUCCESS with {ever_paid} of {row.target} paid")
    else:
        verdict.check("groups", paid < row.seats, row.id, f"{row.status} with {paid} of {row.seats} paid")
    if row.status == "FAILED":
        verdict.check("groups", paid == 0, row.id, f"FAILED, but {paid} orders are PAID")
