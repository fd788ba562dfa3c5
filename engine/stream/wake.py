"""Wakes instances whose time has come: their `deadline` step runs in the gate, like a click.

So it has for one whose product is over: nobody can take part in it any more, so once nobody is about to pay it need not
wait for its own time. A hold that is not a row yet meets what it would meet at the instance's own deadline.
"""

import asyncio

import asyncpg

from engine.core.errors import Unavailable
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.stream.stalled import StalledLog

WAKE_MAX = 500
AGAIN_S = 2.0  # an instance that has not changed since is woken again after this
OVER_AGAIN_S = 60.0  # likewise before its time: its playbook may want to wait all the same

DUE = """
SELECT i.id, i.config_id, i.suffix, i.rev, c.shard, c.template_code
  FROM instances i JOIN play_configs c ON c.id = i.config_id
 WHERE i.wake_at <= now() AND i.status IN ('PENDING', 'ACTIVE') AND c.status <> 'DRAFT'
   AND i.id || ':' || i.rev <> ALL($1::text[])
 ORDER BY i.wake_at LIMIT $2
"""
# The gate must know of that end, or it changes nothing: it has been told (`warm_pending`), and Redis' clock may be a
# second behind.
OVER = """
SELECT i.id, i.config_id, i.suffix, i.rev, c.shard, c.template_code
  FROM play_configs c JOIN instances i ON i.config_id = c.id
 WHERE c.status <> 'DRAFT' AND c.archived_at IS NULL AND NOT c.warm_pending
   AND (c.status = 'ENDED' OR c.ends_at <= now() - interval '1 s')
   AND i.wake_at > now() AND i.status IN ('PENDING', 'ACTIVE')
   AND NOT EXISTS (SELECT FROM orders o
                    WHERE o.config_id = i.config_id AND o.instance_id = i.id AND o.status = 'HELD')
   AND i.id || ':' || i.rev <> ALL($1::text[])
 ORDER BY i.wake_at LIMIT $2
"""


class Waker:
    """Sends deadlines; any number of processes may, a step that comes too often changes nothing."""

    def __init__(self, pool: asyncpg.Pool, gate: Gate) -> None:
        self._pool = pool
        self._gate = gate
        self._stalled = StalledLog("instances whose time has come")
        self._woken: dict[str, float] = {}  # instance id and revision -> when it may be woken again

    async def wake_due(self) -> int:
        """Wake instances whose `wake_at` or whose product is over; how many it were. For the worker."""
        now = asyncio.get_running_loop().time()
        self._woken = {one: until for one, until in self._woken.items() if until > now}
        woken = 0
        for query, again_s in ((DUE, AGAIN_S), (OVER, OVER_AGAIN_S)):
            rows = await self._pool.fetch(query, list(self._woken), WAKE_MAX)
            await asyncio.gather(*(self._wake(row, now + again_s) for row in rows))
            woken += len(rows)
        self._stalled.say()
        return woken

    async def _wake(self, row: asyncpg.Record, again_at: float) -> None:
        one = f"{row['id']}:{row['rev']}"
        self._woken[one] = again_at
        try:
            reply = await self._gate.event(row["shard"], row["config_id"], "deadline", row["suffix"], "", "", 0)
        except Unavailable:
            self._woken[one] = min(again_at, asyncio.get_running_loop().time() + AGAIN_S)
            return
        if reply.outcome == Outcome.PLAYBOOK_FAILED:
            self._stalled.failed(row["template_code"], row["id"])
