"""How long after a fault the service was there again."""

import asyncio
import time
from collections import defaultdict
from statistics import median
from typing import Any

import asyncpg
import msgspec
from rich.table import Table

from loadtests.campaigns.faults.scene import IsBack, Moment, Scene

RECOVERY_MAX_S = 120.0  # it takes seconds; a machine may be busy with something else
NEWEST = "SELECT count(*) FROM orders WHERE created_at > to_timestamp($1)"


class Recovery(msgspec.Struct, frozen=True):
    """Seconds after a fault until: what it hit was there again, a click sent after it was accepted, one was a row."""

    fault: str
    back_s: float
    accepted_s: float
    persisted_s: float


async def watch_recovery(scene: Scene, fault: str, struck: Moment, is_back: IsBack) -> Recovery:
    """Wait until it is back, and clicks are accepted and persisted again. RuntimeError when that takes too long."""
    back_s = accepted_s = persisted_s = 0.0
    while not (back_s and accepted_s and persisted_s):
        await asyncio.sleep(0.02)
        now_s = time.monotonic() - struck.monotonic
        if not back_s and await is_back():
            back_s = now_s
        if not accepted_s and scene.crowd.counts.last_accepted_sent_at > struck.monotonic:
            accepted_s = now_s
        if not persisted_s and accepted_s and await has_row_since(scene, struck):
            persisted_s = now_s
        if now_s > RECOVERY_MAX_S:
            raise RuntimeError(f"no recovery within {RECOVERY_MAX_S:.0f} s of: {fault}\n{scene.stack.log_tail()}")
    return Recovery(fault, back_s, accepted_s, persisted_s)


async def has_row_since(scene: Scene, moment: Moment) -> bool:
    """Postgres has an order that was decided after `moment`."""
    return bool(await ask_postgres(scene, NEWEST, moment.unix))


async def ask_postgres(scene: Scene, query: str, *values: object) -> Any:
    """One value; None while Postgres does not answer."""
    try:
        connection = await asyncpg.connect(scene.stack.servers.postgres_url, timeout=1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


def recovery_table(recoveries: list[Recovery]) -> Table:
    """Median and worst of each kind of fault."""
    table = Table(title="seconds after it: median, worst", title_justify="left")
    for column in ("fault", "times", "back by itself", "first accepted click", "first order row"):
        table.add_column(column, justify="left" if column == "fault" else "right")
    kinds: dict[str, list[Recovery]] = defaultdict(list)
    for recovery in recoveries:
        kinds[recovery.fault].append(recovery)
    for fault, some in sorted(kinds.items()):
        spans = ([r.back_s for r in some], [r.accepted_s for r in some], [r.persisted_s for r in some])
        cells = [f"{median(values):.2f}, {max(values):.2f}" for values in spans]
        table.add_row(fault, str(len(some)), *cells)
    return table
