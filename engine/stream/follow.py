"""What the gate's answers and the ends of instances mean for orders: followed, paid back, told again.

Only forwards: an answer that Redis gave before a late payment took its order to a new seat says nothing of
that seat, so it changes nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from engine.money.refunds import open_rebates, open_refunds
from engine.orders.stock import release
from engine.sdk import Status
from engine.stream.intents import Followed
from engine.stream.late import settle_late

log = logging.getLogger("wanfa.orders")

FOLLOW = """
UPDATE orders SET gate_state = f.state
  FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS f(id, state, now_ms)
 WHERE orders.id = f.id AND ((f.state = 0 AND gate_state <> 0) OR (f.state = 2 AND gate_state = 1))
   AND (reseated_at IS NULL OR reseated_at < to_timestamp(now_ms::float8 / 1000))
"""
EVENTS_DONE = """
DELETE FROM gate_events USING unnest($1::uuid[], $2::text[], $3::bigint[]) AS d(id, kind, now_ms)
 WHERE gate_events.order_id = d.id AND gate_events.kind = d.kind
   AND (d.kind <> 'released' OR NOT EXISTS (
        SELECT FROM orders WHERE orders.id = d.id AND reseated_at >= to_timestamp(d.now_ms::float8 / 1000)))
"""
PAID_OF_ENDED = """
SELECT id FROM orders JOIN unnest($1::text[], $2::text[]) AS e(ended_config, ended) ON instance_id = ended
 WHERE config_id = ended_config AND status = 'PAID' ORDER BY id FOR NO KEY UPDATE OF orders
"""
# Paid, in an instance that had ended meanwhile, or that owes everyone a part of the price.
PAID_AFTERWARDS = """
SELECT o.id, r.status IS NOT NULL AS unwanted FROM orders o JOIN instances i ON i.id = o.instance_id
  LEFT JOIN unnest($2::text[], $3::text[]) AS r(config_id, status) ON r.config_id = i.config_id AND r.status = i.status
 WHERE o.id = ANY($1::uuid[]) AND o.status = 'PAID'
   AND (r.status IS NOT NULL OR i.status = 'SUCCESS' AND i.cells ? 'rebateFen')
 ORDER BY o.id FOR NO KEY UPDATE OF o
"""
PAY_BACK = """
UPDATE orders SET status = 'REFUNDING', reason = $2, updated_at = now()
 WHERE id = ANY($1::uuid[]) AND status = 'PAID' RETURNING id, config_id, quantity, amount_fen
"""

# Config id -> statuses of its instances that pay everyone back.
Unwanted = Mapping[str, Sequence[Status]]


async def end_instances(connection: PoolConnectionProxy, ended: Sequence[tuple[str, str]]) -> None:
    """Pay back everyone in instances (config id, instance id) that have just ended in a way that asks for it."""
    if ended:
        configs, ids = [config_id for config_id, _ in ended], [id_ for _, id_ in ended]
        rows = await connection.fetch(PAID_OF_ENDED, configs, ids)
        await _return_money(connection, [row["id"] for row in rows], "INSTANCE_FAILED")


async def follow_events(
    connection: PoolConnectionProxy, events: Mapping[str, Followed], unwanted: Unwanted, *, one_by_one: bool
) -> None:
    """Apply the gate's answers to gate_events, by order id; the instances of the same batch are rows already."""
    seated = await settle_late(connection, events, one_by_one=one_by_one)
    moved = [(id_, one.gate_state, one.now_ms) for id_, one in events.items() if one.gate_state is not None]
    if moved:
        await connection.execute(FOLLOW, *_columns(moved))
    done = [(id_, kind, one.now_ms) for id_, one in events.items() for kind in sorted(one.done)]
    if done:
        await connection.execute(EVENTS_DONE, *_columns(done))
    if refused := [id_ for id_, one in events.items() if one.refused]:
        await _return_money(connection, refused, "PAYMENT_REFUSED")
    if paid := [id_ for id_, one in events.items() if one.paid] + seated:
        await _settle_paid(connection, paid, unwanted)


async def _settle_paid(connection: PoolConnectionProxy, order_ids: Sequence[str], unwanted: Unwanted) -> None:
    pairs = [(config_id, status.name) for config_id, statuses in unwanted.items() for status in statuses]
    configs, names = [config_id for config_id, _ in pairs], [name for _, name in pairs]
    rows = await connection.fetch(PAID_AFTERWARDS, order_ids, configs, names)
    await _return_money(connection, [row["id"] for row in rows if row["unwanted"]], "INSTANCE_FAILED")
    await open_rebates(connection, instances=(), orders=[row["id"].hex for row in rows if not row["unwanted"]])


async def _return_money(connection: PoolConnectionProxy, order_ids: Sequence[Any], reason: str) -> None:
    """PAID becomes REFUNDING: the stock comes back, Redis is told, the money is owed."""
    if not order_ids:
        return
    returned = await connection.fetch(PAY_BACK, order_ids, reason)
    await release(connection, returned)
    await open_refunds(connection, returned)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
