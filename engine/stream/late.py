"""Payments that landed after their hold was given back: what Redis answered when asked to take the payer in.

An order waits for that answer as REFUNDING, reason LATE_PAYMENT, without a refund. Taken in, it is PAID in the
instance that Redis chose; turned away, its money is owed. The order row decides, whatever arrives twice or late:
a seat that Redis gave to an order whose money is already on its way back is given back as well.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from engine.money.refunds import open_refunds
from engine.stream.intents import Followed, Seat

log = logging.getLogger("wanfa.orders")

RESEAT = """
WITH seated AS (
    UPDATE orders SET status = 'PAID', reason = 'RESEATED', instance_id = config_id || '.' || suffix, gate_state = 2,
                      reseated_at = to_timestamp(now_ms::float8 / 1000), updated_at = now()
      FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS s(id, suffix, now_ms)
     WHERE orders.id = s.id AND status = 'REFUNDING' AND reason = 'LATE_PAYMENT'
       AND NOT EXISTS (SELECT FROM refunds WHERE refunds.order_id = s.id)
    RETURNING orders.id, config_id, instance_id, quantity
), taken AS (
    UPDATE stock SET reserved = reserved + t.units
      FROM (SELECT config_id, sum(quantity)::int AS units FROM seated GROUP BY config_id) t
     WHERE stock.config_id = t.config_id
), taken_of_session AS (
    UPDATE instances SET reserved = reserved + t.units
      FROM (SELECT instance_id, sum(quantity)::int AS units FROM seated GROUP BY instance_id) t
     WHERE instances.id = t.instance_id AND instances.stock IS NOT NULL
)
SELECT id FROM seated
"""
# Redis gave a seat, and Postgres has it not: another answer, or the end of the waiting, came first.
GIVE_SEAT_BACK = """
WITH stray AS (
    UPDATE orders SET instance_id = config_id || '.' || suffix, gate_state = 2,
                      reseated_at = to_timestamp(now_ms::float8 / 1000)
      FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS s(id, suffix, now_ms)
     WHERE orders.id = s.id AND status IN ('REFUNDING', 'REFUNDED')
       AND (reseated_at IS NULL OR reseated_at < to_timestamp(now_ms::float8 / 1000))
    RETURNING orders.id, config_id
)
INSERT INTO gate_events (order_id, kind, config_id) SELECT id, 'released', config_id FROM stray
ON CONFLICT (order_id, kind) DO NOTHING
RETURNING order_id
"""
SEAT_FITS = """
SELECT EXISTS (
    SELECT FROM orders o JOIN stock s ON s.config_id = o.config_id
      LEFT JOIN instances i ON i.id = o.config_id || '.' || $2::text
     WHERE o.id = $1
       AND (o.status <> 'REFUNDING'
            OR s.reserved + o.quantity <= s.total AND (i.stock IS NULL OR i.reserved + o.quantity <= i.stock)))
"""
TURNED_AWAY = """
SELECT id, amount_fen FROM orders
 WHERE id = ANY($1::uuid[]) AND status = 'REFUNDING' AND reason = 'LATE_PAYMENT' ORDER BY id FOR NO KEY UPDATE
"""
NO_LONGER_ASKED = "DELETE FROM gate_events WHERE order_id = ANY($1::uuid[]) AND kind = 'late'"


async def settle_late(
    connection: PoolConnectionProxy, events: Mapping[str, Followed], *, one_by_one: bool
) -> list[str]:
    """Apply what the answers in `events` say of late payments; the orders that are PAID by it.

    The caller has locked the stock of their configs.
    """
    seats = {id_: followed.seat for id_, followed in events.items() if followed.seat}
    refused = [id_ for id_, followed in events.items() if followed.turned_away and not followed.seat]
    seated: list[str] = []
    for some in [{id_: seat} for id_, seat in seats.items()] if one_by_one else [seats]:
        if one_by_one and not await _fits(connection, some):
            refused += some
        elif some:
            seated += [row["id"].hex for row in await connection.fetch(RESEAT, *_columns(some))]
    await turn_away(connection, refused)
    strays = {id_: seat for id_, seat in seats.items() if seat.taken and id_ not in seated}
    if strays:
        for row in await connection.fetch(GIVE_SEAT_BACK, *_columns(strays)):
            log.warning("order %s: its money is on the way back, and so is its new seat", row["order_id"].hex)
    return seated


async def turn_away(connection: PoolConnectionProxy, order_ids: Sequence[str]) -> None:
    """Owe late payers their money, and ask the gate no more. The caller has locked the stock of their configs."""
    if order_ids:
        await open_refunds(connection, await connection.fetch(TURNED_AWAY, order_ids))
        await connection.execute(NO_LONGER_ASKED, order_ids)


async def _fits(connection: PoolConnectionProxy, seats: Mapping[str, Seat]) -> bool:
    for id_, seat in seats.items():
        if not await connection.fetchval(SEAT_FITS, id_, seat.suffix):
            log.error("order %s: Redis has a seat for it, Postgres has no stock: paid back", id_)
            return False
    return True


def _columns(seats: Mapping[str, Seat]) -> list[list[Any]]:
    return [list(seats), [seat.suffix for seat in seats.values()], [seat.now_ms for seat in seats.values()]]
