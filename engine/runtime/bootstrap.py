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
from engine.admission.newcomers import Newcomers
from engine.catalog.catalog import Catalog
from engine.core.connections import open_hot, open_pool
from engine.core.errors import ServerUnreachable
from engine.core.settings import Settings
from engine.db.migrations import unprepared
from engine.gate.gate import Gate
from engine.live.live import Live
from engine.money.payments import Payments
from engine.money.providers.sandbox import Sandbox
from engine.orders.orders import Orders
from engine.playbooks.migrations import playbook_folders
from engine.playbooks.registry import Registry, load_playbooks
from engine.playbooks.script import compose_gate
from engine.playbooks.trial import try_steps
from engine.reports.reports import Reports
from engine.rewards.rewards import Rewards


@dataclass(frozen=True)
class Engine:
    """Everything wired; each part takes its dependencies in the open and knows nothing of this class."""

    settings: Settings
    pool: asyncpg.Pool
    hot: Redis
    playbooks: Registry
    gate: Gate
    live: Live
    tokens: Tokens
    access: Access
    newcomers: Newcomers
    catalog: Catalog
    orders: Orders
    reports: Reports
    payments: Payments
    rewards: Rewards
    provider: Sandbox


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """An engine on the configured servers. Raises ServerUnreachable or SettingsInvalid, saying what to do."""
    async with AsyncExitStack() as opened:
        pool = await open_pool(settings.postgres.url, size_max=settings.postgres.pool_max)
        opened.push_async_callback(pool.close)
        hot = await open_hot(settings.redis.hot_url)
        opened.push_async_callback(hot.aclose)
        playbooks = load_playbooks(settings.playbooks.disabled)
        await _quarantine_unusable(pool, hot, playbooks)
        gate = Gate(
            url=settings.redis.hot_url,
            redis=hot,
            script=compose_gate(playbooks.loaded.values()),
            settings=settings.gate,
            epoch_of=partial(_epoch_of, pool),
        )
        gate.start()
        opened.push_async_callback(gate.close)
        tokens = Tokens(settings.auth.secret)
        provider = Sandbox(pool)
        payments = Payments(pool, provider, playbooks.loaded)
        provider.connect(payments.apply_notification)
        opened.push_async_callback(provider.aclose)
        newcomers = Newcomers(pool)
        opened.push_async_callback(newcomers.close)
        yield Engine(
            settings=settings,
            pool=pool,
            hot=hot,
            playbooks=playbooks,
            gate=gate,
            live=Live(
                pool=pool,
                redis=hot,
                playbooks=playbooks.loaded,
                shards=settings.gate.shards,
                refresh_ms=settings.gate.refresh_ms,
            ),
            tokens=tokens,
            access=Access(pool, tokens, settings.auth),
            newcomers=newcomers,
            catalog=Catalog(pool, playbooks, gate, settings.gate.shards),
            orders=Orders(pool, hot, payments.close, settings.gate.shards),
            reports=Reports(pool, playbooks.loaded),
            payments=payments,
            rewards=Rewards(pool, settings.rewards),
            provider=provider,
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


async def _epoch_of(pool: asyncpg.Pool, shard: int) -> int:
    """The epoch a worker has opened the shard in; 0 when none has yet."""
    return await pool.fetchval("SELECT epoch FROM shards WHERE id = $1", shard) or 0
