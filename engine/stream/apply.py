"""Drained intents become rows: one transaction for a run of stream entries.

Everything here may be applied twice: orders, actions and promises are inserted by their id, instances and
people only by a newer revision, events only forwards. Whoever applies locks the stock rows of the configs it
touches first, in the order of ids, so for one config there is one such transaction at a time.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import ShardUnknown
from engine.core.transact import transact
from engine.money.refunds import open_rebates
from engine.orders import births, stock
from engine.orders.moves import Moves
from engine.sdk import Playbook, Status
from engine.stream.follow import end_instances, follow_events
from engine.stream.instances import follow_snapshots
from engine.stream.intents import Entry, EntryRun, OrderIntent, columns, merge, plain_cells
from engine.stream.promises import keep_promises

log = logging.getLogger("wanfa.stream")

# FOR SHARE: a recovery that raises the epoch waits for us, or we see its epoch.
GET_EPOCH = "SELECT epoch FROM shards WHERE id = $1 FOR SHARE"
LOCK_CONFIGS = """
SELECT s.config_id, c.template_code,
       EXISTS (SELECT FROM session_stock o WHERE o.config_id = s.config_id) AS stock_of_sessions
  FROM stock s JOIN play_configs c ON c.id = s.config_id
 WHERE s.config_id = ANY($1::text[]) ORDER BY s.config_id FOR NO KEY UPDATE OF s
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

# Config id -> its row of LOCK_CONFIGS.
Configs = Mapping[str, asyncpg.Record]


class Applier:
    """Applies runs of stream entries. `playbooks` says on which statuses paid orders are paid back."""

    def __init__(self, pool: asyncpg.Pool, moves: Moves, playbooks: Mapping[str, Playbook]) -> None:
        self._pool = pool
        self._moves = moves
        self._playbooks = playbooks

    async def apply(self, shard: int, entries: Sequence[Entry]) -> None:
        """All of `entries` in one transaction, committed when this returns."""
        work = partial(self._apply, shard=shard, entries=entries)
        try:
            await transact(self._pool, partial(work, one_by_one=False))
        except asyncpg.CheckViolationError as error:
            if error.constraint_name not in stock.OVERSOLD:
                raise
            log.exception("shard %d: Redis sold more than there is; applying order by order", shard)
            await transact(self._pool, partial(work, one_by_one=True))

    async def _apply(
        self, connection: PoolConnectionProxy, *, shard: int, entries: Sequence[Entry], one_by_one: bool
    ) -> None:
        epoch = await connection.fetchval(GET_EPOCH, shard)
        if epoch is None:
            raise ShardUnknown
        run = merge(entries, epoch)
        locked = {row["config_id"]: row for row in await connection.fetch(LOCK_CONFIGS, run.config_ids())}
        await self._insert_orders(connection, run, locked, one_by_one=one_by_one)
        if run.actions:
            await connection.execute(INSERT_ACTIONS, *columns(run.actions), run.actions_ms)
        await self._follow_instances(connection, run, locked)
        if run.events:
            unwanted = {config_id: self._unwanted(row) for config_id, row in locked.items()}
            await follow_events(connection, self._moves, run.events, unwanted, one_by_one=one_by_one)
        if run.people or run.rewards or run.notices:
            await keep_promises(connection, run, locked)

    async def _insert_orders(
        self, connection: PoolConnectionProxy, run: EntryRun, locked: Configs, *, one_by_one: bool
    ) -> None:
        """New orders as HELD with their stock; those of a fenced-off writer as CANCELLED without."""
        if run.fenced:
            count = await births.cancel_at_birth(connection, _births(run.fenced, run.fenced_ms), "FENCED")
            log.warning("%d orders of an earlier epoch are cancelled", count)
        if one_by_one or not all(order.config_id in locked for order in run.orders):
            for order, now_ms in zip(run.orders, run.orders_ms, strict=True):
                await self._insert_if_it_fits(connection, order, now_ms)
        elif run.orders:
            of_sessions = any(row["stock_of_sessions"] for row in locked.values())
            orders = _births(run.orders, run.orders_ms)
            await births.hold(connection, self._moves, orders, of_sessions=of_sessions)

    async def _insert_if_it_fits(self, connection: PoolConnectionProxy, order: OrderIntent, now_ms: int) -> None:
        row = _births([order], [now_ms])
        if await births.fits(connection, order.id, order.config_id, order.quantity, order.suffix):
            await births.hold(connection, self._moves, row, of_sessions=True)
            return
        log.error("order %s of config %s finds no stock in Postgres: cancelled", order.id, order.config_id)
        await births.cancel_at_birth(connection, row, "OVERSOLD")

    async def _follow_instances(self, connection: PoolConnectionProxy, run: EntryRun, locked: Configs) -> None:
        """Snapshots, and what an instance that has ended means for its paid orders."""
        snapshots = _instance_columns(run, locked)
        if not snapshots:
            return
        changed = await follow_snapshots(connection, snapshots)
        ended = [row for row in changed if Status[row["status"]] in self._unwanted(locked[row["config_id"]])]
        await end_instances(connection, self._moves, [(row["config_id"], row["id"]) for row in ended])
        cheaper = [
            (row["config_id"], row["id"])
            for row in changed
            if row["status"] == "SUCCESS" and "rebateFen" in plain_cells(run.instances[row["id"]])
        ]
        await open_rebates(connection, instances=cheaper, orders=())

    def _unwanted(self, config: asyncpg.Record) -> tuple[Status, ...]:
        """The statuses of the config's instances that pay everyone back."""
        playbook = self._playbooks.get(config["template_code"])
        return playbook.states.refunds() if playbook else ()


def _births(orders: Sequence[OrderIntent], moments_ms: Sequence[int]) -> list[Sequence[Any]]:
    """In the order of births.COLUMNS, which is that of the stream."""
    return [*columns(orders), moments_ms]


def _instance_columns(run: EntryRun, known_configs: Configs) -> list[Sequence[Any]] | None:
    """The newest snapshot of each instance, by id; None when there is none."""
    known = sorted((id_, one) for id_, one in run.instances.items() if one.config_id in known_configs)
    if len(known) < len(run.instances):
        log.error("%d instances of configs that Postgres does not know", len(run.instances) - len(known))
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
        [run.instances_ms[id_] for id_, _ in known],
    ]
