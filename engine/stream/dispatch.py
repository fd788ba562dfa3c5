"""Sends gate events again and again until their answer comes back as an intent; how often, where to, how long."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import Unavailable
from engine.core.ids import late_suffix, split_instance_id
from engine.core.transact import transact
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.orders.moves import TURN_AWAY, Moves
from engine.orders.stock import lock_stock
from engine.stream.stalled import StalledLog

log = logging.getLogger("wanfa.stream")

SEND_MAX = 500
POLL_S = 0.05
RESEND_S = 2.0  # an event whose intent has not come back is sent again
OTHER_SEATS_MAX = 5  # instances that a late payer may find a seat in, beside their own and a new one
LATE_WAIT_MAX_S = 600  # then a late payer whose playbook keeps failing is paid back

NEW = "sent_at IS NULL"
OVERDUE = f"sent_at < now() - interval '{RESEND_S} s'"
IS_ANY = "SELECT EXISTS (SELECT FROM gate_events WHERE {due})"
# The table is empty one moment and holds thousands the next, so whatever the planner believes of it is wrong: it would
# join by looking at all of them for each. So every row is looked up by its key: by an array, and by subqueries with
# LIMIT 1, which are no joins; `+ 0` keeps indexes of other columns away. And a plan made for the empty table, which
# stays in use, may not read it through either.
BY_KEY = "SET LOCAL enable_seqscan = off"
# The oldest event of each order only: Redis must not see `released` before `paid`.
_SEND = """
WITH due AS (
    SELECT id FROM gate_events e WHERE {due}
       AND (SELECT true FROM gate_events older
             WHERE older.order_id = e.order_id AND older.id + 0 < e.id LIMIT 1) IS NULL
     ORDER BY sent_at NULLS FIRST, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
), sent AS (
    UPDATE gate_events SET sent_at = now() WHERE id = ANY(ARRAY(SELECT id FROM due))
    RETURNING order_id, kind, config_id
)
SELECT replace(sent.order_id::text, '-', '') AS order_id, sent.kind, sent.config_id, o.instance_id, o.user_id,
       o.quantity, o.gate_state, c.shard, c.template_code,
       EXISTS (SELECT FROM gate_events late WHERE late.order_id = sent.order_id AND late.kind = 'late'
                  AND late.created_at < now() - interval '{wait_max} s') AS overdue
  FROM sent CROSS JOIN LATERAL (SELECT * FROM orders WHERE id = sent.order_id LIMIT 1) o
       CROSS JOIN LATERAL (SELECT shard, template_code FROM play_configs WHERE id = sent.config_id LIMIT 1) c
"""
SEND_NEW = _SEND.format(due=NEW, wait_max=LATE_WAIT_MAX_S)
SEND_AGAIN = _SEND.format(due=OVERDUE, wait_max=LATE_WAIT_MAX_S)
# One more than may be offered: the payer's own may be among them.
OPEN_INSTANCES = """
SELECT c.id, ARRAY(SELECT suffix FROM instances i WHERE i.config_id = c.id AND status IN ('PENDING', 'ACTIVE')
                    ORDER BY i.created_at, i.id LIMIT $2) AS suffixes
  FROM unnest($1::text[]) AS c(id)
"""


class Dispatcher:
    """Sends gate events; any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, moves: Moves, gate: Gate) -> None:
        self._pool = pool
        self._moves = moves
        self._gate = gate
        self._stalled = StalledLog("events of its orders")

    async def run(self) -> None:
        """Send what is due until cancelled. For the worker."""
        loop = asyncio.get_running_loop()
        again_at = loop.time()
        while True:
            sent = await self.send_new()
            if loop.time() >= again_at:
                await self.send_again()
                again_at = loop.time() + RESEND_S / 2
            if sent < SEND_MAX:
                await asyncio.sleep(POLL_S)

    async def send_new(self) -> int:
        """Send events that never were; how many it were."""
        return await self._send(IS_ANY.format(due=NEW), SEND_NEW)

    async def send_again(self) -> int:
        """Send events that were, but have not come back as an intent; how many it were."""
        return await self._send(IS_ANY.format(due=OVERDUE), SEND_AGAIN)

    async def _send(self, is_any: str, query: str) -> int:
        if not await self._pool.fetchval(is_any):
            return 0
        rows = await transact(self._pool, partial(_take, query=query))
        late = {row["config_id"] for row in rows if row["kind"] == "late"}
        found = await self._pool.fetch(OPEN_INSTANCES, late, OTHER_SEATS_MAX + 1) if late else ()
        open_instances = {config["id"]: config["suffixes"] for config in found}
        await asyncio.gather(*(self._tell(row, open_instances) for row in rows))
        self._stalled.say()
        return len(rows)

    async def _tell(self, row: asyncpg.Record, open_instances: Mapping[str, Sequence[str]]) -> None:
        order_id, kind, config_id = row["order_id"], row["kind"], row["config_id"]
        suffix = split_instance_id(row["instance_id"])[1]
        extra: Any = None
        if kind == "late":
            extra = _seats(order_id, suffix, open_instances[config_id])
        elif kind == "released":
            extra = row["gate_state"]
        event = (row["shard"], config_id, kind, suffix, row["user_id"], order_id, row["quantity"], extra)
        try:
            reply = await self._gate.event(*event)
        except Unavailable:
            return  # the shard is closed or busy: it stays due
        if reply.outcome != Outcome.PLAYBOOK_FAILED:
            return
        self._stalled.failed(row["template_code"], order_id)
        if row["overdue"]:  # on the release that comes first, perhaps
            log.error("order %s: nobody has taken the late payment for %d s; paid back", order_id, LATE_WAIT_MAX_S)
            await transact(self._pool, partial(self._give_up, order_id=order_id, config_id=config_id))

    async def _give_up(self, connection: PoolConnectionProxy, order_id: str, config_id: str) -> None:
        await lock_stock(connection, [config_id])
        await self._moves.make(connection, TURN_AWAY, [order_id], by="dispatcher")


async def _take(connection: PoolConnectionProxy, query: str) -> list[asyncpg.Record]:
    await connection.execute(BY_KEY)
    taken: list[asyncpg.Record] = await connection.fetch(query, SEND_MAX)
    return taken


def _seats(order_id: str, own: str, open_instances: Sequence[str]) -> list[str]:
    """Where a late payer may sit: where they meant to, elsewhere on the config, in an instance of their own."""
    others = [suffix for suffix in open_instances if suffix != own]
    return [own, *others[:OTHER_SEATS_MAX], late_suffix(order_id)]
