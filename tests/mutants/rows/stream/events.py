"""What Postgres has decided is told to the gate, and its answers are applied."""

from tests.mutants.row import row

FOLLOW = "engine/stream/follow.py"
LATE = "engine/stream/late.py"
EVENTS = "engine/stream/gate_events.py"
DISPATCH = "engine/stream/dispatch.py"
INSTANCES = "engine/stream/instances.py"
WAKE = "engine/stream/wake.py"
STALLED = "engine/stream/stalled.py"

LATE_ANSWERS = "tests/integration/stream/test_late_answers.py::"
LATE_PAYMENTS = "tests/integration/money/test_late_payments.py::"
LIVES = "tests/integration/orders/test_lives.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
MONEY = "tests/integration/money/test_money.py::"
ORDERS_DRAIN = "tests/integration/stream/test_orders_drain.py::"
ORDERS_HOLDS = "tests/integration/orders/test_orders_holds.py::"
PROMISES = "tests/integration/stream/test_promises.py::"
RECOVERY = "tests/integration/stream/test_recovery.py::"
SELDOM_LINES = "tests/unit/stream/test_seldom_lines.py::"
TESTS_OF_INSTANCES = "tests/integration/stream/test_instances.py::"
SENDING_MANY = "tests/integration/stream/test_sending_many.py::test_each_event_is_looked_up_whatever_postgres_believes"
WAKES_AND_EVENTS = "tests/integration/stream/test_wakes_and_events.py::"

ROWS = (
    row(
        "who pays while their instance ends is overlooked",
        FOLLOW,
        "status = 'PAID' ORDER BY id FOR NO KEY UPDATE OF orders",
        "status = 'PAID' ORDER BY id",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "history does not say that an instance has failed",
        FOLLOW,
        'for row in rows], why="INSTANCE_FAILED", by=GATE)',
        'for row in rows], why="PAYMENT_REFUSED", by=GATE)',
        MONEY + "test_a_group_that_fails_pays_everyone_back",
    ),
    row(
        "history does not say that a payment was refused",
        FOLLOW,
        'refused, why="PAYMENT_REFUSED"',
        'refused, why="INSTANCE_FAILED"',
        MONEY + "test_a_payment_for_a_group_that_has_failed_meanwhile",
    ),
    row(
        "history does not say that an instance had failed before the payment",
        FOLLOW,
        'owed, why="INSTANCE_FAILED"',
        'owed, why="PAYMENT_REFUSED"',
        WAKES_AND_EVENTS + "test_who_pays_for_what_has_failed_is_paid_back",
    ),
    row(
        "who pays after the success of a cheaper instance is owed nothing",
        FOLLOW,
        'orders=[row["id"].hex for row in rows if not row["unwanted"]])',
        "orders=[])",
        PROMISES + "test_who_pays_after_a_club_is_complete_gets_a_part_back_too",
    ),
    row(
        "history says that the drain owes the money",
        FOLLOW,
        'GATE = "gate"',
        'GATE = "drain"',
        LIVES + "test_its_club_fails",
    ),
    row(
        "what Redis knows of an order is not noted",
        FOLLOW,
        "        await gate_state.follow(connection, *_columns(answered))",
        "        pass",
        ORDERS_HOLDS + "test_unpaid_holds_come_back",
    ),
    row(
        "an event that was answered is sent for ever",
        FOLLOW,
        "        await gate_events.strike_off(connection, *_columns(done))",
        "        pass",
        ORDERS_HOLDS + "test_unpaid_holds_come_back",
    ),
    row(
        "who was seated late in an instance that has failed stays there",
        FOLLOW,
        "if one.paid] + seated:",
        "if one.paid]:",
        LATE_PAYMENTS + "test_the_second_payer_completes_a_club_late",
    ),
    row(
        "a payment that the playbook refuses is kept",
        FOLLOW,
        "refused = [id_ for id_, one in events.items() if one.refused]",
        "refused: list[str] = []",
        MONEY + "test_a_payment_for_a_group_that_has_failed_meanwhile",
    ),
    row(
        "a late payer is seated in a session that is full",
        LATE,
        " AND (i.total IS NULL OR i.reserved + o.quantity <= i.total)",
        "",
        LATE_ANSWERS + "test_where_stock_is_short_a_seat_needs_units[9-0-False]",
    ),
    row(
        "a late payer is seated where everything is sold",
        LATE,
        "s.reserved + o.quantity <= s.total AND (i",
        "(i",
        LATE_PAYMENTS + "test_a_late_seat_beyond_the_stock",
    ),
    row(
        "a late payer does not fit where the last unit is free",
        LATE,
        "s.reserved + o.quantity <= s.total",
        "s.reserved + o.quantity < s.total",
        LATE_ANSWERS + "test_where_stock_is_short_a_seat_needs_units[1-1-True]",
    ),
    row(
        "who was seated before has to fit once more",
        LATE,
        "o.status <> 'REFUNDING'\n            OR ",
        "",
        "tests/integration/stream/test_late_answers.py",
        equivalent="the move that turns away finds nothing: who was seated asks for no seat any more",
    ),
    row(
        "who was seated by one answer is turned away by another",
        LATE,
        " and not followed.seat]",
        "]",
        "tests/integration/stream/test_late_answers.py",
        equivalent="the move that turns away finds nothing: who was seated asks for no seat any more",
    ),
    row(
        "who does not fit keeps waiting",
        LATE,
        "            refused += some\n",
        "            pass\n",
        LATE_PAYMENTS + "test_a_late_seat_beyond_the_stock",
    ),
    row(
        "a stray seat is not given back",
        LATE,
        "        await tell_released(connection, rows)\n",
        "",
        LATE_PAYMENTS + "test_a_seat_for_somebody_whose_money_is_on_its_way_back",
    ),
    row(
        "a seat that was taken long ago counts as a stray one",
        LATE,
        "if seat.taken and id_ not in seated}",
        "if id_ not in seated}",
        LATE_ANSWERS + "test_a_seat_that_an_answer_only_mentions_is_nothing_to_give_back",
    ),
    row(
        "every new seat counts as a stray one",
        LATE,
        "if seat.taken and id_ not in seated}",
        "if seat.taken}",
        "tests/integration/stream/test_late_answers.py",
        equivalent="only a seat of an order whose money is on its way back is noted as stray",
    ),
    row(
        "history does not say that the gate seated a late payer",
        LATE,
        '*_columns(some)[1:], by="gate")',
        '*_columns(some)[1:], by="late")',
        LATE_ANSWERS + "test_who_is_taken_in_is_paid_where_redis_has_put_them",
    ),
    row(
        "history does not say that the gate turned a late payer away",
        LATE,
        'refused, by="gate")',
        'refused, by="late")',
        LATE_ANSWERS + "test_who_is_turned_away_is_owed_the_money",
    ),
    row(
        "an old answer strikes off the release of a new seat",
        EVENTS,
        (
            "\n   AND (d.kind <> 'released' OR NOT EXISTS (\n"
            "        SELECT FROM orders WHERE orders.id = d.id AND reseated_at >= "
            "to_timestamp(d.now_ms::float8 / 1000)))"
        ),
        "\n   AND d.now_ms IS NOT NULL",
        LATE_PAYMENTS + "test_an_old_release_says_nothing_of_the_new_seat",
    ),
    row(
        "an answer of the very millisecond strikes off the release of a new seat",
        EVENTS,
        "reseated_at >= to",
        "reseated_at > to",
        LATE_ANSWERS + "test_an_answer_from_before_the_new_seat_is_none_to_its_release",
    ),
    row(
        "who is turned away takes all of the order's events along",
        EVENTS,
        " AND kind = 'late'\"",
        '"',
        LATE_PAYMENTS + "test_a_playbook_that_is_gone_before_the_release_is_told",
    ),
    row(
        "one answer strikes off all of an order's events",
        EVENTS,
        " AND gate_events.kind = d.kind\n",
        "\n",
        LATE_PAYMENTS + "test_a_seat_for_somebody_whose_money_is_on_its_way_back",
    ),
    row(
        "a release is told as a payment",
        EVENTS,
        'await _tell(connection, moved, "released")',
        'await _tell(connection, moved, "paid")',
        ORDERS_DRAIN + "test_a_fenced_click_that_is_repeated",
    ),
    row(
        "a release is sent before the payment that came first",
        DISPATCH,
        (
            "\n       AND (SELECT true FROM gate_events older\n"
            "             WHERE older.order_id = e.order_id AND older.id + 0 < e.id LIMIT 1) IS NULL"
        ),
        "",
        WAKES_AND_EVENTS + "test_an_order_is_told_of_one_thing_after_the_other",
    ),
    row(
        "what the planner believes decides how events are looked up",
        DISPATCH,
        'BY_KEY = "SET LOCAL enable_seqscan = off"',
        'BY_KEY = "SET LOCAL enable_seqscan = on"',
        SENDING_MANY + "[SEND_NEW-before-it is empty]",
    ),
    row(
        "an older event is looked for among all of them",
        DISPATCH,
        "older.id + 0 < e.id",
        "older.id < e.id",
        SENDING_MANY + "[SEND_AGAIN-before-it was emptied]",
    ),
    row(
        "two dispatchers send the same events",
        DISPATCH,
        "LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        "LIMIT $1",
        LOCKS + "test_what_somebody_is_at_is_passed_by[events]",
    ),
    row(
        "a release does not say which state it means",
        DISPATCH,
        'extra = row["gate_state"]',
        "extra = None",
        LATE_PAYMENTS + "test_a_release_sent_twice_does_not_empty_the_new_seat",
    ),
    row(
        "a late payer is not offered their own instance",
        DISPATCH,
        "return [own, *others",
        "return [*others",
        LATE_PAYMENTS + "test_the_seat_they_meant_is_free_again",
    ),
    row(
        "a late payer is not offered an instance of their own",
        DISPATCH,
        "[:OTHER_SEATS_MAX], late_suffix(order_id)]",
        "[:OTHER_SEATS_MAX]]",
        LATE_PAYMENTS + "test_where_all_is_full_they_lead_a_new_one",
    ),
    row(
        "a late payer is offered instances that have ended",
        DISPATCH,
        " AND status IN ('PENDING', 'ACTIVE')\n",
        "\n",
        WAKES_AND_EVENTS + "test_a_late_payer_is_offered_what_may_take_them_in",
    ),
    row(
        "a late payer is offered the newest instances first",
        DISPATCH,
        "ORDER BY i.created_at, i.id LIMIT $2",
        "ORDER BY i.created_at DESC, i.id LIMIT $2",
        LATE_PAYMENTS + "test_the_oldest_open_instance_comes_next",
    ),
    row(
        "a late payer is given up at once",
        DISPATCH,
        "late.created_at < now() - interval '{wait_max} s'",
        "late.created_at < now() + interval '{wait_max} s'",
        LATE_PAYMENTS + "test_a_playbook_that_keeps_failing_does_not_keep_the_money",
    ),
    row(
        "a late payer is never given up",
        DISPATCH,
        '        if row["overdue"]:  # on',
        "        if False:  # on",
        LATE_PAYMENTS + "test_a_playbook_that_keeps_failing_does_not_keep_the_money",
    ),
    row(
        "history does not say that the dispatcher gave up",
        DISPATCH,
        'by="dispatcher"',
        'by="gate"',
        WAKES_AND_EVENTS + "test_a_late_payer_is_given_up_after_a_while",
    ),
    row(
        "an event whose answer was lost is never sent again",
        DISPATCH,
        "if loop.time() >= again_at:",
        "if loop.time() < 0:",
        WAKES_AND_EVENTS + "test_a_dispatcher_sends_again_by_itself",
    ),
    row(
        "an event is sent again before its answer can have come",
        DISPATCH,
        "sent_at < now() - interval '{RESEND_S} s'",
        "sent_at <= now()",
        WAKES_AND_EVENTS + "test_what_was_sent_is_sent_again_when_its_answer_is_overdue",
    ),
    row(
        "nobody hears that a playbook keeps events waiting",
        DISPATCH,
        '        self._stalled.failed(row["template_code"], order_id)\n',
        "",
        LATE_PAYMENTS + "test_a_playbook_that_is_gone_before_the_release_is_told",
    ),
    row(
        "a dispatcher ends when a shard is closed",
        DISPATCH,
        "        except Unavailable:\n            return  # the",
        "        except ZeroDivisionError:\n            return  # the",
        WAKES_AND_EVENTS + "test_a_closed_shard_keeps_no_other_waiting",
    ),
    row(
        "an older state of an instance overwrites a newer one",
        INSTANCES,
        " WHERE excluded.rev > i.rev\n",
        "",
        ORDERS_DRAIN + "test_entries_delivered_twice_and_out_of_order",
    ),
    row(
        "an instance's state is news though it is the same",
        INSTANCES,
        "WHERE excluded.rev > i.rev",
        "WHERE excluded.rev >= i.rev",
        TESTS_OF_INSTANCES + "test_what_is_known_is_no_news",
    ),
    row(
        "an instance keeps the time it is woken at",
        INSTANCES,
        "wake_at = excluded.wake_at, ",
        "",
        RECOVERY + "test_rebuilt_equals_before",
    ),
    row(
        "an instance keeps its target",
        INSTANCES,
        ", target = excluded.target,",
        ",",
        TESTS_OF_INSTANCES + "test_of_two_states_the_later_counts_wholly",
    ),
    row(
        "an instance keeps its cells",
        INSTANCES,
        " cells = excluded.cells,",
        "",
        TESTS_OF_INSTANCES + "test_of_two_states_the_later_counts_wholly",
    ),
    row(
        "an instance is as old as its row",
        INSTANCES,
        "to_timestamp(now_ms::float8 / 1000)\n  FROM",
        "now()\n  FROM",
        TESTS_OF_INSTANCES + "test_a_new_instance_is_as_old_as_its_click",
    ),
    row(
        "an instance that is never woken is woken in 1970",
        INSTANCES,
        "CASE WHEN wake_at_ms > 0 THEN to_timestamp(wake_at_ms::float8 / 1000) END",
        "to_timestamp(wake_at_ms::float8 / 1000)",
        TESTS_OF_INSTANCES + "test_a_new_instance_is_as_old_as_its_click",
    ),
    row(
        "a new session is always PENDING",
        INSTANCES,
        "session.status.name,",
        '"PENDING",',
        TESTS_OF_INSTANCES + "test_a_session_is_what_its_playbook_says",
    ),
    row(
        "a new session is never woken",
        INSTANCES,
        "session.wake_at,",
        "None,",
        TESTS_OF_INSTANCES + "test_a_session_is_what_its_playbook_says",
    ),
    row(
        "a new session has no target",
        INSTANCES,
        "session.target,",
        "0,",
        TESTS_OF_INSTANCES + "test_a_session_is_what_its_playbook_says",
    ),
    row(
        "an instance is woken before its time",
        WAKE,
        "WHERE i.wake_at <= now() AND",
        "WHERE i.wake_at IS NOT NULL AND",
        WAKES_AND_EVENTS + "test_what_goes_on_is_woken_when_its_time_has_come[ACTIVE-60-0]",
    ),
    row(
        "an instance that has ended is woken",
        WAKE,
        " AND i.status IN ('PENDING', 'ACTIVE') AND",
        " AND",
        WAKES_AND_EVENTS + "test_what_goes_on_is_woken_when_its_time_has_come[SUCCESS--1-0]",
    ),
    row(
        "an instance is woken as often as anybody looks",
        "engine/stream/wake.py",
        '\n   AND i.id || \':\' || i.rev <> ALL($1::text[])\n ORDER BY i.wake_at LIMIT $2\n"""\n# The gate',
        '\n   AND $1::text[] IS NOT NULL\n ORDER BY i.wake_at LIMIT $2\n"""\n# The gate',
        "tests/integration/stream/test_wakes_and_events.py::test_who_does_not_stir_is_woken_again_after_a_while",
    ),
    row(
        "an instance that was woken once is never woken again",
        WAKE,
        "if until > now}",
        "if True or until > now}",
        WAKES_AND_EVENTS + "test_who_does_not_stir_is_woken_again_after_a_while",
    ),
    row(
        "one shard that is closed keeps all instances asleep",
        "engine/stream/wake.py",
        "        except Unavailable:\n            self._woken",
        "        except ZeroDivisionError:\n            self._woken",
        "tests/integration/stream/test_wakes_and_events.py::test_a_closed_shard_lets_no_other_sleep",
    ),
    row(
        "a playbook that fails is told of every time",
        STALLED,
        "            self._silent_until[code] = now + SAY_EVERY_S\n",
        "",
        SELDOM_LINES + "test_what_waits_is_a_line_a_minute_for_each_playbook",
    ),
    row(
        "what waits is counted as often as it is tried",
        STALLED,
        "self._failed_at.setdefault(code, {})[waiting_id] = time.monotonic()",
        "self._failed_at.setdefault(code, {})[waiting_id + str(time.monotonic())] = time.monotonic()",
        SELDOM_LINES + "test_what_waits_is_a_line_a_minute_for_each_playbook",
    ),
)
