"""The gate: one lane a shard, and the few calls the rest of the engine makes of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.core.errors import Paused
from engine.core.ids import instance_id
from engine.core.settings import GateSettings
from engine.gate import keys
from engine.gate.failures import StepFailures
from engine.gate.lane import Lane
from engine.gate.lua import compose_alone, sha
from engine.gate.rebuild import chunks
from engine.gate.records import EffectState, read_person
from engine.gate.wire import Click, Reply, event, reply_of

GONE_KEPT_MS = 3_600_000  # a process that asks less often reads all that it has again (engine/live/live.py)


class Gate:
    """Decides clicks and events by `script`. `epoch_of(shard)` reads the shard's epoch from Postgres."""

    def __init__(
        self,
        *,
        url: str,
        redis: Redis,
        script: str,
        settings: GateSettings,
        epoch_of: Callable[[int], Awaitable[int]],
    ) -> None:
        self._redis = redis
        self._epoch_of = epoch_of
        self.reopen_ms = settings.reopen_ms
        self.source = script
        self.sha = sha(script)
        self._warm_source, self._forget_source = compose_alone("warm"), compose_alone("forget")
        failures = StepFailures()
        self.lanes = [Lane(shard, url, self.sha, settings, epoch_of, failures) for shard in range(settings.shards)]

    def start(self) -> None:
        """Start the lanes; a lane is open as soon as a worker has opened its shard."""
        for lane in self.lanes:
            lane.start()

    async def close(self) -> None:
        """Stop the lanes."""
        await asyncio.gather(*(lane.close() for lane in self.lanes))

    async def click(
        self,
        shard: int,
        config_id: str,
        verb: str,
        suffix: str,
        user: str,
        order_id: str,
        fingerprint: int,
        quantity: int,
        request_id: str,
        extra: Any = None,
    ) -> Reply:
        """Decide a consumer's click. Raises Overloaded, or Paused when the outcome is unknown: retry it.

        `extra`: facts by name for a config that asks for them.
        """
        click = Click(config_id, verb, suffix, user, order_id, fingerprint, quantity, request_id, extra)
        return reply_of(await self.lanes[shard].submit(click))

    async def event(
        self,
        shard: int,
        config_id: str,
        kind: str,
        suffix: str,
        user: str,
        order_id: str,
        quantity: int,
        extra: Any = None,
    ) -> Reply:
        """Tell Redis what Postgres decided: `paid`, `released` or `late` for an order, `deadline` for an instance.

        `extra` of `late`: the instances that may take it in; of `released`: the state Postgres believes it to be in.
        Safe to repeat. Raises Overloaded or Paused: send it again later.
        """
        told = event(config_id, kind, suffix, user, order_id, quantity, extra)
        return reply_of(await self.lanes[shard].submit(told))

    async def warm(self, shard: int, config_id: str, head: bytes, stock: int, sessions: Mapping[str, bytes]) -> int:
        """Make a config known, or renew its head; what has been sold stays. When that was, by Redis' clock in ms.

        Raises Paused while closed.
        """
        words: list[Any] = [await self._epoch_of(shard), config_id, head, stock]
        for suffix, cells in sessions.items():
            words += [suffix, cells]
        names = keys.epoch(shard), keys.changed(shard), keys.cells(shard, config_id)
        try:
            # Fenced by the epoch it carries, so here the source may travel with the call.
            heard_ms: int = await self._redis.execute_command("EVAL", self._warm_source, len(names), *names, *words)
        except (RedisError, OSError) as error:
            raise Paused(cause=str(error)) from error
        return heard_ms

    async def opened_by(self, shard: int, config_id: str, user: str) -> str | None:
        """The suffix of the newest instance of the config that the person opened and that was not given back.

        As Redis knows it now; raises RedisError or OSError when that cannot be asked.
        """
        reading: Any = self._redis.hget(keys.people(shard, config_id), user)
        field: bytes | None = await reading
        _mine, effects = read_person(field) if field else ({}, [])
        own = (one for one in reversed(effects) if one.suffix == one.key and one.state != EffectState.RELEASED)
        return next((one.suffix for one in own), None)

    async def forget(self, shard: int, config_id: str) -> None:
        """Take away all that Redis holds of a config that is archived, and have every process hear of it.

        Raises Paused while the shard is closed.
        """
        names = keys.changed(shard), keys.gone(shard), keys.cells(shard, config_id), keys.people(shard, config_id)
        client: Any = self._redis
        try:
            suffixes = [field.decode() for field in await client.hkeys(names[2])]
            for some in chunks(instance_id(config_id, suffix) for suffix in suffixes):
                await client.zrem(names[0], *some)
            words = await self._epoch_of(shard), config_id, GONE_KEPT_MS
            await client.execute_command("EVAL", self._forget_source, 5, keys.epoch(shard), *names, *words)
        except (RedisError, OSError) as error:
            raise Paused(cause=str(error)) from error

    async def drained_to_ms(self, shard: int) -> int:
        """All that Redis had decided before this moment of its clock is rows. Raises RedisError, OSError."""
        client: Any = self._redis
        async with client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.xrange(keys.intents(shard), count=1)
            (seconds, microseconds), entries = await pipe.execute()
        return int(entries[0][0].split(b"-")[0]) if entries else seconds * 1000 + microseconds // 1000

    async def load_script(self) -> None:
        """Part of a recovery, and of nothing else: an unknown script is the sign of a restart."""
        await self._redis.script_load(self.source)

    async def knows_script(self) -> bool:
        """Whether Redis has not been restarted since the last recovery."""
        found = await self._redis.script_exists(self.sha)
        return all(found)
