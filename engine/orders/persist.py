"""Drained intents become rows: one transaction for a run of stream entries.

Everything here may be applied twice: orders and actions are inserted by their id, instances only by a
newer revision, events only forwards. Whoever applies locks the stock rows of the configs it touches
first, in the order of ids, so for one config there is one such transaction at a time.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.errors import ShardUnknown
from engine.money.refunds import open_refunds
from engine.orders.intents import Batch, Entry, OrderIntent, merge, plain_cells
from engine.orders.release import release
from engine.sdk import Playbook, Status
from engine.transact import transact

log = logging.getLogger("wanfa.orders")

# FOR SHARE: a recovery that raises the epoch waits for us, or we see its epoch.
EPOCH = "SELECT epoch FROM shards WHERE id = $1 FOR SHARE"
LOCK_CONFIGS = """
SELECT s.config_id, c.template_code FROM stock s JOIN play_configs c ON c.id = s.config_id
 WHERE s.config_id = ANY($1::text[]) ORDER BY s.config_id FOR NO KEY UPDATE OF s
"""

_INSERT_ORDERS = """
INSERT INTO orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, reason,
                    gate_state, fingerprint, receipt, pay_before, created_at)
SELECT id, config_id, config_id || '.' || suffix, user_id, request_id, quantity, amount_fen, {status}, {reason},
       {gate_state}, fingerprint, ARRAY[status, current, target],
       to_timestamp(pay_before_ms::float8 / 1000), to_timestamp(now_ms::float8 / 1000)
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::bigint[],
              $9::bigint[], $10::int[], $11::int[], $12::int[], $13::bigint[])
    AS o(id, config_id, suffix, user_id, request_id, quantity, amount_fen, pay_before_ms, fingerprint,
         status, current, target, now_ms)
ON CONFLICT (id) DO {conflict} RETURNING id, config_id, quantity
"""
INSERT_CANCELLED = _INSERT_ORDERS.format(status="'CANCELLED'", reason="$14::text", gate_state="0", conflict="NOTHING")
# A click that a fenced-off writer had answered was repeated, and accepted, in the new epoch.
_REVIVE = """UPDATE
   SET status = 'HELD', reason = NULL, gate_state = 1, receipt = excluded.receipt, pay_before = excluded.pay_before,
       created_at = excluded.created_at, updated_at = now()
 WHERE orders.reason = 'FENCED'"""
# Only rows that are really new take stock; CHECK stock_not_oversold is the last line.
_RESERVE = """
WITH inserted AS ({insert})
UPDATE stock SET reserved = reserved + i.units
  FROM (SELECT config_id, sum(quantity)::int AS units FROM inserted GROUP BY config_id) i
 WHERE stock.config_id = i.config_id
"""
INSERT_HELD = _RESERVE.format(
    insert=_INSERT_ORDERS.format(status="'HELD'", reason="NULL", gate_state="1", conflict=_REVIVE)
)
FITS = """
SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND reason IS DISTINCT FROM 'FENCED')
    OR EXISTS (SELECT FROM stock WHERE config_id = $2 AND reserved + $3 <= total)
"""
INSERT_ACTIONS = """
INSERT INTO actions (id, config_id, instance_id, user_id, request_id, verb, fingerprint, receipt, created_at)
SELECT id, config_id, config_id || '.' || suffix, user_id, request_id, verb, fingerprint,
       ARRAY[status, current, target], to_timestamp(now_ms::float8 / 1000)
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
              $8::int[], $9::int[], $10::int[], $11::bigint[])
    AS a(id, config_id, suffix, user_id, request_id, verb, fingerprint, status, current, target, now_ms)
ON CONFLICT (id) DO NOTHING
"""
UPSERT_INSTANCES = """
INSERT INTO instances AS i (id, config_id, suffix, status, current, target, wake_at, cells, rev, created_at)
SELECT config_id || '.' || suffix, config_id, suffix, status, current, target,
       CASE WHEN wake_at_ms > 0 THEN to_timestamp(wake_at_ms::float8 / 1000) END, cells::jsonb, rev,
       to_timestamp(now_ms::float8 / 1000)
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::text[], $8::bigint[],
              $9::bigint[])
    AS n(config_id, suffix, status, current, target, wake_at_ms, cells, rev, now_ms)
ON CONFLICT (id) DO UPDATE
   SET status = excluded.status, current = excluded.current, target = excluded.target,
       wake_at = excluded.wake_at, cells = excluded.cells, rev = excluded.rev
 WHERE excluded.rev > i.rev
RETURNING i.id, i.config_id, i.status
"""
FOLLOW = """
UPDATE orders SET gate_state = f.state
  FROM unnest($1::uuid[], $2::smallint[]) AS f(id, state)
 WHERE orders.id = f.id AND ((f.state = 0 AND gate_state <> 0) OR (f.state = 2 AND gate_state = 1))
"""
EVENTS_DONE = """
DELETE FROM gate_events USING unnest($1::uuid[], $2::text[]) AS d(id, kind)
 WHERE gate_events.order_id = d.id AND gate_events.kind = d.kind
"""
PAID_OF_ENDED = """
SELECT id FROM orders JOIN unnest($1::text[], $2::text[]) AS e(ended_config, ended) ON instance_id = ended
 WHERE config_id = ended_config AND status = 'PAID' ORDER BY id FOR NO KEY UPDATE OF orders
"""
# A payment that was counted although its instance had ended meanwhile.
PAID_TOO_LATE = """
SELECT o.id FROM orders o JOIN instances i ON i.id = o.instance_id
  JOIN unnest($2::text[], $3::text[]) AS r(config_id, status) ON r.config_id = i.config_id AND r.status = i.status
 WHERE o.id = ANY($1::uuid[]) AND o.status = 'PAID' ORDER BY o.id FOR NO KEY UPDATE OF o
"""
PAY_BACK = """
UPDATE orders SET status = 'REFUNDING', reason = $2, updated_at = now()
 WHERE id = ANY($1::uuid[]) AND status = 'PAID' RETURNING id, config_id, quantity, amount_fen
"""


class Persister:
    """Applies runs of stream entries. `playbooks` says on which statuses paid orders are paid back."""

    def __init__(self, pool: asyncpg.Pool, playbooks: Mapping[str, Playbook]) -> None:
        self._pool = pool
        self._playbooks = playbooks

    async def apply(self, shard: int, entries: Sequence[Entry]) -> None:
        """All of `entries` in one transaction, committed when this returns."""
        work = partial(self._apply, shard=shard, entries=entries)
        try:
            await transact(self._pool, partial(work, one_by_one=False))
        except asyncpg.CheckViolationError as error:
            if error.constraint_name != "stock_not_oversold":
                raise
            log.exception("shard %d: Redis sold more than there is; applying order by order", shard)
            await transact(self._pool, partial(work, one_by_one=True))

    async def _apply(
        self, connection: PoolConnectionProxy, *, shard: int, entries: Sequence[Entry], one_by_one: bool
    ) -> None:
        epoch = await connection.fetchval(EPOCH, shard)
        if epoch is None:
            raise ShardUnknown
        batch = merge(entries, epoch)
        locked = await connection.fetch(LOCK_CONFIGS, batch.config_ids())
        templates = {row["config_id"]: row["template_code"] for row in locked}
        await self._insert_orders(connection, batch, templates, one_by_one=one_by_one)
        if batch.actions:
            await connection.execute(INSERT_ACTIONS, *_action_columns(batch))
        await self._follow(connection, batch, templates)

    async def _insert_orders(
        self, connection: PoolConnectionProxy, batch: Batch, templates: Mapping[str, str], *, one_by_one: bool
    ) -> None:
        """New orders as HELD with their stock; those of a fenced-off writer as CANCELLED without."""
        if batch.fenced:
            columns = _order_columns(batch.fenced, batch.fenced_ms)
            rows = await connection.fetch(INSERT_CANCELLED, *columns, "FENCED")
            log.warning("%d orders of an earlier epoch are cancelled", len(rows))
        if one_by_one or not all(order.config_id in templates for order in batch.orders):
            for order, now_ms in zip(batch.orders, batch.orders_ms, strict=True):
                await _insert_if_it_fits(connection, order, now_ms)
        elif batch.orders:
            await connection.execute(INSERT_HELD, *_order_columns(batch.orders, batch.orders_ms))

    async def _follow(self, connection: PoolConnectionProxy, batch: Batch, templates: Mapping[str, str]) -> None:
        """Instances and events, and what both mean for paid orders."""
        changed = []
        if columns := _instance_columns(batch, templates):
            changed = await connection.fetch(UPSERT_INSTANCES, *columns)
        ended = [row for row in changed if Status[row["status"]] in self._refunds(templates[row["config_id"]])]
        if ended:
            ids = [row["id"] for row in ended]
            await _pay_back(connection, PAID_OF_ENDED, "INSTANCE_FAILED", [row["config_id"] for row in ended], ids)
        if batch.events:
            await self._follow_events(connection, batch, templates)

    async def _follow_events(self, connection: PoolConnectionProxy, batch: Batch, templates: Mapping[str, str]) -> None:
        events = batch.events
        moved = {id_: followed.gate_state for id_, followed in events.items() if followed.gate_state is not None}
        if moved:
            await connection.execute(FOLLOW, list(moved), list(moved.values()))
        done = [(id_, kind) for id_, followed in events.items() for kind in sorted(followed.done)]
        if done:
            await connection.execute(EVENTS_DONE, [id_ for id_, _ in done], [kind for _, kind in done])
        if refused := [id_ for id_, followed in events.items() if followed.refused]:
            await _return_money(connection, refused, "PAYMENT_REFUSED")
        statuses = [(config_id, status.name) for config_id, code in templates.items() for status in self._refunds(code)]
        paid = [id_ for id_, followed in events.items() if followed.paid]
        if paid and statuses:
            configs, names = [config_id for config_id, _ in statuses], [name for _, name in statuses]
            await _pay_back(connection, PAID_TOO_LATE, "INSTANCE_FAILED", paid, configs, names)

    def _refunds(self, code: str) -> tuple[Status, ...]:
        playbook = self._playbooks.get(code)
        return playbook.states.refunds() if playbook else ()


async def _insert_if_it_fits(connection: PoolConnectionProxy, order: OrderIntent, now_ms: int) -> None:
    columns = _order_columns([order], [now_ms])
    if await connection.fetchval(FITS, order.id, order.config_id, order.quantity):
        await connection.execute(INSERT_HELD, *columns)
        return
    log.error("order %s of config %s finds no stock in Postgres: cancelled", order.id, order.config_id)
    await connection.execute(INSERT_CANCELLED, *columns, "OVERSOLD")


async def _pay_back(connection: PoolConnectionProxy, find: str, reason: str, *arguments: Any) -> None:
    rows = await connection.fetch(find, *arguments)
    await _return_money(connection, [row["id"] for row in rows], reason)


async def _return_money(connection: PoolConnectionProxy, order_ids: Sequence[Any], reason: str) -> None:
    """PAID becomes REFUNDING: the stock comes back, Redis is told, the money is owed."""
    returned = await connection.fetch(PAY_BACK, order_ids, reason)
    await release(connection, returned)
    await open_refunds(connection, returned)


def _order_columns(orders: Sequence[OrderIntent], moments: Sequence[int]) -> list[Sequence[Any]]:
    return [*_columns(orders), moments]


def _action_columns(batch: Batch) -> list[Sequence[Any]]:
    return [*_columns(batch.actions), batch.actions_ms]


def _columns(rows: Sequence[msgspec.Struct]) -> list[list[Any]]:
    fields = rows[0].__struct_fields__
    return [[getattr(row, field) for row in rows] for field in fields]


def _instance_columns(batch: Batch, templates: Mapping[str, str]) -> list[Sequence[Any]] | None:
    """The newest snapshot of each instance, by id; None when there is none."""
    known = sorted((id_, one) for id_, one in batch.instances.items() if one.config_id in templates)
    if len(known) < len(batch.instances):
        log.error("%d instances of configs that Postgres does not know", len(batch.instances) - len(known))
    if not known:
        return None
    rows = [one for _, one in known]
    cells = [msgspec.json.encode(plain_cells(one)).decode() for one in rows]
    return [
        [one.config_id for one in rows],
        [one.suffix for one in rows],
        [Status(one.status).name for one in rows],
        [one.current for one in rows],
        [one.target for one in rows],
        [one.wake_at_ms for one in rows],
        cells,
        [one.rev for one in rows],
        [batch.instances_ms[id_] for id_, _ in known],
    ]
