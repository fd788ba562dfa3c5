"""Holds that nobody paid for in time: found here, ended by the move EXPIRE.

The arbiter is the order row: only what is still HELD is given back. Units and seats come back by what follows that
move: engine/runtime/consequences.py.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import WanfaError
from engine.core.logs import SELDOM
from engine.core.transact import transact
from engine.orders.moves import EXPIRE, Moves

log = logging.getLogger("wanfa.orders")

ASKS_AT_ONCE = 16  # provider calls in flight
SWEEP = "holds"  # who ends them, in their history

# A hold whose payment was begun is not for this statement: the provider is asked first.
OVERDUE_UNPAID = """
SELECT id FROM orders WHERE status = 'HELD' AND pay_before < now() AND NOT prepaid
 ORDER BY pay_before LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
"""
OVERDUE_PREPAID = """
SELECT id, amount_fen, pay_before FROM orders
 WHERE status = 'HELD' AND pay_before < now() AND prepaid AND (pay_before, id) > ($1, $2)
 ORDER BY pay_before, id LIMIT $3
"""
MARK_PREPAID = "UPDATE orders SET prepaid = true, updated_at = now() WHERE id = $1"


# Order id and amount in fen: whether the order can no longer be paid for. False: it was paid, which has been applied.
# Raises WanfaError when nothing is known; engine/money/payments.py has the real one.
ClosePayment = Callable[[str, int], Awaitable[bool]]


class Holds:
    """Sweeps overdue holds; any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, moves: Moves, close_payment: ClosePayment, sweep_max: int) -> None:
        self._pool = pool
        self._moves = moves
        self._close_payment = close_payment
        self._sweep_max = sweep_max
        self._asks = asyncio.Semaphore(ASKS_AT_ONCE)

    async def expire_unpaid(self) -> int:
        """Give back overdue holds for which no payment was ever begun; how many it were. For the worker."""
        total = 0
        while (expired := await transact(self._pool, self._expire_some)) > 0:
            total += expired
            if expired < self._sweep_max:
                break
        return total

    async def expire_prepaid(self) -> int:
        """Ask the provider about overdue holds whose payment was begun: paid, or closed and given back. For the worker.

        Walks over all of them, so one that the provider gives no answer about keeps no other waiting.
        """
        total = 0
        after = (await self._pool.fetchval("SELECT '-infinity'::timestamptz"), UUID(int=0))
        while rows := await self._pool.fetch(OVERDUE_PREPAID, *after, self._sweep_max):
            total += sum(await asyncio.gather(*map(self._ask, rows)))
            after = rows[-1]["pay_before"], rows[-1]["id"]
        return total

    async def _expire_some(self, connection: PoolConnectionProxy) -> int:
        overdue = await connection.fetch(OVERDUE_UNPAID, self._sweep_max)
        return await self._expire(connection, [row["id"] for row in overdue])

    async def _ask(self, row: asyncpg.Record) -> int:
        order_id: UUID = row["id"]
        try:
            async with self._asks:
                if not await self._close_payment(order_id.hex, row["amount_fen"]):
                    return 0
            return await transact(self._pool, partial(self._expire, order_ids=[order_id]))
        except WanfaError as error:
            log.warning("order %s stays held, nothing is known of its payment: %s", order_id.hex, error, extra=SELDOM)
            return 0
        except Exception:  # whatever is wrong with one order keeps no other waiting
            log.exception("order %s stays held", order_id.hex, extra=SELDOM)
            return 0

    async def _expire(self, connection: PoolConnectionProxy, order_ids: list[UUID]) -> int:
        """HELD becomes EXPIRED; how many it were."""
        return len(await self._moves.make(connection, EXPIRE, order_ids, by=SWEEP))


async def mark_prepaid(connection: PoolConnectionProxy, order_id: str) -> None:
    """A payment of the order is about to begin: from now on its hold ends only after the provider was asked."""
    await connection.execute(MARK_PREPAID, order_id)
