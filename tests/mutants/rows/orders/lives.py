"""What follows a move, and how the tests look at histories."""

from tests.mutants.row import row

CONSEQUENCES = "engine/runtime/consequences.py"
HISTORY = "tests/support/history.py"

BIRTHS = "tests/integration/orders/test_births.py::"
HISTORIES = "tests/integration/orders/test_histories.py::"
LATE_PAYMENTS = "tests/integration/money/test_late_payments.py::"
LIVES = "tests/integration/orders/test_lives.py::"
ORDERS_HOLDS = "tests/integration/orders/test_orders_holds.py::"
PAYMENT_EDGES = "tests/integration/money/test_payment_edges.py::"
PROMISES = "tests/integration/stream/test_promises.py::"

ROWS = (
    row(
        "Redis is not told of a payment",
        CONSEQUENCES,
        "(gate_events.tell_paid,)",
        "()",
        ORDERS_HOLDS + "test_a_payment_that_was_never_notified",
    ),
    row(
        "a hold that ends keeps its units",
        CONSEQUENCES,
        "(stock.give_back, rewards.void_unpaid, gate",
        "(rewards.void_unpaid, gate",
        LIVES + "test_it_is_paid_for_too_late_and_nobody_has_a_seat",
    ),
    row(
        "rewards of a hold that ends stay",
        CONSEQUENCES,
        "rewards.void_unpaid, gate",
        "gate",
        PROMISES + "test_a_reward_for_an_order_that_is_never_paid",
    ),
    row(
        "Redis is not told that a hold has ended",
        CONSEQUENCES,
        "rewards.void_unpaid, gate_events.tell_released)",
        "rewards.void_unpaid)",
        LIVES + "test_it_is_paid_for_too_late_and_seated",
    ),
    row(
        "who cancels keeps the units",
        CONSEQUENCES,
        "moves.CANCEL: _GIVEN_UP",
        "moves.CANCEL: _GIVEN_UP[1:]",
        ORDERS_HOLDS + "test_cancel_gives_back_at_once",
    ),
    row(
        "Redis is not told of who cancels",
        CONSEQUENCES,
        "moves.CANCEL: _GIVEN_UP",
        "moves.CANCEL: _GIVEN_UP[:2]",
        ORDERS_HOLDS + "test_cancel_gives_back_at_once",
    ),
    row(
        "rewards of who cancels stay",
        CONSEQUENCES,
        "moves.CANCEL: _GIVEN_UP",
        "moves.CANCEL: (stock.give_back, gate_events.tell_released)",
        PAYMENT_EDGES + "test_rewards_of_a_hold_end_with_it[CANCEL]",
    ),
    row(
        "an order that is owed keeps its units",
        CONSEQUENCES,
        "moves.OWE: (stock.give_back, ",
        "moves.OWE: (",
        LATE_PAYMENTS + "test_a_club_that_fails_pays_late_payers_back_like_everyone",
    ),
    row(
        "rewards of an order that is owed stay",
        "engine/runtime/consequences.py",
        "moves.OWE: (stock.give_back, rewards.void_refunded, ",
        "moves.OWE: (stock.give_back, ",
        "tests/integration/stream/test_promises.py::test_a_reward_is_void_when_its_order_is_paid_back",
    ),
    row(
        "Redis is not told of an order that is owed",
        "engine/runtime/consequences.py",
        "moves.OWE: (stock.give_back, rewards.void_refunded, gate_events.tell_released, ",
        "moves.OWE: (stock.give_back, rewards.void_refunded, ",
        "tests/integration/money/test_late_payments.py::test_a_club_that_fails_pays_late_payers_back_like_everyone",
    ),
    row(
        "an order that is owed gets no refund",
        "engine/runtime/consequences.py",
        "moves.OWE: (stock.give_back, rewards.void_refunded, gate_events.tell_released, refunds.open_whole)",
        "moves.OWE: (stock.give_back, rewards.void_refunded, gate_events.tell_released)",
        "tests/integration/orders/test_lives.py::test_its_club_fails",
    ),
    row(
        "a late payment gets no refund",
        CONSEQUENCES,
        "moves.OWE_LATE: (refunds.open_whole,)",
        "moves.OWE_LATE: ()",
        LATE_PAYMENTS + "test_who_cancelled_has_the_money_back",
    ),
    row(
        "Redis is not asked for a seat",
        CONSEQUENCES,
        "(gate_events.tell_late,)",
        "()",
        LIVES + "test_it_is_paid_for_too_late_and_seated",
    ),
    row(
        "who is turned away gets no refund",
        CONSEQUENCES,
        "(refunds.open_whole, gate_events.stop_asking)",
        "(gate_events.stop_asking,)",
        LATE_PAYMENTS + "test_nobody_takes_them_in",
    ),
    row(
        "Redis is asked for a seat for who was turned away",
        CONSEQUENCES,
        "(refunds.open_whole, gate_events.stop_asking)",
        "(refunds.open_whole,)",
        LATE_PAYMENTS + "test_a_playbook_that_keeps_failing_does_not_keep_the_money",
    ),
    row(
        "a new seat takes no units",
        CONSEQUENCES,
        "moves.RESEAT: (stock.take,)",
        "moves.RESEAT: ()",
        LATE_PAYMENTS + "test_the_seat_they_meant_is_free_again",
    ),
    row(
        "a revived order takes no units",
        CONSEQUENCES,
        "moves.REVIVE: (stock.take,)",
        "moves.REVIVE: ()",
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a publication opens no stock",
        CONSEQUENCES,
        "(stock.open_stock, instances.open_sessions)",
        "(instances.open_sessions,)",
        LIVES + "test_nobody_pays",
    ),
    row(
        "a publication opens no sessions",
        CONSEQUENCES,
        "(stock.open_stock, instances.open_sessions)",
        "(stock.open_stock,)",
        LIVES + "test_nobody_pays",
    ),
    row(
        "the tests' own look at histories: no history is wrong",
        HISTORY,
        "        if wrong := _wrong(row, events.get(order_id, [])):",
        "        if wrong := '':",
        HISTORIES + "test_any_other_is_found",
    ),
    row(
        "the tests' own look at histories: an order may be born in any way",
        HISTORY,
        'return "" if born else',
        'return "" if born or True else',
        HISTORIES + "test_any_other_is_found",
    ),
    row(
        "the tests' own look at histories: a history may have a hole",
        HISTORY,
        'if event["from_status"] != status or known is None or',
        "if known is None or",
        HISTORIES + "test_any_other_is_found",
    ),
    row(
        "the tests' own look at histories: a history may have a move that there is not",
        HISTORY,
        " or known is None or",
        " or",
        HISTORIES + "test_any_other_is_found",
    ),
    row(
        "the tests' own look at histories: a move may be made by nobody",
        HISTORY,
        ' or not event["by_whom"] or',
        " or",
        HISTORIES + "test_any_other_is_found",
    ),
    row(
        "the tests' own look at histories: a history may end elsewhere than its row",
        HISTORY,
        'return "" if (status, reason) == (row["status"], row["reason"]) else',
        'return "" if True else',
        HISTORIES + "test_any_other_is_found",
    ),
    row(
        "the tests' own look at histories: a history may be that of no order",
        HISTORY,
        "for order_id in events.keys() - rows.keys()]",
        "for order_id in ()]",
        HISTORIES + "test_a_history_of_no_order_is_found",
    ),
    row(
        "a hold is given back in the last moment in which it may be paid for",
        "engine/orders/holds.py",
        "pay_before < now() AND NOT prepaid",
        "pay_before <= now() AND NOT prepaid",
        "tests/integration/orders/test_edges.py::test_the_moment_at_which_a_hold_ends_is_nobodys",
    ),
    row(
        "a hold whose payment was begun is asked about in its last moment",
        "engine/orders/holds.py",
        "pay_before < now() AND prepaid AND",
        "pay_before <= now() AND prepaid AND",
        "tests/integration/orders/test_edges.py::test_the_moment_at_which_a_hold_ends_is_nobodys",
    ),
    row(
        "a payment is begun in the moment at which the hold ends",
        "engine/money/payments.py",
        "pay_before > now() AS in_time",
        "pay_before >= now() AS in_time",
        "tests/integration/orders/test_edges.py::test_the_moment_at_which_a_hold_ends_is_nobodys",
    ),
)
