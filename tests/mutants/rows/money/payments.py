"""Payments and refunds, to the fen."""

from tests.mutants.row import row

PAYMENTS = "engine/money/payments.py"
REFUNDS = "engine/money/refunds.py"
SANDBOX = "engine/money/providers/sandbox.py"

LATE_PAYMENTS = "tests/integration/money/test_late_payments.py::"
LIVES = "tests/integration/orders/test_lives.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
MONEY = "tests/integration/money/test_money.py::"
ORDERS_HOLDS = "tests/integration/orders/test_orders_holds.py::"
PAYMENT_EDGES = "tests/integration/money/test_payment_edges.py::"
REBATES = "tests/integration/money/test_rebates.py::"
REFUND_STEPS = "tests/integration/money/test_refund_steps.py::"

ROWS = (
    row(
        "two payments of an order are applied at once",
        PAYMENTS,
        "WHERE id = $1 FOR NO KEY UPDATE\n",
        "WHERE id = $1\n",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "a payment may begin after its time",
        PAYMENTS,
        'if not order["in_time"] or await',
        "if await",
        MONEY + "test_prepay_is_for_the_owner_of_a_hold_in_time",
    ),
    row(
        "a payment may begin in an instance that has failed",
        PAYMENTS,
        ' or await self._unwanted(connection, order["instance_id"]):',
        ":",
        MONEY + "test_a_group_that_fails_pays_everyone_back",
    ),
    row(
        "anybody may begin a payment",
        PAYMENTS,
        'if order is None or order["user_id"] != user:',
        "if order is None:",
        MONEY + "test_prepay_is_for_the_owner_of_a_hold_in_time",
    ),
    row(
        "an order that is over can be paid for",
        PAYMENTS,
        '        if order["status"] != "HELD":\n            status',
        '        if order["status"] == "REFUNDED":\n            status',
        PAYMENT_EDGES + "test_only_a_hold_is_paid_for[PAID]",
    ),
    row(
        "a repeated notification is refused",
        PAYMENTS,
        ('        if payment and payment["transaction_id"] == trade.transaction_id:\n            return status\n'),
        "",
        MONEY + "test_notifications_come_as_they_like",
    ),
    row(
        "too much money is accepted",
        PAYMENTS,
        'if trade.amount_fen != order["amount_fen"]:',
        'if trade.amount_fen < order["amount_fen"]:',
        PAYMENT_EDGES + "test_another_amount_pays_for_nothing[991]",
    ),
    row(
        "too little money is accepted",
        PAYMENTS,
        'if trade.amount_fen != order["amount_fen"]:',
        'if trade.amount_fen > order["amount_fen"]:',
        MONEY + "test_a_notification_of_another_amount",
    ),
    row(
        "an order is paid for twice",
        PAYMENTS,
        'if payment and payment["status"] == "PAID":',
        "if False:",
        MONEY + "test_a_transaction_pays_for_one_order",
    ),
    row(
        "that a payment has begun is not noted",
        PAYMENTS,
        "        await mark_prepaid(connection, order_id)\n",
        "",
        MONEY + "test_a_payment_after_the_end_is_paid_back[expired]",
    ),
    row(
        "history does not say which provider was paid",
        PAYMENTS,
        "[order_id], by=self.provider.name)",
        '[order_id], by="money")',
        LIVES + "test_its_club_fails",
    ),
    row(
        "late payers whose playbook seats them are paid back",
        PAYMENTS,
        "return ASK_SEAT if await self._reseats(connection, order) else OWE_LATE",
        "return OWE_LATE",
        MONEY + "test_a_late_payer_whose_seat_is_gone_gets_another",
    ),
    row(
        "late payers are asked for though their playbook seats nobody",
        PAYMENTS,
        "return ASK_SEAT if await self._reseats(connection, order) else OWE_LATE",
        "return ASK_SEAT",
        MONEY + "test_a_payment_after_the_end_is_paid_back[expired]",
    ),
    row(
        "who cancelled is seated",
        PAYMENTS,
        '        if order["status"] not in ASK_SEAT.sources:\n            return False\n',
        "",
        MONEY + "test_a_late_payment_goes_back_where_nobody_can_be_taken_in",
    ),
    row(
        "who paid is not noted",
        PAYMENTS,
        "trade.amount_fen, trade.transaction_id, trade.payer\n",
        "trade.amount_fen, trade.transaction_id, None\n",
        MONEY + "test_the_payment_says_who_paid",
    ),
    row(
        "a payment that was never begun is not closed",
        PAYMENTS,
        "(TradeState.OPEN, TradeState.UNKNOWN)",
        "(TradeState.OPEN,)",
        PAYMENT_EDGES + "test_a_trade_that_was_never_opened_is_closed_as_well",
    ),
    row(
        "a payment that is under way is not closed",
        PAYMENTS,
        "(TradeState.OPEN, TradeState.UNKNOWN)",
        "(TradeState.UNKNOWN,)",
        LIVES + "test_a_payment_that_begins_while_its_hold_is_cancelled",
    ),
    row(
        "that a payment was closed is not noted",
        PAYMENTS,
        "            await self._pool.execute(CLOSE_PAYMENT, order_id)\n",
        "",
        ORDERS_HOLDS + "test_a_prepaid_hold_is_closed_before_it_is_given_back",
    ),
    row(
        "a payment that was made counts as closed",
        PAYMENTS,
        " WHERE order_id = $1 AND status = 'OPEN'\"",
        ' WHERE order_id = $1"',
        PAYMENT_EDGES + "test_a_payment_that_was_made_stays_one",
    ),
    row(
        "who made a payment that was found is not noted",
        PAYMENTS,
        "trade.amount_fen, trade.transaction_id, trade.payer)\n        return False",
        "trade.amount_fen, trade.transaction_id)\n        return False",
        MONEY + "test_who_paid_is_known_without_a_notification",
    ),
    row(
        "a payment that was found is not applied",
        PAYMENTS,
        (
            "        await self.apply_notification(order_id, trade.amount_fen, "
            "trade.transaction_id, trade.payer)\n        return False"
        ),
        "        return False",
        MONEY + "test_who_paid_is_known_without_a_notification",
    ),
    row(
        "a notification is answered with what the order was before",
        PAYMENTS,
        "        return move.target\n",
        "        return status\n",
        MONEY + "test_a_late_payer_may_be_taken_in_elsewhere",
    ),
    row(
        "one transaction pays for two orders",
        PAYMENTS,
        '            if error.constraint_name != "payments_transaction_once":\n                raise\n',
        '            if error.constraint_name == "payments_transaction_once":\n                raise\n',
        MONEY + "test_a_transaction_pays_for_one_order",
    ),
    row(
        "a refund of the rest pays the rebate once more",
        REFUNDS,
        "o.amount_fen - coalesce(rebate.amount_fen, 0)",
        "o.amount_fen",
        REBATES + "test_the_whole_refund_is_what_the_rebate_left",
    ),
    row(
        "two refunds of an order come at once",
        REFUNDS,
        "other.attempted_at > now() - $4::interval",
        "other.attempted_at > now() + $4::interval",
        REBATES + "test_both_are_paid_a_minute_apart",
    ),
    row(
        "the first attempt of a refund comes at once",
        REFUNDS,
        "(r.attempts > 0 OR r.created_at + $3::interval <= now())",
        "(r.attempts > 0 OR r.created_at + $3::interval IS NOT NULL)",
        MONEY + "test_refund_waits_are_the_settings",
    ),
    row(
        "two workers claim the same refund",
        REFUNDS,
        "LIMIT $1 FOR NO KEY UPDATE OF o SKIP LOCKED",
        "LIMIT $1",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "a worker waits for refunds that another one has",
        REFUNDS,
        "LIMIT $1 FOR NO KEY UPDATE OF o SKIP LOCKED",
        "LIMIT $1 FOR NO KEY UPDATE OF o",
        LOCKS + "test_what_somebody_is_at_is_passed_by[refunds]",
    ),
    row(
        "a refund that is under way is claimed once more",
        REFUNDS,
        'return await connection.fetch(CLAIM_DUE, [row["id"] for row in locked], *due, LEASE)',
        'return await connection.fetch(CLAIM_DUE, [row["id"] for row in locked], *due, timedelta())',
        REFUND_STEPS + "test_after_the_last_failure_a_person_is_asked",
    ),
    row(
        "an order is REFUNDED by its rebate",
        REFUNDS,
        '        if kind == "WHOLE":  # the',
        "        if kind:  # the",
        REFUND_STEPS + "test_an_order_is_refunded_by_the_whole_only",
    ),
    row(
        "an order is never REFUNDED",
        REFUNDS,
        '        if kind == "WHOLE":  # the',
        '        if kind == "NONE":  # the',
        MONEY + "test_a_payment_after_the_end_is_paid_back[expired]",
    ),
    row(
        "history does not say who paid back",
        REFUNDS,
        "REFUND, [order_id], by=self._provider.name)",
        'REFUND, [order_id], by="money")',
        LIVES + "test_its_club_fails",
    ),
    row(
        "a rebate may be the whole price",
        REFUNDS,
        "amount_fen - 1)::bigint",
        "amount_fen)::bigint",
        REBATES + "test_whatever_a_playbook_says_a_rebate_is_a_part_of_the_price[990-989]",
    ),
    row(
        "a rebate of three units is that of one",
        REFUNDS,
        "::numeric) * quantity,",
        "::numeric),",
        REBATES + "test_a_rebate_is_owed_to_every_paid_order_of_a_success",
    ),
    row(
        "a rebate that is no number stops the drain",
        REFUNDS,
        " AND jsonb_typeof(i.cells -> 'rebateFen') = 'number'",
        "",
        REBATES + "test_whatever_a_playbook_says_a_rebate_is_a_part_of_the_price[12-None]",
    ),
    row(
        "an instance that still goes on owes its rebate",
        REFUNDS,
        "WHERE o.status = 'PAID' AND i.status = 'SUCCESS' AND",
        "WHERE o.status = 'PAID' AND",
        REBATES + "test_no_rebate_before_the_success[PENDING]",
    ),
    row(
        "an order that nobody has paid for has a rebate",
        REFUNDS,
        "WHERE o.status = 'PAID' AND i.status",
        "WHERE i.status",
        REBATES + "test_a_rebate_is_owed_to_every_paid_order_of_a_success",
    ),
    row(
        "an order gets its rebate anew after another refund",
        REFUNDS,
        "\n       AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id)",
        "",
        "tests/integration/money/test_rebates.py",
        equivalent="an order with a WHOLE refund is not PAID, and of REBATEs the key allows one",
    ),
    row(
        "a refund that was accepted counts as failed",
        REFUNDS,
        ", attempts = attempts - 1\n",
        "\n",
        REFUND_STEPS + "test_being_processed_is_neither_done_nor_failed",
    ),
    row(
        "a refund is given up before its last attempt's wait is over",
        REFUNDS,
        "attempts >= $1 AND next_attempt_at <= now()",
        "attempts >= $1",
        REFUND_STEPS + "test_after_the_last_failure_a_person_is_asked",
    ),
    row(
        "a refund is never given up",
        REFUNDS,
        "attempts >= $1 AND next_attempt_at <= now()",
        "attempts > $1 AND next_attempt_at <= now()",
        MONEY + "test_a_refund_nobody_will_make",
    ),
    row(
        "a stuck refund that a person tries again has no attempts left",
        REFUNDS,
        "status = 'PENDING', attempts = 0, next",
        "status = 'PENDING', next",
        MONEY + "test_a_refund_nobody_will_make",
    ),
    row(
        "a refund that failed waits a step less",
        REFUNDS,
        "wait = timedelta() if last else self._waits[attempts]",
        "wait = timedelta() if last else self._waits[attempts - 1]",
        REFUND_STEPS + "test_each_failure_waits_longer",
    ),
    row(
        "a refund that a provider does not answer is lost",
        REFUNDS,
        (
            "        except (WanfaError, OSError, TimeoutError) as error:\n"
            "            await self._postpone(row, str(error) or type(error).__name__)\n"
            "            return"
        ),
        (
            "        except (OSError, TimeoutError) as error:\n"
            "            await self._postpone(row, str(error) or type(error).__name__)\n"
            "            return"
        ),
        MONEY + "test_a_refund_is_tried_again_with_the_same_number",
    ),
    row(
        "a refund that is being processed counts as done",
        REFUNDS,
        "        if state is RefundState.DONE:",
        "        if state:",
        REFUND_STEPS + "test_being_processed_is_neither_done_nor_failed",
    ),
    row(
        "why a refund failed is not kept",
        REFUNDS,
        "attempted_at = now(), last_error = $4\n",
        "attempted_at = now(), last_error = coalesce(last_error, left($4, 0))\n",
        REFUND_STEPS + "test_each_failure_waits_longer",
    ),
    row(
        "a rebate is opened for who is not locked",
        REFUNDS,
        "     ORDER BY o.id FOR NO KEY UPDATE OF o\n",
        "     ORDER BY o.id\n",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "the sandbox takes money after a close",
        SANDBOX,
        "(status = 'OPEN' OR ($3 AND status = 'CLOSED'))",
        "(status = 'OPEN' OR status = 'CLOSED')",
        LATE_PAYMENTS + "test_the_second_payer_completes_a_club_late",
    ),
    row(
        "the sandbox pays back more than was paid",
        SANDBOX,
        "if not 0 < amount_fen <= left:",
        'if not 0 < amount_fen <= trade["amount_fen"]:',
        REBATES + "test_the_sandbox_never_pays_back_more_than_was_paid",
    ),
    row(
        "the sandbox pays back twice under one number",
        SANDBOX,
        (
            "    if paid_back.get(refund_no) == amount_fen:\n        return\n"
            "    if refund_no in paid_back:\n        raise"
        ),
        "    if refund_no in paid_back and paid_back[refund_no] != amount_fen:\n        raise",
        MONEY + "test_a_refund_is_tried_again_with_the_same_number",
    ),
    row(
        "the sandbox closes what is paid",
        SANDBOX,
        "CASE t.status WHEN 'OPEN' THEN 'CLOSED' ELSE t.status END",
        "'CLOSED'",
        PAYMENT_EDGES + "test_the_sandbox_is_paid_once_and_closes_what_is_not",
    ),
    row(
        "the sandbox pays an order again",
        SANDBOX,
        "(status = 'OPEN' OR ($3",
        "(status IN ('OPEN', 'PAID') OR ($3",
        PAYMENT_EDGES + "test_the_sandbox_is_paid_once_and_closes_what_is_not",
    ),
)
