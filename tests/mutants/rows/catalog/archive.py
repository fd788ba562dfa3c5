"""What has ended: when it leaves Redis and memory, and what is said of it afterwards."""

from tests.mutants.row import row

ARCHIVE = "engine/catalog/archive.py"
ENTRIES = "engine/live/entries.py"
FIRST_ANSWERS = "engine/orders/first_answers.py"
FORGET = "scripts/lua/forget.lua"
GATE = "engine/gate/gate.py"
LIFE = "engine/catalog/life.py"
LIVE = "engine/live/live.py"
MISSED = "engine/live/missed.py"
RECOVERY = "engine/stream/recovery.py"
SHELF = "engine/live/shelf.py"

ARCHIVED = "tests/integration/api/test_archived.py::"
SHELVES = "tests/unit/live/test_shelf.py::"

STAYS = ARCHIVED + "test_what_is_not_quite_over_stays"
LEAVES = ARCHIVED + "test_what_has_ended_leaves_redis_memory_and_the_rebuild"
REPEAT = ARCHIVED + "test_a_repeat_gets_its_first_answer"
DETAIL = ARCHIVED + "test_a_detail_stays_for_ever"

ROWS = (
    row(
        "a product with a hold is archived",
        ARCHIVE,
        "   AND NOT EXISTS (SELECT FROM orders o WHERE o.config_id = c.id AND o.status = 'HELD')\n",
        "",
        STAYS + "[a hold]",
    ),
    row(
        "a product that the gate has still to hear of is archived",
        ARCHIVE,
        "   AND NOT EXISTS (SELECT FROM gate_events e WHERE e.config_id = c.id)\n",
        "",
        STAYS + "[an event]",
    ),
    row(
        "a product with a deadline ahead is archived",
        ARCHIVE,
        "i.wake_at IS NOT NULL AND",
        "i.wake_at IS NULL AND",
        STAYS + "[a deadline]",
    ),
    row(
        "what is over is archived at once",
        ARCHIVE,
        "(c.ends_at <= now() - $1::interval OR",
        "(c.ends_at <= now() AND $1::interval IS NOT NULL OR",
        STAYS + "[a moment ago]",
    ),
    row(
        "what its store has ended is never archived",
        ARCHIVE,
        " OR c.status = 'ENDED' AND c.updated_at <= now() - $1::interval)",
        ")",
        ARCHIVED + "test_what_its_store_has_ended_need_not_wait_for_its_time",
    ),
    row(
        "a product is archived though clicks on it are not rows yet",
        ARCHIVE,
        'if row["over_ms"] < drained_to_ms:',
        "if drained_to_ms:",
        STAYS + "[not drained]",
    ),
    row(
        "Redis never forgets what is archived",
        ARCHIVE,
        "        await self._forget(limit)\n",
        "",
        LEAVES,
    ),
    row(
        "what is archived is forgotten again and again",
        ARCHIVE,
        "SET forgotten_at = now()",
        "SET forgotten_at = NULL",
        ARCHIVED + "test_what_a_closed_shard_could_not_forget_is_forgotten_later",
    ),
    row(
        "what a closed shard could not forget it keeps",
        ARCHIVE,
        "            else:\n                await self._pool.execute(FORGOTTEN",
        "            finally:\n                await self._pool.execute(FORGOTTEN",
        ARCHIVED + "test_what_a_closed_shard_could_not_forget_is_forgotten_later",
    ),
    row(
        "clicks between the end and the gate's hearing of it are not waited for",
        ARCHIVE,
        "greatest(c.warmed_ms, (",
        "greatest(0, (",
        ARCHIVED + "test_what_the_gate_heard_of_late_is_archived_late",
    ),
    row(
        "a process that was frozen keeps what went meanwhile",
        LIVE,
        "now_ms - self._heard_ms[shard] > AGAIN_MS or",
        "now_ms < 0 or",
        ARCHIVED + "test_a_process_that_was_frozen_drops_what_went_meanwhile",
    ),
    row(
        "a process that was frozen over a rebuild keeps what went before it",
        LIVE,
        " or (epoch is not None and epoch != self._epochs[shard])",
        "",
        ARCHIVED + "test_a_rebuild_drops_what_went_before_it",
    ),
    row(
        "an older copy of Redis brings back what is archived",
        RECOVERY,
        "            await drop_others(redis, shard, ids)\n",
        "",
        ARCHIVED + "test_an_older_copy_of_redis_brings_nothing_back",
    ),
    row(
        "a rebuild takes away what it has just loaded",
        "engine/gate/rebuild.py",
        " if name not in kept]",
        "]",
        ARCHIVED + "test_an_older_copy_of_redis_brings_nothing_back",
    ),
    row(
        "who clicks on what Redis has just forgotten hears that it is paused",
        "api/hot/clicks.py",
        "            return await self._forgotten(live.config.id, verb, click.order_id, click.fingerprint)\n",
        "            outcome = Outcome.PAUSED\n",
        ARCHIVED + "test_while_redis_has_still_to_forget_a_repeat_gets_its_first_answer",
    ),
    row(
        "an archived product is none",
        MISSED,
        "            left = await self._pool.fetchval(FIND_CONFIG, config_id)\n",
        "            left = None\n",
        ARCHIVED + "test_an_archived_product_is_shown_from_its_rows",
    ),
    row(
        "a product is forgotten in another epoch",
        FORGET,
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then",
        "if false then",
        ARCHIVED + "test_what_a_closed_shard_could_not_forget_is_forgotten_later",
    ),
    row(
        "people are left in Redis",
        FORGET,
        "redis.call('UNLINK', KEYS[4], KEYS[5])",
        "redis.call('UNLINK', KEYS[4])",
        LEAVES,
    ),
    row(
        "an archived product is announced for ever",
        FORGET,
        "  redis.call('ZREM', KEYS[2], unpack(old))\n",
        "",
        ARCHIVED + "test_that_a_product_has_gone_is_not_announced_for_ever",
    ),
    row(
        "that a product has gone is taken back at once",
        FORGET,
        "now_ms - ARGV[3]",
        "now_ms",
        ARCHIVED + "test_that_a_product_has_gone_is_not_announced_for_ever",
    ),
    row(
        "that a product has gone is not announced",
        FORGET,
        "redis.call('ZADD', KEYS[2], redis.call('ZINCRBY', KEYS[2], 1, '!'), ARGV[2])\n",
        "",
        LEAVES,
    ),
    row(
        "instances of an archived product are announced for ever",
        GATE,
        "                await client.zrem(names[0], *some)\n",
        "                pass\n",
        LEAVES,
    ),
    row(
        "a rebuild brings back what is archived",
        RECOVERY,
        "status <> 'DRAFT' AND archived_at IS NULL ORDER BY id",
        "status <> 'DRAFT' ORDER BY id",
        LEAVES,
    ),
    row(
        "a process that starts loads what is archived",
        "engine/catalog/configs.py",
        "c.status <> 'DRAFT' AND c.archived_at IS NULL)",
        "c.status <> 'DRAFT')",
        LEAVES,
    ),
    row(
        "a process keeps what is archived",
        LIVE,
        "                self._drop(self.configs[config_id])\n",
        "                pass\n",
        LEAVES,
    ),
    row(
        "a process drops what a rebuild is about to bring back",
        LIVE,
        "            elif whole:\n",
        "            else:\n",
        ARCHIVED + "test_a_shard_that_is_being_rebuilt_drops_nothing",
    ),
    row(
        "instances of an archived product stay in memory",
        LIVE,
        "            del self.instances[instance.id]\n\n    async def _load_configs",
        "            pass\n\n    async def _load_configs",
        LEAVES,
    ),
    row(
        "an archived product stays in lists",
        LIVE,
        "        self.shelf.remove(live)\n",
        "",
        LEAVES,
    ),
    row(
        "an archived product that its store ends is told to Redis again",
        LIFE,
        "            if await conn.fetchval(IS_ARCHIVED, config_id):\n",
        "            if False:\n",
        ARCHIVED + "test_a_product_that_its_store_ends_after_that_is_not_told_to_redis",
    ),
    row(
        "an archived product whose playbook has gone is paused",
        LIFE,
        "template_code <> ALL ($1::text[]) AND archived_at IS NULL\nRETURNING",
        "template_code <> ALL ($1::text[])\nRETURNING",
        ARCHIVED + "test_what_is_archived_is_no_product_whose_playbook_is_missing",
    ),
    row(
        "a detail that memory does not have is none",
        "api/hot/reads.py",
        "self._live.instances.get(instance_id) or await self._missed.instance(instance_id)",
        "self._live.instances.get(instance_id)",
        DETAIL,
    ),
    row(
        "what has just been opened is not waited for",
        MISSED,
        "            if not await self._live.caught_up(live.shard):\n                raise Paused\n",
        "",
        ARCHIVED + "test_what_has_just_been_opened_is_there",
        ARCHIVED + "test_while_nobody_can_know_it_is_not_said_that_there_is_none",
    ),
    row(
        "while a shard is closed there is nothing",
        LIVE,
        "        return self._epochs[shard] is not None\n",
        "        return True\n",
        ARCHIVED + "test_while_nobody_can_know_it_is_not_said_that_there_is_none",
    ),
    row(
        "a detail waits for ever for a Redis that is silent",
        LIVE,
        "        except TimeoutError:\n            return False\n        return self._epochs",
        "        except ValueError:\n            return False\n        return self._epochs",
        ARCHIVED + "test_while_nobody_can_know_it_is_not_said_that_there_is_none",
    ),
    row(
        "an archived instance is read from Postgres each time",
        MISSED,
        "            self._archived[instance_id] = instance\n",
        "            pass\n",
        DETAIL,
    ),
    row(
        "archived instances that somebody has looked at pile up",
        MISSED,
        "            while len(self._archived) >= KEPT_MAX:\n",
        "            while False:\n",
        "tests/unit/live/test_missed.py::test_what_was_looked_at_does_not_pile_up",
    ),
    row(
        "a crowd on one old instance asks Postgres once each",
        MISSED,
        "        look = self._looks.get(instance_id)\n",
        "        look = None\n",
        "tests/unit/live/test_missed.py::test_a_crowd_asks_once",
    ),
    row(
        "strangers who guess ids wait without end",
        "engine/core/bounded.py",
        "        if self._inside >= self._inside_max:\n            raise Overloaded\n",
        "",
        "tests/unit/live/test_missed.py::test_more_than_can_be_answered_are_told_so",
    ),
    row(
        "clicks after the end take every connection",
        FIRST_ANSWERS,
        "        async with self._bounds:\n",
        "        if True:\n",
        ARCHIVED + "test_a_crowd_that_comes_after_the_end_takes_few_connections",
    ),
    row(
        "who gave up waiting is counted for ever",
        "engine/core/bounded.py",
        "            self._inside -= 1\n            raise",
        "            raise",
        "tests/unit/core/test_bounded.py::test_who_gives_up_makes_room",
    ),
    row(
        "a closed shard keeps what is over of all others",
        ARCHIVE,
        "ORDER BY random() LIMIT $2",
        "ORDER BY c.ends_at LIMIT $2",
        ARCHIVED + "test_what_cannot_be_forgotten_keeps_nothing_else_waiting",
    ),
    row(
        "who goes away takes the others along",
        MISSED,
        "await asyncio.shield(look)",
        "await look",
        "tests/unit/live/test_missed.py::test_who_goes_away_takes_nobody_along",
    ),
    row(
        "a repeat on an archived product is told that it is over",
        FIRST_ANSWERS,
        "        if row is None:\n            raise Ended\n",
        "        raise Ended\n",
        REPEAT,
    ),
    row(
        "another request of the same id gets the answer of the first",
        FIRST_ANSWERS,
        '        if row["fingerprint"] != fingerprint:\n            raise RequestIdReused\n',
        "",
        REPEAT,
    ),
    row(
        "a click that a fence cancelled is told that it was won",
        FIRST_ANSWERS,
        " AND reason IS DISTINCT FROM 'FENCED'\n",
        "\n",
        ARCHIVED + "test_what_a_fence_cancelled_was_never_won",
    ),
    row(
        "an action on an archived product is told that it is over",
        FIRST_ANSWERS,
        "FROM actions WHERE id = $1",
        "FROM actions WHERE id = $1 AND false",
        ARCHIVED + "test_a_repeated_action_gets_its_first_answer",
    ),
    row(
        "a product that a process has still to hear of is none",
        FIRST_ANSWERS,
        "            if not archived:\n                raise Paused\n",
        "            if not archived:\n                return None\n",
        ARCHIVED + "test_a_product_that_this_process_has_still_to_hear_of_is_paused",
    ),
    row(
        "what is final stays in memory",
        LIVE,
        "        self._drop_final()\n",
        "",
        ARCHIVED + "test_what_is_final_leaves_memory_after_a_while",
    ),
    row(
        "an instance stays listed under the status it had",
        SHELF,
        "([] if was is None else [was.name]) + ([ANY] if now is None else [])",
        "([ANY] if now is None else [])",
        SHELVES + "test_every_list_shows_what_fits_and_nothing_else",
    ),
    row(
        "rows of lists are kept for what is gone",
        SHELF,
        "            if not row:\n                del self._rows[key]\n",
        "",
        SHELVES + "test_every_list_shows_what_fits_and_nothing_else",
    ),
    row(
        "configs of one moment are listed in the order in which they came",
        ENTRIES,
        ':013x}.{config.id}"',
        ':013x}."',
        SHELVES + "test_every_list_shows_what_fits_and_nothing_else",
    ),
)
