"""The gate in Python: lanes, their batches, what they do without an answer, and what lies in Redis."""

from tests.mutants.row import Edit, Row, row

GATE = "engine/gate/gate.py"
LANE = "engine/gate/lane.py"
WIRE = "engine/gate/wire.py"
RECORDS = "engine/gate/records.py"

CATCHES_GATE = "tests/integration/gate/test_catches_gate.py::"
CLOSED_SHARDS = "tests/gate/test_closed_shards.py::"
CLUSTER_MOVES = "tests/gate/test_cluster_moves.py::"
CONTRACT = "tests/lua/test_contract.py::"
LIMITS = "tests/gate/test_limits.py::"
LOST_REPLIES = "tests/gate/test_lost_replies.py::"

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
        LANE,
        (
            "        for (_click, future), reply in zip(batch, answer.replies, strict=True):\n"
            "            if not future.done():\n                future.set_result(reply)"
        ),
        (
            "        for (_click, future), reply in zip(batch, answer.replies, strict=True):\n"
            "            future.set_result(reply)"
        ),
        LOST_REPLIES + "test_a_client_that_leaves_takes_nobody_along",
    ),
    row(
        "a refusal is read as one more success",
        WIRE,
        "return raw if isinstance(raw, Reply) else Reply(raw)",
        "return raw if isinstance(raw, Reply) else Reply(0)",
        CLOSED_SHARDS + "test_clicks_that_wait_for_a_recovery_are_decided_by_it",
    ),
    row(
        "nobody has cells of their own",
        RECORDS,
        "mine = record[0] if record and isinstance(record[0], dict) else {}",
        "mine: dict[str, Any] = {}",
        CONTRACT + "test_a_person_has_cells_of_their_own[standalone]",
    ),
)
