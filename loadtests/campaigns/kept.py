"""A process beside the supervisor's: started again whenever it ends, as an operator's service manager would."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

AGAIN_S = 0.2  # between an end and the next start
STOP_TIMEOUT_S = 10.0


class Kept:
    """Runs `argv` from `start` to `end`, again and again."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self._argv = argv
        self._env = env
        self._cwd = cwd
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs just now; None while it is down."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._keeping = asyncio.create_task(self._keep())

    def end(self) -> None:
        """SIGTERM, and no further start."""
        if self._keeping is not None:
            self._keeping.cancel()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def _keep(self) -> None:
        while True:
            self._process = self._spawn()
            await asyncio.to_thread(self._process.wait)
            await asyncio.sleep(AGAIN_S)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._argv, cwd=self._cwd, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
