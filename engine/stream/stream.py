"""The gate's stream and the way back, as one object."""

from collections.abc import Mapping

import asyncpg
from redis.asyncio import Redis

from engine.core.settings import Settings
from engine.gate.gate import Gate
from engine.orders.moves import Moves
from engine.sdk import Playbook
from engine.stream.apply import Applier
from engine.stream.dispatch import Dispatcher
from engine.stream.ownership import ShardOwner
from engine.stream.recovery import Recovery
from engine.stream.wake import Waker


class Stream:
    """What a worker does between the two stores. Nothing of it runs until a worker runs it."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        redis: Redis,
        gate: Gate,
        moves: Moves,
        playbooks: Mapping[str, Playbook],
        settings: Settings,
    ) -> None:
        self.applier = Applier(pool, moves, playbooks)
        self.recovery = Recovery(pool, redis, gate, settings.gate.shards)
        self.owner = ShardOwner(pool=pool, redis=redis, recovery=self.recovery, applier=self.applier, settings=settings)
        self.dispatcher = Dispatcher(pool, moves, gate)
        self.waker = Waker(pool, gate)
