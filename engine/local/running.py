"""A server as a child process: started, asked until it answers, stopped or killed. For tests and scripts;
`wanfa up` has children.py.
"""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import asyncpg
import redis.exceptions

from engine.local.programs import explain

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 8.0


class Server(Protocol):
    """A program that can be run, asked whether it is ready and told to stop."""

    name: str
    port: int
    stop_signal: signal.Signals

    @property
    def url(self) -> str:
        """Where clients connect, credentials included."""

    def prepare(self) -> None:
        """Make what it needs before each start."""

    def command(self) -> list[str]:
        """What to start, after `prepare`."""

    def ended(self, code: int) -> None:
        """It has ended with this exit code, or by the signal `-code`. Who is not told before the next start assumes
        the worst.
        """

    async def ready(self) -> None:
        """Return when it answers; one of NOT_YET while it does not."""


NOT_YET = (OSError, TimeoutError, redis.exceptions.RedisError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def until_ready(server: Server, has_ended: Callable[[], bool]) -> bool:
    """Ask `server` until it answers; False when it ended or said nothing for READY_TIMEOUT_S."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            await server.ready()
            return True
        except NOT_YET:
            if has_ended() or time.monotonic() > deadline:
                return False
        await asyncio.sleep(0.02)


class Running:
    """A server started for a test or a script; use it as an async context, or `start` and `stop`."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server = server
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.server.url

    @property
    def port(self) -> int:
        """Where it listens; the same after a restart."""
        return self.server.port

    @property
    def pid(self) -> int:
        """The server's own process id; RuntimeError when it is not running."""
        if self.process is None:
            raise RuntimeError(f"{self.server.name} is not running")
        return self.process.pid

    async def start(self) -> None:
        """Start it and wait until it answers; ServerUnreachable says why it does not."""
        self.server.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = spawn(self.server, out)
        process = self.process
        if await until_ready(self.server, lambda: process.poll() is not None):
            return
        self.kill()
        lines = self.log.read_text(errors="replace").splitlines()
        raise explain(self.server.name, self.server.port, self.log.parent, lines)

    def stop(self) -> None:
        """End it in order; it keeps what it stored."""
        self._end(self.server.stop_signal)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, by: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(by)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    async def restart(self) -> None:
        """Kill it like a crash would, and start it on what it left."""
        self.kill()
        await self.start()


def spawn(server: Server, out: "IO[bytes]") -> "subprocess.Popen[bytes]":
    """Start a prepared server in a session of its own, so that a Ctrl-C reaches only us."""
    return subprocess.Popen(
        server.command(),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )
