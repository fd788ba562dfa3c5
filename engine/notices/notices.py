"""Messages that playbooks promised to people: queued in Postgres, handed to a messenger when they are due."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import asyncpg
from asyncpg.pool import PoolConnectionProxy

log = logging.getLogger("wanfa.notices")

TRIES_MAX = 5
TRY_AGAIN = timedelta(minutes=1)  # an attempt that failed, or that nobody reported on, is made again after this
LATE_MAX = timedelta(hours=1)  # nobody wants to hear by then
SENDS_AT_ONCE = 64
SEND_TIMEOUT_S = 1.5

DROP = """
UPDATE notices SET status = 'DROPPED'
 WHERE status = 'QUEUED' AND due_at <= now()
   AND (due_at < now() - $1::interval OR (attempts >= $2 AND attempted_at <= now() - $3::interval))
"""
# Of what is not on sale any more, nobody is reminded.
DROP_STALE = """
UPDATE notices SET status = 'DROPPED'
  FROM play_configs c
 WHERE notices.status = 'QUEUED' AND due_at <= now() AND c.id = config_id AND c.status <> 'PUBLISHED'
"""
CLAIM_DUE = """
UPDATE notices SET attempts = attempts + 1, attempted_at = now()
 WHERE (source, number) IN (
     SELECT source, number FROM notices
      WHERE status = 'QUEUED' AND due_at <= now() AND attempts < $2
        AND (attempted_at IS NULL OR attempted_at <= now() - $3::interval)
      ORDER BY due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING source, number, user_id, topic, config_id, instance_id, attempts
"""
SENT = "UPDATE notices SET status = 'SENT' WHERE source = $1 AND number = $2 AND status = 'QUEUED'"


QUEUE = """
INSERT INTO notices (source, number, config_id, instance_id, user_id, topic, due_at)
SELECT source, number, config_id, config_id || '.' || suffix, user_id, topic, to_timestamp(due_ms::float8 / 1000)
  FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
    AS n(source, number, config_id, suffix, user_id, topic, due_ms)
ON CONFLICT (source, number) DO NOTHING
"""


class Messenger(Protocol):
    """The port to whoever reaches people: a mini-program's subscription messages, text messages …"""

    async def send(self, user: str, topic: str, config_id: str, instance_id: str) -> None:
        """Tell the user; the same message again is safe. Whatever it raises, it is tried again later."""
        ...


class LogMessenger:
    """The messenger of development: says in the log whom it would have told what."""

    async def send(self, user: str, topic: str, config_id: str, instance_id: str) -> None:
        """One line."""
        log.info("notice to %s: %s of %s (%s)", user, topic, config_id, instance_id)


async def queue(connection: PoolConnectionProxy, columns: Sequence[Sequence[Any]]) -> None:
    """Notices that steps have promised, each once. Columns: source, number, config id, suffix, user, topic, due ms."""
    await connection.execute(QUEUE, *columns)


class Notices:
    """Sends what is due; any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, messenger: Messenger) -> None:
        self._pool = pool
        self._messenger = messenger
        self._sends = asyncio.Semaphore(SENDS_AT_ONCE)

    async def send_due(self, limit: int) -> int:
        """Hand over up to `limit` notices that are due, drop what is hopeless; how many were sent. For the worker."""
        dropped = (await self._pool.execute(DROP, LATE_MAX, TRIES_MAX, TRY_AGAIN)).rpartition(" ")[2]
        if dropped != "0":
            log.error("%s notices are dropped: too late, or nobody takes them", dropped)
        await self._pool.execute(DROP_STALE)
        due = await self._pool.fetch(CLAIM_DUE, limit, TRIES_MAX, TRY_AGAIN)
        return sum(await asyncio.gather(*map(self._send, due)))

    async def _send(self, row: asyncpg.Record) -> bool:
        async with self._sends:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._messenger.send(row["user_id"], row["topic"], row["config_id"], row["instance_id"])
            except Exception:  # one that can't be sent keeps no other waiting
                log.exception("notice %s/%d to %s, attempt %d", *row[:3], row["attempts"])
                return False
        await self._pool.execute(SENT, row["source"], row["number"])
        return True
