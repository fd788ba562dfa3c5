"""What Postgres decided and the gate has still to follow: `paid`, `released` or `late`, a row each.

Written in the transaction that decides, sent by dispatch.py until the gate's answer has come back through the
stream, and struck off in the transaction that applies that answer.
"""

from collections.abc import Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

TELL = """
INSERT INTO gate_events (order_id, kind, config_id) SELECT id, $2, config_id
  FROM unnest($1::uuid[], $3::text[]) AS o(id, config_id)
ON CONFLICT (order_id, kind) DO NOTHING
"""
STOP_ASKING = "DELETE FROM gate_events WHERE order_id = ANY($1::uuid[]) AND kind = 'late'"
# What Redis answered before a late payment took the order to a new seat is no answer to the release of that seat.
STRIKE_OFF = """
DELETE FROM gate_events USING unnest($1::uuid[], $2::text[], $3::bigint[]) AS d(id, kind, now_ms)
 WHERE gate_events.order_id = d.id AND gate_events.kind = d.kind
   AND (d.kind <> 'released' OR NOT EXISTS (
        SELECT FROM orders WHERE orders.id = d.id AND reseated_at >= to_timestamp(d.now_ms::float8 / 1000)))
"""


async def tell_paid(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """The gate is to hear that these orders are paid."""
    await _tell(connection, moved, "paid")


async def tell_released(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """The gate is to give back what these orders hold of it."""
    await _tell(connection, moved, "released")


async def tell_late(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """The gate is asked to take in the payers of these orders."""
    await _tell(connection, moved, "late")


async def stop_asking(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """The gate is not asked for a seat any more."""
    await connection.execute(STOP_ASKING, [row["id"] for row in moved])


async def strike_off(
    connection: PoolConnectionProxy, order_ids: Sequence[str], kinds: Sequence[str], answered_ms: Sequence[int]
) -> None:
    """The gate has answered these events, at these times of its clock: they need not be sent again."""
    await connection.execute(STRIKE_OFF, order_ids, kinds, answered_ms)


async def _tell(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record], kind: str) -> None:
    await connection.execute(TELL, [row["id"] for row in moved], kind, [row["config_id"] for row in moved])
