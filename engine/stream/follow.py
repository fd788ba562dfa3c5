"""Books the gate's answers to gate events, and owes the money of orders whose instance has failed.

Only forwards: an answer that Redis gave before a late payment took its order to a new seat says nothing of
that seat, so it changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from engine.money.refunds import open_rebates
from engine.orders import gate_state
from engine.orders.moves import OWE, Moves
from engine.sdk import Status
from engine.stream import gate_events
from engine.stream.intents import Followed
from engine.stream.late import settle_late

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

# Config id -> statuses of its instances that pay everyone back.
Unwanted = Mapping[str, Sequence[Status]]

# Who decided, in the history of orders: Redis, by a playbook's step or by the end of an instance.
GATE = "gate"


async def end_instances(connection: PoolConnectionProxy, moves: Moves, ended: Sequence[tuple[str, str]]) -> None:
    """Pay back everyone in instances (config id, instance id) that have just ended in a way that asks for it."""
    if ended:
        configs, ids = [config_id for config_id, _ in ended], [id_ for _, id_ in ended]
        rows = await connection.fetch(PAID_OF_ENDED, configs, ids)
        await moves.make(connection, OWE, [row["id"] for row in rows], why="INSTANCE_FAILED", by=GATE)


async def follow_events(
    connection: PoolConnectionProxy,
    moves: Moves,
    events: Mapping[str, Followed],
    unwanted: Unwanted,
    *,
    one_by_one: bool,
) -> None:
    """Apply the gate's answers to gate_events, by order id; the instances of the same batch are rows already."""
    seated = await settle_late(connection, moves, events, one_by_one=one_by_one)
    answered = [(id_, one.gate_state, one.now_ms) for id_, one in events.items() if one.gate_state is not None]
    if answered:
        await gate_state.follow(connection, *_columns(answered))
    done = [(id_, kind, one.now_ms) for id_, one in events.items() for kind in sorted(one.done)]
    if done:
        await gate_events.strike_off(connection, *_columns(done))
    refused = [id_ for id_, one in events.items() if one.refused]
    await moves.make(connection, OWE, refused, why="PAYMENT_REFUSED", by=GATE)
    if paid := [id_ for id_, one in events.items() if one.paid] + seated:
        await _settle_paid(connection, moves, paid, unwanted)


async def _settle_paid(
    connection: PoolConnectionProxy, moves: Moves, order_ids: Sequence[str], unwanted: Unwanted
) -> None:
    pairs = [(config_id, status.name) for config_id, statuses in unwanted.items() for status in statuses]
    configs, names = [config_id for config_id, _ in pairs], [name for _, name in pairs]
    rows = await connection.fetch(PAID_AFTERWARDS, order_ids, configs, names)
    owed = [row["id"] for row in rows if row["unwanted"]]
    await moves.make(connection, OWE, owed, why="INSTANCE_FAILED", by=GATE)
    await open_rebates(connection, instances=(), orders=[row["id"].hex for row in rows if not row["unwanted"]])


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
