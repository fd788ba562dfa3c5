"""`orders.gate_state`: what Redis is known to believe of an order. Kept beside its status, which Postgres decides."""

from collections.abc import Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

# Only forwards: an answer that Redis gave before a late payment took its order to a new seat says nothing of that seat.
FOLLOW = """
UPDATE orders SET gate_state = f.state
  FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS f(id, state, now_ms)
 WHERE orders.id = f.id AND ((f.state = 0 AND gate_state <> 0) OR (f.state = 2 AND gate_state = 1))
   AND (reseated_at IS NULL OR reseated_at < to_timestamp(now_ms::float8 / 1000))
"""
NOTE_STRAY_SEATS = """
UPDATE orders SET instance_id = config_id || '.' || suffix, gate_state = 2,
                  reseated_at = to_timestamp(now_ms::float8 / 1000)
  FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS s(id, suffix, now_ms)
 WHERE orders.id = s.id AND status IN ('REFUNDING', 'REFUNDED')
   AND (reseated_at IS NULL OR reseated_at < to_timestamp(now_ms::float8 / 1000))
RETURNING orders.id, config_id
"""


async def follow(
    connection: PoolConnectionProxy, order_ids: Sequence[str], states: Sequence[int], answered_ms: Sequence[int]
) -> None:
    """Redis has answered, at these times of its clock, that the orders are in these states."""
    await connection.execute(FOLLOW, order_ids, states, answered_ms)


async def note_stray_seats(
    connection: PoolConnectionProxy, order_ids: Sequence[str], suffixes: Sequence[str], answered_ms: Sequence[int]
) -> list[asyncpg.Record]:
    """Redis has given seats to orders whose money is on its way back: where; id and config_id of each that is news."""
    found: list[asyncpg.Record] = await connection.fetch(NOTE_STRAY_SEATS, order_ids, suffixes, answered_ms)
    return found
