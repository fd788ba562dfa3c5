"""What a click was told that Redis has forgotten: its product is archived, its order or action is a row."""

import asyncpg

from engine.core.bounded import Bounded
from engine.core.errors import Ended, Paused, RequestIdReused
from engine.core.ids import split_instance_id
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply

LOOKS_AT_ONCE = 2  # a crowd that comes after the end takes no connection from those who pay
WAITING_MAX = 256

IS_ARCHIVED = "SELECT archived_at IS NOT NULL FROM play_configs WHERE id = $1 AND status <> 'DRAFT'"
# Without what a fenced-off writer had answered: that never held anything.
FIRST = """
SELECT fingerprint, instance_id, receipt, gate_state AS state,
       (extract(epoch FROM pay_before) * 1000)::bigint AS pay_before_ms, true AS reserved
  FROM orders WHERE id = $1 AND reason IS DISTINCT FROM 'FENCED'
 UNION ALL
SELECT fingerprint, instance_id, receipt, 3, 0, false FROM actions WHERE id = $1
"""


class FirstAnswers:
    """Answers clicks on products that memory does not have."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._bounds = Bounded(LOOKS_AT_ONCE, WAITING_MAX)

    async def reply(self, config_id: str, order_id: str, fingerprint: int) -> Reply | None:
        """What the click with this id was told when it was first sent; None: there is no such product.

        Raises Ended where it never was; RequestIdReused where it asked for something else; Paused for a product that
        this process has still to hear of; Overloaded.
        """
        async with self._bounds:
            archived = await self._pool.fetchval(IS_ARCHIVED, config_id)
            if archived is None:
                return None
            if not archived:
                raise Paused
            row = await self._pool.fetchrow(FIRST, order_id)
        if row is None:
            raise Ended
        if row["fingerprint"] != fingerprint:
            raise RequestIdReused
        outcome = Outcome.RESERVED if row["reserved"] else Outcome.DONE
        suffix = split_instance_id(row["instance_id"])[1]
        return Reply(outcome, row["state"], suffix, row["pay_before_ms"], *row["receipt"])
