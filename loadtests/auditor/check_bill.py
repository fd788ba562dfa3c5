"""Invariant 7: what the provider's ledger says is what ours says, or the difference is listed for somebody."""

from loadtests.auditor.evidence import Evidence, Trade
from loadtests.auditor.verdict import Verdict

TAKEN = frozenset({"PAID", "REFUNDED"})


def bill_fits(evidence: Evidence) -> Verdict:
    """Money that the provider took or gave back, and that we do not know of; and the other way round."""
    verdict = Verdict(7, "our ledger is the provider's bill, or the difference is listed")
    for trade in evidence.trades.values():
        if trade.status in TAKEN:
            _booked(verdict, evidence, trade)
    for order_id, payment in evidence.payments.items():
        if payment.status == "PAID":
            billed = evidence.trades.get(order_id)
            same = billed is not None and billed.status in TAKEN and billed.transaction_id == payment.transaction_id
            text = f"booked as paid by {payment.transaction_id}, the provider says {billed}"
            verdict.check("payments", same, order_id, text)
    _refunds(verdict, evidence)
    waiting = sum(stray.settled_at is None for stray in evidence.strays)
    verdict.notes.update({"stray payments wait for a person": waiting} if waiting else {})
    return verdict


def _booked(verdict: Verdict, evidence: Evidence, trade: Trade) -> None:
    """Booked by the same transaction and amount; kept as a stray payment; or found by the next question."""
    order_id = trade.out_trade_no
    payment = evidence.payments.get(order_id)
    if (trade.transaction_id, order_id) in {(stray.transaction_id, stray.order_id) for stray in evidence.strays}:
        verdict.check("trades", True, order_id, "")
        return
    if payment is not None and payment.status != "PAID" and payment.ask_at is not None:
        verdict.notes["payments to be found by asking"] += 1
        verdict.check("trades", True, order_id, "")
        return
    booked = payment.transaction_id if payment and payment.status == "PAID" else None
    text = f"the provider took {trade.amount_fen} fen by {trade.transaction_id}, we know of {booked}"
    verdict.check("trades", booked == trade.transaction_id, order_id, text)
    if payment is not None and booked is not None:
        text = f"the provider took {trade.amount_fen} fen, we have booked {payment.amount_fen}"
        verdict.check("amounts", payment.amount_fen == trade.amount_fen, order_id, text)


def _refunds(verdict: Verdict, evidence: Evidence) -> None:
    """Each is one that we decided, of that amount; and what we believe to be done is done."""
    ours = {refund.refund_no: refund for refund in evidence.refunds}
    for given in evidence.given_back.values():
        refund = ours.get(given.refund_no)
        known = refund is not None and (refund.order_id, refund.amount_fen) == (given.out_trade_no, given.amount_fen)
        text = f"the provider gave back {given.amount_fen} fen as {given.refund_no}, we have decided {refund}"
        verdict.check("refunds", known, given.out_trade_no, text)
    for refund in evidence.refunds:
        if refund.status == "DONE":
            text = f"{refund.kind} of {refund.amount_fen} fen is done, the provider knows no {refund.refund_no}"
            verdict.check("refunds", refund.refund_no in evidence.given_back, refund.order_id, text)
