"""A worker that is told to stop ends, whatever happens to it at that moment, and leaves no lock behind."""

import asyncio
import signal

import asyncpg
import pytest

from engine.core.settings import Settings
from engine.core.tasks import end_tasks
from engine.stream.ownership import LOCK_SPACE
from tests.integration.runtime.test_worker import quick, worker
from tests.support.market import open_market
from tests.support.waiting import eventually

__all__ = ["quick"]

ENDS_S = 60  # generous: it hung for ever
LOCKS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
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


STUBBORN = """
import asyncio, sys
from engine.cli.main import main
from engine.runtime import jobs, worker

async def stubborn(engine):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("no", flush=True)

jobs.LOOPS = worker.LOOPS = (*jobs.LOOPS, jobs.Loop("stubborn", None, stubborn))
worker.STOP_S, worker.END_S = 0.5, 1.0
sys.argv = ["wanfa", "worker"]
main()
"""


async def test_a_worker_whose_work_cannot_be_cancelled_ends_all_the_same(quick: Settings, database: str) -> None:
    """The deadline is the operating system's; the log names what did not end in time."""
    async with open_market(quick), worker(quick, STUBBORN, stderr=asyncio.subprocess.PIPE) as process:
        operator = await asyncpg.connect(database)
        await eventually(lambda: operator.fetchval(LOCKS, LOCK_SPACE), 1)
        process.send_signal(signal.SIGTERM)
        _, logged = await asyncio.wait_for(process.communicate(), ENDS_S)
        assert process.returncode in (0, -signal.SIGALRM)
        assert b"not in time: ['stubborn']" in logged
        await eventually(lambda: operator.fetchval(LOCKS, LOCK_SPACE), 0)
        await operator.close()


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    """What a client library may do once, and what nobody who is cancelled may do for ever."""
    swallowed = asyncio.Event()

    async def swallows_one() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(swallows_one())
    await asyncio.sleep(0)
    await asyncio.wait_for(end_tasks([task]), ENDS_S)
    assert swallowed.is_set()
    assert task.cancelled()
