"""The one wiring point: `async with open_engine(settings) as engine`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.access.access import Access
from engine.access.tokens import Tokens
from engine.admission.admission import Admission
from engine.catalog.catalog import Catalog
from engine.core.connections import close_pool, open_hot, open_pool
from engine.core.errors import ServerUnreachable
from engine.core.settings import Settings
from engine.db.migrations import unprepared
from engine.gate.gate import Gate
from engine.live.live import Live
from engine.live.missed import Missed
from engine.money.money import Money
from engine.notices.notices import LogMessenger, Notices
from engine.orders.moves import Moves
from engine.orders.orders import Orders
from engine.playbooks.migrations import playbook_folders
from engine.playbooks.registry import Registry, load_playbooks
from engine.playbooks.script import compose_gate
from engine.playbooks.trial import try_steps
from engine.reports.reports import Reports
from engine.rewards.rewards import Rewards
from engine.runtime.backlog import Backlog
from engine.runtime.consequences import OF_MOVES, OF_PUBLICATION
from engine.stream.recovery import epoch_of
from engine.stream.stream import Stream


@dataclass(frozen=True)
class Engine:
    """Everything wired, an attribute a package; each part takes what it needs and knows nothing of this class."""

    settings: Settings
    pool: asyncpg.Pool
    hot: Redis
    playbooks: Registry
    gate: Gate
    catalog: Catalog
    live: Live
    missed: Missed
    access: Access
    admission: Admission
    orders: Orders
    money: Money
    rewards: Rewards
    notices: Notices
    stream: Stream
    reports: Reports
    backlog: Backlog


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """An engine on the configured servers. Raises ServerUnreachable or SettingsInvalid, saying what to do."""
    async with AsyncExitStack() as opened:
        postgres = settings.postgres
        pool = await open_pool(
            postgres.url, size_max=postgres.pool_max, idle_transaction_ms=postgres.idle_transaction_ms
        )
        opened.push_async_callback(close_pool, pool)
        hot = await open_hot(settings.redis.hot_url)
        opened.push_async_callback(hot.aclose)
        registry = load_playbooks(settings.playbooks.disabled)
        await _quarantine_unusable(pool, hot, registry)
        playbooks, shards = registry.loaded, settings.gate.shards
        gate = Gate(
            url=settings.redis.hot_url,
            redis=hot,
            script=compose_gate(playbooks.values()),
            settings=settings.gate,
            epoch_of=partial(epoch_of, pool),
        )
        gate.start()
        opened.push_async_callback(gate.close)
        admission = Admission(pool, settings.auth.secret)
        opened.push_async_callback(admission.close)
        moves = Moves(OF_MOVES)
        money = Money(pool, moves, playbooks, settings.money)
        opened.push_async_callback(money.close)
        live = Live(pool=pool, redis=hot, playbooks=playbooks, shards=shards, refresh_ms=settings.gate.refresh_ms)
        yield Engine(
            settings=settings,
            pool=pool,
            hot=hot,
            playbooks=registry,
            gate=gate,
            catalog=Catalog(pool, registry, gate, OF_PUBLICATION, settings.gate),
            live=live,
            missed=Missed(pool, live, playbooks),
            access=Access(pool, Tokens(settings.auth.secret), settings.auth),
            admission=admission,
            orders=Orders(pool, hot, moves, money.payments.close, shards=shards, sweep_max=settings.orders.sweep_max),
            money=money,
            rewards=Rewards(pool, settings.rewards),
            notices=Notices(pool, LogMessenger()),
            stream=Stream(pool=pool, redis=hot, gate=gate, moves=moves, playbooks=playbooks, settings=settings),
            reports=Reports(pool, playbooks),
            backlog=Backlog(pool, hot, shards),
        )


async def _quarantine_unusable(pool: asyncpg.Pool, hot: Redis, playbooks: Registry) -> None:
    """All steps become one script, so one that does not compile or end would stop every sale."""
    for code, why in (await unprepared(pool, playbook_folders(playbooks.sources))).items():
        playbooks.quarantine(code, why)
    for code, playbook in list(playbooks.loaded.items()):
        try:
            why = await try_steps(hot, playbook)
        except (RedisError, OSError) as error:
            raise ServerUnreachable(f"Redis cannot try the steps of {code}: {error}") from None
        if why:
            playbooks.quarantine(code, why)
    playbooks.tried = True
    playbooks.log_quarantined()
