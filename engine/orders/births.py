"""How an order is born: HELD, with its units taken in the same statement; or CANCELLED, when there are none for it.

Called by engine/stream/apply.py: Redis has taken the units already. Rows come as columns in the order of `COLUMNS`, as
the gate's stream has them. Inserting twice changes nothing.
"""

from collections.abc import Sequence
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from engine.orders.moves import REVIVE, Moves

COLUMNS = (
    "id",
    "config_id",
    "suffix",
    "user_id",
    "request_id",
    "quantity",
    "amount_fen",
    "pay_before_ms",
    "fingerprint",
    "status",
    "current",
    "target",
    "now_ms",
)
# Those that a repeated click of a fenced-off writer's order brings anew: the parameters of moves.REVIVE.
_REVIVED = ("suffix", "quantity", "amount_fen", "pay_before_ms", "fingerprint", "status", "current", "target", "now_ms")

_INSERT = """
INSERT INTO orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, reason,
                    gate_state, fingerprint, receipt, pay_before, created_at)
SELECT id, config_id, config_id || '.' || suffix, user_id, request_id, quantity, amount_fen, {status}, {reason},
       {gate_state}, fingerprint, ARRAY[status, current, target],
       to_timestamp(pay_before_ms::float8 / 1000), to_timestamp(now_ms::float8 / 1000)
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::bigint[],
              $9::bigint[], $10::int[], $11::int[], $12::int[], $13::bigint[])
    AS o(id, config_id, suffix, user_id, request_id, quantity, amount_fen, pay_before_ms, fingerprint,
         status, current, target, now_ms)
ON CONFLICT (id) DO NOTHING RETURNING config_id, instance_id, quantity
"""
INSERT_CANCELLED = _INSERT.format(status="'CANCELLED'", reason="$14::text", gate_state="0")
# Only rows that are really new take units; the CHECKs of engine/orders/stock.py are the last line.
_HOLD = """
WITH inserted AS ({insert}), of_configs AS (
    UPDATE stock SET reserved = reserved + i.units
      FROM (SELECT config_id, sum(quantity)::int AS units FROM inserted GROUP BY config_id) i
     WHERE stock.config_id = i.config_id
){sessions}
SELECT count(*) FROM inserted
"""
_OF_SESSIONS = """, of_sessions AS (
    UPDATE session_stock SET reserved = reserved + i.units
      FROM (SELECT instance_id, sum(quantity)::int AS units FROM inserted GROUP BY instance_id) i
     WHERE session_stock.instance_id = i.instance_id
)"""
_INSERT_HELD = _INSERT.format(status="'HELD'", reason="NULL", gate_state="1")
INSERT_HELD = _HOLD.format(insert=_INSERT_HELD, sessions="")
INSERT_HELD_OF_SESSIONS = _HOLD.format(insert=_INSERT_HELD, sessions=_OF_SESSIONS)
# Whether an order fits: it is there already, or its config and its session have units for it.
FITS = """
SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND reason IS DISTINCT FROM 'FENCED')
    OR EXISTS (SELECT FROM stock WHERE config_id = $2 AND reserved + $3 <= total)
   AND NOT EXISTS (SELECT FROM session_stock WHERE instance_id = $2::text || '.' || $4::text AND reserved + $3 > total)
"""

Columns = Sequence[Sequence[Any]]


async def hold(connection: PoolConnectionProxy, moves: Moves, columns: Columns, *, of_sessions: bool) -> None:
    """Orders that the gate has accepted. `of_sessions`: some of their configs have sessions with stock of their own.

    Raises CheckViolationError (stock.OVERSOLD) when there are fewer units than that.
    """
    born = await connection.fetchval(INSERT_HELD_OF_SESSIONS if of_sessions else INSERT_HELD, *columns)
    if born < len(columns[0]):  # known already; perhaps as cancelled, because a fenced-off writer was the first
        anew = [columns[COLUMNS.index(name)] for name in _REVIVED]
        await moves.make(connection, REVIVE, columns[0], *anew, by="gate")


async def fits(connection: PoolConnectionProxy, order_id: str, config_id: str, quantity: int, suffix: str) -> bool:
    """Whether `hold` of this one order will do. The caller has locked the config's stock."""
    return bool(await connection.fetchval(FITS, order_id, config_id, quantity, suffix))


async def cancel_at_birth(connection: PoolConnectionProxy, columns: Columns, why: str) -> int:
    """Orders that hold nothing: `FENCED`, of a writer that had lost its shard, or `OVERSOLD`. How many are new."""
    return len(await connection.fetch(INSERT_CANCELLED, *columns, why))
