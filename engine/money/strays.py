"""Payments that no order takes: kept once each, for a person who pays them back or finds out whose they are.

The money is not sent back by itself. What a payer pays is fixed when the payment begins, so another amount, a second
transaction or an order that is none of ours is no payer's mistake but a fault of somebody's program, perhaps of ours;
and the port pays back by order, so a refund of a stray could take another payment's money.
"""

from datetime import datetime
from typing import Literal

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import NotFound
from engine.core.pages import Page, page_of, unmark_moment
from engine.core.texts import Text
from engine.money.providers.port import Trade

StrayWhy = Literal["UNKNOWN_ORDER", "PAID_ALREADY", "OTHER_CURRENCY", "OTHER_AMOUNT", "TRANSACTION_OF_ANOTHER"]

KEEP = """
INSERT INTO stray_payments (transaction_id, order_id, provider, amount_fen, currency, payer, why)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (transaction_id, order_id) DO NOTHING RETURNING 1
"""
WAITING = "SELECT count(*) FROM stray_payments WHERE settled_at IS NULL"
LIST = """
SELECT transaction_id, order_id, provider, amount_fen, currency, payer, why, created_at FROM stray_payments
 WHERE settled_at IS NULL AND ($1::timestamptz IS NULL OR (created_at, transaction_id, order_id) > ($1, $2, $3))
 ORDER BY created_at, transaction_id, order_id LIMIT $4
"""
SETTLE = """
UPDATE stray_payments SET settled_at = now(), settled_by = $2
 WHERE transaction_id = $1 AND settled_at IS NULL RETURNING 1
"""


class StrayPayment(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A payment that no order takes. `order_id` is what the provider says; it may be none of ours."""

    transaction_id: str
    order_id: str
    provider: str
    amount_fen: int
    currency: str
    payer: str | None
    why: StrayWhy
    created_at: datetime


async def keep_stray(
    connection: PoolConnectionProxy, provider: str, order_id: str, trade: Trade, why: StrayWhy
) -> bool:
    """Write the payment down; whether it is news."""
    facts = trade.transaction_id, order_id, provider, trade.amount_fen, trade.currency, trade.payer, why
    return await connection.fetchval(KEEP, *facts) is not None


class Strays:
    """Lists what waits for a person, and notes that somebody has dealt with it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def waiting(self) -> int:
        """How many wait for a person."""
        return int(await self._pool.fetchval(WAITING))

    async def page(self, cursor: str | None, limit: int) -> Page[StrayPayment]:
        """Those that wait for a person, the oldest first. Raises CursorInvalid."""
        rows = await self._pool.fetch(LIST, *unmark_moment(cursor, 3), limit + 1)
        found = [StrayPayment(**dict(row)) for row in rows]
        return page_of(found, limit, lambda one: (one.created_at.isoformat(), one.transaction_id, one.order_id))

    async def settle(self, transaction_id: str, by: str) -> None:
        """Somebody has paid it back, or found out whose it is. Raises NotFound when it does not wait."""
        if "\0" in transaction_id or not await self._pool.fetch(SETTLE, transaction_id, by):
            raise NotFound(Text("没有待处理的该笔付款", "No payment of that transaction waits for a person"))
