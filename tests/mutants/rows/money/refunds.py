"""When a refund is tried, what has nothing left to pay, and who looks at one that is stuck."""

from tests.mutants.row import row

ORDERS = "engine/orders/orders.py"
REFUNDS = "engine/money/refunds.py"

MONEY_ROUTES = "tests/integration/money/test_money_routes.py::"
ORDER_VIEW = "tests/integration/orders/test_order_view.py::"
REBATES = "tests/integration/money/test_rebates.py::"
WAITS = "tests/integration/money/test_refund_waits.py::"

EACH_WAIT = WAITS + "test_each_attempt_waits_for_its_own_time"
PROCESSING = WAITS + "test_one_that_is_processing_is_asked_for_every_minute_and_never_stuck"
STUCK_PAGES = MONEY_ROUTES + "test_stuck_refunds_come_page_by_page"

ROWS = (
    row(
        "a refund whose last attempt has failed is stuck hours late",
        REFUNDS,
        "wait = timedelta() if last else",
        "wait = self._waits[-1] if last else",
        EACH_WAIT,
    ),
    row(
        "the last attempt of a refund comes at once",
        REFUNDS,
        "last = attempts >= len(self._waits)",
        "last = attempts >= len(self._waits) - 1",
        EACH_WAIT,
    ),
    row(
        "an attempt has no lease",
        REFUNDS,
        "attempted_at = now(), next_attempt_at = now() + $5::interval",
        "attempted_at = now(), next_attempt_at = now() + 0 * $5::interval",
        WAITS + "test_an_attempt_nobody_reported_on_is_made_again_after_its_lease",
    ),
    row(
        "a refund that is being processed is not asked for again",
        REFUNDS,
        "            await self._pool.execute(ACCEPTED, order_id, kind, PROCESSING_WAIT)\n\n    async def _end_empty",
        "            log.debug(order_id)\n\n    async def _end_empty",
        PROCESSING,
    ),
    row(
        "who tries a stuck refund again waits",
        REFUNDS,
        "attempts = 0, next_attempt_at = now()\n",
        "attempts = 0, next_attempt_at = now() + interval '1 min'\n",
        WAITS + "test_what_a_person_has_tried_again_begins_at_once_and_then_waits_as_before",
    ),
    row(
        "what is not stuck is tried again as well",
        REFUNDS,
        " WHERE order_id = $1 AND status = 'STUCK' RETURNING 1",
        " WHERE order_id = $1 RETURNING 1",
        MONEY_ROUTES + "test_a_stuck_refund_is_listed_and_tried_again",
    ),
    row(
        "whatever is stuck is tried again with one of it",
        REFUNDS,
        " WHERE order_id = $1 AND status = 'STUCK' RETURNING 1",
        " WHERE $1::uuid IS NOT NULL AND status = 'STUCK' RETURNING 1",
        MONEY_ROUTES + f"test_nothing_is_tried_again_for_an_order_without_a_stuck_refund[{'f' * 32}]",
    ),
    row(
        "trying again what is no order is an internal error",
        REFUNDS,
        "if not ORDER_ID.fullmatch(order_id) or not await",
        "if not await",
        MONEY_ROUTES + "test_nothing_is_tried_again_for_an_order_without_a_stuck_refund[x]",
    ),
    row(
        "refunds that go on are listed as stuck",
        REFUNDS,
        " WHERE status = 'STUCK' AND ($1::timestamptz",
        " WHERE ($1::timestamptz",
        MONEY_ROUTES + "test_a_stuck_refund_is_listed_and_tried_again",
    ),
    row(
        "stuck refunds of one moment are skipped between pages",
        REFUNDS,
        "(created_at, order_id, kind) > ($1, $2::uuid, $3)",
        "created_at > $1 AND $2::uuid IS NOT NULL AND $3::text IS NOT NULL",
        STUCK_PAGES,
    ),
    row(
        "pages of stuck refunds overlap",
        REFUNDS,
        "(created_at, order_id, kind) > ($1, $2::uuid, $3)",
        "(created_at, order_id, kind) >= ($1, $2::uuid, $3)",
        STUCK_PAGES,
    ),
    row(
        "stuck refunds have another order than their pages",
        REFUNDS,
        " ORDER BY created_at, refunds.order_id, kind LIMIT $4",
        " ORDER BY created_at, kind, refunds.order_id LIMIT $4",
        STUCK_PAGES,
    ),
    row(
        "who looks for stuck refunds counts those that go on",
        REFUNDS,
        "SELECT count(*) FROM refunds WHERE status = 'STUCK'",
        "SELECT count(*) FROM refunds",
        MONEY_ROUTES + "test_a_stuck_refund_is_listed_and_tried_again",
    ),
    row(
        "a rebate may be more than was paid",
        REFUNDS,
        "least(asked_fen, amount_fen)::bigint",
        "asked_fen::bigint",
        REBATES + "test_whatever_a_playbook_says_a_rebate_is_at_most_the_price[1000000000000000-990]",
    ),
    row(
        "nobody hears of a rebate that had to be bounded",
        REFUNDS,
        "WHERE asked_fen > amount_fen GROUP BY instance_id",
        "WHERE asked_fen > 2000 * amount_fen GROUP BY instance_id",
        REBATES + "test_a_rebate_that_had_to_be_bounded_is_logged",
    ),
    row(
        "a rebate of less than a fen is one of nothing",
        REFUNDS,
        "FROM entitled WHERE asked_fen >= 1\n",
        "FROM entitled WHERE asked_fen >= 0\n",
        REBATES + "test_whatever_a_playbook_says_a_rebate_is_at_most_the_price[0-None]",
    ),
    row(
        "an order is back before its rebate of all is",
        REFUNDS,
        "kind = 'REBATE' AND status = 'DONE')",
        "kind = 'REBATE')",
        REBATES + "test_an_order_is_not_back_before_its_rebate_of_all_is",
    ),
    row(
        "a refund of nothing that waits for its rebate runs out of attempts",
        REFUNDS,
        "        else:\n            await connection.execute(ACCEPTED, order_id, kind, PROCESSING_WAIT)\n",
        "",
        REBATES + "test_an_order_is_not_back_before_its_rebate_of_all_is",
    ),
    row(
        "the provider is asked for a refund of nothing",
        REFUNDS,
        'if not row["amount_fen"]:',
        'if row["amount_fen"] is None:',
        REBATES + "test_of_a_rebate_of_all_nothing_is_left_to_pay_back",
    ),
    row(
        "a buyer is told of the rest as a rebate",
        ORDERS,
        "FILTER (WHERE kind = 'REBATE'), 0)::bigint AS rebate_fen",
        "FILTER (WHERE kind <> 'REBATE'), 0)::bigint AS rebate_fen",
        ORDER_VIEW + "test_a_rebate_is_owed_and_then_paid",
    ),
    row(
        "a buyer is told that what is only owed is paid back",
        ORDERS,
        "FILTER (WHERE refunds.status = 'DONE')",
        "FILTER (WHERE refunds.status <> 'STUCK')",
        ORDER_VIEW + "test_a_rebate_is_owed_and_then_paid",
    ),
)
