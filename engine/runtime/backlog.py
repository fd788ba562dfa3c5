"""Whether the shards are drained: whose oldest entry waits for how long, and which have no owner.

What a click was told is safe in Redis meanwhile; but no order can be paid for before it is a row.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import asyncpg
from redis.asyncio import Redis

from engine.gate import keys
from engine.stream.ownership import LOCK_SPACE

log = logging.getLogger("wanfa.backlog")

LATE_S = 5.0  # a drain takes some milliseconds; a worker that died is replaced sooner than this
LOOK_S = 1.0
SAY_EVERY_S = 60.0

# Those of a worker that is frozen are among them until Postgres ends its session.
OWNED = """
SELECT objid::int AS shard FROM pg_locks
 WHERE locktype = 'advisory' AND classid::bigint = $1 AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Backlog:
    """Looks at the streams and at the locks of their owners."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis, shards: int) -> None:
        self._pool = pool
        self._redis = redis
        self._shards = range(shards)
        self._said_at: dict[int, float] = {}

    async def late(self) -> dict[int, float]:
        """Shard -> how many seconds its oldest entry has waited, where that is more than LATE_S. Raises RedisError."""
        ages = await asyncio.gather(*(self._age_s(shard) for shard in self._shards))
        return {shard: age for shard, age in zip(self._shards, ages, strict=True) if age > LATE_S}

    async def unowned(self) -> list[int]:
        """Shards that no worker has taken."""
        owned = {row["shard"] for row in await self._pool.fetch(OWNED, LOCK_SPACE)}
        return [shard for shard in self._shards if shard not in owned]

    async def dead(self) -> int:
        """How many entries were set aside because they could not be made rows."""
        return int(await self._pool.fetchval("SELECT count(*) FROM dead_intents"))

    async def watch(self) -> None:
        """Say in the log which shards are not drained, once a minute each, and when they are again. For the worker."""
        while True:
            self._say(await self.late())
            await asyncio.sleep(LOOK_S)

    async def _age_s(self, shard: int) -> float:
        """By Redis' own clock: the id of an entry is the time at which it was written."""
        entries = await self._redis.xrange(keys.intents(shard), count=1)
        if not entries:
            return 0
        told: Any = await self._redis.time()
        moments = told.values() if isinstance(told, dict) else [told]  # of each node of a cluster
        now_s = min(seconds + microseconds / 1e6 for seconds, microseconds in moments)
        return float(now_s - int(entries[0][0].split(b"-")[0]) / 1000)

    def _say(self, late: Mapping[int, float]) -> None:
        now = time.monotonic()
        for shard in [shard for shard in self._said_at if shard not in late]:
            del self._said_at[shard]
            log.warning("shard %d is drained again", shard)
        for shard, age_s in late.items():
            if now - self._said_at.get(shard, -SAY_EVERY_S) >= SAY_EVERY_S:
                self._said_at[shard] = now
                log.error("shard %d is not drained: its oldest entry has waited for %.0f s", shard, age_s)
