"""Connections to Postgres and Redis, with one clear line when they cannot be had."""

import asyncio
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg
import msgspec
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from engine.core.errors import ServerUnreachable

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0
IDLE_TRANSACTION_MS = 5000


async def open_pool(url: str, *, size_max: int, idle_transaction_ms: int = IDLE_TRANSACTION_MS) -> asyncpg.Pool:
    """A Postgres pool whose jsonb columns are Python objects. Raises ServerUnreachable.

    A process may be frozen inside a transaction: Postgres ends that after `idle_transaction_ms`, or nobody else would
    ever get the rows it has locked. The other end of a connection may be as dead without a word.
    """
    try:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size_max,
            init=_prepare,
            reset=_leave_as_is,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=60,
            server_settings={
                "idle_in_transaction_session_timeout": str(idle_transaction_ms),
                "tcp_user_timeout": str(idle_transaction_ms),  # it takes no answers either
            },
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ServerUnreachable(
            f"Postgres at {place(url)} does not answer ({error or type(error).__name__}); check WANFA_POSTGRES_URL"
        ) from None


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close it; what its server does not answer to in time is dropped."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def open_hot(url: str) -> Redis:
    """A client of the hot Redis, a cluster's when it is one. Raises ServerUnreachable."""
    client: Redis = Redis.from_url(url, socket_connect_timeout=CONNECT_TIMEOUT_S)
    try:
        info: dict[str, Any] = await client.info("cluster")
    except (RedisError, OSError, TimeoutError) as error:
        await client.aclose()
        raise ServerUnreachable(f"Redis at {place(url)} does not answer ({error}); check WANFA_REDIS_HOT_URL") from None
    if not info.get("cluster_enabled"):
        return client
    await client.aclose()
    cluster: Any = RedisCluster.from_url(url, socket_connect_timeout=CONNECT_TIMEOUT_S)
    return cast("Redis", cluster)  # it takes the same commands


def place(url: str) -> str:
    """Host and port of a URL, without its credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or '?'}"


async def _leave_as_is(_connection: asyncpg.Connection) -> None:
    """asyncpg would ask the server to forget the session after each use; none of ours leaves anything in it."""


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=msgspec.json.decode,
        schema="pg_catalog",
    )
