"""Whether clicks can be decided, and every condition that somebody on call must know: `readiness_of(engine)`.

What is asked of a server has CHECK_TIMEOUT_S, so a server that hangs is told of like one that is away.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import asyncpg
import msgspec
from redis.exceptions import RedisError

from engine.core.logs import SELDOM
from engine.core.texts import Language, Text
from engine.gate.rebuild import as_epoch, opened_in
from engine.runtime.bootstrap import Engine
from engine.stream.recovery import epochs_of

log = logging.getLogger("wanfa.ready")

CHECK_TIMEOUT_S = 1.0

Durability = Literal["always", "degraded", "unknown"]
State = Literal["ready", "degraded", "unavailable"]

POSTGRES_AWAY = Text(
    "Postgres 无法访问：下单仍可进行，订单查询与支付暂停",
    "Postgres is away: clicks are still taken, orders can be neither read nor paid for",
)
NOT_DURABLE = Text(
    "Redis 未启用 appendonly yes 与 appendfsync always：断电可能丢失最近确认的下单",
    "Redis runs without appendonly yes and appendfsync always: a power cut may lose the last acknowledged clicks",
)
DURABILITY_UNKNOWN = Text("无法读取 Redis 的持久化配置", "Redis does not tell how durable it is")


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


class Books(NamedTuple):
    """What only Postgres knows: the epoch of each shard, (playbook that is not loaded -> configs paused for that), and
    what waits for whom.
    """

    epochs: dict[int, int]
    orphans: dict[str, int]
    unowned: list[int]
    dead_intents: int
    stuck_refunds: int
    stray_payments: int


async def readiness_of(engine: Engine, language: Language = "zh", besides: Sequence[Text] = ()) -> Readiness:
    """What works just now, and what is wrong, in the language of whoever asks. Never raises."""
    shards = [lane.shard for lane in engine.gate.lanes]
    books, late, durability, scripted, opened = await asyncio.gather(
        _books(engine),
        _late(engine),
        _durability(engine),
        _knows_script(engine),
        asyncio.gather(*(_opened_in(engine, shard) for shard in shards)),
    )
    shards_open = [
        lane.shard
        for lane, words in zip(engine.gate.lanes, opened, strict=True)
        if scripted and lane.open and _is_open(lane.shard, words, books)
    ]
    closed = [shard for shard in shards if shard not in shards_open]
    found = [
        *besides,
        *([POSTGRES_AWAY] if books is None else _of_books(books)),
        *_of_shards(closed, late),
        *_of_durability(durability),
        *_of_playbooks(engine.playbooks.quarantined),
        *_of_disabled(engine.playbooks.disabled_unknown),
    ]
    status: State = "degraded" if found else "ready"
    return Readiness(
        status=status if shards_open else "unavailable",
        postgres=books is not None,
        redis=any(words is not None for words in opened),
        shards_open=shards_open,
        shards_closed=closed,
        durability=durability,
        quarantined=engine.playbooks.quarantined,
        warnings=[text.said_in(language) for text in found],
    )


def _of_books(books: Books) -> list[Text]:
    found = []
    if books.unowned:
        names = _named(books.unowned)
        found.append(
            Text(
                f"没有 worker 处理分片 {names}：下单不会入库，超时未付不会释放；请启动 wanfa worker",
                f"No worker has shards {names}: clicks become no orders, unpaid holds are not released; "
                "start `wanfa worker`",
            )
        )
    if books.dead_intents:
        found.append(
            Text(
                f"{books.dead_intents} 条下单记录无法入库，见表 dead_intents",
                f"{books.dead_intents} stream entries could not be made rows: see the table dead_intents",
            )
        )
    if books.stuck_refunds:
        found.append(
            Text(
                f"{books.stuck_refunds} 笔退款多次失败，需人工处理",
                f"{books.stuck_refunds} refunds have failed too often: a person must look",
            )
        )
    if books.stray_payments:
        found.append(
            Text(
                f"{books.stray_payments} 笔付款无法对应订单，需人工处理",
                f"{books.stray_payments} payments belong to no order: a person must look",
            )
        )
    return found + [
        Text(f"玩法 {code} 未加载：{paused} 个商品已暂停", f"Playbook {code} is not loaded: {paused} products paused")
        for code, paused in books.orphans.items()
    ]


def _of_shards(closed: list[int], late: dict[int, float]) -> list[Text]:
    found = []
    if closed:
        found.append(
            Text(
                f"{len(closed)} 个分片未开放，其商品暂停下单",
                f"{len(closed)} shards are not open: what they sell is paused",
            )
        )
    return found + [
        Text(
            f"分片 {shard} 未入库：最早的下单已等待 {age_s:.0f} 秒",
            f"Shard {shard} is not drained: its oldest clicks have waited for {age_s:.0f} s to become orders",
        )
        for shard, age_s in late.items()
    ]


def _of_durability(durability: Durability) -> list[Text]:
    return {"always": [], "degraded": [NOT_DURABLE], "unknown": [DURABILITY_UNKNOWN]}[durability]


def head_of(readiness: Readiness, language: Language) -> tuple[int, dict[str, str]]:
    """The status and headers of what `/readyz` says: 503 when no click can be decided."""
    headers = {"cache-control": "no-store", "content-language": language, "vary": "accept-language"}
    return 503 if readiness.status == "unavailable" else 200, headers


def _of_playbooks(quarantined: dict[str, str]) -> list[Text]:
    return [
        Text(f"玩法 {name} 加载失败：{why}", f"Playbook {name} is quarantined: {why}")
        for name, why in quarantined.items()
    ]


def _of_disabled(unknown: tuple[str, ...]) -> list[Text]:
    return [
        Text(
            f"playbooks.disabled 中的 {code} 不是任何玩法的代码",
            f"playbooks.disabled has {code}, which no playbook is called",
        )
        for code in unknown
    ]


def _named(shards: list[int]) -> str:
    return ", ".join(map(str, shards))


async def _books(engine: Engine) -> Books | None:
    """None: Postgres does not answer."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return Books(
                await epochs_of(engine.pool),
                await engine.catalog.orphans(),
                await engine.backlog.unowned(),
                await engine.backlog.dead(),
                await engine.money.refunds.stuck(),
                await engine.money.strays.waiting(),
            )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        log.warning("postgres: %r", error, extra=SELDOM)
        return None


async def _late(engine: Engine) -> dict[int, float]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await engine.backlog.late()
    except (OSError, RedisError):
        return {}  # that it is away is told of each of its shards


def _is_open(shard: int, words: bytes | None, books: Books | None) -> bool:
    """Whether Redis has the shard open, in the epoch of Postgres if that can be asked. A lane knows by clicks only."""
    if not words:
        return False
    return as_epoch(words) > 0 if books is None else words == str(books.epochs.get(shard)).encode()


async def _opened_in(engine: Engine, shard: int) -> bytes | None:
    """The epoch that Redis has the shard open in, empty when it is closed; None: Redis does not answer."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await opened_in(engine.hot, shard)
    except (OSError, RedisError) as error:
        log.warning("redis: %r", error, extra=SELDOM)
        return None


async def _knows_script(engine: Engine) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await engine.gate.knows_script()
    except (OSError, RedisError):
        return False  # that it is away is told of each of its shards


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
