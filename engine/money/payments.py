"""Payments: begin one, take note of one, end one. The order row under its lock decides what each means.

Whatever a provider says was paid is either booked or kept as a stray payment: nothing is only logged.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.admission.newcomers import is_still_newcomer
from engine.core import ids
from engine.core.errors import NotFound, PaymentClosed, StateConflict
from engine.core.settings import MoneySettings
from engine.core.texts import Text
from engine.core.transact import transact
from engine.money.providers.port import (
    CURRENCY,
    PaymentProvider,
    Prepay,
    ProviderFailed,
    Trade,
    TradeState,
    can_be_kept,
    is_text,
)
from engine.money.strays import StrayWhy, keep_stray
from engine.orders.holds import mark_prepaid
from engine.orders.moves import ASK_SEAT, OWE_LATE, PAY, REFUSE, STATUS_WORDS, Move, Moves
from engine.orders.orders import ORDER_ID
from engine.sdk import Playbook, Status

log = logging.getLogger("wanfa.money")

LOCK_ORDER = """
SELECT id, config_id, instance_id, user_id, quantity, amount_fen, status, reason, pay_before, fingerprint,
       pay_before > now() AS in_time,
       (SELECT newcomer_verbs FROM play_configs c WHERE c.id = config_id) AS newcomer_verbs
  FROM orders WHERE id = $1 FOR NO KEY UPDATE
"""
INSTANCE = """
SELECT i.status, c.template_code FROM instances i JOIN play_configs c ON c.id = i.config_id WHERE i.id = $1
"""
OPEN_PAYMENT = """
INSERT INTO payments (order_id, provider, amount_fen, status, ask_at)
VALUES ($1, $2, $3, 'OPEN', $4::timestamptz + $5::interval)
ON CONFLICT (order_id) DO NOTHING
"""
GET_PAYMENT = "SELECT status, transaction_id FROM payments WHERE order_id = $1"
# One that was a stray payment while its order was unknown waits for nobody any more.
RECORD_PAYMENT = """
WITH claimed AS (
    UPDATE stray_payments SET settled_at = now(), settled_by = $2
     WHERE transaction_id = $4 AND order_id = replace($1::uuid::text, '-', '') AND settled_at IS NULL
)
INSERT INTO payments (order_id, provider, amount_fen, status, transaction_id, payer)
VALUES ($1, $2, $3, 'PAID', $4, $5)
ON CONFLICT (order_id) DO UPDATE SET status = 'PAID', transaction_id = $4, payer = $5, ask_at = NULL, updated_at = now()
"""
CLOSE_PAYMENT = """
UPDATE payments SET status = 'CLOSED', ask_at = now() + $2::interval, asks = 0, updated_at = now()
 WHERE order_id = $1 AND status = 'OPEN'
"""
TEMPLATE = "SELECT template_code FROM play_configs WHERE id = $1"


class Payments:
    """The payments of every order. `playbooks` says which instances want no more money, and who seats late payers."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        moves: Moves,
        provider: PaymentProvider,
        playbooks: Mapping[str, Playbook],
        settings: MoneySettings,
    ) -> None:
        self._pool = pool
        self._moves = moves
        self._playbooks = playbooks
        self._ask_first = timedelta(seconds=settings.ask_again_s[0])
        self.provider = provider

    async def prepay(self, order_id: str, user: str) -> Prepay:
        """Begin the payment of a held order; again: the same payment.

        That a payment was begun is committed before the provider hears of it, so a hold is never given
        back without asking there first. Raises NotFound, StateConflict, PaymentClosed, ProviderFailed.
        """
        amount_fen, pay_before = await transact(self._pool, partial(self._begin, order_id=order_id, user=user))
        return await self.provider.prepay(order_id, amount_fen, pay_before)

    async def apply_notification(
        self, order_id: str, amount_fen: int, transaction_id: str, payer: str | None = None, currency: str = CURRENCY
    ) -> str | None:
        """Take note that the provider was paid. Any number of times, in any order.

        `payer` is who paid, as the provider names them. The order's status afterwards; None: no order takes this
        payment, and it is kept as a stray one. Either way the provider need not repeat it. Raises ProviderFailed for
        what no table can hold.
        """
        trade = Trade(TradeState.PAID, amount_fen, transaction_id, payer, currency)
        if not (is_text(order_id) and can_be_kept(trade)):
            log.error("order %.200r: %s notifies us of %.200r, which cannot be", order_id, self.provider.name, trade)
            raise ProviderFailed
        return await self._take_note(order_id, trade)

    async def look(self, order_id: str) -> TradeState:
        """Ask the provider about a payment, and take note of it if it was made. Raises ProviderFailed."""
        trade = await self.provider.query(order_id)
        if trade.state is TradeState.PAID:
            await self._take_note(order_id, trade)
        return trade.state

    async def close(self, order_id: str, amount_fen: int) -> bool:
        """Make sure that the order can no longer be paid for: True. False: it was paid, and the payment is applied.

        Also True when what was paid is no payment of this order: then nobody can pay it any more either.
        Raises ProviderFailed: nothing is known, try again later.
        """
        trade = await self.provider.query(order_id)
        if trade.state in (TradeState.OPEN, TradeState.UNKNOWN):
            trade = await self.provider.close(order_id, amount_fen)
        if trade.state is TradeState.PAID and await self._take_note(order_id, trade) is not None:
            return False
        await self._pool.execute(CLOSE_PAYMENT, order_id, self._ask_first)
        return True

    async def _take_note(self, order_id: str, trade: Trade) -> str | None:
        try:
            return await transact(self._pool, partial(self._apply, order_id=order_id, trade=trade))
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "payments_transaction_once":
                raise
        work = partial(self._keep_stray, order_id=order_id, trade=trade, why="TRANSACTION_OF_ANOTHER")
        await transact(self._pool, work)
        return None

    async def _begin(self, connection: PoolConnectionProxy, order_id: str, user: str) -> tuple[int, datetime]:
        order = await connection.fetchrow(LOCK_ORDER, order_id)
        if order is None or order["user_id"] != user:
            raise NotFound(Text("订单不存在", "There is no such order"))
        if order["status"] != "HELD":
            status = STATUS_WORDS[order["status"]]
            raise StateConflict(Text(f"订单{status.zh}，不能支付", f"The order is {status.en}, it cannot be paid for"))
        if not order["in_time"] or await self._unwanted(connection, order["instance_id"]):
            raise PaymentClosed
        await mark_prepaid(connection, order_id)
        ask_at = order["pay_before"], self._ask_first
        await connection.execute(OPEN_PAYMENT, order_id, self.provider.name, order["amount_fen"], *ask_at)
        return order["amount_fen"], order["pay_before"]

    async def _unwanted(self, connection: PoolConnectionProxy, instance_id: str) -> bool:
        """Whether the instance has ended in a way that pays everyone back.

        A moment later it may have: then the gate refuses the payment, and it is paid back.
        """
        row = await connection.fetchrow(INSTANCE, instance_id)
        playbook = self._playbooks.get(row["template_code"]) if row else None
        return row is not None and playbook is not None and Status[row["status"]] in playbook.states.refunds()

    async def _apply(self, connection: PoolConnectionProxy, order_id: str, trade: Trade) -> str | None:
        order = await connection.fetchrow(LOCK_ORDER, order_id) if ORDER_ID.fullmatch(order_id) else None
        if order is None:
            await self._keep_stray(connection, order_id, trade, "UNKNOWN_ORDER")
            return None
        payment = await connection.fetchrow(GET_PAYMENT, order_id)
        status: str = order["status"]
        if payment and payment["transaction_id"] == trade.transaction_id:
            return status
        if why := _misfit(order, payment, trade):
            await self._keep_stray(connection, order_id, trade, why)
            return None
        facts = trade.amount_fen, trade.transaction_id, trade.payer
        await connection.execute(RECORD_PAYMENT, order_id, self.provider.name, *facts)
        move = await self._move_of(connection, order)
        if move is None:
            return status
        await self._moves.make(connection, move, [order_id], by=self.provider.name)
        return move.target

    async def _keep_stray(self, connection: PoolConnectionProxy, order_id: str, trade: Trade, why: StrayWhy) -> None:
        """Nobody's money is only in the log."""
        if await keep_stray(connection, self.provider.name, order_id, trade, why):
            facts = order_id, trade.transaction_id, trade.amount_fen, trade.currency
            log.error("order %s: transaction %s of %d %s is no payment of it: %s", *facts, why)

    async def _move_of(self, connection: PoolConnectionProxy, order: asyncpg.Record) -> Move | None:
        """What a payment that has landed does to an order in this status, which is locked; None: nothing."""
        if order["status"] == "HELD":
            return PAY if await self._may_have_it(connection, order) else REFUSE
        if order["status"] in OWE_LATE.sources:
            seat = await self._reseats(connection, order) and await self._may_have_it(connection, order)
            return ASK_SEAT if seat else OWE_LATE
        return None

    async def _may_have_it(self, connection: PoolConnectionProxy, order: asyncpg.Record) -> bool:
        """Whether the order is for everybody, or its buyer is the newcomer still that they were at the click."""
        if not order["newcomer_verbs"] or await self._verb_of(connection, order) not in order["newcomer_verbs"]:
            return True
        return await is_still_newcomer(connection, order["user_id"], order["id"])

    async def _verb_of(self, connection: PoolConnectionProxy, order: asyncpg.Record) -> str:
        """The verb of the click that the order comes from; its fingerprint tells."""
        suffix = ids.split_instance_id(order["instance_id"])[1]
        if suffix == ids.opened_suffix(order["id"].hex):
            return "open"
        playbook = self._playbooks.get(await connection.fetchval(TEMPLATE, order["config_id"]))
        for verb in playbook.actions if playbook else ():
            if ids.fingerprint(verb, suffix, order["quantity"]) == order["fingerprint"]:
                return verb
        return "join"  # only a join may sit elsewhere than where it was clicked

    async def _reseats(self, connection: PoolConnectionProxy, order: asyncpg.Record) -> bool:
        """Whether the gate is asked to take a late payer in; what it answers decides about the money.

        Not who cancelled, and not an order that was cancelled at birth: of that Redis has no record.
        """
        if order["status"] not in ASK_SEAT.sources:
            return False
        playbook = self._playbooks.get(await connection.fetchval(TEMPLATE, order["config_id"]))
        return playbook is not None and playbook.reseats


def _misfit(order: asyncpg.Record, payment: asyncpg.Record | None, trade: Trade) -> StrayWhy | None:
    """Why a payment that names this order is not its payment; None: it is."""
    if payment and payment["status"] == "PAID":
        return "PAID_ALREADY"
    if trade.currency != CURRENCY:
        return "OTHER_CURRENCY"
    return "OTHER_AMOUNT" if trade.amount_fen != order["amount_fen"] else None
