"""What has ended leaves Redis, every process' memory and the rebuild of a shard; its rows stay in Postgres.

A product is archived when its sale has been over for `gate.archive_after_s` and nothing can happen to it any more: no
order is held, the gate has followed every decision, no instance waits for its time, and all that was decided before
the gate knew of its end is rows. Postgres notes it first: from then on nobody tells Redis of it, a rebuild leaves it
out, and a click that Redis does not know is answered from the rows. Then Redis forgets it, as often as that takes.
"""

import logging
from datetime import timedelta

import asyncpg
from redis.exceptions import RedisError

from engine.core.errors import Unavailable
from engine.core.logs import SELDOM
from engine.gate.gate import Gate

log = logging.getLogger(__name__)

_OVER = """
       c.archived_at IS NULL AND c.status <> 'DRAFT' AND NOT c.warm_pending
   AND (c.ends_at <= now() - $1::interval OR c.status = 'ENDED' AND c.updated_at <= now() - $1::interval)
   AND NOT EXISTS (SELECT FROM orders o WHERE o.config_id = c.id AND o.status = 'HELD')
   AND NOT EXISTS (SELECT FROM gate_events e WHERE e.config_id = c.id)
   AND NOT EXISTS (SELECT FROM instances i
                    WHERE i.config_id = c.id AND i.wake_at IS NOT NULL AND i.status IN ('PENDING', 'ACTIVE'))
"""
# In no order, so that products of a shard that is closed do not keep the others waiting.
OVER = f"""
SELECT c.id, c.shard, greatest(c.warmed_ms, (extract(epoch FROM CASE c.status WHEN 'ENDED' THEN c.updated_at
                                                                ELSE c.ends_at END) * 1000)::bigint) AS over_ms
  FROM play_configs c WHERE {_OVER} ORDER BY random() LIMIT $2
"""  # noqa: S608  # of constants
# Whoever rebuilds the shard has its row FOR UPDATE: what is archived here is not being read there.
LOCK_SHARD = "SELECT 1 FROM shards WHERE id = $1 FOR SHARE"
LOCK = f"SELECT 1 FROM play_configs c WHERE c.id = $2 AND {_OVER} FOR NO KEY UPDATE"  # noqa: S608  # of constants
ARCHIVE = "UPDATE play_configs SET archived_at = now() WHERE id = $1"
TO_FORGET = """
SELECT id, shard FROM play_configs WHERE archived_at IS NOT NULL AND forgotten_at IS NULL ORDER BY random() LIMIT $1
"""
FORGOTTEN = "UPDATE play_configs SET forgotten_at = now() WHERE id = $1"


class Archive:
    """Archives what has ended; any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, gate: Gate, after_s: int) -> None:
        self._pool = pool
        self._gate = gate
        self._after = timedelta(seconds=after_s)

    async def archive_ended(self, limit: int) -> int:
        """Look at up to `limit` products that are over; how many are archived now."""
        over: dict[int, list[asyncpg.Record]] = {}
        for row in await self._pool.fetch(OVER, self._after, limit):
            over.setdefault(row["shard"], []).append(row)
        archived = 0
        for shard, rows in over.items():
            try:
                drained_to_ms = await self._gate.drained_to_ms(shard)
                for row in rows:
                    if row["over_ms"] < drained_to_ms:
                        archived += await self._archive(row["id"], shard)
            except (RedisError, OSError) as error:
                log.warning("shard %d: what is over cannot be archived yet: %r", shard, error, extra=SELDOM)
        await self._forget(limit)
        return archived

    async def _archive(self, config_id: str, shard: int) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_SHARD, shard)
            if not await connection.fetchval(LOCK, self._after, config_id):
                return False
            await connection.execute(ARCHIVE, config_id)
        return True

    async def _forget(self, limit: int) -> None:
        for row in await self._pool.fetch(TO_FORGET, limit):
            try:
                await self._gate.forget(row["shard"], row["id"])
            except Unavailable as error:
                log.warning("shard %d: what is archived cannot be forgotten yet: %r", row["shard"], error, extra=SELDOM)
            else:
                await self._pool.execute(FORGOTTEN, row["id"])
