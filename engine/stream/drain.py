"""A shard's stream, drained into Postgres: read, commit, and only then acknowledge.

An entry leaves the stream after the commit that made it rows, so whatever dies in between, it is read
again and applied again, which changes nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine.core.errors import ShardUnknown
from engine.core.logs import SELDOM
from engine.core.settings import OrdersSettings
from engine.core.transact import UNDONE, UNREACHABLE
from engine.gate import keys
from engine.stream.apply import Applier
from engine.stream.intents import Entry, decode

log = logging.getLogger("wanfa.stream")

GROUP = "orders"
BLOCK_MS = 500
# A transaction costs as much as a hundred orders: after one that was not full, let some more gather.
GATHER_S = 0.02
BACK_OFF_MIN_S = 0.05
BACK_OFF_MAX_S = 2.0
POISON_WAIT_S = 0.2  # between two tries of an entry that cannot be applied

SET_ASIDE = """
INSERT INTO dead_intents (shard, entry_id, payload, error) VALUES ($1, $2, $3, $4)
ON CONFLICT (shard, entry_id) DO NOTHING
"""

# The tables are not those that our statements were written for: a migration has overtaken this worker.
OVERTAKEN = (asyncpg.SyntaxOrAccessError, asyncpg.InvalidCachedStatementError)
# Not the entry's fault: it is tried again for as long as it takes.
LATER = (*UNREACHABLE, *UNDONE, *OVERTAKEN, ShardUnknown)

# An entry as redis-py gives it.
Raw = tuple[bytes, dict[bytes, bytes]]


class Drain:
    """Drains one shard under the name `consumer`. Only its owner does (ownership.py); twice changes nothing."""

    def __init__(
        self,
        *,
        shard: int,
        redis: Redis,
        pool: asyncpg.Pool,
        applier: Applier,
        settings: OrdersSettings,
        consumer: str,
    ) -> None:
        self.shard = shard
        self._redis = redis
        self._pool = pool
        self._applier = applier
        self._settings = settings
        self._consumer = consumer
        self._stream = keys.intents(shard)

    async def run(self) -> None:
        """Drain until cancelled. Raises RedisError when Redis is away."""
        await self.join()
        await self.take_over(0)
        while True:
            read = await self.step(BLOCK_MS)
            if 0 < read < self._settings.drain_entries_max:
                await asyncio.sleep(GATHER_S)

    async def join(self) -> None:
        """Make the group if there is none; it begins with the oldest entry there is."""
        try:
            await self._redis.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def step(self, block_ms: int | None = None) -> int:
        """Read what is new, persist it, acknowledge it; how many entries it was."""
        try:
            answer = await self._redis.xreadgroup(
                GROUP, self._consumer, {self._stream: ">"}, count=self._settings.drain_entries_max, block=block_ms
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.join()
            return 0
        raws: list[Raw] = answer[0][1] if answer else []
        await self.persist(raws)
        return len(raws)

    async def take_over(self, idle_ms: int) -> int:
        """Persist entries that were read at least `idle_ms` ago and never acknowledged; how many it were."""
        taken, start = 0, b"0-0"
        while True:
            start, raws, _deleted = await self._redis.xautoclaim(
                self._stream, GROUP, self._consumer, idle_ms, start, count=self._settings.drain_entries_max
            )
            if worn_out := await self._worn_out(raws):
                raws = [raw for raw in raws if raw[0] not in worn_out]
            await self.persist(raws)
            taken += len(raws)
            if start == b"0-0":
                await self._forget_consumers()
                return taken

    async def persist(self, raws: Sequence[Raw]) -> None:
        """Persist entries that were read, then acknowledge them. Waits for Postgres for as long as it takes."""
        if not raws:
            return
        try:
            entries = [decode(*raw) for raw in raws]
            await self._apply(entries)
        except (asyncpg.PostgresError, ValueError, KeyError) as error:
            if len(raws) == 1:
                await self._suspect(raws[0], error)
                return
            log.exception("shard %d: one of %d entries cannot be applied; trying each", self.shard, len(raws))
            for raw in raws:
                await self.persist([raw])
            return
        await self._acknowledge([raw[0] for raw in raws])

    async def _apply(self, entries: Sequence[Entry]) -> None:
        wait_s = BACK_OFF_MIN_S
        while True:
            try:
                await self._applier.apply(self.shard, entries)
            except LATER as error:
                log.warning(
                    "shard %d: Postgres cannot be written to, trying again: %r", self.shard, error, extra=SELDOM
                )
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, BACK_OFF_MAX_S)
            else:
                return

    async def _acknowledge(self, entry_ids: Sequence[bytes]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.xack(self._stream, GROUP, *entry_ids)
        pipe.xdel(self._stream, *entry_ids)
        await pipe.execute()

    async def _suspect(self, raw: Raw, error: Exception) -> None:
        """An entry that cannot be applied is tried a few times, counted by the stream itself, then set aside."""
        entry_id = raw[0]
        if await self._deliveries(entry_id) >= self._settings.deliveries_max:
            await self._set_aside(raw, repr(error))
            return
        log.error("shard %d: entry %s cannot be applied: %r", self.shard, entry_id.decode(), error)
        await asyncio.sleep(POISON_WAIT_S)
        await self._redis.xclaim(self._stream, GROUP, self._consumer, 0, [entry_id])
        await self.persist([raw])

    async def _worn_out(self, raws: Sequence[Raw]) -> set[bytes]:
        """Set aside those that were delivered too often: perhaps they kill whoever reads them."""
        worn_out = set()
        for raw in raws:
            if await self._deliveries(raw[0]) > self._settings.deliveries_max:
                await self._set_aside(raw, "delivered too often")
                worn_out.add(raw[0])
        return worn_out

    async def _deliveries(self, entry_id: bytes) -> int:
        pending: list[dict[str, Any]] = await self._redis.xpending_range(self._stream, GROUP, entry_id, entry_id, 1)
        return int(pending[0]["times_delivered"]) if pending else 0

    async def _set_aside(self, raw: Raw, error: str) -> None:
        entry_id, fields = raw
        log.error("shard %d: entry %s is set aside as a dead letter: %s", self.shard, entry_id.decode(), error)
        await self._pool.execute(SET_ASIDE, self.shard, entry_id.decode(), fields.get(b"p", b""), error)
        await self._acknowledge([entry_id])

    async def _forget_consumers(self) -> None:
        """Remove the names of workers that are gone and left nothing."""
        consumers: list[dict[str, Any]] = await self._redis.xinfo_consumers(self._stream, GROUP)
        for consumer in consumers:
            if consumer["name"] != self._consumer.encode() and not consumer["pending"] and consumer["idle"] > 60_000:
                await self._redis.xgroup_delconsumer(self._stream, GROUP, consumer["name"])
