"""What sending costs depends on how many events there are, not on what Postgres believes of the table.

It is empty one moment and holds thousands the next; statistics are of some other moment, and a plan stays in use.
"""

from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest
from asyncpg.pool import PoolConnectionProxy

from engine.core.settings import Settings
from engine.stream import dispatch
from tests.support.ledger import Ledger, open_ledger

EVENTS = 600  # more than are sent at once
LOOKED_AT_MAX = 40  # rows, for an event that is sent; a nested loop over all of them looks at 600 and more
BLOCKS_MAX = 60
ORDERS = """
INSERT INTO orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, gate_state,
                    fingerprint, receipt, pay_before, created_at)
SELECT md5(n::text)::uuid, $1, $1 || '.s1', 'u' || n, 'r', 1, 990, 'PAID', 0, 0, '{1,0,0}', now(), now()
  FROM generate_series(1, $2::int) n
"""
TELL = "INSERT INTO gate_events (order_id, kind, config_id) SELECT id, 'paid', config_id FROM orders"
LOST = "UPDATE gate_events SET sent_at = now() - interval '3 s'"
EMPTIED = (TELL, "DELETE FROM gate_events WHERE id < (SELECT max(id) FROM gate_events)", "VACUUM ANALYZE gate_events")
# What was done to the table, empty again, when the statement was planned first.
BELIEFS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "it is empty": ("ANALYZE gate_events",),
    "it was emptied": (*EMPTIED, "DELETE FROM gate_events", "ANALYZE gate_events"),
}

SEND = "EXECUTE send(500)"
WATCH = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE send(500)"


class Session:
    """A connection on which sending is a statement that was prepared long ago."""

    def __init__(self, connection: PoolConnectionProxy) -> None:
        self._connection = connection
        self._statement = SEND

    async def execute(self, statement: str) -> str:
        return await self._connection.execute(statement)

    async def fetch(self, _query: str, *_args: int) -> list[Any]:
        return await self._connection.fetch(self._statement)

    async def take(self, statement: str) -> list[Any]:
        """What a dispatcher would be given."""
        self._statement = statement
        async with self._connection.transaction():
            return await dispatch._take(cast("PoolConnectionProxy", self), "")


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


def looked_at(plan: dict[str, Any]) -> int:
    """Rows that all parts of a plan have looked at, those they left out included."""
    own = sum(plan.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    return int(own * plan["Actual Loops"]) + sum(map(looked_at, plan.get("Plans", ())))


@pytest.mark.parametrize("belief", BELIEFS)
@pytest.mark.parametrize("planned", ["before", "after"])
@pytest.mark.parametrize("query", ["SEND_NEW", "SEND_AGAIN"])
async def test_each_event_is_looked_up_whatever_postgres_believes(
    ledger: Ledger, query: str, planned: str, belief: str
) -> None:
    """Planned before the table was filled, or after it; with statistics of when it was empty."""
    await ledger.pool.execute(ORDERS, await ledger.config(), EVENTS)
    async with ledger.pool.acquire() as connection:
        session = Session(connection)
        for statement in BELIEFS[belief]:
            await connection.execute(statement)
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE send(int) AS {getattr(dispatch, query)}")
        if planned == "before":
            assert await session.take(SEND) == []
        await connection.execute(TELL)
        if query == "SEND_AGAIN":
            await connection.execute(LOST)

        ((said,),) = await session.take(WATCH)

        (whole,) = msgspec.json.decode(said)
    sent = whole["Plan"]["Actual Rows"]
    assert sent == dispatch.SEND_MAX
    assert looked_at(whole["Plan"]) <= LOOKED_AT_MAX * sent
    assert whole["Plan"]["Shared Hit Blocks"] + whole["Plan"]["Shared Read Blocks"] <= BLOCKS_MAX * sent
