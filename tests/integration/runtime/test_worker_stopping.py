"""A worker that is told to stop ends, whatever happens to it at that moment, and leaves no lock behind."""

import asyncio
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from engine.core.settings import Settings
from engine.core.tasks import end_tasks
from engine.stream.ownership import LOCK_SPACE
from tests.integration.runtime.test_worker import eventually, quick, worker
from tests.support.market import open_market

__all__ = ["quick"]

ENDS_S = 60  # generous: it hung for ever
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND database = (SELECT oid FROM \
pg_database WHERE datname = current_database())"
CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.mark.parametrize("after_ms", [0, 20, 50, 80, 120])
async def test_told_to_stop_while_postgres_ends_its_sessions(quick: Settings, database: str, after_ms: int) -> None:
    """A cancellation may be lost in a connection that breaks: it comes again, and the locks are free."""
    async with open_market(quick), worker(quick) as process:
        operator = await asyncpg.connect(database)
        await eventually(lambda: operator.fetchval(LOCKS, LOCK_SPACE), 1)
        await operator.fetchval(CUT)
        await asyncio.sleep(after_ms / 1000)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), ENDS_S) == 0
        assert await operator.fetchval(LOCKS, LOCK_SPACE) == 0
        await operator.close()
