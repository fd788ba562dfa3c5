"""Births, units, holds, what Redis is believed to know, and what a consumer may ask."""

from tests.mutants.row import row

HOLDS = "engine/orders/holds.py"
BIRTHS = "engine/orders/births.py"
STOCK = "engine/orders/stock.py"
GATE_STATE = "engine/orders/gate_state.py"
ORDERS = "engine/orders/orders.py"

ARCHITECTURE = "tests/unit/test_architecture.py::"
EDGES = "tests/integration/orders/test_edges.py::"
LATE_PAYMENTS = "tests/integration/money/test_late_payments.py::"
LIVES = "tests/integration/orders/test_lives.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
MONEY = "tests/integration/money/test_money.py::"
ORDERS_DRAIN = "tests/integration/stream/test_orders_drain.py::"
ORDERS_HOLDS = "tests/integration/orders/test_orders_holds.py::"
SESSION_STOCK = "tests/integration/catalog/test_session_stock.py::"
TESTS_OF_BIRTHS = "tests/integration/orders/test_births.py::"

ROWS = (
    row(
        "an import goes up",
        HOLDS,
        "import logging\n",
        "import logging\nfrom engine.money import refunds\n",
        ARCHITECTURE + "test_the_floors_hold",
    ),
    row(
        "an order born cancelled is believed to be held",
        BIRTHS,
        'reason="$14::text", gate_state="0"',
        'reason="$14::text", gate_state="1"',
        ORDERS_DRAIN + "test_more_than_there_is",
    ),
    row(
        "an order born held is believed to be released",
        BIRTHS,
        'reason="NULL", gate_state="1"',
        'reason="NULL", gate_state="0"',
        ORDERS_DRAIN + "test_a_click_becomes_one_held_order",
    ),
    row(
        "an order takes nothing of its session's own stock",
        BIRTHS,
        "INSERT_HELD_OF_SESSIONS if of_sessions else INSERT_HELD",
        "INSERT_HELD",
        SESSION_STOCK + "test_a_session_sells_its_own_stock_and_no_more",
    ),
    row(
        "no order is ever revived",
        BIRTHS,
        "if born < len(columns[0]):",
        "if False:",
        ORDERS_DRAIN + "test_a_fenced_click_that_is_repeated",
    ),
    row(
        "a fenced order is believed to be there already",
        BIRTHS,
        " AND reason IS DISTINCT FROM 'FENCED'",
        "",
        TESTS_OF_BIRTHS + "test_what_fits",
    ),
    row(
        "an order fits though its session is full",
        BIRTHS,
        (
            "\n   AND NOT EXISTS (SELECT FROM session_stock WHERE instance_id = $2::text || '.' || "
            "$4::text AND reserved + $3 > total)"
        ),
        "",
        TESTS_OF_BIRTHS + "test_what_fits",
    ),
    row(
        "the last unit fits nobody",
        BIRTHS,
        "reserved + $3 <= total)\n   AND",
        "reserved + $3 < total)\n   AND",
        TESTS_OF_BIRTHS + "test_what_fits",
    ),
    row(
        "a session's last unit fits nobody",
        BIRTHS,
        "AND reserved + $3 > total)",
        "AND reserved + $3 >= total)",
        TESTS_OF_BIRTHS + "test_what_fits",
    ),
    row(
        "history says that the drain revived an order",
        BIRTHS,
        'by="gate"',
        'by="drain"',
        TESTS_OF_BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "an order is born when it is drained",
        BIRTHS,
        "to_timestamp(now_ms::float8 / 1000)\n  FROM",
        "now()\n  FROM",
        ORDERS_DRAIN + "test_a_click_becomes_one_held_order",
    ),
    row(
        "an order's receipt swaps current and target",
        BIRTHS,
        "ARRAY[status, current, target]",
        "ARRAY[status, target, current]",
        TESTS_OF_BIRTHS + "test_a_birth_remembers_what_its_click_was_told",
    ),
    row(
        "an order of three units takes one",
        BIRTHS,
        "(SELECT config_id, sum(quantity)::int",
        "(SELECT config_id, count(*)::int",
        TESTS_OF_BIRTHS + "test_a_birth_takes_its_units_once",
    ),
    row(
        "an order of three units takes one of its session",
        BIRTHS,
        "(SELECT instance_id, sum(quantity)::int",
        "(SELECT instance_id, count(*)::int",
        TESTS_OF_BIRTHS + "test_a_birth_takes_its_units_once",
    ),
    row(
        "whoever locks stock locks nothing",
        STOCK,
        "ORDER BY config_id FOR NO KEY UPDATE",
        "ORDER BY config_id",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "stock is locked in no order",
        STOCK,
        '["config_id"] for row in moved]\n    await lock_stock(connection, sorted(set(configs)))',
        '["config_id"] for row in moved]\n    await lock_stock(connection, list(set(configs)))',
        "tests/integration/orders/test_locks.py",
        equivalent="the statement itself orders what it locks",
    ),
    row(
        "stock is locked in the order of the table",
        STOCK,
        " ORDER BY config_id FOR NO KEY UPDATE",
        " FOR NO KEY UPDATE",
        LOCKS + "test_configs_are_locked_in_the_order_of_their_ids[lock]",
    ),
    row(
        "of three units one comes back",
        STOCK,
        "(SELECT config_id, sum(quantity)::int",
        "(SELECT config_id, count(*)::int",
        TESTS_OF_BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "of three units of a session one comes back",
        STOCK,
        "(SELECT instance_id, sum(quantity)::int",
        "(SELECT instance_id, count(*)::int",
        TESTS_OF_BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "what is given back is taken",
        STOCK,
        '_COUNT.format(sign="+"), _COUNT.format(sign="-")',
        '_COUNT.format(sign="-"), _COUNT.format(sign="+")',
        TESTS_OF_BIRTHS + "test_a_revived_order_is_its_second_click",
    ),
    row(
        "no session has stock of its own",
        STOCK,
        "    if own:\n",
        "    if False:\n",
        SESSION_STOCK + "test_a_session_sells_its_own_stock_and_no_more",
    ),
    row(
        "that a session is oversold is an accident of the database",
        STOCK,
        '("stock_not_oversold", "session_not_oversold")',
        '("stock_not_oversold",)',
        SESSION_STOCK + "test_more_than_the_session_has",
    ),
    row(
        "a hold whose payment was begun is ended unasked",
        HOLDS,
        " AND NOT prepaid\n",
        "\n",
        ORDERS_HOLDS + "test_a_payment_that_was_never_notified",
    ),
    row(
        "a hold is ended before its time",
        HOLDS,
        "status = 'HELD' AND pay_before < now() AND NOT prepaid",
        "status = 'HELD' AND NOT prepaid",
        ORDERS_HOLDS + "test_a_hold_in_time_is_left_alone",
    ),
    row(
        "a prepaid hold is ended before its time",
        HOLDS,
        "status = 'HELD' AND pay_before < now() AND prepaid",
        "status = 'HELD' AND prepaid",
        EDGES + "test_a_hold_that_may_still_be_paid_for_is_left_alone",
    ),
    row(
        "two sweepers take the same holds",
        HOLDS,
        "LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        "LIMIT $1",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "a sweeper waits for whoever has one of its holds",
        HOLDS,
        "FOR NO KEY UPDATE SKIP LOCKED",
        "FOR NO KEY UPDATE",
        LOCKS + "test_what_somebody_is_at_is_passed_by[holds]",
    ),
    row(
        "a sweeper ends one batch of holds and no more",
        HOLDS,
        "            if expired < self._sweep_max:\n                break",
        "            break",
        LIVES + "test_every_overdue_hold_is_found[False]",
    ),
    row(
        "a sweeper asks about the first page of prepaid holds only",
        HOLDS,
        "        while rows := await self._pool.fetch(OVERDUE_PREPAID, *after, self._sweep_max):\n",
        "        if rows := await self._pool.fetch(OVERDUE_PREPAID, *after, self._sweep_max):\n",
        LIVES + "test_every_overdue_hold_is_found[True]",
    ),
    row(
        "history does not say that a sweep ended a hold",
        HOLDS,
        'SWEEP = "holds"',
        'SWEEP = "gate"',
        LIVES + "test_nobody_pays",
    ),
    row(
        "a payment that is begun is not noted",
        HOLDS,
        "    await connection.execute(MARK_PREPAID, order_id)",
        "    del connection, order_id",
        ORDERS_HOLDS + "test_a_payment_that_was_never_notified",
    ),
    row(
        "a hold that was paid for is ended",
        HOLDS,
        (
            '                if not await self._close_payment(order_id.hex, row["amount_fen"]):\n'
            "                    return 0"
        ),
        '                await self._close_payment(order_id.hex, row["amount_fen"])',
        "tests/integration/orders/test_orders_holds.py",
        equivalent=(
            "the payment that was found has been applied, so the order is no hold any more and the move finds nothing"
        ),
    ),
    row(
        "one provider's silence ends the sweep",
        HOLDS,
        "        except WanfaError as error:\n            log",
        "        except ZeroDivisionError as error:\n            log",
        ORDERS_HOLDS + "test_a_provider_that_does_not_answer",
    ),
    row(
        "what Redis knows of a release is undone by a payment",
        GATE_STATE,
        "(f.state = 2 AND gate_state = 1)",
        "(f.state = 2)",
        LIVES + "test_what_redis_is_believed_to_know_goes_forwards_only[0-2-0]",
    ),
    row(
        "that Redis has released a paid order is not noted",
        GATE_STATE,
        "(f.state = 0 AND gate_state <> 0)",
        "(f.state = 0 AND gate_state = 1)",
        MONEY + "test_a_group_that_fails_pays_everyone_back",
    ),
    row(
        "an old answer of Redis tells of a new seat",
        GATE_STATE,
        ("gate_state = 1))\n   AND (reseated_at IS NULL OR reseated_at < to_timestamp(now_ms::float8 / 1000))"),
        "gate_state = 1))",
        LATE_PAYMENTS + "test_an_old_release_says_nothing_of_the_new_seat",
    ),
    row(
        "a stray seat moves an order that is paid",
        GATE_STATE,
        " AND status IN ('REFUNDING', 'REFUNDED')\n   AND (reseated",
        "\n   AND (reseated",
        LIVES + "test_a_stray_seat_is_noted_where_money_is_on_its_way_back[HELD]",
    ),
    row(
        "a stray seat is noted again and again",
        GATE_STATE,
        "'REFUNDED')\n   AND (reseated_at IS NULL OR reseated_at < to_timestamp(now_ms::float8 / 1000))",
        "'REFUNDED')",
        LATE_PAYMENTS + "test_entries_of_a_late_payment_read_again_in_any_order",
    ),
    row(
        "a stray seat is believed to be held",
        GATE_STATE,
        "suffix, gate_state = 2,",
        "suffix, gate_state = 1,",
        LATE_PAYMENTS + "test_a_seat_for_somebody_whose_money_is_on_its_way_back",
    ),
    row(
        "a stray seat is given back where it is not",
        GATE_STATE,
        "SET instance_id = config_id || '.' || suffix, gate_state",
        "SET gate_state",
        LIVES + "test_a_stray_seat_is_noted_where_money_is_on_its_way_back[REFUNDING]",
    ),
    row(
        "an order is cancelled while its payment begins",
        ORDERS,
        " AND prepaid = $3 FOR",
        " AND $3::bool IS NOT NULL FOR",
        LIVES + "test_a_payment_that_begins_while_its_hold_is_cancelled",
    ),
    row(
        "an order is cancelled without its row being locked",
        ORDERS,
        " AND prepaid = $3 FOR NO KEY UPDATE",
        " AND prepaid = $3",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "anybody may cancel an order",
        ORDERS,
        "id = $1 AND user_id = $2 AND status = 'HELD'",
        "id = $1 AND $2::text IS NOT NULL AND status = 'HELD'",
        "tests/integration/orders/test_orders_holds.py",
        equivalent="the order was read as the caller's own a moment before, and never changes hands",
    ),
    row(
        "anybody may read an order",
        "engine/orders/orders.py",
        '" WHERE o.id = $1 AND user_id = $2"',
        '" WHERE o.id = $1 AND $2::text IS NOT NULL"',
        "tests/integration/orders/test_orders_holds.py::test_an_order_that_is_not_a_row_yet",
    ),
    row(
        "a list shows everybody's orders",
        ORDERS,
        "WHERE user_id = $1 AND ($2::timestamptz",
        "WHERE $1::text IS NOT NULL AND ($2::timestamptz",
        ORDERS_HOLDS + "test_my_orders_page_by_page",
    ),
    row(
        "a list of orders is in the order of ids",
        "engine/orders/orders.py",
        "ORDER BY o.created_at DESC, o.id DESC LIMIT $4",
        "ORDER BY o.id DESC LIMIT $4",
        "tests/integration/orders/test_orders_holds.py::test_my_orders_page_by_page",
    ),
    row(
        "a list of orders begins with the oldest",
        "engine/orders/orders.py",
        "ORDER BY o.created_at DESC, o.id DESC LIMIT $4",
        "ORDER BY o.created_at, o.id LIMIT $4",
        "tests/integration/orders/test_orders_holds.py::test_my_orders_page_by_page",
    ),
    row(
        "of orders of one moment a page shows one",
        "engine/orders/orders.py",
        "(o.created_at, o.id) < ($2, $3)",
        "o.created_at < $2 AND $3::uuid IS NOT NULL",
        "tests/integration/orders/test_edges.py::test_orders_of_one_moment_are_each_listed_once",
    ),
    row(
        "history does not say that its owner cancelled an order",
        ORDERS,
        "for row in held], by=user)",
        'for row in held], by="orders")',
        LIVES + "test_it_is_cancelled",
    ),
    row(
        "a click that is on its way into a row is not waited for",
        ORDERS,
        "xrevrange(keys.intents(shard), count=1)",
        "xrange(keys.intents(shard), count=1)",
        EDGES + "test_a_click_is_behind_until_its_entry_is_gone",
    ),
    row(
        "the last click on its way into a row is said not to exist",
        ORDERS,
        "_sequence(entries[0][0]) <= until",
        "_sequence(entries[0][0]) < until",
        ORDERS_HOLDS + "test_an_order_that_is_not_a_row_yet",
    ),
    row(
        "an order whose row is late does not exist",
        ORDERS,
        "                raise OrderNotReady\n            await",
        "                raise NotFound\n            await",
        ORDERS_HOLDS + "test_an_order_that_is_not_a_row_yet",
    ),
)
