"""Invariants 2 and 3: one effect a request, and every promise kept."""

from collections import Counter
from datetime import datetime

from loadtests.auditor.evidence import Action, Evidence, Line, Order, millis
from loadtests.auditor.stories import Key, Story
from loadtests.auditor.verdict import Question, Verdict

LEGAL = frozenset({"HELD", "PAID", "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED"})
BROKEN_PROMISES = frozenset({"FENCED", "OVERSOLD"})
OVERDUE_GRACE_MS = 10_000  # a sweep may be this late
REUSED = "REQUEST_ID_REUSED"


# A server that lost the answer to a batch of clicks asks again after 50 ms, and hears that they had their effect:
# so even the one answer to a click sent once may say that it is a replay. Clocks here count whole milliseconds.
RESENT_AFTER_MS = 49


def key_of(row: Order | Action) -> Key:
    """The request a row came from."""
    return Key(row.user_id, row.config_id, row.request_id)


def one_effect(evidence: Evidence, stories: dict[Key, Story], question: Question) -> Verdict:
    """Invariant 2: at most one row a request; replays repeat the first answer; another body gets only 422."""
    verdict = Verdict(2, "one effect per (user, config, requestId)")
    effects: list[Order | Action] = [*evidence.orders, *evidence.actions]
    rows = Counter(key_of(row) for row in effects)
    for key, count in rows.items():
        verdict.check("rows", count == 1, str(key), f"{count} rows for one request")
    ids = Counter(row.id for row in effects)
    for row_id, count in ids.items():
        verdict.check("ids", count == 1, row_id, f"{count} rows with one id")
    for key, story in stories.items():
        _same_answer(verdict, key, story, question)
        _other_body(verdict, key, story)
    return verdict


def _same_answer(verdict: Verdict, key: Key, story: Story, question: Question) -> None:
    wins = [line for line in story.wins if not question.excuses(line)]
    for again in wins[1:]:
        same = _promise(again) == _promise(wins[0])
        text = f"answered {_promise(wins[0])}, then {_promise(again)}"
        verdict.check("replays", same, str(key), text)
    fresh = sum(1 for line in wins if line.replayed is False)
    if wins:
        verdict.check("first answers", fresh <= 1, str(key), f"{fresh} answers claim to be the first")
        sent_again = (wins[0].received_at or 0) - wins[0].sent_at >= RESENT_AFTER_MS
        explained = fresh == 1 or story.undecided or len(wins) < len(story.wins) or sent_again
        verdict.check("first answers", explained, str(key), "a replay of an answer nobody was given")


def _promise(line: Line) -> tuple[str | None, ...]:
    return line.outcome, line.order_id, line.won_instance_id, line.pay_before


def _other_body(verdict: Verdict, key: Key, story: Story) -> None:
    won = {line.body for line in story.wins}
    refused = [line for line in story.answers if line.outcome == REUSED]
    if len(story.bodies) > 1:
        verdict.check("reused ids", len(won) <= 1, str(key), f"one requestId won with {len(won)} bodies")
    for line in refused:
        other = len(story.bodies) > 1 and line.body not in won
        verdict.check("reused ids", other, str(key), "refused as reused, though its body was the first")
        verdict.check("reused ids", line.status == 422, str(key), f"reused id answered {line.status}, not 422")


def promises_kept(evidence: Evidence, stories: dict[Key, Story], question: Question) -> Verdict:
    """Invariant 3: an acknowledged click has one row in a legal state; a refused one has none."""
    verdict = Verdict(3, "every acknowledged click has exactly one outcome")
    orders = {key_of(order): order for order in evidence.orders}
    actions = {key_of(action) for action in evidence.actions}
    flying = {Key(row[3], row[1], row[4]) for shard in evidence.shards for row in shard.orders}
    for key, story in stories.items():
        order = orders.get(key)
        if story.wins:
            if order is not None:
                _kept(verdict, key, story, order, evidence, question)
            elif key not in actions:
                _missing(verdict, key, story, not question.quiescent and key in flying, question)
        elif not story.undecided:
            verdict.check("refused", order is None and key not in actions, str(key), "refused, yet it left a row")
        else:
            verdict.notes["never answered, order exists" if order else "never answered, no order"] += 1
    for order in evidence.orders:
        _legal(verdict, order, evidence, question)
        if stories:
            known = key_of(order) in stories
            verdict.check("explained", known, order.id, "an order that no client asked for")
    return verdict


def _kept(verdict: Verdict, key: Key, story: Story, order: Order, evidence: Evidence, question: Question) -> None:
    for win in story.wins:
        kept = _matches(win, order, evidence)
        if not kept and question.excuses(win):
            verdict.notes["lost with the tail, decided anew"] += 1
            continue
        text = f"order {order.id} is not what was acknowledged"
        verdict.check("acknowledged", kept, str(key), text)


def _matches(win: Line, order: Order, evidence: Evidence) -> bool:
    same_order = win.order_id in (None, order.id) and win.quantity == order.quantity
    person = evidence.remembered.get((order.config_id, order.user_id))
    same_instance = win.won_instance_id in (None, order.instance_id)
    if win.instance_id and win.instance_id != order.instance_id:
        # Whose clicks a playbook takes elsewhere was told where: somebody's guest stays that person's guest.
        same_instance = same_instance and win.won_instance_id is not None and bool(person and "at" in person.cells)
    if order.reseated_at:
        same_instance = True  # paid late, and taken in where there was a seat
    pay_before = win.pay_before is None or millis(datetime.fromisoformat(win.pay_before)) == millis(order.pay_before)
    return same_order and same_instance and pay_before


def _missing(verdict: Verdict, key: Key, story: Story, in_flight: bool, question: Question) -> None:
    if all(question.excuses(line) for line in story.wins):
        verdict.notes["lost with the tail"] += 1
        return
    verdict.check("acknowledged", in_flight, str(key), "acknowledged, but there is no row")


def _legal(verdict: Verdict, order: Order, evidence: Evidence, question: Question) -> None:
    text = f"status {order.status}, reason {order.reason}"
    broken = order.reason in BROKEN_PROMISES
    if order.reason == "FENCED" and question.covers(millis(order.created_at)):
        verdict.notes["lost with the tail, cancelled"] += 1
        broken = False
    verdict.check("states", order.status in LEGAL and not broken, order.id, text)
    if question.quiescent and order.status == "HELD":
        late_ms = evidence.dumped_at_ms - millis(order.pay_before)
        verdict.check("overdue", late_ms < OVERDUE_GRACE_MS, order.id, f"still HELD {late_ms} ms after its deadline")
