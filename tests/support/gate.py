"""A gate on a real Valkey, without Postgres: what tests of the Lua commands and lanes stand on."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from redis.asyncio import Redis

from engine.core import ids
from engine.core.settings import GateSettings, load_settings
from engine.gate import keys, records
from engine.gate.gate import Gate
from engine.gate.records import Effect, HeadStatus
from engine.gate.wire import Reply
from engine.playbooks.registry import load_playbooks
from engine.playbooks.script import compose_gate
from engine.sdk import Playbook

SHARD = 1
CONFIG = "c0123456789ab"
FOREVER_MS = 1 << 45


def gate_settings(**changes: Any) -> GateSettings:
    """The settings of tests with some changed."""
    return msgspec.structs.replace(load_settings("test", environ={}).gate, **changes)


class Sale:
    """One config on one shard, and people who click on it. Every shard is open in epoch 1."""

    def __init__(self, gate: Gate, redis: Redis, config_id: str = CONFIG) -> None:
        self.gate = gate
        self.redis = redis
        self.config_id = config_id

    async def publish(
        self,
        code: str = "FLASH_SALE",
        *,
        stock: int = 10,
        limit: int = 0,
        status: HeadStatus = HeadStatus.PUBLISHED,
        starts_in_s: float = -10,
        ends_in_s: float = 3600,
        rules: dict[str, Any] | None = None,
        cells: dict[str, Any] | None = None,
        price_fen: int = 100,
    ) -> None:
        """Warm the config; a flash sale gets its session `s1`."""
        now = datetime.now(UTC)
        head = records.head(
            code=code,
            status=status,
            starts_at=now + timedelta(seconds=starts_in_s),
            ends_at=now + timedelta(seconds=ends_in_s),
            price_fen=price_fen,
            limit=limit,
            rules={"limitPerPerson": limit, "target": 3, "durationMinutes": 60, "sessionMinutes": 0} | (rules or {}),
        )
        own = {"opensAt": 0, "endsAt": FOREVER_MS} if cells is None else cells
        session = records.cells(status=1, current=0, target=0, wake_at_ms=0, rev=0, own=own)
        await self.gate.warm(SHARD, self.config_id, head, stock, {"s1": session} if code != "GROUP_BUY" else {})

    async def click(
        self,
        user: str,
        request_id: str = "r1",
        *,
        verb: str = "join",
        suffix: str = "s1",
        quantity: int = 1,
        facts: dict[str, Any] | None = None,
    ) -> Reply:
        """One consumer's click; `facts` as a config that asks for them has them."""
        order_id = ids.click_id(self.config_id, user, request_id)
        target = self.config_id if verb == "open" else suffix
        if verb == "open":
            suffix = ids.opened_suffix(order_id)
        fingerprint = ids.fingerprint(verb, target, quantity)
        return await self.gate.click(
            SHARD, self.config_id, verb, suffix, user, order_id, fingerprint, quantity, request_id, facts
        )

    async def event(
        self, kind: str, user: str, request_id: str = "r1", *, suffix: str = "s1", extra: Any = None
    ) -> Reply:
        """What Postgres decided about an order; `extra` as engine/gate/wire.py says."""
        order_id = ids.click_id(self.config_id, user, request_id) if user else ""
        return await self.gate.event(SHARD, self.config_id, kind, suffix, user, order_id, 1, extra)

    async def left(self) -> int:
        """Units that Redis would still give away."""
        return int(await self.redis.execute_command("HGET", keys.cells(SHARD, self.config_id), "left") or -1)

    async def cells(self, suffix: str = "s1") -> dict[str, Any]:
        """An instance's cells."""
        packed = await self.redis.execute_command("HGET", keys.cells(SHARD, self.config_id), suffix)
        return msgspec.msgpack.decode(packed) if packed else {}

    async def person(self, user: str) -> list[Effect]:
        """What Redis has on record of a person's clicks."""
        return (await self._record(user))[1]

    async def mine(self, user: str) -> dict[str, Any]:
        """A person's own cells."""
        return (await self._record(user))[0]

    async def _record(self, user: str) -> tuple[dict[str, Any], list[Effect]]:
        packed = await self.redis.execute_command("HGET", keys.people(SHARD, self.config_id), user)
        return records.read_person(packed) if packed else ({}, [])

    async def intents(self) -> list[list[Any]]:
        """Every payload in the stream, oldest first."""
        entries = await self.redis.xrange(keys.intents(SHARD))
        return [msgspec.msgpack.decode(fields[b"p"]) for _entry_id, fields in entries]

    async def everything(self) -> dict[bytes, Any]:
        """All that Redis holds, to see that nothing changed."""
        found: dict[bytes, Any] = {}
        for key in sorted(await self.redis.keys("*")):
            found[key] = await self.redis.dump(key)
        return found


@asynccontextmanager
async def open_sale(
    url: str, *, playbooks: Iterable[Playbook] | None = None, settings: GateSettings | None = None
) -> AsyncIterator[Sale]:
    """A gate with every shard open in epoch 1, and an empty sale on it."""
    redis = Redis.from_url(url)
    chosen = load_playbooks().loaded.values() if playbooks is None else playbooks
    settings = settings or gate_settings()

    async def epoch_of(_shard: int) -> int:
        return 1

    gate = Gate(url=url, redis=redis, script=compose_gate(chosen), settings=settings, epoch_of=epoch_of)
    await gate.load_script()
    for shard in range(settings.shards):
        await redis.set(keys.epoch(shard), 1)
    gate.start()
    try:
        yield Sale(gate, redis)
    finally:
        await gate.close()
        await redis.aclose()
