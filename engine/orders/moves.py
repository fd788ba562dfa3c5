"""Every move of an order from one status to another. This file makes them, and no other.

A move is one statement: in bulk, guarded by the status that it leaves, and writing a row of the order's history
(`order_events`) for each order it moves. Whoever comes second moves nothing. What follows a move (stock, rewards, the
gate, the refund) is a table that `Moves` is given and works off in the same transaction:
engine/runtime/consequences.py. How an order is born stands in births.py; the diagram of all statuses in README.md.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.core.texts import Text

OrderStatus = Literal["HELD", "PAID", "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED"]

STATUS_WORDS: Mapping[OrderStatus, Text] = {
    "HELD": Text("待付款", "not paid yet"),
    "PAID": Text("已付款", "paid"),
    "EXPIRED": Text("已超时关闭", "over: it was not paid in time"),
    "CANCELLED": Text("已取消", "cancelled"),
    "REFUNDING": Text("退款中", "being refunded"),
    "REFUNDED": Text("已退款", "refunded"),
}


class Move(NamedTuple):
    """A way from one of `sources` to `target`, for one of the reasons `whys`.

    The row's `reason` becomes that reason unless `keeps_reason`. The rest is SQL: `guard`, what must hold of the row
    besides its status; `sets`, what else the move writes; `rows`, where that comes from: parameters from $4 on,
    beside the orders' ids in $1.
    """

    name: str
    sources: tuple[OrderStatus, ...]
    target: OrderStatus
    whys: tuple[str, ...]
    keeps_reason: bool = False
    guard: str = ""
    sets: str = ""
    rows: str = ""


PAY = Move("PAY", ("HELD",), "PAID", ("PAID_IN_TIME",), keeps_reason=True)
EXPIRE = Move("EXPIRE", ("HELD",), "EXPIRED", ("NOT_PAID_IN_TIME",))
CANCEL = Move("CANCEL", ("HELD",), "CANCELLED", ("BY_CONSUMER",))
# The playbook does not want the payment, or the instance has ended in a way that pays everyone back.
OWE = Move("OWE", ("PAID",), "REFUNDING", ("PAYMENT_REFUSED", "INSTANCE_FAILED"))
# A payment landed for an order that its buyer may not have any more; the gate never hears that it was paid.
REFUSE = Move("REFUSE", ("HELD",), "REFUNDING", ("NOT_NEWCOMER",))
# A payment landed after the hold was given back: the money is owed, or the gate is asked for another seat first.
OWE_LATE = Move("OWE_LATE", ("EXPIRED", "CANCELLED"), "REFUNDING", ("LATE_PAYMENT",))
ASK_SEAT = Move("ASK_SEAT", ("EXPIRED",), "REFUNDING", ("LATE_PAYMENT",), sets="seat_asked = true")
TURN_AWAY = Move(
    "TURN_AWAY",
    ("REFUNDING",),
    "REFUNDING",
    ("NO_SEAT",),
    keeps_reason=True,
    guard="orders.seat_asked",
    sets="seat_asked = false",
)
RESEAT = Move(
    "RESEAT",
    ("REFUNDING",),
    "PAID",
    ("RESEATED",),
    guard="orders.seat_asked",
    sets="""seat_asked = false, instance_id = orders.config_id || '.' || seat.suffix, gate_state = 2,
       reseated_at = to_timestamp(seat.now_ms::float8 / 1000)""",
    rows="unnest($1::uuid[], $4::text[], $5::bigint[]) AS seat(id, suffix, now_ms)",
)
REFUND = Move("REFUND", ("REFUNDING",), "REFUNDED", ("PAID_BACK",), keeps_reason=True)
# A click that a fenced-off writer had answered was repeated, and accepted, in the new epoch: perhaps elsewhere, for
# another number of units, at another price.
REVIVE = Move(
    "REVIVE",
    ("CANCELLED",),
    "HELD",
    ("CLICKED_AGAIN",),
    keeps_reason=True,
    guard="orders.reason = 'FENCED'",
    sets="""reason = NULL, gate_state = 1, instance_id = orders.config_id || '.' || click.suffix,
       quantity = click.quantity, amount_fen = click.amount_fen, fingerprint = click.fingerprint,
       receipt = ARRAY[click.status, click.current, click.target],
       pay_before = to_timestamp(click.pay_before_ms::float8 / 1000),
       created_at = to_timestamp(click.now_ms::float8 / 1000)""",
    rows="""unnest($1::uuid[], $4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::int[],
              $10::int[], $11::int[], $12::bigint[])
    AS click(id, suffix, quantity, amount_fen, pay_before_ms, fingerprint, status, current, target, now_ms)""",
)

MOVES = (PAY, EXPIRE, CANCEL, OWE, REFUSE, OWE_LATE, ASK_SEAT, TURN_AWAY, RESEAT, REFUND, REVIVE)

# $1 ids, $2 why, $3 by whom; in `_ONE` a single id.
_MOVE = """
WITH moved AS (
    UPDATE orders SET status = '{target}', {sets}updated_at = now()
      {rows}WHERE {ids} AND orders.status = '{source}'{guard}
    RETURNING orders.id, orders.config_id, orders.instance_id, orders.user_id, orders.quantity, orders.amount_fen
), recorded AS (
    INSERT INTO order_events (order_id, from_status, to_status, why, by_whom)
    SELECT id, '{source}', '{target}', $2::text, $3::text FROM moved
)
SELECT * FROM moved
"""


_MANY, _ONE = "orders.id = ANY($1::uuid[])", "orders.id = $1::uuid"


def _statement(move: Move, source: OrderStatus, ids: str) -> str:
    sets = [move.sets] if move.sets else []
    if not move.keeps_reason:
        sets.append("reason = $2::text")
    alias = move.rows.rpartition(" AS ")[2].partition("(")[0]
    return _MOVE.format(
        source=source,
        target=move.target,
        sets="".join(f"{one}, " for one in sets),
        rows=f"FROM {move.rows}\n     " if move.rows else "",
        ids=f"orders.id = {alias}.id" if move.rows else ids,
        guard=f" AND {move.guard}" if move.guard else "",
    )


STATEMENTS = {(move, source): _statement(move, source, _MANY) for move in MOVES for source in move.sources}
# A payment moves one order: Postgres keeps a plan for one id, but makes one anew for each array of them.
STATEMENTS_OF_ONE = {(move, source): _statement(move, source, _ONE) for move, source in STATEMENTS if not move.rows}

# Something that follows a move: it gets the rows that were moved (id, config_id, instance_id, user_id, quantity,
# amount_fen), at least one, in the move's own transaction.
Consequence = Callable[[PoolConnectionProxy, Sequence[asyncpg.Record]], Awaitable[None]]
Follows = Mapping[Move, Sequence[Consequence]]


class Moves:
    """Makes moves, and whatever `follows` each of them, in that order."""

    def __init__(self, follows: Follows) -> None:
        if missing := [move.name for move in MOVES if move not in follows]:
            raise ValueError(f"what follows {', '.join(missing)} is not said")
        self._follows = follows

    async def make(
        self,
        connection: PoolConnectionProxy,
        move: Move,
        order_ids: Sequence[Any],
        *columns: Sequence[Any],
        by: str,
        why: str | None = None,
    ) -> list[asyncpg.Record]:
        """Move those of the orders that may be moved; their rows. In a transaction of the caller's.

        `columns` are the parameters of `move.rows`; `why` may be left out where there is only one reason.
        """
        reason = why or move.whys[0]
        if reason not in move.whys:
            raise ValueError(f"{reason} is no reason for {move.name}")
        moved: list[asyncpg.Record] = []
        for source in move.sources if order_ids else ():
            if len(order_ids) == 1 and not move.rows:
                moved += await connection.fetch(STATEMENTS_OF_ONE[move, source], order_ids[0], reason, by)
            else:
                moved += await connection.fetch(STATEMENTS[move, source], order_ids, reason, by, *columns)
        if moved:
            for consequence in self._follows[move]:
                await consequence(connection, moved)
        return moved
