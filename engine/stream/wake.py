"""Wakes instances whose time has come: their `deadline` step runs in the gate, like a click."""

import asyncio

import asyncpg

from engine.core.errors import Unavailable
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.stream.stalled import StalledLog

WAKE_MAX = 500
AGAIN_S = 2.0  # an instance that has not changed since is woken again after this

DUE = """
SELECT i.id, i.config_id, i.suffix, i.rev, c.shard, c.template_code
  FROM instances i JOIN play_configs c ON c.id = i.config_id
 WHERE i.wake_at <= now() AND i.status IN ('PENDING', 'ACTIVE') AND c.status <> 'DRAFT'
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
        """Wake instances whose `wake_at` is over; how many it were."""
        now = asyncio.get_running_loop().time()
        self._woken = {one: until for one, until in self._woken.items() if until > now}
        rows = await self._pool.fetch(DUE, list(self._woken), WAKE_MAX)
        await asyncio.gather(*map(self._wake, rows))
        self._stalled.say()
        return len(rows)

    async def _wake(self, row: asyncpg.Record) -> None:
        self._woken[f"{row['id']}:{row['rev']}"] = asyncio.get_running_loop().time() + AGAIN_S
        try:
            reply = await self._gate.event(row["shard"], row["config_id"], "deadline", row["suffix"], "", "", 0)
        except Unavailable:
            return
        if reply.outcome == Outcome.PLAYBOOK_FAILED:
            self._stalled.failed(row["template_code"], row["id"])
