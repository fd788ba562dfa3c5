"""Refunds: a row each, tried with the same number until the provider says done, or a person is asked.

The row is written in the transaction that decides to pay back (PRD §6.1: immediately, 1 min, 1 h, alert).
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.errors import NotFound, WanfaError
from engine.money.provider import PaymentProvider, RefundState
from engine.settings import MoneySettings
from engine.transact import transact

log = logging.getLogger("wanfa.money")

LEASE = timedelta(seconds=30)  # an attempt nobody reported on (its worker died) is made again after this
PROCESSING_WAIT = timedelta(seconds=60)

OPEN_REFUNDS = """
INSERT INTO refunds (order_id, refund_no, amount_fen)
SELECT id, 'r' || replace(id::text, '-', ''), amount_fen FROM unnest($1::uuid[], $2::bigint[]) AS o(id, amount_fen)
ON CONFLICT (order_id) DO NOTHING
"""
CLAIM_DUE = """
UPDATE refunds SET attempts = attempts + 1, next_attempt_at = now() + $3::interval
 WHERE order_id IN (
     SELECT order_id FROM refunds
      WHERE status = 'PENDING' AND next_attempt_at <= now() AND attempts < $2
        AND (attempts > 0 OR created_at + $4::interval <= now())
      ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING replace(order_id::text, '-', '') AS order_id, refund_no, amount_fen, attempts
"""
GIVE_UP = """
UPDATE refunds SET status = 'STUCK'
 WHERE status = 'PENDING' AND attempts >= $1 AND next_attempt_at <= now()
RETURNING replace(order_id::text, '-', '') AS order_id, last_error
"""
FAILED = "UPDATE refunds SET next_attempt_at = now() + $2::interval, last_error = $3 WHERE order_id = $1"
ACCEPTED = """
UPDATE refunds SET next_attempt_at = now() + $2::interval, attempts = attempts - 1
 WHERE order_id = $1 AND status = 'PENDING'
"""
DONE = "UPDATE refunds SET status = 'DONE', last_error = NULL WHERE order_id = $1 AND status <> 'DONE'"
MARK_REFUNDED = """
UPDATE orders SET status = 'REFUNDED', updated_at = now() WHERE id = $1 AND status = 'REFUNDING'
"""
TRY_AGAIN = """
UPDATE refunds SET status = 'PENDING', attempts = 0, next_attempt_at = now()
 WHERE order_id = $1 AND status = 'STUCK' RETURNING 1
"""


async def open_refunds(connection: PoolConnectionProxy, orders: Sequence[asyncpg.Record]) -> None:
    """Owe each order its money. A row has `id` and `amount_fen`; the refund's number is a function of the order."""
    if orders:
        await connection.execute(OPEN_REFUNDS, [row["id"] for row in orders], [row["amount_fen"] for row in orders])


class Refunds:
    """Pays back what is owed."""

    def __init__(self, pool: asyncpg.Pool, provider: PaymentProvider, settings: MoneySettings) -> None:
        self._pool = pool
        self._provider = provider
        self._waits = [timedelta(seconds=wait) for wait in settings.refund_retry_s]

    async def pay_due(self, limit: int) -> int:
        """Make up to `limit` attempts that are due; how many were made."""
        for row in await self._pool.fetch(GIVE_UP, len(self._waits)):
            log.error("refund of order %s is stuck, a person must look: %s", row["order_id"], row["last_error"])
        due = await self._pool.fetch(CLAIM_DUE, limit, len(self._waits), LEASE, self._waits[0])
        for row in due:
            await self._attempt(row)
        return len(due)

    async def retry(self, order_id: str) -> None:
        """Try a stuck refund again, from the start. Raises NotFound when it is not stuck."""
        if not await self._pool.fetchval(TRY_AGAIN, order_id):
            raise NotFound("没有待处理的退款")

    async def _attempt(self, row: asyncpg.Record) -> None:
        order_id = row["order_id"]
        try:
            state = await self._provider.refund(order_id, row["refund_no"], row["amount_fen"])
        except (WanfaError, OSError, TimeoutError) as error:
            await self._postpone(order_id, row["attempts"], str(error) or type(error).__name__)
            return
        if state is RefundState.DONE:
            await transact(self._pool, partial(_done, order_id=order_id))
        else:
            await self._pool.execute(ACCEPTED, order_id, PROCESSING_WAIT)

    async def _postpone(self, order_id: str, attempts: int, error: str) -> None:
        last = attempts >= len(self._waits)
        wait = timedelta() if last else self._waits[attempts]
        log.warning("refund of order %s failed (attempt %d): %s", order_id, attempts, error)
        await self._pool.execute(FAILED, order_id, wait, error)


async def _done(connection: PoolConnectionProxy, order_id: str) -> None:
    await connection.execute(DONE, order_id)
    await connection.execute(MARK_REFUNDED, order_id)
