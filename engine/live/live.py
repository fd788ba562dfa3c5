"""The in-process snapshot of what is on sale: every read and every click looks here first.

One task a process asks Redis what has changed since it last asked and reads just that: so refreshing
is single flight by construction, and reads cost Redis nothing however many there are. Titles and prices
come from Postgres and never change once published; everything that moves comes from Redis.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.catalog.configs import load_play_configs
from engine.core import ids
from engine.core.logs import SELDOM
from engine.core.tasks import end_tasks
from engine.gate import keys
from engine.gate.records import HeadStatus
from engine.live.entries import LiveConfig, LiveInstance
from engine.live.shelf import Shelf
from engine.live.view import InstanceState
from engine.sdk import Playbook, Status

log = logging.getLogger("wanfa.live")

PAGE = 5000  # changes read at once; more than ever share one change number
UNSEEN_TRIES_MAX = 200  # polls that an announced config may take to become visible in Postgres
FINAL_KEPT_S = 600.0  # an instance that is final leaves memory after this; who asks for it then asks Postgres
CATCH_UP_S = 1.0
AGAIN_MS = 600_000  # after so long a silence all that is in memory is read again; below GONE_KEPT_MS of the gate
FRESH_MS = 400  # after this long without an answer from Redis, nothing is refused from memory; below gate.reopen_ms

FINAL = frozenset({Status.SUCCESS, Status.FAILED})

_decode = msgspec.msgpack.Decoder().decode


class Live:
    """The snapshot and the task that keeps it fresh."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        redis: Redis,
        playbooks: Mapping[str, Playbook],
        shards: int,
        refresh_ms: int,
    ) -> None:
        self.configs: dict[str, LiveConfig] = {}
        self.instances: dict[str, LiveInstance] = {}
        self.shelf = Shelf()
        self.version = 0  # raised by every change; what was built from an older one is stale
        self._pool = pool
        self._redis = redis
        self._playbooks = playbooks
        self._refresh_s = refresh_ms / 1000
        self._read_to = [0.0] * shards
        self._refreshed_at = [0.0] * shards
        self._clock_offset_ms = time.time() * 1000 - time.monotonic() * 1000
        self._heard_ms = [0] * shards  # Redis' time as of its last answer
        self._epochs: list[bytes | None] = [None] * shards
        self._heard = [asyncio.Event() for _ in range(shards)]  # of the next answer of Redis
        self._unseen: list[dict[str, int]] = [{} for _ in range(shards)]
        self._final: deque[tuple[float, LiveInstance]] = deque()  # since when, the longest first
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Read everything once, then keep reading what changes."""
        await self._load_configs(None)
        for shard in range(len(self._read_to)):
            self._spawn(self._follow(shard))

    async def close(self) -> None:
        """Stop reading."""
        await end_tasks(list(self._tasks))

    def now_ms(self) -> int:
        """Redis' time, to within a refresh; never this host's."""
        return int(time.monotonic() * 1000 + self._clock_offset_ms)

    def fresh(self, shard: int) -> bool:
        """Whether the snapshot of a shard is young enough to refuse a click by."""
        return (time.monotonic() - self._refreshed_at[shard]) * 1000 < FRESH_MS

    def sold_out(self, live: LiveConfig, user: str) -> bool:
        """Whether this user may be told SOLD_OUT without asking Redis.

        Someone with a click on record must be asked for there: a repeated click gets its first answer. Nobody
        can have got one that we don't know of: units that come back wait `gate.reopen_ms` before they are
        sold, and by then we have either heard of them or are not fresh any more.
        """
        if live.left > 0 or live.head_status == 0 or not self.fresh(live.shard):
            return False
        if live.holders is None:
            if not live.loading:
                live.loading = True  # here: a crowd comes before the task has begun
                self._spawn(self._load_holders(live))
            return False
        return user not in live.holders

    async def refresh(self, shard: int) -> None:
        """Read what has changed on one shard. Raises RedisError or OSError."""
        lowest = self._read_to[shard]
        asked_at = time.monotonic()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.execute_command("TIME")
            pipe.execute_command(
                "ZRANGE", keys.changed(shard), f"({lowest:.0f}", "+inf", "BYSCORE", "LIMIT", 0, PAGE, "WITHSCORES"
            )
            pipe.execute_command("GET", keys.epoch(shard))
            (seconds, microseconds), changes, epoch = await pipe.execute()
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        self._clock_offset_ms = now_ms - time.monotonic() * 1000
        scored = _pairs(changes)
        wanted = {member for member, _score in scored if member != "!"} | {*self._unseen[shard]}
        if self._missed(shard, now_ms, epoch):
            wanted.update(one.config.id for one in self.configs.values() if one.shard == shard)
        if wanted or scored:
            await self._read(shard, wanted, epoch)
            self.version += 1
        self._heard_ms[shard] = now_ms
        if scored:
            highest = max(score for _member, score in scored)
            self._read_to[shard] = highest - 1 if len(scored) == PAGE else highest
        self._refreshed_at[shard] = asked_at
        self._epochs[shard] = epoch
        self._drop_final()
        heard, self._heard[shard] = self._heard[shard], asyncio.Event()
        heard.set()

    def _missed(self, shard: int, now_ms: int, epoch: bytes | None) -> bool:
        """Whether a config may be archived without this process having heard: it was frozen, or the shard rebuilt."""
        return now_ms - self._heard_ms[shard] > AGAIN_MS or (epoch is not None and epoch != self._epochs[shard])

    async def caught_up(self, shard: int) -> bool:
        """Wait until all that Redis had decided by now is in memory.

        False when Redis does not answer, or when the shard is closed: then it may not have everything itself.
        """
        since = time.monotonic()
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while self._refreshed_at[shard] < since:
                    await self._heard[shard].wait()
        except TimeoutError:
            return False
        return self._epochs[shard] is not None

    def admit(self, live: LiveConfig, suffix: str, state: InstanceState) -> LiveInstance:
        """Have an instance in memory, in this state."""
        instance_id = ids.instance_id(live.config.id, suffix)
        instance = self.instances.get(instance_id)
        was = instance.state.status if instance else None
        if instance is None:
            instance = LiveInstance(instance_id, live, state)
            self.instances[instance_id] = live.instances[suffix] = instance
        instance.state = state
        instance.valid_until_ms = 0
        self.shelf.file(live, suffix, was, state.status)
        if state.status in FINAL and was not in FINAL:
            self._final.append((time.monotonic(), instance))
        self.version += 1
        return instance

    async def _follow(self, shard: int) -> None:
        while True:
            try:
                await self.refresh(shard)
            except (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("shard %d cannot be read: %s", shard, error, extra=SELDOM)
                await asyncio.sleep(self._refresh_s * 4)
            except Exception:
                # A process whose reads stand still must not look healthy, so this is loud and tries on.
                log.exception("shard %d: refreshing failed", shard, extra=SELDOM)
                await asyncio.sleep(self._refresh_s * 4)
            await asyncio.sleep(self._refresh_s)

    async def _read(self, shard: int, members: set[str], epoch: bytes | None) -> None:
        """Read the named configs and instances again, of a shard that was open in `epoch` a moment ago."""
        by_config: dict[str, list[str]] = {}
        for member in members:
            config_id, _dot, suffix = member.partition(".")
            suffixes = by_config.setdefault(config_id, [])
            if suffix:
                suffixes.append(suffix)
            elif config_id in self.configs:
                self.configs[config_id].holders = None  # units moved, perhaps to someone new
                self.configs[config_id].taken += 1
        if unknown := [config_id for config_id in by_config if config_id not in self.configs]:
            await self._load_configs(unknown)
        for config_id, suffixes in by_config.items():
            self._note_unseen(shard, config_id, suffixes)
        known = {config_id: suffixes for config_id, suffixes in by_config.items() if config_id in self.configs}
        async with self._redis.pipeline(transaction=False) as pipe:
            for config_id, suffixes in known.items():
                pipe.execute_command("HMGET", keys.cells(shard, config_id), "head", "left", "reopens", *suffixes)
            pipe.execute_command("GET", keys.epoch(shard))
            *found, epoch_now = await pipe.execute()
        whole = epoch is not None and epoch == epoch_now  # nobody rebuilds it: what is not there is archived
        for (config_id, suffixes), values in zip(known.items(), found, strict=True):
            if values[0] is not None and values[1] is not None:
                self._apply(self.configs[config_id], suffixes, *values)
            elif whole:
                self._drop(self.configs[config_id])

    def _note_unseen(self, shard: int, config_id: str, suffixes: Iterable[str]) -> None:
        """Redis may hear of a config a moment before its row is visible: ask again at the next refresh."""
        members = [config_id, *(f"{config_id}.{suffix}" for suffix in suffixes)]
        unseen = self._unseen[shard]
        for member in members:
            tries = unseen.pop(member, 0)
            if config_id not in self.configs and tries < UNSEEN_TRIES_MAX:
                unseen[member] = tries + 1

    def _apply(
        self,
        live: LiveConfig,
        suffixes: list[str],
        head: bytes,
        left: bytes,
        reopens: bytes | None,
        *cells: bytes | None,
    ) -> None:
        head_status: int = _decode(head)["status"]
        if live.missing and head_status == HeadStatus.PUBLISHED:
            head_status = HeadStatus.PAUSED  # nothing can be done with it, whether a worker has paused it yet or not
        units, live.reopens_ms = int(left), int(reopens or 0)
        if (head_status, units) != (live.head_status, live.left):
            live.head_status, live.left = head_status, units
            self.shelf.sell(live)
            live.guarded = units == 0 or self.now_ms() < live.starts_ms
            for instance in live.instances.values():
                instance.valid_until_ms = 0
        for suffix, packed in zip(suffixes, cells, strict=True):
            if packed is not None:
                cells_now = _decode(packed)
                status, current, target = Status(cells_now["status"]), cells_now["current"], cells_now["target"]
                self.admit(live, suffix, InstanceState(status, current, target, cells_now))

    def _drop_final(self) -> None:
        """Let go of instances that have been final for a while."""
        while self._final and time.monotonic() - self._final[0][0] > FINAL_KEPT_S:
            _, instance = self._final.popleft()
            live, suffix = instance.config, ids.split_instance_id(instance.id)[1]
            if self.instances.get(instance.id) is instance and instance.state.status in FINAL:
                del self.instances[instance.id], live.instances[suffix]
                self.shelf.file(live, suffix, instance.state.status, None)
                self.version += 1

    def _drop(self, live: LiveConfig) -> None:
        """Let go of a config that is archived."""
        self.shelf.remove(live)
        del self.configs[live.config.id]
        for instance in live.instances.values():
            del self.instances[instance.id]

    async def _load_configs(self, config_ids: list[str] | None) -> None:
        for config in await load_play_configs(self._pool, config_ids, live_only=True):
            if config.id not in self.configs:
                self.configs[config.id] = LiveConfig(config, self._playbooks.get(config.template_code))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load_holders(self, live: LiveConfig) -> None:
        taken = live.taken
        holders: set[str] = set()
        key, cursor = keys.people(live.shard, live.config.id), 0
        try:
            while True:
                # By the client's own method: otherwise it takes the names for pairs of name and value.
                cursor, users = await self._redis.hscan(key, cursor, count=2000, no_values=True)
                holders.update(user.decode() for user in users)
                if cursor == 0:
                    break
            if live.taken == taken:
                live.holders = holders
        except (RedisError, OSError) as error:
            log.warning("who holds %s cannot be read: %s", live.config.id, error, extra=SELDOM)
        finally:
            live.loading = False


def _pairs(flat: list[Any]) -> list[tuple[str, float]]:
    """RESP2 answers WITHSCORES as one flat list, RESP3 as pairs."""
    if flat and isinstance(flat[0], list):
        return [(member.decode(), float(score)) for member, score in flat]
    return [(member.decode(), float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]
