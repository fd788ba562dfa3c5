"""The history of orders: every move is told once, allowed, and leads from the order's birth to what its row says."""

from typing import Literal

from loadtests.auditor.check_money import CLOCKS
from loadtests.auditor.evidence import Evidence, Order, OrderEvent
from loadtests.auditor.verdict import Verdict

Move = tuple[str, str, str]  # from, to, why

# move -> the row's reason afterwards: the move's own why, none, or what it was before
MOVES: dict[Move, Literal["why", "none", "same"]] = {
    ("HELD", "PAID", "PAID_IN_TIME"): "same",
    ("HELD", "EXPIRED", "NOT_PAID_IN_TIME"): "why",
    ("HELD", "CANCELLED", "BY_CONSUMER"): "why",
    ("PAID", "REFUNDING", "PAYMENT_REFUSED"): "why",
    ("PAID", "REFUNDING", "INSTANCE_FAILED"): "why",
    ("HELD", "REFUNDING", "NOT_NEWCOMER"): "why",
    ("EXPIRED", "REFUNDING", "LATE_PAYMENT"): "why",
    ("CANCELLED", "REFUNDING", "LATE_PAYMENT"): "why",
    ("REFUNDING", "REFUNDING", "NO_SEAT"): "same",
    ("REFUNDING", "PAID", "RESEATED"): "why",
    ("REFUNDING", "REFUNDED", "PAID_BACK"): "same",
    ("CANCELLED", "HELD", "CLICKED_AGAIN"): "none",
}
# Only who let a hold run out and paid late is asked about, so only then there is an answer.
ASKED: Move = ("EXPIRED", "REFUNDING", "LATE_PAYMENT")
ANSWERS = frozenset({"NO_SEAT", "RESEATED"})
REVIVES = "CLICKED_AGAIN"
BORN_CANCELLED = frozenset({"FENCED", "OVERSOLD"})


def history_is_whole(evidence: Evidence) -> Verdict:
    """From its birth to its row, each order's moves are one chain."""
    verdict = Verdict("history", "the moves of an order lead from its birth to its row")
    for order_id in evidence.events_of_order:
        known = order_id in evidence.order_by_id
        verdict.check("histories", known, order_id, "it has a history, but there is no such order")
    for order in evidence.orders:
        events = evidence.events_of_order.get(order.id, [])
        _chain(verdict, order, events)
        _times(verdict, order, events)
        _reason(verdict, order, events)
    return verdict


def _chain(verdict: Verdict, order: Order, events: list[OrderEvent]) -> None:
    """Each move begins where the one before it ended, and the last one ends at the row's status."""
    before: Move | None = None
    status = _birth(order, events)
    verdict.check("orders", status in ("HELD", "CANCELLED"), order.id, f"its history begins with {status}")
    for event in events:
        move = event.from_status, event.to_status, event.why
        text = f"moved {_words(move)} while it was {status}"
        verdict.check("moves", event.from_status == status, order.id, text)
        verdict.check("moves", move in MOVES, order.id, f"moved {_words(move)}, which no order may")
        text = f"moved {_words(move)} after {_words(before) if before else 'its birth'}"
        verdict.check("moves", event.why not in ANSWERS or before == ASKED, order.id, text)
        verdict.check("moves", event.why != REVIVES or before is None, order.id, text)
        verdict.check("moves", bool(event.by_whom), order.id, f"moved {_words(move)} by nobody")
        status, before = event.to_status, move
    verdict.check("orders", status == order.status, order.id, f"its history ends with {status}, its row {order.status}")


def _birth(order: Order, events: list[OrderEvent]) -> str:
    """An order is born HELD, or CANCELLED when a fence or the stock was in its way; that is no move."""
    if events:
        return events[0].from_status
    return "CANCELLED" if order.reason in BORN_CANCELLED else "HELD"


def _times(verdict: Verdict, order: Order, events: list[OrderEvent]) -> None:
    """Later moves are not earlier, but for the time that a transaction waited for another after it had begun."""
    latest = order.created_at
    for event in events:
        text = f"{event.why} at {event.at}, after what happened at {latest}"
        verdict.check("times", event.at + CLOCKS >= latest, order.id, text)
        latest = max(latest, event.at)
        if event.why == "NOT_PAID_IN_TIME":
            text = f"expired at {event.at}, could be paid until {order.pay_before}"
            verdict.check("times", event.at > order.pay_before, order.id, text)
    if events:
        text = f"moved last at {events[-1].at}, its row was changed last at {order.updated_at}"
        verdict.check("times", order.updated_at + CLOCKS >= events[-1].at, order.id, text)


def _reason(verdict: Verdict, order: Order, events: list[OrderEvent]) -> None:
    """The row's reason is what its moves have left there."""
    reason: str | None = None if events else _reason_of_birth(order)
    for event in events:
        rule = MOVES.get((event.from_status, event.to_status, event.why), "same")
        reason = {"why": event.why, "none": None, "same": reason}[rule]
    text = f"its reason is {order.reason}, its history says {reason}"
    verdict.check("reasons", order.reason == reason, order.id, text)
    if any(event.why == "RESEATED" for event in events):
        text = "reseated, and its row does not say when"
        verdict.check("reasons", order.reseated_at is not None, order.id, text)


def _reason_of_birth(order: Order) -> str | None:
    born_cancelled = order.status == "CANCELLED" and order.reason in BORN_CANCELLED
    return order.reason if born_cancelled else None


def _words(move: Move) -> str:
    return f"{move[0]} to {move[1]} ({move[2]})"
