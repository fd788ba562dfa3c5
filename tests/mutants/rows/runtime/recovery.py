"""A shard that was lost, and who owns it."""

from tests.mutants.row import row

RECOVERY = "engine/stream/recovery.py"
OWNERSHIP = "engine/stream/ownership.py"

FROZEN_WORKER = "tests/integration/runtime/test_frozen_worker.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
REBUILT = "tests/integration/stream/test_rebuilt.py::"
TESTS_OF_RECOVERY = "tests/integration/stream/test_recovery.py::"
WORKER = "tests/integration/runtime/test_worker.py::"

ROWS = (
    row(
        "a rebuilt config sells what is paid once more",
        RECOVERY,
        "FILTER (WHERE o.gate_state IN (1, 2)), 0) AS units\n  FROM stock",
        "FILTER (WHERE o.gate_state IN (1)), 0) AS units\n  FROM stock",
        TESTS_OF_RECOVERY + "test_rebuilt_equals_before",
    ),
    row(
        "a rebuilt config goes by the status, not by what Redis knows",
        RECOVERY,
        "FILTER (WHERE o.gate_state IN (1, 2))",
        "FILTER (WHERE o.status IN ('HELD', 'PAID'))",
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "a rebuilt session sells what is paid once more",
        RECOVERY,
        "o.instance_id = i.id AND o.gate_state IN (1, 2)) END",
        "o.instance_id = i.id AND o.gate_state IN (1)) END",
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "a drain may apply an entry while the shard is read",
        RECOVERY,
        "WHERE id = $1 FOR UPDATE",
        "WHERE id = $1",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "a recovered shard has an epoch that Redis has seen",
        RECOVERY,
        "max(await connection.fetchval(LOCK_EPOCH, shard), seen) + 1",
        "await connection.fetchval(LOCK_EPOCH, shard) + 1",
        TESTS_OF_RECOVERY + "test_epochs_disagree",
    ),
    row(
        "a recovered shard keeps its epoch",
        RECOVERY,
        "max(await connection.fetchval(LOCK_EPOCH, shard), seen) + 1",
        "max(await connection.fetchval(LOCK_EPOCH, shard), seen)",
        TESTS_OF_RECOVERY + "test_epochs_disagree",
    ),
    row(
        "a damaged epoch stops every recovery",
        RECOVERY,
        "seen = as_epoch(await opened_in(redis, shard))",
        "seen = int(await opened_in(redis, shard) or 0)",
        TESTS_OF_RECOVERY + "test_an_epoch_that_is_damaged_counts_as_none",
    ),
    row(
        "an epoch is believed however high it is",
        "engine/gate/rebuild.py",
        "return epoch if epoch < EPOCH_END else 0",
        "return epoch",
        TESTS_OF_RECOVERY + "test_an_epoch_that_is_damaged_counts_as_none",
    ),
    row(
        "an epoch key that is no text stops every recovery",
        "engine/gate/rebuild.py",
        'if not str(error).startswith("WRONGTYPE"):',
        "if str(error):",
        TESTS_OF_RECOVERY + "test_an_epoch_that_is_no_text_counts_as_none",
    ),
    row(
        "what a dead worker has read is not persisted before the rebuild",
        RECOVERY,
        "    await drain.take_over(0)\n",
        "",
        REBUILT + "test_nothing_of_an_earlier_epoch_is_left_in_the_stream",
    ),
    row(
        "entries of an earlier epoch stay in the stream",
        RECOVERY,
        "            await redis.xtrim(keys.intents(shard), maxlen=0, approximate=False)\n",
        "",
        REBUILT + "test_nothing_of_an_earlier_epoch_is_left_in_the_stream",
    ),
    row(
        "a shard is open while it is rebuilt",
        RECOVERY,
        "            await close_shard(redis, shard)\n            if not await",
        "            if not await",
        TESTS_OF_RECOVERY + "test_a_crash_in_the_middle_leaves_it_closed",
    ),
    row(
        "a script is loaded again while other shards are open",
        RECOVERY,
        (
            "        for shard in range(self._shards):\n            try:\n"
            "                await close_shard(redis, shard)"
        ),
        ("        for shard in range(0):\n            try:\n                await close_shard(redis, shard)"),
        TESTS_OF_RECOVERY + "test_whoever_lifts_the_fence_closes_every_shard_first",
    ),
    row(
        "the revision of a person's cells begins anew",
        RECOVERY,
        'me = {**row["cells"], "rev": row["rev"]}',
        'me = {**row["cells"]}',
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "a rebuilt person's clicks are in no order",
        RECOVERY,
        " ORDER BY config_id, user_id, created_at, id\n",
        " ORDER BY config_id, user_id, id\n",
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "a person of two configs has the clicks of both",
        RECOVERY,
        'if row["user_id"] != user or row["config_id"] != config_id:',
        'if row["user_id"] != user:',
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "units that a rebuild gives back are sold before everyone has heard",
        RECOVERY,
        "settle_ms=self._gate.reopen_ms if changed else 0",
        "settle_ms=0",
        REBUILT + "test_everyone_has_time_to_hear_of_units_that_come_back[True]",
    ),
    row(
        "Postgres knows the first epoch only",
        RECOVERY,
        "SET epoch = $2 WHERE id = $1",
        "SET epoch = $2 WHERE id = $1 AND epoch = 0",
        TESTS_OF_RECOVERY + "test_a_lost_tail_cannot_be_sold_twice",
    ),
    row(
        "a rebuilt instance is never woken",
        RECOVERY,
        '            wake_at_ms=row["wake_at_ms"],',
        "            wake_at_ms=0,",
        TESTS_OF_RECOVERY + "test_rebuilt_equals_before",
    ),
    row(
        "a rebuilt instance begins its revisions anew",
        RECOVERY,
        '            rev=row["rev"],\n            own',
        "            rev=0,\n            own",
        TESTS_OF_RECOVERY + "test_rebuilt_equals_before",
    ),
    row(
        "nobody is told of rebuilt instances",
        RECOVERY,
        "    return config_ids + instance_ids",
        "    return config_ids",
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "a Redis that does not know the script counts as open",
        RECOVERY,
        "found = opened == str(epoch).encode() and await self._gate.knows_script()",
        "found = opened == str(epoch).encode()",
        REBUILT + "test_a_redis_without_the_script_is_not_open",
    ),
    row(
        "a shard that is open in another epoch counts as open",
        RECOVERY,
        "found = opened == str(epoch).encode() and await",
        "found = opened is not None and await",
        TESTS_OF_RECOVERY + "test_epochs_disagree",
    ),
    row(
        "configs that nobody has clicked on are forgotten",
        RECOVERY,
        (
            "    for config_id, head in heads.items():  # nobody has clicked on these yet\n"
            "        await load_config(pipe, shard, config_id, head, left[config_id], "
            "instances.get(config_id, {}), {})\n"
        ),
        "",
        TESTS_OF_RECOVERY + "test_any_schedule_ends_well",
    ),
    row(
        "a rebuilt hold may be paid for until a full second",
        RECOVERY,
        "(extract(epoch FROM pay_before) * 1000)::bigint AS pay_before_ms",
        "(extract(epoch FROM pay_before))::bigint * 1000 AS pay_before_ms",
        TESTS_OF_RECOVERY + "test_rebuilt_from_nothing",
    ),
    row(
        "rebuilt actions have no record",
        RECOVERY,
        "  FROM actions WHERE config_id = ANY($1::text[])",
        "  FROM actions WHERE config_id = ANY($1::text[]) AND false",
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "only configs on sale are rebuilt",
        RECOVERY,
        "WHERE shard = $1 AND status <> 'DRAFT'",
        "WHERE shard = $1 AND status = 'PUBLISHED'",
        REBUILT + "test_what_is_rebuilt_is_what_was",
    ),
    row(
        "every worker owns every shard",
        OWNERSHIP,
        "and await connection.fetchval(TRY_LOCK, LOCK_SPACE, shard):",
        "and (await connection.fetchval(TRY_LOCK, LOCK_SPACE, shard) or True):",
        TESTS_OF_RECOVERY + "test_an_owner_recovers_by_itself",
    ),
    row(
        "a worker that hangs keeps its shards for ever",
        OWNERSHIP,
        ('            await connection.execute(f"SET idle_session_timeout = {self._settings.orders.drain_idle_ms}")\n'),
        "",
        FROZEN_WORKER + "test_frozen_inside_a_transaction_it_is_replaced",
    ),
    row(
        "a worker that stops keeps its shards",
        OWNERSHIP,
        "SELECT pg_advisory_unlock_all(); RESET",
        "RESET",
        TESTS_OF_RECOVERY + "test_an_owner_recovers_by_itself",
    ),
    row(
        "a closed shard is never recovered",
        OWNERSHIP,
        "        if not await self._recovery.is_open(shard):\n            await self._recovery.recover",
        "        if False:\n            await self._recovery.recover",
        TESTS_OF_RECOVERY + "test_an_owner_recovers_by_itself",
    ),
    row(
        "an owner does not see that its shard was closed",
        OWNERSHIP,
        "                if not await self._recovery.is_open(shard):\n                    log",
        "                if False:\n                    log",
        TESTS_OF_RECOVERY + "test_an_owner_recovers_by_itself",
    ),
    row(
        "an error nobody expected ends an owner",
        OWNERSHIP,
        "            except Exception:\n                # Whatever",
        "            except ZeroDivisionError:\n                # Whatever",
        "tests/unit/stream/test_ownership.py",
    ),
    row(
        "an owner that has nothing to take says nothing, and its session ends",
        OWNERSHIP,
        '        await connection.fetchval("SELECT 1")\n        return False',
        "        return False",
        "tests/unit/stream/test_ownership.py",
    ),
    row(
        "the repeat of a click that a fence cancelled is told of a success that was none",
        RECOVERY,
        " AND reason IS DISTINCT FROM 'FENCED'",
        "",
        "tests/integration/api/test_hot_repeats.py::"
        "test_the_repeat_of_a_fenced_click_is_refused_when_its_unit_is_somebody_elses",
    ),
)
