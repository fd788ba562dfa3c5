"""Tells Redis what Postgres decided: `paid` and `released`, again and again until it comes back as an intent."""

import asyncio
import logging

import asyncpg

from engine.errors import Unavailable
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.ids import split_instance_id

log = logging.getLogger("wanfa.orders")

SEND_MAX = 500
POLL_S = 0.05
RESEND_S = 2.0  # an event whose intent has not come back is sent again

# The oldest event of each order only: Redis must not see `released` before `paid`.
_SEND = """
WITH due AS (
    SELECT id FROM gate_events e WHERE {due}
       AND NOT EXISTS (SELECT FROM gate_events older WHERE older.order_id = e.order_id AND older.id < e.id)
     ORDER BY {order} LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
), sent AS (
    UPDATE gate_events SET sent_at = now() FROM due WHERE gate_events.id = due.id
    RETURNING gate_events.order_id, gate_events.kind, gate_events.config_id
)
SELECT replace(sent.order_id::text, '-', '') AS order_id, sent.kind, sent.config_id, o.instance_id, o.user_id,
       o.quantity, c.shard
  FROM sent JOIN orders o ON o.id = sent.order_id JOIN play_configs c ON c.id = sent.config_id
"""
SEND_NEW = _SEND.format(due="sent_at IS NULL", order="id")
SEND_AGAIN = _SEND.format(due=f"sent_at < now() - interval '{RESEND_S} s'", order="sent_at, id")


class Dispatcher:
    """Sends gate events; any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, gate: Gate) -> None:
        self._pool = pool
        self._gate = gate

    async def run(self) -> None:
        """Send what is due until cancelled."""
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
        return await self._send(SEND_NEW)

    async def send_again(self) -> int:
        """Send events that were, but have not come back as an intent; how many it were."""
        return await self._send(SEND_AGAIN)

    async def _send(self, query: str) -> int:
        rows = await self._pool.fetch(query, SEND_MAX)
        await asyncio.gather(*map(self._tell, rows))
        return len(rows)

    async def _tell(self, row: asyncpg.Record) -> None:
        suffix = split_instance_id(row["instance_id"])[1]
        try:
            reply = await self._gate.event(
                row["shard"], row["config_id"], row["kind"], suffix, row["user_id"], row["order_id"], row["quantity"]
            )
        except Unavailable:
            return  # the shard is closed or busy: it stays due
        if reply.outcome == Outcome.PLAYBOOK_FAILED:
            log.error("order %s: the playbook failed on %s; it is sent again", row["order_id"], row["kind"])
