"""Refunds: a row each, tried with the same number until the provider says done, or a person is asked.

The row is written in the transaction that decides to pay back; `money.refund_retry_s` says when it is sent, and again.
An order has at most two: a REBATE, all of its price or a part while it stays PAID, and the WHOLE rest. Of a rebate of
all nothing is left: that WHOLE of 0 fen is never sent, it is done once the rebate is.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import CursorInvalid, NotFound, WanfaError
from engine.core.pages import Page, page_of, unmark_moment
from engine.core.settings import MoneySettings
from engine.core.texts import Text
from engine.core.transact import transact
from engine.money.providers.port import PaymentProvider, RefundState, keepable
from engine.orders.moves import REFUND, Moves
from engine.orders.orders import ORDER_ID

log = logging.getLogger("wanfa.money")

APART = timedelta(minutes=1)  # WeChat Pay's rule: between two refunds of one order
LEASE = timedelta(seconds=90)  # an attempt nobody reported on (its worker died) is made again after this
PROCESSING_WAIT = timedelta(seconds=60)
PAYS_AT_ONCE = 16  # provider calls in flight

# Whoever opens or claims a refund has the order's row locked, so each sees what the other did.
OPEN_WHOLE = """
INSERT INTO refunds (order_id, kind, refund_no, amount_fen)
SELECT o.id, 'WHOLE', 'r' || replace(o.id::text, '-', ''), o.amount_fen - coalesce(rebate.amount_fen, 0)
  FROM unnest($1::uuid[], $2::bigint[]) AS o(id, amount_fen)
  LEFT JOIN refunds rebate ON rebate.order_id = o.id AND rebate.kind = 'REBATE'
ON CONFLICT (order_id, kind) DO NOTHING
"""
# The cell is a playbook's: whatever it holds, it is read as a number of whole fen or as nothing.
OPEN_REBATES = """
WITH asked AS (
    SELECT unnest($3::uuid[]) AS id
     UNION
    SELECT o.id FROM orders o JOIN unnest($1::text[], $2::text[]) AS i(config_id, id)
                                ON o.config_id = i.config_id AND o.instance_id = i.id
), entitled AS (
    SELECT o.id, o.instance_id, o.amount_fen, floor((i.cells ->> 'rebateFen')::numeric) * o.quantity AS asked_fen
      FROM asked JOIN orders o USING (id) JOIN instances i ON i.id = o.instance_id
     WHERE o.status = 'PAID' AND i.status = 'SUCCESS' AND jsonb_typeof(i.cells -> 'rebateFen') = 'number'
       AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id)
     ORDER BY o.id FOR NO KEY UPDATE OF o
), opened AS (
    INSERT INTO refunds (order_id, kind, refund_no, amount_fen)
    SELECT id, 'REBATE', 'b' || replace(id::text, '-', ''), least(asked_fen, amount_fen)::bigint
      FROM entitled WHERE asked_fen >= 1
    ON CONFLICT (order_id, kind) DO NOTHING RETURNING order_id
)
SELECT instance_id, count(*) AS orders, max(asked_fen) AS asked_fen, max(amount_fen) AS amount_fen
  FROM entitled JOIN opened ON order_id = id WHERE asked_fen > amount_fen GROUP BY instance_id
"""
_DUE = """
       r.status = 'PENDING' AND r.next_attempt_at <= now() AND r.attempts < $2
   AND (r.attempts > 0 OR r.created_at + $3::interval <= now())
   AND NOT EXISTS (SELECT FROM refunds other
                    WHERE other.order_id = r.order_id AND other.attempted_at > now() - $4::interval)
"""
_LOCK = """
SELECT o.id FROM refunds r JOIN orders o ON o.id = r.order_id WHERE {due}
 ORDER BY r.next_attempt_at LIMIT $1 FOR NO KEY UPDATE OF o SKIP LOCKED
"""
# A statement of its own: it sees what was committed before the locks were ours.
_CLAIM = """
UPDATE refunds SET attempts = attempts + 1, attempted_at = now(), next_attempt_at = now() + $5::interval
 WHERE (order_id, kind) IN (
     SELECT DISTINCT ON (r.order_id) r.order_id, r.kind FROM refunds r WHERE r.order_id = ANY($1::uuid[]) AND {due}
      ORDER BY r.order_id, r.next_attempt_at, r.kind)
RETURNING replace(order_id::text, '-', '') AS order_id, kind, refund_no, amount_fen, attempts
"""
LOCK_DUE, CLAIM_DUE = _LOCK.format(due=_DUE), _CLAIM.format(due=_DUE)
GIVE_UP = """
UPDATE refunds SET status = 'STUCK'
 WHERE status = 'PENDING' AND attempts >= $1 AND next_attempt_at <= now()
RETURNING replace(order_id::text, '-', '') AS order_id, kind, last_error
"""
FAILED = """
UPDATE refunds SET next_attempt_at = now() + $3::interval, attempted_at = now(), last_error = $4
 WHERE order_id = $1 AND kind = $2 AND status = 'PENDING'
"""
ACCEPTED = """
UPDATE refunds SET next_attempt_at = now() + $3::interval, attempted_at = now(), attempts = attempts - 1
 WHERE order_id = $1 AND kind = $2 AND status = 'PENDING'
"""
DONE = """
UPDATE refunds SET status = 'DONE', attempted_at = now(), last_error = NULL
 WHERE order_id = $1 AND kind = $2 AND status <> 'DONE'
"""
LIST_STUCK = """
SELECT replace(order_id::text, '-', '') AS order_id, kind, refund_no, amount_fen, last_error, created_at FROM refunds
 WHERE status = 'STUCK' AND ($1::timestamptz IS NULL OR (created_at, order_id, kind) > ($1, $2::uuid, $3))
 ORDER BY created_at, refunds.order_id, kind LIMIT $4
"""
# Of an order whose rebate was all that it had paid: whether that has arrived.
REBATE_ARRIVED = """
SELECT EXISTS (SELECT FROM refunds WHERE order_id = $1 AND kind = 'REBATE' AND status = 'DONE')
"""
TRY_AGAIN = """
UPDATE refunds SET status = 'PENDING', attempts = 0, next_attempt_at = now()
 WHERE order_id = $1 AND status = 'STUCK' RETURNING 1
"""


class StuckRefund(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A refund whose last attempt has failed; `last_error` is what the provider said to it."""

    order_id: str
    kind: Literal["WHOLE", "REBATE"]
    refund_no: str
    amount_fen: int
    last_error: str | None
    created_at: datetime


async def open_whole(connection: PoolConnectionProxy, orders: Sequence[asyncpg.Record]) -> None:
    """Owe each order what is left of its money; the caller has just taken it out of PAID, or holds its lock.

    A row has `id` and `amount_fen`; the refund's number is a function of the order.
    """
    await connection.execute(OPEN_WHOLE, [row["id"] for row in orders], [row["amount_fen"] for row in orders])


async def open_rebates(
    connection: PoolConnectionProxy, *, instances: Sequence[tuple[str, str]], orders: Sequence[str]
) -> None:
    """Owe PAID orders a part of their price, once: those of `instances` (config id, instance id), and `orders`.

    Only where the instance is a SUCCESS whose cell `rebateFen` says how many fen a unit. Nobody is owed more than
    they have paid: a playbook that asks for more is logged.
    """
    if instances or orders:
        config_ids, instance_ids = [config_id for config_id, _ in instances], [id_ for _, id_ in instances]
        for bounded in await connection.fetch(OPEN_REBATES, config_ids, instance_ids, list(orders)):
            log.error(
                "instance %s: its rebateFen asks for %.0f fen where %d were paid; %d of its orders are paid back whole",
                bounded["instance_id"],
                bounded["asked_fen"],
                bounded["amount_fen"],
                bounded["orders"],
            )


class Refunds:
    """Pays back what is owed."""

    def __init__(self, pool: asyncpg.Pool, moves: Moves, provider: PaymentProvider, settings: MoneySettings) -> None:
        self._pool = pool
        self._moves = moves
        self._provider = provider
        self._waits = [timedelta(seconds=wait) for wait in settings.refund_retry_s]
        self._calls = asyncio.Semaphore(PAYS_AT_ONCE)

    async def pay_due(self, limit: int) -> int:
        """Make up to `limit` attempts that are due; how many were made. For the worker."""
        for row in await self._pool.fetch(GIVE_UP, len(self._waits)):
            order_id, kind, error = row
            log.error("refund %s of order %s is stuck, a person must look: %s", kind, order_id, error)
        due = await transact(self._pool, partial(self._claim, limit=limit))
        await asyncio.gather(*map(self._attempt, due))
        return len(due)

    async def stuck(self) -> int:
        """How many refunds wait for a person."""
        return int(await self._pool.fetchval("SELECT count(*) FROM refunds WHERE status = 'STUCK'"))

    async def stuck_page(self, cursor: str | None, limit: int) -> Page[StuckRefund]:
        """Those that wait for a person, the oldest first. Raises CursorInvalid."""
        moment, order_id, kind = unmark_moment(cursor, 3)
        if order_id is not None and not ORDER_ID.fullmatch(order_id):
            raise CursorInvalid
        rows = await self._pool.fetch(LIST_STUCK, moment, order_id, kind, limit + 1)
        found = [StuckRefund(**dict(row)) for row in rows]
        return page_of(found, limit, lambda one: (one.created_at.isoformat(), one.order_id, one.kind))

    async def retry(self, order_id: str) -> None:
        """Try what is stuck of an order's refunds again, from the start. Raises NotFound when nothing is."""
        if not ORDER_ID.fullmatch(order_id) or not await self._pool.fetchval(TRY_AGAIN, order_id):
            raise NotFound(Text("没有待处理的退款", "No refund of it is stuck"))

    async def _claim(self, connection: PoolConnectionProxy, limit: int) -> list[asyncpg.Record]:
        """Attempts that are ours to make now, at most one an order."""
        due = len(self._waits), self._waits[0], APART
        locked = await connection.fetch(LOCK_DUE, limit, *due)
        return await connection.fetch(CLAIM_DUE, [row["id"] for row in locked], *due, LEASE) if locked else []

    async def _attempt(self, row: asyncpg.Record) -> None:
        order_id, kind = row["order_id"], row["kind"]
        if not row["amount_fen"]:
            await transact(self._pool, partial(self._end_empty, order_id=order_id, kind=kind))
            return
        try:
            async with self._calls:
                state = await self._provider.refund(order_id, row["refund_no"], row["amount_fen"])
        except WanfaError as error:
            await self._postpone(row, keepable(str(error)))
            return
        if state is RefundState.DONE:
            await transact(self._pool, partial(self._done, order_id=order_id, kind=kind))
        else:
            await self._pool.execute(ACCEPTED, order_id, kind, PROCESSING_WAIT)

    async def _end_empty(self, connection: PoolConnectionProxy, order_id: str, kind: str) -> None:
        """No provider pays 0 fen: it is done when the rebate of all is, and waits for that meanwhile."""
        if await connection.fetchval(REBATE_ARRIVED, order_id):
            await self._done(connection, order_id, kind)
        else:
            await connection.execute(ACCEPTED, order_id, kind, PROCESSING_WAIT)

    async def _postpone(self, row: asyncpg.Record, error: str) -> None:
        order_id, kind, attempts = row["order_id"], row["kind"], row["attempts"]
        last = attempts >= len(self._waits)
        wait = timedelta() if last else self._waits[attempts]
        log.warning("refund %s of order %s failed (attempt %d): %s", kind, order_id, attempts, error)
        await self._pool.execute(FAILED, order_id, kind, wait, error)

    async def _done(self, connection: PoolConnectionProxy, order_id: str, kind: str) -> None:
        if kind == "WHOLE":  # the order first, in the order in which everyone locks the two
            await self._moves.make(connection, REFUND, [order_id], by=self._provider.name)
        await connection.execute(DONE, order_id, kind)
