"""What a consumer may do with an order: read, list, cancel.

A row may be a moment behind its click: it comes through the stream.
"""

import asyncio
import re
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.core.errors import CursorInvalid, NotFound, OrderNotReady, StateConflict
from engine.core.pages import Page, page_of, unmark_moment
from engine.core.texts import Text
from engine.core.transact import transact
from engine.gate import keys
from engine.orders.first_answers import FirstAnswers
from engine.orders.holds import ClosePayment, Holds
from engine.orders.moves import CANCEL, STATUS_WORDS, Moves

READY_WAIT_S = 0.3
READY_POLL_S = 0.02
ORDER_ID = re.compile(r"[0-9a-f]{32}")

GET_STATUS = "SELECT status FROM orders WHERE id = $1"
_WITH_REFUNDS = """
SELECT o.*, r.* FROM orders o CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_fen) FILTER (WHERE kind = 'REBATE'), 0)::bigint AS rebate_fen,
           coalesce(sum(amount_fen), 0)::bigint AS refund_fen,
           coalesce(sum(amount_fen) FILTER (WHERE refunds.status = 'DONE'), 0)::bigint AS refunded_fen
      FROM refunds WHERE order_id = o.id) r
"""
GET = _WITH_REFUNDS + " WHERE o.id = $1 AND user_id = $2"
LIST = f"""
{_WITH_REFUNDS}
 WHERE user_id = $1 AND ($2::timestamptz IS NULL OR (o.created_at, o.id) < ($2, $3))
 ORDER BY o.created_at DESC, o.id DESC LIMIT $4
"""
# Not one whose payment was begun while nobody looked: that must be closed first.
LOCK_HOLD = """
SELECT id FROM orders WHERE id = $1 AND user_id = $2 AND status = 'HELD' AND prepaid = $3 FOR NO KEY UPDATE
"""


class Order(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An order. `reason` says why it ended where the status alone does not.

    Of `amount_fen`, `refund_fen` are owed back or paid back: `rebate_fen` of them as a part of the price while the
    order was kept. `refunded_fen` of them the provider has paid back.
    """

    id: str
    source_instance_id: str
    config_id: str
    status: str
    reason: str | None
    quantity: int
    amount_fen: int
    rebate_fen: int
    refund_fen: int
    refunded_fen: int
    pay_before: datetime
    created_at: datetime


class Orders:
    """The orders of consumers; each call names the one who asks. `holds` sweeps those that nobody pays for."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        moves: Moves,
        close_payment: ClosePayment,
        *,
        shards: int,
        sweep_max: int,
    ) -> None:
        self.holds = Holds(pool, moves, close_payment, sweep_max)
        self.first_answers = FirstAnswers(pool)
        self._pool = pool
        self._redis = redis
        self.moves = moves
        self._close_payment = close_payment
        self._shards = shards

    async def get(self, order_id: str, user: str) -> Order:
        """The user's order. Raises NotFound; OrderNotReady while streams hold clicks that are not rows yet."""
        return _order(await self._row(order_id, user))

    async def status_of(self, order_id: str) -> str | None:
        """The status of an order as it is now; None without a row."""
        status: str | None = await self._pool.fetchval(GET_STATUS, order_id)
        return status

    async def list_for(self, user: str, cursor: str | None, limit: int) -> Page[Order]:
        """The user's orders, newest first. Raises CursorInvalid."""
        moment, last = unmark_moment(cursor)
        try:
            before = UUID(last) if last is not None else None
        except ValueError:
            raise CursorInvalid from None
        rows = await self._pool.fetch(LIST, user, moment, before, limit + 1)
        return page_of([_order(row) for row in rows], limit, lambda order: (order.created_at.isoformat(), order.id))

    async def cancel(self, order_id: str, user: str) -> Order:
        """Give back a hold; again: the same answer.

        Raises NotFound, OrderNotReady, StateConflict (paid or over) and ProviderFailed (the payment cannot be closed).
        """
        row = await self._row(order_id, user)
        while row["status"] == "HELD":
            if row["prepaid"]:
                await self._close_payment(order_id, row["amount_fen"])
            work = partial(self._cancel, order_id=order_id, user=user, prepaid=row["prepaid"])
            await transact(self._pool, work)
            row = await self._row(order_id, user)  # still HELD only when a payment was begun meanwhile
        if row["status"] != "CANCELLED":
            status = STATUS_WORDS[row["status"]]
            raise StateConflict(Text(f"订单{status.zh}，不能取消", f"The order is {status.en}, it cannot be cancelled"))
        return _order(row)

    async def _cancel(self, connection: PoolConnectionProxy, order_id: str, user: str, *, prepaid: bool) -> None:
        held = await connection.fetch(LOCK_HOLD, order_id, user, prepaid)
        await self.moves.make(connection, CANCEL, [row["id"] for row in held], by=user)

    async def _row(self, order_id: str, user: str) -> asyncpg.Record:
        if not ORDER_ID.fullmatch(order_id):
            raise NotFound(Text("订单不存在", "There is no such order"))
        if row := await self._pool.fetchrow(GET, order_id, user):
            return row
        behind = await self._undrained()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_WAIT_S
        while True:
            behind = await self._still_undrained(behind)
            if row := await self._pool.fetchrow(GET, order_id, user):
                return row
            if not behind:
                raise NotFound(Text("订单不存在", "There is no such order"))
            if loop.time() > deadline:
                raise OrderNotReady
            await asyncio.sleep(READY_POLL_S)

    async def _undrained(self) -> dict[int, tuple[int, ...]]:
        """The last entry of each stream that has any: every click answered so far is in a row or up to there."""
        last = {}
        for shard in range(self._shards):
            try:
                entries = await self._redis.xrevrange(keys.intents(shard), count=1)
            except (RedisError, OSError):
                raise OrderNotReady from None
            if entries:
                last[shard] = _sequence(entries[0][0])
        return last

    async def _still_undrained(self, last: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
        """Of those streams, the ones that still hold such an entry."""
        left = {}
        for shard, until in last.items():
            try:
                entries = await self._redis.xrange(keys.intents(shard), count=1)
            except (RedisError, OSError):
                raise OrderNotReady from None
            if entries and _sequence(entries[0][0]) <= until:
                left[shard] = until
        return left


def _sequence(entry_id: bytes) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split(b"-"))


def _order(row: asyncpg.Record) -> Order:
    return Order(
        id=row["id"].hex,
        source_instance_id=row["instance_id"],
        config_id=row["config_id"],
        status=row["status"],
        reason=row["reason"],
        quantity=row["quantity"],
        amount_fen=row["amount_fen"],
        rebate_fen=row["rebate_fen"],
        refund_fen=row["refund_fen"],
        refunded_fen=row["refunded_fen"],
        pay_before=row["pay_before"],
        created_at=row["created_at"],
    )
