"""After the load: wait until nothing is on its way, dump both stores, audit."""

import asyncio
import time
from typing import Any

import asyncpg
import redis
from rich.console import Console

from loadtests.auditor.audit import audit, report
from loadtests.auditor.dump import dump_postgres, dump_redis, undrained_entries
from loadtests.auditor.evidence import Evidence, load
from loadtests.auditor.verdict import Question
from loadtests.campaigns.stack import Stack

QUIET_TIMEOUT_S = 120.0
ON_ITS_WAY = """
SELECT (SELECT count(*) FROM gate_events)
     + (SELECT count(*) FROM play_configs WHERE warm_pending)
     + (SELECT count(*) FROM orders WHERE status = 'HELD' AND pay_before < now())
     + (SELECT count(*) FROM instances WHERE wake_at < now() AND status IN ('PENDING', 'ACTIVE'))
"""
FETCH_TOTALS = "SELECT (SELECT count(*) FROM orders), (SELECT coalesce(sum(reserved), 0) FROM stock)"


async def until_quiet(stack: Stack) -> None:
    """Streams drained, events followed, overdue holds resolved: twice in a row, with nothing new between."""
    deadline = time.monotonic() + QUIET_TIMEOUT_S
    before: object = None
    waiting: object = "nothing looked at"
    while time.monotonic() < deadline:
        try:
            waiting, totals = await _look(stack)
        except (OSError, asyncpg.PostgresError, redis.RedisError) as error:
            waiting, totals = error, None
        if not waiting and totals is not None and totals == before:
            return
        before = totals
        await asyncio.sleep(0.25)
    raise RuntimeError(f"not quiet after {QUIET_TIMEOUT_S:.0f} s: {waiting}\n{stack.log_tail()}")


async def _look(stack: Stack) -> tuple[str, tuple[Any, ...]]:
    servers = stack.servers
    client = redis.Redis.from_url(servers.hot_url)
    streams = [key.decode() for key in client.scan_iter(match="{s*}:intents")]
    undrained = sum(len(undrained_entries(client, stream)) for stream in streams)
    client.close()
    connection = await asyncpg.connect(servers.postgres_url)
    try:
        events = await connection.fetchval(ON_ITS_WAY)
        totals = await connection.fetchrow(FETCH_TOTALS)
    finally:
        await connection.close()
    waiting = f"{undrained} stream entries, {events} rows" if undrained or events else ""
    return waiting, tuple(totals or ())


async def settle_and_audit(
    stack: Stack, console: Console, *, torn: tuple[tuple[int, int], ...] = ()
) -> tuple[bool, Evidence]:
    """Wait, dump, audit: (no violation, the evidence)."""
    with console.status("waiting until nothing is on its way"):
        await until_quiet(stack)
    servers = stack.servers
    redis_file, postgres_file = stack.folder / "redis.jsonl", stack.folder / "postgres.jsonl"
    dump_redis(servers.hot_url, redis_file)
    await dump_postgres(servers.postgres_url, postgres_file)
    evidence = load(stack.journals, redis_file, postgres_file)
    verdicts = audit(evidence, Question(quiescent=True, torn=torn))
    return report(verdicts, console), evidence
