"""Payments: begin one, take note of one, end one. The order row under its lock decides what each means."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import BadInput, NotFound, PaymentClosed, StateConflict
from engine.core.texts import Text
from engine.core.transact import transact
from engine.money.providers.port import PaymentProvider, Prepay, Trade, TradeState
from engine.orders.holds import mark_prepaid
from engine.orders.moves import ASK_SEAT, OWE_LATE, PAY, Move, Moves
from engine.sdk import Playbook, Status

log = logging.getLogger("wanfa.money")

LOCK_ORDER = """
SELECT id, config_id, instance_id, user_id, quantity, amount_fen, status, reason, pay_before,
       pay_before > now() AS in_time
  FROM orders WHERE id = $1 FOR NO KEY UPDATE
"""
INSTANCE = """
SELECT i.status, c.template_code FROM instances i JOIN play_configs c ON c.id = i.config_id WHERE i.id = $1
"""
OPEN_PAYMENT = """
INSERT INTO payments (order_id, provider, amount_fen, status) VALUES ($1, $2, $3, 'OPEN')
ON CONFLICT (order_id) DO NOTHING
"""
GET_PAYMENT = "SELECT status, transaction_id FROM payments WHERE order_id = $1"
RECORD_PAYMENT = """
INSERT INTO payments (order_id, provider, amount_fen, status, transaction_id, payer)
VALUES ($1, $2, $3, 'PAID', $4, $5)
ON CONFLICT (order_id) DO UPDATE SET status = 'PAID', transaction_id = $4, payer = $5, updated_at = now()
"""
CLOSE_PAYMENT = "UPDATE payments SET status = 'CLOSED', updated_at = now() WHERE order_id = $1 AND status = 'OPEN'"
TEMPLATE = "SELECT template_code FROM play_configs WHERE id = $1"


class Payments:
    """The payments of every order. `playbooks` says which instances want no more money, and who seats late payers."""

    def __init__(
        self, pool: asyncpg.Pool, moves: Moves, provider: PaymentProvider, playbooks: Mapping[str, Playbook]
    ) -> None:
        self._pool = pool
        self._moves = moves
        self._playbooks = playbooks
        self.provider = provider

    async def prepay(self, order_id: str, user: str) -> Prepay:
        """Begin the payment of a held order; again: the same payment.

        That a payment was begun is committed before the provider hears of it, so a hold is never given
        back without asking there first. Raises NotFound, StateConflict, PaymentClosed, ProviderFailed.
        """
        amount_fen, pay_before = await transact(self._pool, partial(self._begin, order_id=order_id, user=user))
        return await self.provider.prepay(order_id, amount_fen, pay_before)

    async def apply_notification(
        self, order_id: str, amount_fen: int, transaction_id: str, payer: str | None = None
    ) -> str:
        """Take note that the provider was paid; the order's status afterwards. Any number of times, in any order.

        `payer` is who paid, as the provider names them. Raises NotFound for an unknown order (the provider
        repeats it) and BadInput for what does not fit.
        """
        trade = Trade(TradeState.PAID, amount_fen, transaction_id, payer)
        work = partial(self._apply, order_id=order_id, trade=trade)
        try:
            return await transact(self._pool, work)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "payments_transaction_once":
                raise
            log.exception("order %s: transaction %s already paid for another order", order_id, transaction_id)
            raise BadInput(
                Text("该支付流水已用于另一订单", "This transaction already paid for another order")
            ) from None

    async def close(self, order_id: str, amount_fen: int) -> bool:
        """Make sure that the order can no longer be paid for: True. False: it was paid, and the payment is applied.

        Raises ProviderFailed: nothing is known, try again later.
        """
        trade = await self.provider.query(order_id)
        if trade.state in (TradeState.OPEN, TradeState.UNKNOWN):
            trade = await self.provider.close(order_id, amount_fen)
        if trade.state is not TradeState.PAID or trade.transaction_id is None:
            await self._pool.execute(CLOSE_PAYMENT, order_id)
            return True
        await self.apply_notification(order_id, trade.amount_fen, trade.transaction_id, trade.payer)
        return False

    async def _begin(self, connection: PoolConnectionProxy, order_id: str, user: str) -> tuple[int, datetime]:
        order = await connection.fetchrow(LOCK_ORDER, order_id)
        if order is None or order["user_id"] != user:
            raise NotFound(Text("订单不存在", "There is no such order"))
        if order["status"] != "HELD":
            status = order["status"]
            raise StateConflict(Text(f"订单状态为 {status}，不能支付", f"The order is {status} and cannot be paid for"))
        if not order["in_time"] or await self._unwanted(connection, order["instance_id"]):
            raise PaymentClosed
        await mark_prepaid(connection, order_id)
        await connection.execute(OPEN_PAYMENT, order_id, self.provider.name, order["amount_fen"])
        return order["amount_fen"], order["pay_before"]

    async def _unwanted(self, connection: PoolConnectionProxy, instance_id: str) -> bool:
        """Whether the instance has ended in a way that pays everyone back.

        A moment later it may have: then the gate refuses the payment, and it is paid back.
        """
        row = await connection.fetchrow(INSTANCE, instance_id)
        playbook = self._playbooks.get(row["template_code"]) if row else None
        return row is not None and playbook is not None and Status[row["status"]] in playbook.states.refunds()

    async def _apply(self, connection: PoolConnectionProxy, order_id: str, trade: Trade) -> str:
        order = await connection.fetchrow(LOCK_ORDER, order_id)
        if order is None:
            raise NotFound(Text("订单不存在", "There is no such order"))
        payment = await connection.fetchrow(GET_PAYMENT, order_id)
        status: str = order["status"]
        if payment and payment["transaction_id"] == trade.transaction_id:
            return status
        if trade.amount_fen != order["amount_fen"]:
            log.error("order %s: %d fen were paid, %d were due", order_id, trade.amount_fen, order["amount_fen"])
            raise BadInput(Text("支付金额与订单不符", "The amount paid is not the order's"))
        if payment and payment["status"] == "PAID":
            log.error("order %s was paid twice: %s and %s", order_id, payment["transaction_id"], trade.transaction_id)
            raise BadInput(Text("订单已由另一笔流水支付", "The order was already paid by another transaction"))
        facts = trade.amount_fen, trade.transaction_id, trade.payer
        await connection.execute(RECORD_PAYMENT, order_id, self.provider.name, *facts)
        move = await self._move_of(connection, order)
        if move is None:
            return status
        await self._moves.make(connection, move, [order_id], by=self.provider.name)
        return move.target

    async def _move_of(self, connection: PoolConnectionProxy, order: asyncpg.Record) -> Move | None:
        """What a payment that has landed does to an order in this status, which is locked; None: nothing."""
        if order["status"] == "HELD":
            return PAY
        if order["status"] in OWE_LATE.sources:
            return ASK_SEAT if await self._reseats(connection, order) else OWE_LATE
        return None

    async def _reseats(self, connection: PoolConnectionProxy, order: asyncpg.Record) -> bool:
        """Whether the gate is asked to take a late payer in; what it answers decides about the money.

        Not who cancelled, and not an order that was cancelled at birth: of that Redis has no record.
        """
        if order["status"] not in ASK_SEAT.sources:
            return False
        playbook = self._playbooks.get(await connection.fetchval(TEMPLATE, order["config_id"]))
        return playbook is not None and playbook.reseats
