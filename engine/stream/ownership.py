"""Each shard has one owner among all workers: whoever holds its advisory lock in Postgres.

The owner recovers the shard when it is not open, and drains it while it is. One at a time, and in
the order of the stream, so that what Postgres has is always a beginning of what Redis did: were entry 8
committed before entry 7, a Redis that lost both would be rebuilt from half a history.
When an owner dies its session ends, the lock is free, and another worker goes on with what it left.
"""

import asyncio
import logging
import os
import secrets
import socket
from contextlib import suppress

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.core.logs import SELDOM
from engine.core.settings import Settings
from engine.core.tasks import end_tasks
from engine.core.transact import UNREACHABLE
from engine.stream.apply import Applier
from engine.stream.drain import Drain
from engine.stream.recovery import Recovery, make_shards

log = logging.getLogger("wanfa.stream")

LOCK_SPACE = 0x77616E66  # "wanf": our advisory locks are (this, shard)
WATCH_S = 0.25
NEXT_SHARD_S = 0.02  # one at a time, so workers that start together share them out
BACK_OFF_S = 0.5

AWAY = (*UNREACHABLE, RedisError)

TRY_LOCK = "SELECT pg_try_advisory_lock($1, $2)"


class ShardOwner:
    """Owns as many shards as nobody else does."""

    def __init__(
        self, *, pool: asyncpg.Pool, redis: Redis, recovery: Recovery, applier: Applier, settings: Settings
    ) -> None:
        self._pool = pool
        self._redis = redis
        self._settings = settings
        self._applier = applier
        self._recovery = recovery
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._owned: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Own shards until cancelled. Raises when the session that holds the locks is lost. For the worker."""
        await make_shards(self._pool, self._settings.gate.shards)
        async with self._pool.acquire() as connection:
            # A worker that hangs loses its locks; one that lives asks something every WATCH_S.
            await connection.execute(f"SET idle_session_timeout = {self._settings.orders.drain_idle_ms}")
            try:
                while True:
                    took = await self._take_one(connection)
                    await asyncio.sleep(NEXT_SHARD_S if took else WATCH_S)
            finally:
                await self._stop()
                with suppress(*UNREACHABLE):  # the session is lost, and the locks with it
                    await connection.execute("SELECT pg_advisory_unlock_all(); RESET idle_session_timeout")

    def drain(self, shard: int) -> Drain:
        """A drain of the shard in this worker's name."""
        return Drain(
            shard=shard,
            redis=self._redis,
            pool=self._pool,
            applier=self._applier,
            settings=self._settings.orders,
            consumer=self._name,
        )

    async def _take_one(self, connection: PoolConnectionProxy) -> bool:
        """Begin to own one more shard; False when somebody has each of them."""
        for shard in range(self._settings.gate.shards):
            if shard not in self._owned and await connection.fetchval(TRY_LOCK, LOCK_SPACE, shard):
                self._owned[shard] = asyncio.create_task(self._serve(shard), name=f"owner-{shard}")
                return True
        await connection.fetchval("SELECT 1")
        return False

    async def _serve(self, shard: int) -> None:
        while True:
            try:
                await self._serve_open(shard)
            except AWAY as error:
                log.warning("shard %d: a server is away, trying again: %r", shard, error, extra=SELDOM)
            except Exception:
                # Whatever it was, nobody else may own the shard while the lock is ours.
                log.exception("shard %d: trying again", shard, extra=SELDOM)
            else:
                continue
            await asyncio.sleep(BACK_OFF_S)

    async def _serve_open(self, shard: int) -> None:
        """Open the shard if it is not, then drain it for as long as it stays open."""
        if not await self._recovery.is_open(shard):
            await self._recovery.recover(shard, self.drain(shard))
        draining = asyncio.create_task(self.drain(shard).run(), name=f"drain-{shard}")
        try:
            while not draining.done():
                await asyncio.wait({draining}, timeout=WATCH_S)
                if not await self._recovery.is_open(shard):
                    log.warning("shard %d is not open any more", shard)
                    return
            draining.result()
        finally:
            await end_tasks([draining])

    async def _stop(self) -> None:
        owned, self._owned = self._owned, {}
        await end_tasks(owned.values())
