"""Invariant 5: a hold ends once, and both stores and the payer agree how."""

from collections import Counter
from collections.abc import Collection

from loadtests.auditor.evidence import Effect, Evidence, Order, millis
from loadtests.auditor.stories import ORDER_VERBS
from loadtests.auditor.verdict import Question, Verdict

GATE_STATE = {"HELD": 1, "PAID": 2, "EXPIRED": 0, "CANCELLED": 0, "REFUNDING": 0, "REFUNDED": 0}
ACTION = 3
KEY_LENGTH = 16  # Redis keys an effect by the first digits of the order id


def ends_once(evidence: Evidence, question: Question) -> Verdict:
    """Invariant 5: order row, gate state, waiting events and Redis effect tell one story."""
    verdict = Verdict(5, "a hold resolves at most once, everywhere the same way")
    for event, count in Counter((event.order_id, event.kind) for event in evidence.gate_events).items():
        verdict.check("events", count == 1, event[0], f"{count} events {event[1]}")
    for order in evidence.orders:
        _followed(verdict, evidence, order)
    for warmed in evidence.warmed.values():
        keys = Counter((user, effect.key) for user, effect in warmed.effects())
        for (user, key), count in keys.items():
            verdict.check("effects", count == 1, f"{warmed.config}/{user}/{key}", f"{count} effects of one click")
    if question.quiescent:
        _redis_remembers(verdict, evidence)
    _promised_ends(verdict, evidence)
    return verdict


def _followed(verdict: Verdict, evidence: Evidence, order: Order) -> None:
    """Redis knows an order's state, or an event that tells it is waiting."""
    expected = GATE_STATE.get(order.status, -1)
    kind = {2: "paid", 0: "released"}.get(expected)
    waiting = (order.id, kind) in evidence.pending_events
    text = f"{order.status}, gate_state {order.gate_state}, no event waits"
    verdict.check("orders", order.gate_state == expected or waiting, order.id, text)
    resolved_both_ways = {(order.id, "paid"), (order.id, "released")} <= evidence.pending_events
    text = "HELD, yet an event ended it"
    ended = any((order.id, kind) in evidence.pending_events for kind in ("paid", "released"))
    verdict.check("orders", order.status != "HELD" or not ended, order.id, text)
    text = "PAID, yet a release waits"
    verdict.check("orders", order.status != "PAID" or not resolved_both_ways, order.id, text)


def _redis_remembers(verdict: Verdict, evidence: Evidence) -> None:
    """Each row has its effect in Redis with the same facts, and no effect is without a row."""
    effects: dict[tuple[str, str, str], Effect] = {}
    for warmed in evidence.warmed.values():
        effects |= {(warmed.config, user, effect.key): effect for user, effect in warmed.effects()}
    known = {config.id for config in evidence.configs.values() if config.in_redis}
    for order in evidence.orders:
        if order.config_id not in known:
            continue
        effect = effects.pop((order.config_id, order.user_id, order.id[:KEY_LENGTH]), None)
        if order.reason == "FENCED" and effect is None:  # it never held anything, so a rebuild leaves it out
            continue
        verdict.check("effects", effect is not None, order.id, "Redis does not know this order")
        if effect is None:
            continue
        row = (order.fingerprint, order.gate_state, order.quantity, order.suffix, millis(order.pay_before))
        text = f"Redis says {effect[1:]}, the order {row}"
        verdict.check("effects", effect[1:] == row, order.id, text)
    for action in evidence.actions:
        if action.config_id not in known:
            continue
        effect = effects.pop((action.config_id, action.user_id, action.id[:KEY_LENGTH]), None)
        acted = effect is not None and effect.state == ACTION
        verdict.check("effects", acted, action.id, "Redis does not know this action")
    for (config_id, user, key), effect in effects.items():
        verdict.check("effects", False, f"{config_id}/{user}/{key}", f"{effect} has no row in Postgres")
    _people_agree(verdict, evidence, known)


def _people_agree(verdict: Verdict, evidence: Evidence, known: Collection[str]) -> None:
    """What a playbook remembers of somebody is the same in both stores."""
    in_redis = {
        (warmed.config, user): cells for warmed in evidence.warmed.values() for user, cells in warmed.remembered.items()
    }
    in_postgres = {
        key: {**person.cells, "rev": person.rev} for key, person in evidence.remembered.items() if key[0] in known
    }
    for key in in_redis.keys() | in_postgres.keys():
        text = f"Redis remembers {in_redis.get(key)}, Postgres {in_postgres.get(key)}"
        verdict.check("people", in_redis.get(key) == in_postgres.get(key), "/".join(key), text)


def _promised_ends(verdict: Verdict, evidence: Evidence) -> None:
    """A payment or cancellation that a client was told of is what the order says."""
    ends = {"pay": {"PAID", "REFUNDING", "REFUNDED"}, "cancel": {"CANCELLED", "REFUNDING", "REFUNDED"}}
    for line in evidence.lines:
        if line.verb in ORDER_VERBS and line.outcome == "DONE" and line.order_id:
            order = evidence.order_by_id.get(line.order_id)
            now = order.status if order else None
            text = f"{line.verb} was confirmed, the order is {now}"
            verdict.check("confirmed ends", now in ends[line.verb], line.order_id, text)
