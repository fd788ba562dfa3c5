"""Steps that fail, in our own log: which playbook, step and line, and why; seldom, for a crowd meets the same bug."""

import logging
import time
from collections.abc import Iterable
from urllib.parse import unquote

from engine.gate.wire import Failure

log = logging.getLogger("wanfa.gate")

SAY_EVERY_S = 10.0


class StepFailures:
    """Those that one process has heard of, by playbook and step."""

    def __init__(self) -> None:
        self._count: dict[tuple[str, str], int] = {}
        self._silent_until: dict[tuple[str, str], float] = {}

    def add(self, failures: Iterable[Failure]) -> None:
        """Count what failed in a batch, and say so: of each step the first at once, then a line in SAY_EVERY_S."""
        now = time.monotonic()
        for code, step, config_id, times, why in failures:
            key = code, step
            self._count[key] = self._count.get(key, 0) + times
            if self._silent_until.get(key, now) > now:
                continue
            log.error(
                "playbook %s failed in its step %s, %d times, last on %s: %s",
                code,
                step,
                self._count.pop(key),
                config_id,
                _shown(why),
            )
            self._silent_until[key] = now + SAY_EVERY_S


def _shown(why: str) -> str:
    """One line, whatever a stranger's error holds."""
    return "".join(char if char.isprintable() else " " for char in unquote(why))
