"""A Valkey that is thrown away afterwards, and the errors of steps in its log."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from engine.local.embedded import ValkeyServer
from engine.local.running import Running

STEP_ERROR = re.compile(r"playbook [A-Z][A-Z0-9_]* (\w+): (.*)")  # as scripts/lua/include/steps.lua logs it


class ThrowAwayValkey:
    """A running Valkey. `log` is None when it is somebody else's: then errors of steps are unknown."""

    def __init__(self, url: str, log: Path | None) -> None:
        self.url = url
        self._log = log.open(encoding="utf-8", errors="replace") if log else None

    def step_errors(self) -> list[str]:
        """What steps have failed with since this was last asked: `join: step.lua:7: attempt to …`."""
        if self._log is None:
            return []
        found = STEP_ERROR.finditer(self._log.read())
        return [f"{one[1]}: {one[2].strip()}" for one in found]

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()


@contextmanager
def open_valkey(url: str | None = None) -> Iterator[ThrowAwayValkey]:
    """A Valkey of its own, gone afterwards; or the one at `url`, as it is. Raises ServerUnreachable."""
    if url is not None:
        yield ThrowAwayValkey(url, None)
        return
    home = Path(tempfile.mkdtemp(prefix="wanfa-stage-"))
    log = home / "valkey.log"
    running = Running(ValkeyServer(home, options={"appendonly": "no"}), log)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(running.start())
        valkey = ThrowAwayValkey(running.url, log)
        try:
            yield valkey
        finally:
            valkey.close()
    finally:
        running.kill()
        loop.close()
        rmtree(home, ignore_errors=True)
