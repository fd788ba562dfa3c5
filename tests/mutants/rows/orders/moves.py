"""Every move of an order, and the history of it."""

from tests.mutants.row import row

SCHEMA = "engine/db/sql/0001_core.sql"
MOVES = "engine/orders/moves.py"
PAYMENTS = "engine/money/payments.py"

BIRTHS = "tests/integration/orders/test_births.py::"
CATCHES_ORDERS = "tests/integration/stream/test_catches_orders.py::"
LATE_PAYMENTS = "tests/integration/money/test_late_payments.py::"
LIVES = "tests/integration/orders/test_lives.py::"
MONEY = "tests/integration/money/test_money.py::"
ORDERS_HOLDS = "tests/integration/orders/test_orders_holds.py::"
REBATES = "tests/integration/money/test_rebates.py::"
TABLES = "tests/unit/test_tables.py::"
TESTS_OF_MOVES = "tests/integration/orders/test_moves.py::"

ROWS = (
    row(
        "the CHECK of the stock is dropped",
        SCHEMA,
        "CHECK (reserved BETWEEN 0 AND total)",
        "CHECK (true)",
        CATCHES_ORDERS + "test_an_order_beyond_the_stock_is_cancelled_by_the_last_line",
    ),
    row(
        "Postgres gives a hold back twice",
        MOVES,
        "{ids} AND orders.status = '{source}'{guard}",
        "{ids}{guard}",
        CATCHES_ORDERS + "test_a_hold_that_ended_meanwhile_is_not_released_again",
    ),
    row(
        "a move leaves no history",
        MOVES,
        "$2::text, $3::text FROM moved",
        "$2::text, $3::text FROM moved WHERE false",
        TESTS_OF_MOVES + "test_a_move_leaves_what_it_may_leave_and_nothing_else[PAY]",
    ),
    row(
        "a table is written by a second package",
        PAYMENTS,
        "class Payments:",
        "SPOIL = \"UPDATE orders SET status = 'PAID' WHERE id = $1\"\n\n\nclass Payments:",
        TABLES + "test_a_table_is_written_by_the_package_that_owns_it",
    ),
    row(
        "a payer who was not asking is turned away",
        MOVES,
        '    guard="orders.seat_asked",\n    sets="seat_asked = false",',
        '    sets="seat_asked = false",',
        TESTS_OF_MOVES + "test_of_two_who_move_one_does[TURN_AWAY]",
    ),
    row(
        "who was turned away goes on asking",
        MOVES,
        '    sets="seat_asked = false",\n',
        "",
        TESTS_OF_MOVES + "test_of_two_who_move_one_does[TURN_AWAY]",
    ),
    row(
        "a payer who was not asking is seated",
        MOVES,
        '    guard="orders.seat_asked",\n    sets="""seat_asked',
        '    sets="""seat_asked',
        LATE_PAYMENTS + "test_entries_of_a_late_payment_read_again_in_any_order",
    ),
    row(
        "who was seated goes on asking",
        MOVES,
        'sets="""seat_asked = false, instance_id',
        'sets="""instance_id',
        LATE_PAYMENTS + "test_entries_of_a_late_payment_read_again_in_any_order",
    ),
    row(
        "who was seated is believed to be held",
        MOVES,
        "seat.suffix, gate_state = 2,",
        "seat.suffix, gate_state = 1,",
        LATE_PAYMENTS + "test_the_seat_they_meant_is_free_again",
    ),
    row(
        "who was seated is still said to have paid late",
        MOVES,
        '    ("RESEATED",),\n',
        '    ("RESEATED",),\n    keeps_reason=True,\n',
        LATE_PAYMENTS + "test_the_seat_they_meant_is_free_again",
    ),
    row(
        "an order that has expired does not say why",
        MOVES,
        '("NOT_PAID_IN_TIME",))',
        '("NOT_PAID_IN_TIME",), keeps_reason=True)',
        ORDERS_HOLDS + "test_unpaid_holds_come_back",
    ),
    row(
        "a paid order has a reason",
        MOVES,
        '("PAID_IN_TIME",), keeps_reason=True)',
        '("PAID_IN_TIME",))',
        ORDERS_HOLDS + "test_a_payment_that_was_never_notified",
    ),
    row(
        "an order that is paid back forgets why",
        MOVES,
        '("PAID_BACK",), keeps_reason=True)',
        '("PAID_BACK",))',
        REBATES + "test_both_are_paid_a_minute_apart",
    ),
    row(
        "who cancelled is asked for a seat",
        MOVES,
        'ASK_SEAT = Move("ASK_SEAT", ("EXPIRED",)',
        'ASK_SEAT = Move("ASK_SEAT", ("EXPIRED", "CANCELLED")',
        LATE_PAYMENTS + "test_who_cancelled_has_the_money_back",
    ),
    row(
        "who is asked for a seat is not noted as asking",
        MOVES,
        ', sets="seat_asked = true")',
        ")",
        LATE_PAYMENTS + "test_the_seat_they_meant_is_free_again",
    ),
    row(
        "an order that its owner cancelled is revived",
        MOVES,
        "    guard=\"orders.reason = 'FENCED'\",\n",
        "",
        BIRTHS + "test_who_was_cancelled_for_another_reason_stays_so[OVERSOLD]",
    ),
    row(
        "a revived order has the number of units of its first click",
        MOVES,
        "quantity = click.quantity, amount",
        "amount",
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a revived order has the price of its first click",
        MOVES,
        "amount_fen = click.amount_fen, ",
        "",
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a revived order has the receipt of its first click",
        MOVES,
        "       receipt = ARRAY[click.status, click.current, click.target],\n",
        "",
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a revived order may be paid until its first click's deadline",
        MOVES,
        "       pay_before = to_timestamp(click.pay_before_ms::float8 / 1000),\n",
        "",
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a revived order stays in the instance of its first click",
        MOVES,
        "gate_state = 1, instance_id = orders.config_id || '.' || click.suffix,",
        "gate_state = 1,",
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a revived order still says why it was cancelled",
        MOVES,
        'sets="""reason = NULL, gate_state',
        'sets="""gate_state',
        BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "a move of one order has no guard",
        MOVES,
        "_statement(move, source, _ONE)",
        '_statement(move._replace(guard=""), source, _ONE)',
        TESTS_OF_MOVES + "test_of_two_who_move_one_does[TURN_AWAY]",
    ),
    row(
        "a move of one order keeps its reason",
        MOVES,
        "_statement(move, source, _ONE)",
        "_statement(move._replace(keeps_reason=True), source, _ONE)",
        LIVES + "test_nobody_pays",
    ),
    row(
        "a move of many orders keeps their reasons",
        MOVES,
        "_statement(move, source, _MANY)",
        "_statement(move._replace(keeps_reason=True), source, _MANY)",
        LIVES + "test_it_is_paid_for_too_late_and_seated",
    ),
    row(
        "whatever reason was given, the first one is written",
        MOVES,
        "reason = why or move.whys[0]",
        "reason = move.whys[0]",
        MONEY + "test_a_group_that_fails_pays_everyone_back",
    ),
    row(
        "history swaps who and why",
        MOVES,
        "order_ids[0], reason, by)",
        "order_ids[0], by, reason)",
        TESTS_OF_MOVES + "test_whatever_is_tried_the_history_is_whole",
    ),
    row(
        "history does not say who moved many",
        MOVES,
        "order_ids, reason, by, *columns)",
        'order_ids, reason, "wanfa", *columns)',
        TESTS_OF_MOVES + "test_a_move_leaves_what_it_may_leave_and_nothing_else[PAY]",
    ),
    row(
        "history does not say what an order was before",
        MOVES,
        "SELECT id, '{source}', '{target}'",
        "SELECT id, '{target}', '{target}'",
        TESTS_OF_MOVES + "test_a_move_leaves_what_it_may_leave_and_nothing_else[PAY]",
    ),
    row(
        "a move leaves one of its two sources",
        MOVES,
        "for source in move.sources if order_ids else ():",
        "for source in move.sources[:1] if order_ids else ():",
        TESTS_OF_MOVES + "test_a_move_leaves_what_it_may_leave_and_nothing_else[OWE_LATE]",
    ),
    row(
        "a moved order does not say when",
        MOVES,
        "{sets}updated_at = now()",
        "{sets}updated_at = updated_at",
        TESTS_OF_MOVES + "test_a_move_of_one_says_who_and_why_and_when",
    ),
    row(
        "what follows a move comes in the other order",
        MOVES,
        "for consequence in self._follows[move]:",
        "for consequence in reversed(self._follows[move]):",
        TESTS_OF_MOVES + "test_what_follows_comes_in_order",
    ),
    row(
        "what follows a move is told of its last source only",
        MOVES,
        "                moved += await connection.fetch(STATEMENTS[move, source], ",
        "                moved = await connection.fetch(STATEMENTS[move, source], ",
        TESTS_OF_MOVES + "test_a_move_leaves_what_it_may_leave_and_nothing_else[OWE_LATE]",
    ),
    row(
        "a move may be made for a reason that is none of its",
        MOVES,
        (
            "        if reason not in move.whys:\n"
            '            raise ValueError(f"{reason} is no reason for {move.name}")\n'
        ),
        "",
        TESTS_OF_MOVES + "test_a_reason_of_another_move_is_refused",
    ),
)
