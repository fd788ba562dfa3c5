"""A worker that stands still inside a Postgres transaction, holding locks that the others need."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import msgspec

from loadtests.campaigns.faults.recovery import RECOVERY_MAX_S, Recovery, ask_postgres, has_row_since
from loadtests.campaigns.faults.scene import Moment, Scene

WORKERS = ("worker", "worker-2")
SETTLES_S = 0.02  # a statement that it had sent comes to its end
# A drain that has locked the stock of a config keeps every other drain of that config waiting.
HOLDS_STOCK = """
SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
 WHERE a.client_port = ANY($1::int[]) AND a.state = 'idle in transaction' AND l.relation = 'stock'::regclass
   AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
"""
WORKS = "SELECT count(*) FROM pg_stat_activity WHERE client_port = ANY($1::int[]) AND state_change > to_timestamp($2)"


class Frozen(msgspec.Struct, frozen=True):
    """SIGSTOP of whichever worker is caught in such a transaction first, SIGCONT after `Scene.frozen_s`."""

    name = "a worker frozen in a transaction"

    async def happen(self, scene: Scene) -> Recovery:
        """Freeze one until the other has gone on in its place, and for `frozen_s` at least; then wait until it works.

        In the table `back by itself` counts from SIGCONT, the others from SIGSTOP.
        """
        part, struck = await freeze(scene)
        try:
            accepted_s, persisted_s = await self._others_go_on(scene, part, struck)
        finally:
            scene.stack.continue_part(part)
        return Recovery(self.name, await self._works_again(scene, part), accepted_s, persisted_s)

    async def _others_go_on(self, scene: Scene, part: str, struck: Moment) -> tuple[float, float]:
        accepted_s = persisted_s = 0.0
        while True:
            now_s = time.monotonic() - struck.monotonic
            if not accepted_s and scene.crowd.counts.last_accepted_sent_at > struck.monotonic:
                accepted_s = now_s
            if not persisted_s and await has_row_since(scene, struck):
                persisted_s = now_s
            if accepted_s and persisted_s and now_s >= scene.frozen_s:
                break
            if now_s > scene.frozen_s + RECOVERY_MAX_S:
                raise RuntimeError(f"nobody has gone on for the frozen {part}:\n{scene.stack.log_tail()}")
            await asyncio.sleep(0.05)
        if not scene.stack.is_stopped(part):
            raise RuntimeError(f"{part} did not stay frozen:\n{scene.stack.log_tail()}")
        return accepted_s, persisted_s

    async def _works_again(self, scene: Scene, part: str) -> float:
        """Seconds until it, or who was started in its place, asks Postgres something."""
        thawed = Moment.now()
        while True:
            now_s = time.monotonic() - thawed.monotonic
            if await ask_postgres(scene, WORKS, ports_of(scene.stack.pid_of(part)), thawed.unix):
                return now_s
            if now_s > RECOVERY_MAX_S:
                raise RuntimeError(f"{part} does nothing since it was frozen:\n{scene.stack.log_tail()}")
            await asyncio.sleep(0.02)


async def freeze(scene: Scene) -> tuple[str, Moment]:
    """Stop a worker in a transaction that others wait for; which one, and when it stood still."""
    deadline = time.monotonic() + RECOVERY_MAX_S
    connection = await asyncpg.connect(scene.stack.servers.postgres_url)
    try:
        while time.monotonic() < deadline:
            for part in WORKERS:
                scene.stack.stop_part(part)
                stopped = Moment.now()
                await asyncio.sleep(SETTLES_S)
                if await connection.fetchval(HOLDS_STOCK, ports_of(scene.stack.pid_of(part))):
                    return part, stopped
                scene.stack.continue_part(part)
                await asyncio.sleep(scene.chance.random() * SETTLES_S)
    finally:
        await connection.close()
    raise RuntimeError(f"no worker was ever caught in a transaction:\n{scene.stack.log_tail()}")


def ports_of(pid: int | None) -> list[int]:
    """The ports of its own ends of its TCP connections."""
    targets = []
    with suppress(OSError):  # it has ended, or is about to
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                targets.append(str(descriptor.readlink()))
    inodes = {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes]
