"""What the gate has decided becomes rows: each once, whoever reads it."""

from tests.mutants.row import row

DRAIN = "engine/stream/drain.py"
INTENTS = "engine/stream/intents.py"
APPLY = "engine/stream/apply.py"
PROMISES = "engine/stream/promises.py"

CATCHES_ORDERS = "tests/integration/stream/test_catches_orders.py::"
LATE_PAYMENTS = "tests/integration/money/test_late_payments.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
MONEY = "tests/integration/money/test_money.py::"
ORDERS_DRAIN = "tests/integration/stream/test_orders_drain.py::"
SESSION_STOCK = "tests/integration/catalog/test_session_stock.py::"
TESTS_OF_INTENTS = "tests/unit/stream/test_intents.py::"
TESTS_OF_PROMISES = "tests/integration/stream/test_promises.py::"
WAKES_AND_EVENTS = "tests/integration/stream/test_wakes_and_events.py::"

ROWS = (
    row(
        "an entry is acknowledged before its commit",
        DRAIN,
        "            await self._apply(entries)\n",
        ("            await self._acknowledge([raw[0] for raw in raws])\n            await self._apply(entries)\n"),
        CATCHES_ORDERS + "test_an_entry_is_acknowledged_only_after_its_commit",
    ),
    row(
        "an entry of a fenced-off writer is obeyed",
        INTENTS,
        "if entry.epoch < epoch:",
        "if entry.epoch < 0:",
        CATCHES_ORDERS + "test_an_order_of_a_fenced_off_writer_takes_no_stock",
    ),
    row(
        "an entry is never acknowledged",
        DRAIN,
        "        pipe.xack(self._stream, GROUP, *entry_ids)\n",
        "",
        ORDERS_DRAIN + "test_a_worker_that_dies_between_commit_and_acknowledge",
    ),
    row(
        "an entry that is a row stays in the stream",
        DRAIN,
        "        pipe.xdel(self._stream, *entry_ids)\n",
        "",
        ORDERS_DRAIN + "test_a_worker_that_dies_between_commit_and_acknowledge",
    ),
    row(
        "one entry that cannot be applied keeps all others waiting",
        DRAIN,
        ("            for raw in raws:\n                await self.persist([raw])\n            return\n        await"),
        "            raise\n        await",
        ORDERS_DRAIN + "test_an_entry_that_cannot_be_applied",
    ),
    row(
        "what a worker has read and not persisted is lost when it dies",
        DRAIN,
        "            await self.persist(raws)\n            taken",
        "            taken",
        ORDERS_DRAIN + "test_a_worker_that_dies_between_commit_and_acknowledge",
    ),
    row(
        "an entry that cannot be applied is tried for ever",
        DRAIN,
        ">= self._settings.deliveries_max:",
        ">= 1000 * self._settings.deliveries_max:",
        ORDERS_DRAIN + "test_an_entry_that_cannot_be_applied",
    ),
    row(
        "an entry that kills whoever reads it is read for ever",
        DRAIN,
        "            if await self._deliveries(raw[0]) > self._settings.deliveries_max:",
        "            if await self._deliveries(raw[0]) > 1000 * self._settings.deliveries_max:",
        ORDERS_DRAIN + "test_what_kills_its_reader_is_set_aside_unread",
    ),
    row(
        "an entry that is set aside says nothing of what it was",
        DRAIN,
        'fields.get(b"p", b"")',
        'b""',
        ORDERS_DRAIN + "test_an_entry_that_cannot_be_applied",
    ),
    row(
        "the drain ends when Postgres is away",
        DRAIN,
        "LATER = (*UNREACHABLE, *UNDONE, *OVERTAKEN, ShardUnknown)",
        "LATER = (*UNDONE, *OVERTAKEN, ShardUnknown)",
        ORDERS_DRAIN + "test_nothing_is_acknowledged_before_it_is_committed",
    ),
    row(
        "an entry is set aside because a migration has overtaken its worker",
        DRAIN,
        "(*UNREACHABLE, *UNDONE, *OVERTAKEN, ShardUnknown)",
        "(*UNREACHABLE, *UNDONE, ShardUnknown)",
        ORDERS_DRAIN + "test_a_database_that_is_migrated_under_a_worker",
    ),
    row(
        "an entry is set aside because its shard has no row yet",
        DRAIN,
        "*OVERTAKEN, ShardUnknown)",
        "*OVERTAKEN)",
        ORDERS_DRAIN + "test_a_shard_without_a_row_is_waited_for",
    ),
    row(
        "a stream without a group is never read",
        DRAIN,
        "            await self.join()\n            return 0",
        "            return 0",
        ORDERS_DRAIN + "test_a_stream_without_its_group",
    ),
    row(
        "a new group begins with what comes after it",
        DRAIN,
        'id="0", mkstream',
        'id="$", mkstream',
        CATCHES_ORDERS + "test_an_entry_is_acknowledged_only_after_its_commit",
    ),
    row(
        "one page of what a dead worker left is taken over",
        DRAIN,
        '            if start == b"0-0":',
        "            if True:",
        ORDERS_DRAIN + "test_all_that_a_dead_worker_left_is_taken_over",
    ),
    row(
        "an entry is applied while a recovery reads",
        APPLY,
        "WHERE id = $1 FOR SHARE",
        "WHERE id = $1",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "two drains apply entries of one config at once",
        APPLY,
        "ORDER BY s.config_id FOR NO KEY UPDATE OF s",
        "ORDER BY s.config_id",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "configs are locked in the order of the table",
        APPLY,
        " ORDER BY s.config_id FOR NO KEY UPDATE OF s",
        " FOR NO KEY UPDATE OF s",
        LOCKS + "test_configs_are_locked_in_the_order_of_their_ids[apply]",
    ),
    row(
        "one order beyond the stock keeps its whole run from being applied",
        APPLY,
        "await transact(self._pool, partial(work, one_by_one=True))",
        "await transact(self._pool, partial(work, one_by_one=False))",
        CATCHES_ORDERS + "test_an_order_beyond_the_stock_is_cancelled_by_the_last_line",
    ),
    row(
        "an order of a fenced-off writer leaves no row",
        APPLY,
        "        if run.fenced:\n",
        "        if False:\n",
        CATCHES_ORDERS + "test_an_order_of_a_fenced_off_writer_takes_no_stock",
    ),
    row(
        "one session with stock of its own is overlooked beside a config without",
        APPLY,
        "of_sessions = any(",
        "of_sessions = all(",
        SESSION_STOCK + "test_orders_drained_twice_are_counted_once",
    ),
    row(
        "late payers are not seated one by one when stock is short",
        APPLY,
        "run.events, unwanted, one_by_one=one_by_one)",
        "run.events, unwanted, one_by_one=False)",
        LATE_PAYMENTS + "test_a_late_seat_beyond_the_stock",
    ),
    row(
        "nobody is paid back when their instance fails",
        APPLY,
        'if Status[row["status"]] in self._unwanted(locked[row["config_id"]])]',
        "if False]",
        MONEY + "test_a_group_that_fails_pays_everyone_back",
    ),
    row(
        "a rebate is opened in an instance that still goes on",
        APPLY,
        'if row["status"] == "SUCCESS" and ',
        "if ",
        "tests/integration/money/test_rebates.py",
        equivalent="the statement itself pays rebates of a SUCCESS only",
    ),
    row(
        "a success that owes a part of the price owes nothing",
        APPLY,
        "        await open_rebates(connection, instances=cheaper, orders=())",
        "        del cheaper",
        TESTS_OF_PROMISES + "test_everyone_in_a_completed_club_gets_a_part_back",
    ),
    row(
        "promises without a person's cells are lost",
        APPLY,
        "if run.people or run.rewards or run.notices:",
        "if run.people:",
        TESTS_OF_PROMISES + "test_a_reward_is_born_as_its_order_is",
    ),
    row(
        "one order that fits is not counted in its session",
        APPLY,
        "await births.hold(connection, self._moves, row, of_sessions=True)",
        "await births.hold(connection, self._moves, row, of_sessions=False)",
        SESSION_STOCK + "test_more_than_the_session_has",
    ),
    row(
        "an action is born when it is drained",
        APPLY,
        "to_timestamp(now_ms::float8 / 1000)\n  FROM",
        "now()\n  FROM",
        WAKES_AND_EVENTS + "test_an_action_is_as_old_as_its_click",
    ),
    row(
        "actions are lost",
        APPLY,
        "        if run.actions:\n",
        "        if False:\n",
        TESTS_OF_PROMISES + "test_people_are_there_again_after_a_loss",
    ),
    row(
        "an entry of the very epoch is fenced off",
        INTENTS,
        "if entry.epoch < epoch:",
        "if entry.epoch <= epoch:",
        TESTS_OF_INTENTS + "test_the_newest_snapshot_counts_wherever_it_stands",
    ),
    row(
        "of two states of an instance the first counts",
        INTENTS,
        "instance.rev > known.rev",
        "instance.rev < known.rev",
        TESTS_OF_INTENTS + "test_the_newest_snapshot_counts_wherever_it_stands",
    ),
    row(
        "of two states of a person the first counts",
        INTENTS,
        "person.rev > before.rev",
        "person.rev < before.rev",
        TESTS_OF_INTENTS + "test_the_newest_cells_of_a_person_count_wherever_they_stand",
    ),
    row(
        "an instance is born when it was last changed",
        INTENTS,
        "run.instances_ms.setdefault(instance.id, payload.now_ms)",
        "run.instances_ms[instance.id] = payload.now_ms",
        TESTS_OF_INTENTS + "test_an_instance_is_as_old_as_the_first_that_is_told_of_it",
    ),
    row(
        "a payment that comes after the release counts",
        INTENTS,
        (
            "    if event.state == 0:\n        followed.gate_state = 0\n"
            "    elif event.state == 2 and followed.gate_state is None:"
        ),
        (
            "    if event.state == 0 and followed.gate_state is None:\n        followed.gate_state = 0\n"
            "    elif event.state == 2:"
        ),
        TESTS_OF_INTENTS + "test_released_is_never_undone_by_a_late_paid",
    ),
    row(
        "a release that Redis has not followed counts as done",
        INTENTS,
        '        if event.state in (0, -1):\n            followed.done.add("released")',
        '        followed.done.add("released")',
        TESTS_OF_INTENTS + "test_a_release_is_done_when_redis_has_let_go",
    ),
    row(
        "a payment of an order that Redis does not know counts as done",
        INTENTS,
        "    elif event.state in (0, 2):\n        followed.paid",
        "    elif event.state in (-1, 0, 2):\n        followed.paid",
        TESTS_OF_INTENTS + "test_what_had_no_effect_is_sent_again[paid--1-False]",
    ),
    row(
        "a paid order is refused by a repeated event",
        INTENTS,
        "event.outcome in STEP_REFUSALS and event.state != 2",
        "event.outcome in STEP_REFUSALS",
        TESTS_OF_INTENTS + "test_an_order_that_is_paid_in_redis_is_refused_by_nothing",
    ),
    row(
        "of two seats the earlier counts",
        INTENTS,
        "(seat.taken, seat.now_ms) > (followed.seat.taken, followed.seat.now_ms)",
        "(seat.taken, seat.now_ms) < (followed.seat.taken, followed.seat.now_ms)",
        TESTS_OF_INTENTS + "test_a_late_payer_sits_where_redis_put_them_last",
    ),
    row(
        "a seat counts more for its time than for having been taken",
        INTENTS,
        "(seat.taken, seat.now_ms) > (followed.seat.taken, followed.seat.now_ms)",
        "(seat.now_ms, seat.taken) > (followed.seat.now_ms, followed.seat.taken)",
        TESTS_OF_INTENTS + "test_a_late_payer_sits_where_redis_put_them_last",
    ),
    row(
        "who is not known to Redis keeps asking for a seat",
        INTENTS,
        "    elif event.state in (0, -1):\n        followed.turned_away",
        "    elif event.state == 0:\n        followed.turned_away",
        TESTS_OF_INTENTS + "test_a_late_payer_nobody_takes_in_is_turned_away[-1-2]",
    ),
    row(
        "the time of an answer is that of the first",
        INTENTS,
        "followed.now_ms = max(followed.now_ms, now_ms)",
        "followed.now_ms = followed.now_ms or now_ms",
        TESTS_OF_INTENTS + "test_the_time_of_an_answer_is_that_of_the_last",
    ),
    row(
        "a session's stock is kept among its cells",
        INTENTS,
        'kept_beside = "left" if isinstance(snapshot, InstanceIntent) else "rev"',
        'kept_beside = "rev"',
        TESTS_OF_INTENTS + "test_what_the_engine_counts_is_no_cell_of_the_playbook",
    ),
    row(
        "configs that only have promises are not locked",
        INTENTS,
        "        ids.update(reward.config_id for reward in self.rewards)\n",
        "",
        TESTS_OF_INTENTS + "test_what_is_kept_of_people_locks_its_config_too",
    ),
    row(
        "configs are locked in the order in which they come",
        INTENTS,
        "return sorted(ids)",
        "return list(ids)",
        "tests/unit/test_tables.py",
        equivalent="the statement itself orders what it locks",
    ),
    row(
        "an older state of a person overwrites a newer one",
        PROMISES,
        " WHERE excluded.rev > p.rev\n",
        "\n",
        TESTS_OF_PROMISES + "test_older_cells_never_win",
    ),
    row(
        "a reward of an unknown config stops the drain",
        PROMISES,
        "if rewards := [reward for reward in run.rewards if reward.config_id in config_ids]:",
        "if rewards := run.rewards:",
        TESTS_OF_PROMISES + "test_what_concerns_no_config_of_ours_is_left_out",
    ),
)
