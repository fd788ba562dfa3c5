"""Is it alive, can it sell, and how well is what it has sold kept?"""

import asyncio
import logging
from typing import Any, Literal

import asyncpg
import msgspec
from litestar import Controller, Response, get
from redis.exceptions import RedisError

from api.doors import Engaged, says
from engine.gate import keys
from engine.runtime.bootstrap import Engine

log = logging.getLogger("wanfa.ready")

CHECK_TIMEOUT_S = 1.0

Durability = Literal["always", "degraded", "unknown"]
State = Literal["ready", "degraded", "unavailable"]


class Alive(msgspec.Struct, frozen=True):
    """进程存活"""

    status: Literal["alive"]


class Readiness(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """就绪状态：ready 全部正常；degraded 可以下单但有告警；unavailable 不能下单"""

    status: State
    postgres: bool
    redis: bool
    shards_open: list[int]
    shards_closed: list[int]
    durability: Durability
    quarantined: dict[str, str]
    warnings: list[str]


class OpsController(Controller):
    """For load balancers and people on call."""

    @get("/livez", **says("存活探针"))
    async def livez(self) -> Alive:
        """The process answers."""
        return Alive("alive")

    @get("/readyz", **says("就绪探针：200 可以下单，503 不能下单"))
    async def readyz(self, engine: Engaged) -> Response[Readiness]:
        """Whether clicks can be decided, and what is wrong."""
        readiness = await readiness_of(engine)
        return Response(
            readiness,
            status_code=503 if readiness.status == "unavailable" else 200,
            headers={"Cache-Control": "no-store"},
        )


async def readiness_of(engine: Engine) -> Readiness:
    """What works just now. Never raises."""
    shards = [lane.shard for lane in engine.gate.lanes]
    orphans, durability, epochs = await asyncio.gather(
        _orphans(engine), _durability(engine), asyncio.gather(*(_epoch(engine, shard) for shard in shards))
    )
    redis = any(answered for answered, _ in epochs)
    shards_open = [
        lane.shard for lane, (_, known) in zip(engine.gate.lanes, epochs, strict=True) if known and lane.open
    ]
    warnings = _warnings(engine, durability, orphans, closed=len(shards) - len(shards_open))
    status: State = "degraded" if warnings else "ready"
    return Readiness(
        status=status if shards_open else "unavailable",
        postgres=orphans is not None,
        redis=redis,
        shards_open=shards_open,
        shards_closed=[shard for shard in shards if shard not in shards_open],
        durability=durability,
        quarantined=engine.playbooks.quarantined,
        warnings=warnings,
    )


def _warnings(engine: Engine, durability: Durability, orphans: dict[str, int] | None, *, closed: int) -> list[str]:
    found = []
    if orphans is None:
        found.append("Postgres 无法访问：下单仍可进行，订单查询与支付暂停")
    if closed:
        found.append(f"{closed} 个分片未开放，其商品暂停下单")
    if durability == "degraded":
        found.append("Redis 未启用 appendonly yes 与 appendfsync always：断电可能丢失最近确认的下单")
    if durability == "unknown":
        found.append("无法读取 Redis 的持久化配置")
    found += [f"玩法 {name} 加载失败：{error}" for name, error in engine.playbooks.quarantined.items()]
    found += [f"玩法 {code} 未加载：{paused} 个商品已暂停" for code, paused in (orphans or {}).items()]
    return found


async def _orphans(engine: Engine) -> dict[str, int] | None:
    """Playbooks that are not loaded, and how many configs are paused for that; None: Postgres does not answer."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await engine.catalog.orphans()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("postgres: %r", error)
        return None


async def _epoch(engine: Engine, shard: int) -> tuple[bool, bool]:
    """(Redis answered, the shard has an epoch and so is open in Redis)."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return True, await engine.hot.get(keys.epoch(shard)) is not None
    except (OSError, RedisError) as error:
        log.warning("redis: %r", error)
        return False, False


async def _durability(engine: Engine) -> Durability:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            told: dict[str, Any] = await engine.hot.config_get("append*")
    except (OSError, RedisError):  # managed servers refuse CONFIG
        return "unknown"
    kept = {_text(name): _text(value) for name, value in told.items()}
    if "appendonly" not in kept or "appendfsync" not in kept:
        return "unknown"
    return "always" if (kept["appendonly"], kept["appendfsync"]) == ("yes", "always") else "degraded"


def _text(word: str | bytes) -> str:
    return word.decode() if isinstance(word, bytes) else word
