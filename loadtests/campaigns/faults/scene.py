"""What a fault finds: the system, the people, and what disks have lost so far."""

import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from loadtests.campaigns.crowd import Crowd
from loadtests.campaigns.stack import Stack


class Loss(NamedTuple):
    """Acknowledged clicks that were decided in this span of Unix ms may be gone, whole."""

    since_ms: int
    until_ms: int


class Scene:
    """One campaign's system, with everything that its faults share."""

    def __init__(self, stack: Stack, crowd: Crowd, chance: random.Random, frozen_s: float) -> None:
        self.stack = stack
        self.crowd = crowd
        self.chance = chance
        self.frozen_s = frozen_s
        self.losses: list[Loss] = []
        self.copy: Path | None = None  # of the append-only folder, taken some faults ago

    @property
    def valkey_home(self) -> Path:
        """Where the append-only folder lies."""
        return self.stack.home / "valkey"


class Moment(NamedTuple):
    """A point in time, on this host's clocks."""

    monotonic: float
    unix: float

    @classmethod
    def now(cls) -> "Moment":
        """This one."""
        return cls(time.monotonic(), time.time())


IsBack = Callable[[], Awaitable[bool]]
