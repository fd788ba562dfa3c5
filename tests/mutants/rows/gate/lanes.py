"""The gate in Python: lanes, their batches, what they do without an answer, and what lies in Redis."""

from tests.mutants.row import Edit, Row, row

GATE = "engine/gate/gate.py"
LANE = "engine/gate/lane.py"
WIRE = "engine/gate/wire.py"
RECORDS = "engine/gate/records.py"
REBUILD = "engine/gate/rebuild.py"
CONNECTION = "engine/gate/connection.py"
OUTCOME = "engine/gate/outcome.py"

CATCHES_GATE = "tests/integration/gate/test_catches_gate.py::"
CLOSED_SHARDS = "tests/gate/test_closed_shards.py::"
CLUSTER_MOVES = "tests/gate/test_cluster_moves.py::"
CONTRACT = "tests/lua/test_contract.py::"
GROUP_BUY_RULES = "tests/plugins/test_group_buy_rules.py::"
LIMITS = "tests/gate/test_limits.py::"
LOST_REPLIES = "tests/gate/test_lost_replies.py::"
TESTS_OF_GATE = "tests/lua/test_gate.py::"
TESTS_OF_REBUILD = "tests/gate/test_rebuild.py::"
TESTS_OF_RECORDS = "tests/unit/gate/test_records.py::"

ROWS = (
    Row(
        "a Redis that was restarted is given the script and decides on from nothing",
        (
            Edit(
                GATE,
                "for shard in range(settings.shards)]\n",
                (
                    "for shard in range(settings.shards)]\n        for lane in self.lanes:\n"
                    "            lane.reload = self.load_script\n"
                ),
            ),
            Edit(LANE, 'await self._closed("Redis does not know the script: it was restarted")', "await self.reload()"),
        ),
        (CATCHES_GATE + "test_a_restarted_redis_decides_nothing_before_it_is_recovered",),
    ),
    row(
        "a batch has one click too many",
        LANE,
        "range(self._settings.batch_max)]",
        "range(self._settings.batch_max + 1)]",
        LIMITS + "test_a_batch_is_no_larger_than_it_may_be[1]",
    ),
    row(
        "one click more than allowed waits",
        LANE,
        "len(self._waiting) >= self._settings.inflight_max",
        "len(self._waiting) > self._settings.inflight_max",
        LIMITS + "test_more_than_may_wait_are_told_at_once",
    ),
    row(
        "clicks wait for a shard that has been closed for long",
        LANE,
        "        if self._stuck:\n            raise Paused\n",
        "",
        LIMITS + "test_closing_tells_everyone_who_waits",
    ),
    row(
        "a shard that is open again is still refused",
        LANE,
        "        self._stuck = False\n        self._reopened()",
        "        self._reopened()",
        CLOSED_SHARDS + "test_an_epoch_redis_has_lost_is_not_believed",
    ),
    row(
        "every batch draws the same numbers",
        LANE,
        "seed = _draw(SEED_BITS) if batch else 0",
        "seed = 1",
        LIMITS + "test_no_two_batches_draw_alike",
    ),
    row(
        "cells and people are swapped",
        LANE,
        "found = keys.cells(self.shard, config_id), keys.people(self.shard, config_id)",
        "found = keys.people(self.shard, config_id), keys.cells(self.shard, config_id)",
        CLOSED_SHARDS + "test_clicks_that_wait_for_a_recovery_are_decided_by_it",
    ),
    row(
        "a click that comes after the end waits for ever",
        LANE,
        "        self._stuck = True  # and so is whoever comes too late\n",
        "",
        LIMITS + "test_closing_tells_everyone_who_waits",
    ),
    row(
        "clicks are not told when their lane fails",
        LANE,
        "                await self._connection.close()\n                self._fail(batch)\n",
        "                await self._connection.close()\n",
        LIMITS + "test_an_answer_that_is_none_ends_no_lane",
    ),
    row(
        "clicks under way are not told that their lane is closed",
        LANE,
        ("            except asyncio.CancelledError:\n                self._fail(batch)\n                raise"),
        "            except asyncio.CancelledError:\n                raise",
        LIMITS + "test_closing_tells_everyone_who_waits",
    ),
    row(
        "clicks that wait behind a batch without an answer go on waiting",
        LANE,
        ("                self._fail(self._waiting)\n                self._waiting.clear()\n                return"),
        "                return",
        LIMITS + "test_who_waits_behind_a_batch_without_an_answer_hears_with_it",
    ),
    row(
        "a batch without an answer is sent for ever",
        LANE,
        "if self._loop.time() - started > self._timeout_s:",
        "if self._loop.time() - started > 1000 * self._timeout_s:",
        CLOSED_SHARDS + "test_an_unknown_script_is_never_loaded_by_the_gate",
    ),
    row(
        "a question to a Postgres that hangs takes for ever",
        LANE,
        "            async with asyncio.timeout(self._timeout_s):\n                self._epoch",
        "            async with asyncio.timeout(None):\n                self._epoch",
        CLOSED_SHARDS + "test_a_silent_postgres_does_not_hold_clicks[None]",
    ),
    row(
        "a lane never learns of a new epoch",
        LANE,
        "                self._epoch = str(await self._epoch_of(self.shard)).encode()",
        "                await self._epoch_of(self.shard)",
        CLOSED_SHARDS + "test_an_unknown_script_is_never_loaded_by_the_gate",
    ),
    row(
        "a batch that is sent again is another one",
        LANE,
        (
            "        arguments = self._pack(batch)\n        started = self._loop.time()\n"
            "        while True:\n            try:\n"
        ),
        (
            "        started = self._loop.time()\n        while True:\n"
            "            arguments = self._pack(batch)\n            try:\n"
        ),
        CLUSTER_MOVES + "test_a_lane_follows_its_shard_and_finds_back",
    ),
    row(
        "the keys of a batch are counted wrongly",
        LANE,
        "(len(names) + 3, *self._shared_keys",
        "(len(names) + 2, *self._shared_keys",
        CLOSED_SHARDS + "test_an_unknown_script_is_never_loaded_by_the_gate",
    ),
    row(
        "two configs of a batch get each other's number",
        LANE,
        "numbers[config_id] = len(numbers) + 1",
        "numbers[config_id] = 1",
        LIMITS + "test_a_batch_of_many_configs_keeps_them_apart",
    ),
    row(
        "a reply goes to a click that is over",
        "engine/gate/lane.py",
        "            if not ticket.done():\n                ticket.set_result(reply)\n        if answer",
        "            ticket.set_result(reply)\n        if answer",
        "tests/gate/test_lost_replies.py::test_a_client_that_leaves_takes_nobody_along",
    ),
    row(
        "an event says its quantity in the place of the fingerprint",
        WIRE,
        "order_id, 0, quantity",
        "order_id, quantity, 0",
        TESTS_OF_GATE + "test_a_payment_counts_once",
        equivalent="of an event the gate reads neither: it goes by what it has on record of the order",
    ),
    row(
        "a refusal is read as one more success",
        WIRE,
        "return raw if isinstance(raw, Reply) else Reply(raw)",
        "return raw if isinstance(raw, Reply) else Reply(0)",
        CLOSED_SHARDS + "test_clicks_that_wait_for_a_recovery_are_decided_by_it",
    ),
    row(
        "milliseconds are counted with fractions",
        RECORDS,
        "(moment - UNIX_EPOCH) // timedelta(milliseconds=1)",
        "int(moment.timestamp() * 1000)",
        TESTS_OF_RECORDS + "test_a_moment_is_whole_milliseconds",
    ),
    row(
        "a playbook's cell counts for more than the engine's",
        RECORDS,
        "{**own, **engines} if left",
        "{**engines, **own} if left",
        TESTS_OF_RECORDS + "test_the_engines_cells_are_the_engines",
    ),
    row(
        "a session forgets the stock of its own",
        RECORDS,
        '{**own, **engines} if left is None else {**own, **engines, "left": left}',
        "{**own, **engines}",
        TESTS_OF_RECORDS + "test_a_session_may_have_stock_of_its_own[0]",
    ),
    row(
        "a person without cells of their own gets empty ones",
        RECORDS,
        "[me, *effects] if me else effects",
        "[me or {}, *effects]",
        TESTS_OF_RECORDS + "test_a_person_is_led_by_their_own_cells_if_they_have_any[None]",
    ),
    row(
        "nobody has cells of their own",
        RECORDS,
        "mine = record[0] if record and isinstance(record[0], dict) else {}",
        "mine: dict[str, Any] = {}",
        CONTRACT + "test_a_person_has_cells_of_their_own[standalone]",
    ),
    row(
        "an effect's key is longer than the one Redis looks for",
        RECORDS,
        "Effect(order_id[:KEY_LENGTH]",
        "Effect(order_id[: KEY_LENGTH + 1]",
        TESTS_OF_RECORDS + "test_an_effect_is_known_by_the_start_of_its_id",
    ),
    row(
        "a config's price is in the place of its limit",
        RECORDS,
        '"price": price_fen,\n            "limit": limit,',
        '"price": limit,\n            "limit": price_fen,',
        LIMITS + "test_a_batch_of_many_configs_keeps_them_apart",
    ),
    row(
        "a shard that is to be closed stays open",
        REBUILD,
        "    await redis.delete(keys.epoch(shard))",
        "    await redis.get(keys.epoch(shard))",
        "tests/gate/test_rebuild.py::test_a_closed_shard_has_no_epoch",
    ),
    row(
        "what was in Redis before a recovery stays",
        REBUILD,
        "    await redis.unlink(cells_key, people_key)\n",
        "",
        TESTS_OF_REBUILD + "test_nothing_of_before_is_left",
    ),
    row(
        "a recovered shard opens before everyone has heard",
        REBUILD,
        "    await asyncio.sleep(settle_ms / 1000)\n",
        "",
        TESTS_OF_REBUILD + "test_a_shard_opens_when_everyone_has_had_time_to_hear",
    ),
    row(
        "a shard opens before what it holds is announced",
        REBUILD,
        '    await redis.unlink(changed, keys.gone(shard))\n    await redis.zadd(changed, {"!": number})\n',
        (
            "    await redis.set(keys.epoch(shard), epoch)\n    await redis.unlink(changed, keys.gone(shard))\n"
            '    await redis.zadd(changed, {"!": number})\n'
        ),
        TESTS_OF_REBUILD + "test_a_shard_opens_when_everyone_has_had_time_to_hear",
    ),
    row(
        "changes of a later epoch come before those of an earlier one",
        REBUILD,
        "EPOCH_STRIDE = 1 << 32",
        "EPOCH_STRIDE = 0",
        TESTS_OF_REBUILD + "test_changes_of_a_later_epoch_are_news",
    ),
    row(
        "of many fields the last chunk is not loaded",
        REBUILD,
        "    while chunk := list(islice(rest, CHUNK)):\n        yield chunk",
        "    while len(chunk := list(islice(rest, CHUNK))) == CHUNK:\n        yield chunk",
        CATCHES_GATE + "test_a_repeated_request_takes_nothing_and_hears_the_first_answer",
    ),
    row(
        "a reply that comes late is read as the next one's",
        CONNECTION,
        ("            await self.close()  # a reply may still be under way: never read it as another command's\n"),
        "",
        "tests/gate/test_lost_replies.py",
        equivalent="the lane closes the connection itself after any such error, and ends when it is cancelled",
    ),
    row(
        "a connection that was moved to a node that is gone stays there",
        CONNECTION,
        "        self._options = self._home\n        if connection",
        "        if connection",
        CLUSTER_MOVES + "test_a_lane_follows_its_shard_and_finds_back",
    ),
    row(
        "a cluster's move is not followed",
        CONNECTION,
        "            await self._follow(moved[2])\n",
        "",
        CLUSTER_MOVES + "test_a_lane_follows_its_shard_and_finds_back",
    ),
    row(
        "a click that is refused as sold out is told that it has reached its limit",
        OUTCOME,
        "    Outcome.SOLD_OUT: errors.SoldOut,",
        "    Outcome.SOLD_OUT: errors.LimitReached,",
        TESTS_OF_RECORDS + "test_every_refusal_is_the_error_of_its_name",
    ),
    row(
        "a step may not say that somebody is not eligible",
        OUTCOME,
        "    Outcome.NOT_ELIGIBLE,\n    Outcome.LIMIT_REACHED,\n)",
        "    Outcome.LIMIT_REACHED,\n)",
        GROUP_BUY_RULES + "test_only_newcomers_join_where_the_rules_say_so",
    ),
    row(
        "whatever Redis says to a change of a config is an internal error",
        "engine/gate/gate.py",
        '"EVAL", self._warm_source, len(names), *names, *words)\n        except (RedisError, OSError)',
        '"EVAL", self._warm_source, len(names), *names, *words)\n        except OSError',
        "tests/gate/test_closed_shards.py::test_warming_a_closed_shard_changes_nothing",
    ),
    row(
        "a batch that is sent again draws again",
        LANE,
        "answer = unpack(await self._call(arguments))",
        "answer = unpack(await self._call((arguments[0], pack(Batch(self._settings.hold_ttl_ms, "
        "self._settings.reopen_ms, self._settings.person_effects_max, _draw(SEED_BITS), [one for one, _ in batch])))))",
        "tests/gate/test_lost_replies.py::test_a_batch_is_sent_again_byte_for_byte",
    ),
)
