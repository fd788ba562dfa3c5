"""What a playbook that is missing or fails keeps waiting: one line a minute for each, however often it is tried."""

import logging
import time

log = logging.getLogger("wanfa.stream")

SAY_EVERY_S = 60.0
RECENT_S = 10.0  # what has not failed for so long does not wait any more: each is tried every 2 s


class StalledLog:
    """Counts the ids of `what` that wait, by playbook."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failed_at: dict[str, dict[str, float]] = {}
        self._silent_until: dict[str, float] = {}

    def failed(self, code: str, waiting_id: str) -> None:
        """It was tried; the same id again counts once."""
        self._failed_at.setdefault(code, {})[waiting_id] = time.monotonic()

    def say(self) -> None:
        """To be called when a batch has been tried, so that the first line has the whole of it."""
        now = time.monotonic()
        for code in [code for code in self._failed_at if self._silent_until.get(code, now) <= now]:
            waiting = sum(at > now - RECENT_S for at in self._failed_at.pop(code).values())
            if not waiting:
                continue
            self._silent_until[code] = now + SAY_EVERY_S
            log.error(
                "playbook %s is missing or fails: %d %s wait; of a step that fails wanfa.gate says where and why",
                code,
                waiting,
                self._what,
            )
