"""Payments that landed after their hold was given back: what Redis answered when asked to take the payer in.

An order waits for that answer as REFUNDING, reason LATE_PAYMENT, without a refund. Taken in, it is PAID in the
instance that Redis chose; turned away, its money is owed. The order row decides, whatever arrives twice or late:
a seat that Redis gave to an order whose money is already on its way back is given back as well.
"""

import logging
from collections.abc import Mapping
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from engine.orders.gate_state import note_stray_seats
from engine.orders.moves import RESEAT, TURN_AWAY, Moves
from engine.stream.gate_events import tell_released
from engine.stream.intents import Followed, Seat

log = logging.getLogger("wanfa.stream")

SEAT_FITS = """
SELECT EXISTS (
    SELECT FROM orders o JOIN stock s ON s.config_id = o.config_id
      LEFT JOIN session_stock i ON i.instance_id = o.config_id || '.' || $2::text
     WHERE o.id = $1
       AND (o.status <> 'REFUNDING'
            OR s.reserved + o.quantity <= s.total AND (i.total IS NULL OR i.reserved + o.quantity <= i.total)))
"""


async def settle_late(
    connection: PoolConnectionProxy, moves: Moves, events: Mapping[str, Followed], *, one_by_one: bool
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
            moved = await moves.make(connection, RESEAT, list(some), *_columns(some)[1:], by="gate")
            seated += [row["id"].hex for row in moved]
    await moves.make(connection, TURN_AWAY, refused, by="gate")
    strays = {id_: seat for id_, seat in seats.items() if seat.taken and id_ not in seated}
    if strays and (rows := await note_stray_seats(connection, *_columns(strays))):
        await tell_released(connection, rows)
        for row in rows:
            log.warning("order %s: its money is on the way back, and so is its new seat", row["id"].hex)
    return seated


async def _fits(connection: PoolConnectionProxy, seats: Mapping[str, Seat]) -> bool:
    for id_, seat in seats.items():
        if not await connection.fetchval(SEAT_FITS, id_, seat.suffix):
            log.error("order %s: Redis has a seat for it, Postgres has no stock: paid back", id_)
            return False
    return True


def _columns(seats: Mapping[str, Seat]) -> list[list[Any]]:
    return [list(seats), [seat.suffix for seat in seats.values()], [seat.now_ms for seat in seats.values()]]
