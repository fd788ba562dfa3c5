"""Asking the provider about payments that ended unpaid, until it is certain that no money came after all.

A notification may be lost, and a payment that was under way when its trade was closed may land afterwards. So a payment
that was begun is asked about from its end on (`payments.ask_at`), at growing gaps (`money.ask_again_s`).
"""

import asyncio
import logging
from datetime import timedelta

import asyncpg

from engine.core.errors import WanfaError
from engine.core.settings import MoneySettings
from engine.money.payments import Payments
from engine.money.providers.port import TradeState

log = logging.getLogger("wanfa.money")

ASKS_AT_ONCE = 16  # provider calls in flight
LEASE = timedelta(seconds=90)  # a question nobody reported on (its worker died) is asked again after this
NO_ANSWER_WAIT = timedelta(seconds=60)

# The one that has waited longest comes first, and what was asked goes behind all that are due.
CLAIM = """
UPDATE payments SET ask_at = now() + $2::interval
 WHERE order_id IN (SELECT order_id FROM payments WHERE ask_at <= now()
                     ORDER BY ask_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING replace(order_id::text, '-', '') AS order_id, asks
"""
# Not what has been paid or closed anew while we asked.
ASK_AGAIN = """
UPDATE payments SET ask_at = now() + $3::interval, asks = $4
 WHERE order_id = $1 AND ask_at IS NOT NULL AND asks = $2
"""


class Asker:
    """Asks about what is due; any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, payments: Payments, settings: MoneySettings) -> None:
        self._pool = pool
        self._payments = payments
        self._waits = [timedelta(seconds=wait) for wait in settings.ask_again_s]
        self._calls = asyncio.Semaphore(ASKS_AT_ONCE)

    async def ask_due(self, limit: int) -> int:
        """Ask about up to `limit` payments that are due; how many turned out to be paid. For the worker."""
        due = await self._pool.fetch(CLAIM, limit, LEASE)
        return sum(await asyncio.gather(*map(self._ask, due)))

    async def _ask(self, row: asyncpg.Record) -> bool:
        order_id, asks = row["order_id"], row["asks"]
        state: TradeState | None = None
        try:
            async with self._calls:
                state = await self._payments.look(order_id)
        except WanfaError as error:
            log.warning("order %s: nothing is known of its payment, asked again later: %s", order_id, error)
        except Exception:  # whatever is wrong with one payment keeps no other waiting
            log.exception("order %s: its payment cannot be booked, asked again later", order_id)
        if state is None:
            await self._pool.execute(ASK_AGAIN, order_id, asks, NO_ANSWER_WAIT, asks)
            return False
        # Paid and booked: there is nothing to ask any more. Paid and no order takes it: it waits for a person.
        certain = state in (TradeState.PAID, TradeState.REFUNDED) or asks + 1 >= len(self._waits)
        wait = None if certain else self._waits[asks + 1]
        await self._pool.execute(ASK_AGAIN, order_id, asks, wait, asks + 1)
        return state is TradeState.PAID
