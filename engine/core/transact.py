"""One way to run a transaction: a deadlock or a serialization failure is tried again, nothing else is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

T = TypeVar("T")

ATTEMPTS_MAX = 6
BACK_OFF_S = 0.005

# Postgres undid the transaction for its own reasons: the same one may work a moment later.
UNDONE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

# Postgres cannot be talked to just now; whether the last transaction counted is unknown.
UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a query says whose connection the server ended in the middle of it
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # we were frozen in the middle of it
    asyncpg.InsufficientResourcesError,
    OSError,
    TimeoutError,
)


async def transact(pool: asyncpg.Pool, work: Callable[[PoolConnectionProxy], Awaitable[T]]) -> T:
    """Run `work` in a transaction of its own and commit it; `work` must have no effect elsewhere."""
    for attempt in range(1, ATTEMPTS_MAX):
        try:
            return await _once(pool, work)
        except UNDONE:
            await asyncio.sleep(BACK_OFF_S * 2**attempt * (1 + random.random()))
    return await _once(pool, work)


async def _once(pool: asyncpg.Pool, work: Callable[[PoolConnectionProxy], Awaitable[T]]) -> T:
    async with pool.acquire() as connection, connection.transaction():
        return await work(connection)
