"""The built-in provider: its ledger is a table nobody else writes, its payer is whoever calls `pay`."""

import asyncio
import logging
import secrets
from datetime import datetime
from functools import partial

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import BadInput, NotFound, PaymentClosed, WanfaError
from engine.core.tasks import end_tasks
from engine.core.texts import Text
from engine.core.transact import transact
from engine.money.providers.port import Deliver, Prepay, RefundState, Trade, TradeState

log = logging.getLogger("wanfa.money")

OPEN_TRADE = """
INSERT INTO sandbox_trades (out_trade_no, amount_fen, status) VALUES ($1, $2, 'OPEN')
ON CONFLICT (out_trade_no) DO UPDATE SET amount_fen = sandbox_trades.amount_fen RETURNING status
"""
GET_TRADE = "SELECT status, amount_fen, transaction_id, payer FROM sandbox_trades WHERE out_trade_no = $1"
CLOSE_TRADE = """
INSERT INTO sandbox_trades AS t (out_trade_no, amount_fen, status) VALUES ($1, $2, 'CLOSED')
ON CONFLICT (out_trade_no) DO UPDATE SET status = CASE t.status WHEN 'OPEN' THEN 'CLOSED' ELSE t.status END
RETURNING status, amount_fen, transaction_id, payer
"""
# Who pays is, unless the caller says otherwise, the buyer, whom a real provider knows by their phone.
PAY_TRADE = """
UPDATE sandbox_trades SET status = 'PAID', transaction_id = $2,
       payer = coalesce($4, (SELECT 'payer-' || user_id FROM orders WHERE id = $1::text::uuid))
 WHERE out_trade_no = $1 AND (status = 'OPEN' OR ($3 AND status = 'CLOSED'))
"""
LOCK_TRADE = "SELECT status, amount_fen FROM sandbox_trades WHERE out_trade_no = $1 FOR UPDATE"
REFUNDS = "SELECT refund_no, amount_fen FROM sandbox_refunds WHERE out_trade_no = $1"
PAY_BACK = "INSERT INTO sandbox_refunds (refund_no, out_trade_no, amount_fen) VALUES ($1, $2, $3)"
MARK_REFUNDED = "UPDATE sandbox_trades SET status = 'REFUNDED' WHERE out_trade_no = $1"


class Sandbox:
    """A PaymentProvider, and the payer's screen beside it. `deliver` is told of payments: see `connect`."""

    name = "sandbox"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._deliver: Deliver | None = None
        self._later: set[asyncio.Task[None]] = set()

    def connect(self, deliver: Deliver) -> None:
        """Whom to notify: `Payments.apply_notification`."""
        self._deliver = deliver

    async def prepay(self, order_id: str, amount_fen: int, pay_before: datetime) -> Prepay:
        """Open the trade. Raises PaymentClosed."""
        status = await self._pool.fetchval(OPEN_TRADE, order_id, amount_fen)
        if status == "CLOSED":
            raise PaymentClosed
        return Prepay(self.name, order_id, amount_fen, pay_before, {"payPath": f"/v1/payments/sandbox/{order_id}/pay"})

    async def query(self, order_id: str) -> Trade:
        """The trade as the ledger has it."""
        row = await self._pool.fetchrow(GET_TRADE, order_id)
        return _trade(row) if row else Trade(TradeState.UNKNOWN)

    async def close(self, order_id: str, amount_fen: int) -> Trade:
        """Close it; one that was never opened stays shut as well."""
        (row,) = await self._pool.fetch(CLOSE_TRADE, order_id, amount_fen)
        return _trade(row)

    async def refund(self, order_id: str, refund_no: str, amount_fen: int) -> RefundState:
        """Pay back, once a number. Raises NotFound when nothing was paid, BadInput for what does not fit."""
        await transact(self._pool, partial(_refund, order_id=order_id, refund_no=refund_no, amount_fen=amount_fen))
        return RefundState.DONE

    async def pay(
        self,
        order_id: str,
        *,
        payer: str | None = None,
        late: bool = False,
        notify: bool = True,
        notify_after_ms: int = 0,
    ) -> Trade:
        """Play the payer, by default the buyer, then notify. `late` plays a payment that landed in spite of the close.

        Raises NotFound when no payment was begun and PaymentClosed when it is closed. Paying again changes nothing.
        """
        await self._pool.execute(PAY_TRADE, order_id, secrets.token_hex(14), late, payer)
        trade = await self.query(order_id)
        if trade.state is TradeState.UNKNOWN:
            raise NotFound(Text("该订单尚未发起支付", "No payment was begun for this order"))
        if trade.state is TradeState.CLOSED:
            raise PaymentClosed
        if notify and notify_after_ms:
            task = asyncio.create_task(self._notify_later(order_id, notify_after_ms))
            self._later.add(task)
            task.add_done_callback(self._later.discard)
        elif notify:
            await self.notify(order_id)
        return trade

    async def notify(self, order_id: str) -> None:
        """Deliver the notification of a paid trade; again if it was delivered before."""
        trade = await self.query(order_id)
        if self._deliver and trade.transaction_id:
            await self._deliver(order_id, trade.amount_fen, trade.transaction_id, trade.payer)

    async def aclose(self) -> None:
        """Forget notifications that are still to come; `query` tells what they would have."""
        await end_tasks(list(self._later))

    async def _notify_later(self, order_id: str, after_ms: int) -> None:
        await asyncio.sleep(after_ms / 1000)
        try:
            await self.notify(order_id)
        except (WanfaError, asyncpg.PostgresError, OSError) as error:
            log.warning("sandbox: the notification for order %s was not taken: %s", order_id, error)


async def _refund(connection: PoolConnectionProxy, order_id: str, refund_no: str, amount_fen: int) -> None:
    trade = await connection.fetchrow(LOCK_TRADE, order_id)
    paid_back = {row["refund_no"]: row["amount_fen"] for row in await connection.fetch(REFUNDS, order_id)}
    if paid_back.get(refund_no) == amount_fen:
        return
    if refund_no in paid_back:
        raise BadInput(Text(f"退款单号 {refund_no} 已用于另一金额", f"The refund {refund_no} was of another amount"))
    if trade is None or trade["status"] != TradeState.PAID.value:
        raise NotFound(
            Text(f"沙箱中没有订单 {order_id} 的可退款支付", f"The sandbox has no payment of order {order_id} to refund")
        )
    left = trade["amount_fen"] - sum(paid_back.values())
    if not 0 < amount_fen <= left:
        raise BadInput(
            Text(
                f"退款金额 {amount_fen} 分超过可退金额 {left} 分",
                f"A refund of {amount_fen} fen is more than the {left} fen that are left",
            )
        )
    await connection.execute(PAY_BACK, refund_no, order_id, amount_fen)
    if amount_fen == left:
        await connection.execute(MARK_REFUNDED, order_id)


def _trade(row: asyncpg.Record) -> Trade:
    return Trade(TradeState(row["status"]), row["amount_fen"], row["transaction_id"], row["payer"])
