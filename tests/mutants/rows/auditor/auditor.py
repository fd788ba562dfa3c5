"""Each check of the auditor, switched off; and what it excuses."""

from tests.mutants.row import Row, row

BILL = "loadtests/auditor/check_bill.py"
HISTORY = "loadtests/auditor/check_history.py"
HOLDS = "loadtests/auditor/check_holds.py"
MONEY = "loadtests/auditor/check_money.py"
PEOPLE = "loadtests/auditor/check_people.py"
REQUESTS = "loadtests/auditor/check_requests.py"
STOCK = "loadtests/auditor/check_stock.py"
VERDICT = "loadtests/auditor/verdict.py"
AUDIT = "loadtests/auditor/audit.py"
EVIDENCE = "loadtests/auditor/evidence.py"
STORIES = "loadtests/auditor/stories.py"

AUDITOR = "tests/acceptance/auditor/test_auditor.py::"
EVERY_TEST = "tests/acceptance/auditor/test_auditor.py"


def overlooks(what: str, file: str, kind: str, holds: str) -> Row:
    """A check of this kind that always holds."""
    return row(
        f"the auditor overlooks {what}",
        file,
        f'verdict.check("{kind}", {holds},',
        f'verdict.check("{kind}", True,',
        EVERY_TEST,
    )


ROWS = (
    overlooks("a payment that the provider does not know", BILL, "payments", "same"),
    overlooks("money that we do not know of", BILL, "trades", "booked == trade.transaction_id"),
    overlooks("another amount than the provider took", BILL, "amounts", "payment.amount_fen == trade.amount_fen"),
    overlooks("a refund that nobody decided", BILL, "refunds", "known"),
    overlooks("a refund that was never made", BILL, "refunds", "refund.refund_no in evidence.given_back"),
    overlooks("a history of no order", HISTORY, "histories", "known"),
    overlooks("an order born as something else", HISTORY, "orders", 'status in ("HELD", "CANCELLED")'),
    overlooks("a history that ends elsewhere than its row", HISTORY, "orders", "status == order.status"),
    overlooks("a hole in a history", HISTORY, "moves", "event.from_status == status"),
    overlooks("a move that there is not", HISTORY, "moves", "move in MOVES"),
    overlooks("an answer that nobody asked for", HISTORY, "moves", "event.why not in ANSWERS or before == ASKED"),
    overlooks("a revival after another move", HISTORY, "moves", "event.why != REVIVES or before is None"),
    overlooks("a move by nobody", HISTORY, "moves", "bool(event.by_whom)"),
    overlooks("a move before the one it follows", HISTORY, "times", "event.at + CLOCKS >= latest"),
    overlooks("a hold that expired before its deadline", HISTORY, "times", "event.at > order.pay_before"),
    overlooks(
        "a row that was changed before its last move", HISTORY, "times", "order.updated_at + CLOCKS >= events[-1].at"
    ),
    overlooks("a reason that no move has left", HISTORY, "reasons", "order.reason == reason"),
    overlooks("a new seat without its time", HISTORY, "reasons", "order.reseated_at is not None"),
    overlooks("two events of a kind", HOLDS, "events", "count == 1"),
    overlooks("what Redis was never told", HOLDS, "orders", "order.gate_state == expected or waiting"),
    overlooks("a hold that an event has ended", HOLDS, "orders", 'order.status != "HELD" or not ended'),
    overlooks("a paid order whose release waits", HOLDS, "orders", 'order.status != "PAID" or not resolved_both_ways'),
    overlooks("two effects of one click", HOLDS, "effects", "count == 1"),
    overlooks("an order that Redis does not know", HOLDS, "effects", "effect is not None"),
    overlooks("an order that Redis knows otherwise", HOLDS, "effects", "effect[1:] == row"),
    overlooks("an action that Redis does not know", HOLDS, "effects", "acted"),
    overlooks("an effect without a row", HOLDS, "effects", "False"),
    overlooks(
        "a person of whom the stores remember different things",
        HOLDS,
        "people",
        "in_redis.get(key) == in_postgres.get(key)",
    ),
    overlooks("a payment that was confirmed and is gone", HOLDS, "confirmed ends", "now in ends[line.verb]"),
    overlooks("a wrong price", MONEY, "prices", "rest == 0 and lowest <= unit <= highest"),
    overlooks("money that is nowhere", MONEY, "money", "captured == fulfilled + returned + undecided"),
    overlooks(
        "a refund that does not fit its order", MONEY, "refunds", '(order.status == "REFUNDED") == (whole == "DONE")'
    ),
    overlooks("a rebate that is not owed", MONEY, "rebates", "owed == [due]"),
    overlooks("a reward that was decided early", MONEY, "rewards", "not early"),
    overlooks("a reward of nothing", MONEY, "rewards", "reward.amount > 0"),
    overlooks("a reward for no order", MONEY, "rewards", "False"),
    overlooks("a reward of an order that is over", MONEY, "rewards", 'reward.status == "VOID" or before'),
    overlooks("a reward that is void though its order is paid", MONEY, "rewards", 'reward.status != "VOID"'),
    overlooks("orders of a config that there is not", PEOPLE, "people", "False"),
    overlooks("a person beyond the limit", PEOPLE, "people", "not limit or peak <= limit"),
    overlooks("a newcomer with two paid orders", PEOPLE, "newcomers", "len(orders) <= 1"),
    overlooks("a person with two seats", PEOPLE, "seats", "seats <= 1"),
    overlooks("an order outside its config's window", PEOPLE, "windows", "inside"),
    overlooks("an order outside its instance's window", PEOPLE, "windows", "opens <= at_ms < ends"),
    overlooks("two rows of one request", REQUESTS, "rows", "count == 1"),
    overlooks("two rows of one id", REQUESTS, "ids", "count == 1"),
    overlooks("a repeat that gets another answer", REQUESTS, "replays", "same"),
    overlooks("two answers that claim to be the first", REQUESTS, "first answers", "fresh <= 1"),
    overlooks("a replay of what nobody was told", REQUESTS, "first answers", "explained"),
    overlooks("a requestId that won twice", REQUESTS, "reused ids", "len(won) <= 1"),
    overlooks("a first body that was refused as reused", REQUESTS, "reused ids", "other"),
    overlooks("a reused id that is refused in another way", REQUESTS, "reused ids", "line.status == 422"),
    overlooks("a refused click that left a row", REQUESTS, "refused", "order is None and key not in actions"),
    overlooks("an order that no client asked for", REQUESTS, "explained", "known"),
    overlooks("an order that is not what was acknowledged", REQUESTS, "acknowledged", "kept"),
    overlooks("an acknowledged click without a row", REQUESTS, "acknowledged", "in_flight"),
    overlooks("an acknowledged click that was cancelled", REQUESTS, "states", "order.status in LEGAL and not broken"),
    overlooks("a hold that nobody ends", REQUESTS, "overdue", "late_ms < OVERDUE_GRACE_MS"),
    overlooks("more live units than there are", STOCK, "configs", "units <= stock.total"),
    overlooks("a count of units that is wrong", STOCK, "configs", "stock.reserved == units"),
    overlooks("a stock that was not published", STOCK, "configs", "planned == stock.total"),
    overlooks("less than no units left in Redis", STOCK, "redis", "warmed.left >= 0"),
    overlooks("units that Redis has lost", STOCK, "redis", "warmed.left + taken == stock.total"),
    overlooks("more effects in Redis than seats", STOCK, "redis", "not seats or taken_seats[suffix] <= seats"),
    overlooks("more orders than seats", STOCK, "instances", "len(live) <= instance.seats"),
    overlooks("a session that is oversold", STOCK, "sessions", "units == session.reserved <= session.total"),
    overlooks(
        "units of a session that Redis has lost", STOCK, "sessions", "0 <= left == session.total - taken_units[suffix]"
    ),
    overlooks("what is archived and yet in Redis", STOCK, "configs", "warmed is None"),
    overlooks("a config that Redis does not know", STOCK, "configs", "warmed is not None"),
    overlooks("units that have not come back", STOCK, "configs", "warmed.left + live == config.stock"),
    overlooks("an instance that is in Redis only", STOCK, "instances", "known"),
    overlooks("entries that nobody has drained", STOCK, "streams", "waiting == 0"),
    overlooks("events that nobody follows", STOCK, "events", "waiting == 0"),
    overlooks("a dead letter", STOCK, "dead letters", "False"),
    overlooks("an instance that is in Postgres only", STOCK, "instances", "cells is not None"),
    overlooks("an instance that the stores tell differently", STOCK, "instances", "redis_says == postgres_says"),
    overlooks("a seat that has not come back", STOCK, "seats", 'cells["seatsLeft"] + len(live) == row.seats'),
    overlooks(
        "units of a session that have not come back", STOCK, "sessions", 'cells.get("left") == session.total - units'
    ),
    overlooks("stock of a session that has none", STOCK, "sessions", '"left" not in cells'),
    overlooks("progress that nobody has paid for", STOCK, "progress", "row.current == expected"),
    overlooks("a group that succeeded with too few", STOCK, "groups", "enough"),
    overlooks("a full group that has not succeeded", STOCK, "groups", "paid < row.seats"),
    overlooks("a failed group that keeps money", STOCK, "groups", "paid == 0"),
    row(
        "the auditor finds nothing at all",
        VERDICT,
        "        if not holds:\n",
        "        if False:\n",
        AUDITOR + "test_a_planted_wrong_is_found[delete_a_row-3]",
    ),
    row(
        "a tear excuses what was acknowledged before it",
        VERDICT,
        "line.sent_at <= end and received_at >= start",
        "line.sent_at <= end",
        AUDITOR + "test_a_click_acknowledged_before_the_torn_tail_must_be_there",
    ),
    row(
        "a tear excuses what came after it",
        VERDICT,
        "line.sent_at <= end and received_at >= start",
        "received_at >= start",
        "tests/acceptance/auditor/test_auditor.py",
    ),
    row(
        "violations are printed, and the exit code says that there are none",
        AUDIT,
        "return not any(verdict.violations for verdict in verdicts)",
        "return True",
        AUDITOR + "test_the_exit_code_says_whether_anything_was_found",
    ),
    row(
        "the auditor forgets its first invariant",
        AUDIT,
        "        never_oversold(evidence),\n",
        "",
        AUDITOR + "test_clean_evidence_passes_and_every_invariant_was_looked_at",
    ),
    row(
        "of two pages of orders the auditor reads one kind of effect",
        REQUESTS,
        "[*evidence.orders, *evidence.actions]",
        "[*evidence.orders]",
        "tests/acceptance/auditor/test_auditor.py",
    ),
    row(
        "a broken line of a journal is skipped",
        EVIDENCE,
        (
            '    whole, _, _cut_off = raw.rpartition(b"\\n")\n'
            "    return [decoder.decode(line) for line in whole.splitlines() if line]"
        ),
        (
            '    whole, _, _cut_off = raw.rpartition(b"\\n")\n'
            '    return [decoder.decode(line) for line in whole.splitlines() if line.endswith(b"}")]'
        ),
        "tests/acceptance/auditor/test_auditor.py",
    ),
    row(
        "a pause counts as a refusal",
        STORIES,
        '"UNKNOWN", "PAUSED", "UNAVAILABLE", "INTERNAL"',
        '"UNKNOWN", "UNAVAILABLE", "INTERNAL"',
        "tests/acceptance/auditor/test_auditor.py",
    ),
)
