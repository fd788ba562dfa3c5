"""What runs by itself, migrations, and transactions that are undone."""

from tests.mutants.row import row

JOBS = "engine/runtime/jobs.py"
WORKER = "engine/runtime/worker.py"
MIGRATIONS = "engine/db/migrations.py"
TRANSACT = "engine/core/transact.py"

LOOPS = "tests/unit/runtime/test_loops.py::"
TESTS_OF_MIGRATIONS = "tests/integration/db/test_migrations.py::"
TESTS_OF_TRANSACT = "tests/unit/core/test_transact.py::"
TESTS_OF_WORKER = "tests/integration/runtime/test_worker.py::"
WORKER_START = "tests/integration/runtime/test_worker_start.py::"
TABLES = "tests/integration/runtime/test_worker_tables.py::"
BACKLOG = "engine/runtime/backlog.py"
FROZEN = "tests/integration/runtime/test_frozen_worker.py::"
SHARD_LINES = "tests/unit/stream/test_seldom_lines.py::test_a_shard_that_is_not_drained_is_a_line_a_minute"
DOES_IT = TABLES + "test_a_running_worker_does_it"
OFFERED = "tests/unit/runtime/test_jobs.py::test_a_worker_does_what_is_offered_for_it"

ROWS = (
    row(
        "nobody drains shards",
        JOBS,
        '    Loop("shards", None, lambda engine: engine.stream.owner.run()),\n',
        "",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nobody sends events",
        JOBS,
        '    Loop("gate events", None, lambda engine: engine.stream.dispatcher.run()),\n',
        "",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nobody ends unpaid holds",
        JOBS,
        '    Loop("unpaid holds", _sweep_s, lambda engine: engine.orders.holds.expire_unpaid()),\n',
        "",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nobody pays refunds",
        JOBS,
        '    Job("pay_refunds", 1, lambda engine: engine.money.refunds.pay_due(REFUNDS_MAX)),\n',
        "",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nobody settles rewards",
        JOBS,
        '    Job("settle_rewards", 1, lambda engine: engine.rewards.settle_due(REWARDS_MAX)),\n',
        "",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nobody sends notices",
        JOBS,
        '    Job("send_notices", 1, lambda engine: engine.notices.send_due(NOTICES_MAX)),\n',
        "",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nobody tells the gate of changes it has not heard of",
        JOBS,
        '    Job("warm_configs", 1, lambda engine: engine.catalog.warm_pending_configs(WARMS_MAX)),\n',
        "",
        WORKER_START + "test_it_upgrades_drafts_and_warms_up_what_is_about_to_start",
    ),
    row(
        "nobody warms up what starts soon",
        JOBS,
        '    Job("warm_up", 1, lambda engine: engine.catalog.warm_up_due()),\n',
        "",
        WORKER_START + "test_it_upgrades_drafts_and_warms_up_what_is_about_to_start",
    ),
    row(
        "nobody pauses what has lost its playbook",
        JOBS,
        "    lambda engine: engine.catalog.pause_orphans(),\n",
        "",
        WORKER_START + "test_it_pauses_what_its_playbooks_do_not_sell_any_more",
    ),
    row(
        "nobody upgrades drafts",
        JOBS,
        "    lambda engine: engine.catalog.upgrade_drafts(),\n",
        "",
        WORKER_START + "test_it_upgrades_drafts_and_warms_up_what_is_about_to_start",
    ),
    row(
        "nobody says that a shard is not drained",
        JOBS,
        '    Loop("backlog", None, lambda engine: engine.backlog.watch()),\n',
        "",
        TABLES + "test_a_running_worker_says_which_shard_is_not_drained",
    ),
    row(
        "nobody wakes instances",
        JOBS,
        '    Loop("deadlines", _sweep_s, lambda engine: engine.stream.waker.wake_due()),\n',
        "",
        DOES_IT + "[deadlines: a_group_whose_time_is_over]",
    ),
    row(
        "nobody asks about holds whose payment was begun",
        JOBS,
        '    Job("expire_prepaid", 1, lambda engine: engine.orders.holds.expire_prepaid()),\n',
        "",
        DOES_IT + "[expire_prepaid: an_overdue_hold_whose_payment_was_begun]",
    ),
    row(
        "nobody finds money that nobody told of",
        JOBS,
        '    Job("ask_again", 1, lambda engine: engine.money.asker.ask_due(ASKS_MAX)),\n',
        "",
        DOES_IT + "[ask_again: money_that_nobody_told_of]",
    ),
    row(
        "nobody archives what has ended",
        JOBS,
        '    Job("archive_ended", 10, lambda engine: engine.catalog.archive_ended(ARCHIVES_MAX)),\n',
        "",
        OFFERED,
    ),
    row(
        "nobody sends again what was lost",
        "engine/stream/dispatch.py",
        "                await self.send_again()\n",
        "",
        "tests/unit/runtime/test_jobs.py::test_the_engine_offers_nothing_that_nobody_asks_for",
    ),
    row(
        "a job that is offered to the worker is done by nobody",
        JOBS,
        '    Job("warm_up", 1, lambda engine: engine.catalog.warm_up_due()),\n',
        "",
        OFFERED,
    ),
    row(
        "a sweep comes every few minutes",
        JOBS,
        "settings.orders.sweep_ms / 1000",
        "settings.orders.sweep_ms",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "nothing is done when a worker starts",
        WORKER,
        '        "start": _at_start,\n',
        "",
        WORKER_START + "test_it_pauses_what_its_playbooks_do_not_sell_any_more",
    ),
    row("arq never runs", WORKER, '        "arq": _run_arq,\n', "", TESTS_OF_WORKER + "test_everything_by_itself"),
    row(
        "what is done once is done again and again",
        WORKER,
        "    await asyncio.Event().wait()\n",
        "",
        LOOPS + "test_what_is_done_at_the_start_is_done_once",
    ),
    row(
        "a loop that fails ends",
        WORKER,
        "        except Exception as error:\n            if clock",
        "        except ZeroDivisionError as error:\n            if clock",
        LOOPS + "test_what_fails_is_done_again_less_and_less_eagerly",
    ),
    row(
        "a job is done beside itself",
        WORKER,
        "        if lock.locked():\n            return\n        async with lock:",
        "        async with asyncio.Lock():",
        LOOPS + "test_a_job_is_not_done_beside_itself",
    ),
    row(
        "a job that fails is told to arq",
        WORKER,
        "            except Exception:\n                log.exception(",
        "            except ZeroDivisionError:\n                log.exception(",
        LOOPS + "test_a_job_is_not_done_beside_itself",
    ),
    row(
        "every worker does every job",
        WORKER,
        "unique=True",
        "unique=False",
        LOOPS + "test_of_all_workers_one_does_a_job",
    ),
    row(
        "the pause of a loop that fails stays long",
        WORKER,
        "                wait_s = BACK_OFF_MIN_S\n            traced",
        "                pass\n            traced",
        LOOPS + "test_what_had_worked_for_long_is_done_again_soon",
    ),
    row(
        "a worker that is told to stop goes on",
        WORKER,
        "    await stop.wait()\n    with",
        "    await asyncio.Event().wait()\n    with",
        TESTS_OF_WORKER + "test_everything_by_itself",
    ),
    row(
        "two migrate at once",
        MIGRATIONS,
        '        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)\n',
        "",
        TESTS_OF_MIGRATIONS + "test_eight_at_once_apply_each_file_once",
    ),
    row(
        "a migration that was changed passes",
        MIGRATIONS,
        'if row["checksum"] != plan[number - 1].checksum:',
        "if False:",
        TESTS_OF_MIGRATIONS + "test_changed_file_is_refused_by_name",
    ),
    row(
        "a hole among migrations passes",
        MIGRATIONS,
        "if missing and applied and missing[0].number < max(applied):",
        "if False:",
        TESTS_OF_MIGRATIONS + "test_a_hole_among_what_was_applied_is_refused",
    ),
    row(
        "a migration may commit by itself",
        MIGRATIONS,
        "if not connection.is_in_transaction():",
        "if False:",
        TESTS_OF_MIGRATIONS + "test_a_playbook_that_fails_is_left_out_alone[commits]",
    ),
    row(
        "a playbook's migration may take for ever",
        MIGRATIONS,
        '        await connection.execute(f"SET statement_timeout = {PLAYBOOK_TIMEOUT_MS}")\n',
        "",
        TESTS_OF_MIGRATIONS + "test_a_playbook_that_takes_for_ever_is_stopped",
    ),
    row(
        "a deadlock is not tried again",
        TRANSACT,
        "UNDONE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)",
        "UNDONE = (asyncpg.SerializationError,)",
        TESTS_OF_TRANSACT + "test_what_was_undone_is_tried_again",
    ),
    row(
        "a transaction that was undone is tried for ever",
        TRANSACT,
        "    for attempt in range(1, ATTEMPTS_MAX):",
        "    for attempt in [*range(1, ATTEMPTS_MAX)] * 1000:",
        TESTS_OF_TRANSACT + "test_what_was_undone_is_tried_again",
    ),
    row(
        "nobody is told of a shard without a worker",
        BACKLOG,
        "for shard in self._shards if shard not in owned]",
        "for shard in self._shards if shard in owned]",
        FROZEN + "test_a_shard_without_a_worker_is_told",
    ),
    row(
        "a shard that a worker of another database has counts as drained",
        BACKLOG,
        "\n   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        "",
        FROZEN + "test_a_shard_that_a_worker_of_another_database_has_is_told",
    ),
    row(
        "any lock of ours is that of a shard",
        BACKLOG,
        "classid::bigint = $1",
        "classid::bigint <> $1",
        FROZEN + "test_a_shard_that_is_not_drained_is_told",
    ),
    row(
        "how long entries wait is told by the newest of them",
        BACKLOG,
        "xrange(keys.intents(shard), count=1)",
        "xrevrange(keys.intents(shard), count=1)",
        FROZEN + "test_how_long_a_shard_waits_is_told_by_its_oldest_entry",
    ),
    row(
        "each look at a shard that is not drained writes a line",
        BACKLOG,
        "            if now - self._said_at.get(shard, -SAY_EVERY_S) >= SAY_EVERY_S:\n",
        "            if now:\n",
        SHARD_LINES,
    ),
    row(
        "a shard that stays as it is is told of once",
        BACKLOG,
        "self._said_at.get(shard, -SAY_EVERY_S) >= SAY_EVERY_S",
        "self._said_at.get(shard, -SAY_EVERY_S) >= 10 * SAY_EVERY_S",
        SHARD_LINES,
    ),
    row(
        "nobody says that a shard is drained again",
        BACKLOG,
        "            del self._said_at[shard]\n            log.warning(",
        "            del self._said_at[shard]\n            log.debug(",
        SHARD_LINES,
    ),
    row(
        "a loop that swallows its cancellation is not told again",
        "engine/core/tasks.py",
        "    while pending:\n",
        "    if pending:\n",
        "tests/integration/runtime/test_worker_stopping.py::"
        "test_a_task_that_swallows_its_cancellation_is_cancelled_again",
    ),
    row(
        "a job shows where it missed a server that is away",
        WORKER,
        "            except AWAY as error:",
        "            except ZeroDivisionError as error:",
        LOOPS + "test_a_server_that_is_away_takes_no_traceback",
    ),
    row(
        "a loop shows where it missed a server that is away",
        WORKER,
        "wait_s > 1 and not isinstance(error, AWAY)",
        "wait_s > 1",
        LOOPS + "test_a_server_that_is_away_takes_no_traceback",
    ),
    row(
        "the API begins with a provider that there is not",
        "engine/runtime/serve.py",
        "    check_provider(settings.money.provider)\n",
        "",
        "tests/unit/cli/test_cli.py::test_error_is_one_line",
    ),
    row(
        "of two on one folder the second hears of a port",
        "engine/local/supervisor.py",
        "        self.state.open()\n        self.state.lock()\n",
        "        check_port(self.settings.api.host, self.settings.api.port)\n        self.state.open()\n"
        "        self.state.lock()\n",
        "tests/unit/local/test_state.py::test_a_second_one_hears_of_the_first_and_not_of_its_port",
    ),
    row(
        "a setting that is wrong is called by the file, not by its variable",
        "engine/core/settings.py",
        "at = variable if variable in environ else",
        "at = variable if False else",
        "tests/unit/core/test_settings.py::test_bad_variable_is_named",
    ),
    row(
        "an address that is refused is shown with its password",
        "engine/core/settings.py",
        "        if key in URLS:\n",
        "        if key in ():\n",
        "tests/unit/core/test_settings.py::test_an_address_is_a_url_of_its_server",
    ),
)
