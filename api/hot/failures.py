"""Clicks on which a playbook's step failed, in the log: a line a second at most, for a crowd meets the same bug."""

import logging
import time

log = logging.getLogger("wanfa.playbooks")

SAY_EVERY_S = 1.0


class Failures:
    """Those of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._silent_until = 0.0

    def add(self, code: str, config_id: str, verb: str) -> None:
        """Count one more, and say so unless that was said within a second."""
        self._count += 1
        now = time.monotonic()
        if now < self._silent_until:
            return
        log.warning(
            "playbook %s failed on %d clicks, the last a %s on %s; the log of Redis (Valkey) has the reason",
            code,
            self._count,
            verb,
            config_id,
        )
        self._count = 0
        self._silent_until = now + SAY_EVERY_S
