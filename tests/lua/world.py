"""A gate on a real Valkey, driven from code that is not async: Hypothesis' state machines are not."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import redis
from redis.asyncio import Redis

from engine.gate import keys
from engine.gate.gate import Gate
from engine.playbooks.registry import load_playbooks
from engine.playbooks.script import compose_gate
from tests.support.gate import SHARD, gate_settings

EFFECTS_MAX = 3  # few, so that somebody reaches it


class World:
    """One shard open in epoch 1; its stream and everything else is this test's alone."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.redis: Any = redis.Redis.from_url(url)  # typed as if every call might be async
        self.loop.run_until_complete(self._open(url))

    async def _open(self, url: str) -> None:
        async def epoch_of(_shard: int) -> int:
            return 1

        self._hot = Redis.from_url(url)
        self.gate = Gate(
            url=url,
            redis=self._hot,
            script=compose_gate(load_playbooks().loaded.values()),
            settings=gate_settings(person_effects_max=EFFECTS_MAX),
            epoch_of=epoch_of,
        )
        await self.gate.load_script()
        self.redis.set(keys.epoch(SHARD), 1)
        self.gate.start()

    def together(self, *work: Awaitable[Any]) -> list[Any]:
        """All at once, so that they share a batch; their results in order."""

        async def gather() -> list[Any]:
            return await asyncio.gather(*work)

        return self.loop.run_until_complete(gather())

    def close(self) -> None:
        """End the gate and the connections."""
        self.together(self.gate.close(), self._hot.aclose())
        self.redis.close()
        self.loop.close()
