"""Invariant 4: to the fen, what was captured is earned, paid back or about to be; and what is promised is earned."""

from datetime import timedelta

from loadtests.auditor.evidence import Config, Evidence, Order, Reward
from loadtests.auditor.verdict import Verdict

UNPAID = frozenset({"EXPIRED", "CANCELLED"})
PAID_BACK = frozenset({"REFUNDING", "REFUNDED"})
DECIDED = frozenset({"GRANTED", "FLAGGED"})
CLOCKS = timedelta(seconds=5)  # rows carry the time when their transaction began


def money_fits(evidence: Evidence) -> Verdict:
    """Prices, captures, rebates and rewards."""
    verdict = Verdict(4, "amounts fit, to the fen")
    for order in evidence.orders:
        _priced(verdict, evidence, order)
        _captured(verdict, evidence, order)
        _rebated(verdict, evidence, order)
    for reward in evidence.rewards:
        _earned(verdict, evidence, reward)
    return verdict


def _priced(verdict: Verdict, evidence: Evidence, order: Order) -> None:
    config = evidence.configs.get(order.config_id)
    lowest, highest = _prices(config, order) if config else (0, 0)
    unit, rest = divmod(order.amount_fen, order.quantity)
    text = f"{order.amount_fen} fen, but quantity x price is {order.quantity} x {lowest} to {highest}"
    verdict.check("prices", rest == 0 and lowest <= unit <= highest, order.id, text)


def _prices(config: Config, order: Order) -> tuple[int, int]:
    """The lowest and the highest price of a unit. Of playbooks not known here: a step may only lower it."""
    if config.template_code == "FLASH_SALE":
        return config.price_fen, config.price_fen
    if config.template_code == "GROUP_BUY":
        leads = order.id.startswith(order.suffix)
        leader_fen = config.price_fen - int(config.rules.get("leaderOffFen", 0))
        lowest = leader_fen if leads or order.reseated_at else config.price_fen
        return lowest, leader_fen if leads else config.price_fen
    return 1, config.price_fen


def _captured(verdict: Verdict, evidence: Evidence, order: Order) -> None:
    """Captured = fulfilled + paid back or owed + about to be decided."""
    payment = evidence.payments.get(order.id)
    refunds = {refund.kind: refund for refund in evidence.refunds_of_order[order.id]}
    captured = payment.amount_fen if payment and payment.status == "PAID" else 0
    returned = sum(refund.amount_fen for refund in evidence.refunds_of_order[order.id])
    rebate = refunds["REBATE"].amount_fen if "REBATE" in refunds else 0
    fulfilled = order.amount_fen - rebate if order.status == "PAID" else 0
    asked = order.reason == "LATE_PAYMENT" and (order.id, "late") in evidence.pending_events
    undecided = order.amount_fen if asked and not refunds else 0
    text = f"captured {captured} fen, fulfilled {fulfilled}, refunds {returned}, undecided {undecided}"
    verdict.check("money", captured == fulfilled + returned + undecided, order.id, text)
    whole = refunds["WHOLE"].status if "WHOLE" in refunds else None
    if order.status in PAID_BACK:
        text = f"{order.status}, its refund is {whole}"
        verdict.check("refunds", (order.status == "REFUNDED") == (whole == "DONE"), order.id, text)


def _rebated(verdict: Verdict, evidence: Evidence, order: Order) -> None:
    """Everybody who has paid in a success that owes a part of the price is owed exactly that part."""
    instance = evidence.instances.get(order.instance_id)
    due = min(instance.rebate_fen * order.quantity, order.amount_fen) if instance else 0
    owed = [refund.amount_fen for refund in evidence.refunds_of_order[order.id] if refund.kind == "REBATE"]
    text = f"rebates of {owed} fen, its instance owes {due}"
    counted = order.status == "PAID" and (order.id, "paid") not in evidence.pending_events
    if owed or (due > 0 and counted):
        verdict.check("rebates", owed == [due], order.id, text)


def _earned(verdict: Verdict, evidence: Evidence, reward: Reward) -> None:
    """A reward lives and dies with its order until it is decided, and is not decided early."""
    name = f"{reward.source}/{reward.number}"
    early = reward.status in DECIDED and reward.updated_at + CLOCKS < reward.unfreezes_at
    verdict.check("rewards", not early, name, f"{reward.status} before {reward.unfreezes_at}")
    verdict.check("rewards", reward.amount > 0, name, f"of {reward.amount}")
    if reward.order_id is None:
        return
    order = evidence.order_by_id.get(reward.order_id)
    if order is None:
        verdict.check("rewards", False, name, f"for an order {reward.order_id} that is not there")
    elif order.status in UNPAID | PAID_BACK:
        # One that was decided while the order was PAID stays decided.
        before = reward.status in DECIDED and reward.updated_at <= order.updated_at + CLOCKS
        verdict.check("rewards", reward.status == "VOID" or before, name, f"{reward.status}, its order {order.status}")
    elif order.reseated_at is None:
        verdict.check("rewards", reward.status != "VOID", name, f"void, its order {order.status}")
