"""Valkey is killed, and comes back to an append-only folder that is not what it wrote."""

import asyncio
import random
import shutil
import time
from pathlib import Path

import msgspec
import redis

from loadtests.auditor.dump import undrained_entries
from loadtests.campaigns.faults.aof import FOLDER, cut_tail, parts_of, zero_middle
from loadtests.campaigns.faults.killed import are_back
from loadtests.campaigns.faults.recovery import Recovery, watch_recovery
from loadtests.campaigns.faults.scene import Loss, Moment, Scene

CUT, ZEROED, OLDER, NONE = "cut", "zeroed", "older", "none"
NAMES = {CUT: "AOF cut", ZEROED: "AOF zeroed in the middle", OLDER: "an older AOF", NONE: "no AOF"}
TRANSACTIONS_MAX = 400  # cut off
NAMED_AS_KEPT = f"{FOLDER}.damaged-*"


class Damaged(msgspec.Struct, frozen=True):
    """One of the four things that disks and operators do to the folder."""

    how: str

    @property
    def name(self) -> str:
        """The row of the table."""
        return f"valkey killed, {NAMES[self.how]}"

    async def happen(self, scene: Scene) -> Recovery:
        """Do it while nobody starts Valkey again; then wait until the service is whole."""
        back = are_back(scene.stack, ("valkey",))
        scene.stack.hold_supervisor()
        try:
            lacking_ms = await asyncio.to_thread(lacking_since_ms, scene.stack.servers.hot_url)
            scene.stack.kill("valkey")
            struck = Moment.now()
            forgotten_ms = await asyncio.to_thread(self._damage, scene)
        finally:
            scene.stack.release_supervisor()
        scene.losses.append(Loss(max(lacking_ms, forgotten_ms), int(time.time() * 1000)))
        recovery = await watch_recovery(scene, self.name, struck, back)
        kept = list(scene.valkey_home.glob(NAMED_AS_KEPT))
        if self.how == ZEROED and not kept:
            raise RuntimeError(f"the damaged {FOLDER} was not kept aside\n{scene.stack.log_tail()}")
        for folder in kept:  # a campaign of hours would fill the disk
            shutil.rmtree(folder)
        return recovery

    def _damage(self, scene: Scene) -> int:
        """Since when (Unix ms) Valkey will have forgotten what it decided."""
        folder = scene.valkey_home / FOLDER
        if self.how == CUT:
            half = scene.chance.random() < 0.5
            return cut_tail(scene.valkey_home, scene.chance.randint(1, TRANSACTIONS_MAX), half=half).since_ms
        if self.how == ZEROED:
            return zero_middle(scene.valkey_home, scene.chance)
        shutil.rmtree(folder)
        if self.how == OLDER:
            assert scene.copy is not None
            scene.copy.rename(folder)
            scene.copy = None
        return 0


def lacking_since_ms(hot_url: str) -> int:
    """What was decided before this (Unix ms) is in Postgres: asked of the streams, oldest entry of all that are not."""
    client = redis.Redis.from_url(hot_url)
    try:
        now_ms = int(time.time() * 1000)  # before asking: what is decided from here on may be missed below
        streams = [key.decode() for key in client.scan_iter(match="{s*}:intents")]
        undrained = [entry for stream in streams for entry in undrained_entries(client, stream)]
        return min([now_ms, *(int(entry.split("-")[0]) for entry in undrained)])
    finally:
        client.close()


def take_copy(valkey_home: Path, to: Path) -> Path:
    """The folder as it is now, while the server writes: the end may be torn, but no part is missing."""
    while True:
        shutil.rmtree(to, ignore_errors=True)
        try:
            shutil.copytree(valkey_home / FOLDER, to)
            if all((to / part).exists() for part in parts_of(to)):
                return to
        except (shutil.Error, FileNotFoundError):
            pass  # it has just been rewritten
        time.sleep(0.05)


def copy_place(chance: random.Random, older_at: int) -> int:
    """Before which fault of a round the copy is taken that fault `older_at` brings back: up to three faults before."""
    return max(0, older_at - chance.randint(0, 3))
