"""A whole wanfa in a temporary state folder, run by its own supervisor, whose children can be killed."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from loadtests.campaigns.kept import Kept
from loadtests.campaigns.shop import until_ready
from loadtests.client import Client

CHECKOUT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
LOG_TAIL = 40
# Part -> what its command line contains.
PARTS = {"valkey": "valkey-server", "postgres": "bin/postgres", "api": " serve", "worker": " worker"}
# What may run beside the supervisor's own -> the command.
SECOND = {"api-2": "serve", "worker-2": "worker"}


class Servers(msgspec.Struct):
    """`servers.json`, which the supervisor writes."""

    hot_url: str
    postgres_url: str


class Stack:
    """`async with Stack() as stack`: `wanfa up` with an API at `stack.url`; all of it is gone afterwards.

    With `second`, another API and another worker run on the same servers, and are started again when they end.
    """

    def __init__(self, *, second: bool = False, **settings: object) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wanfa-campaign-"))
        self.folder.chmod(0o711)  # root's Postgres runs as nobody and must pass through
        self.home = self.folder / "state"
        self.journals = self.folder / "journals"
        self.journals.mkdir()
        self.password = secrets.token_urlsafe(9)
        self.ports = {"api": _free_port()} | ({"api-2": _free_port()} if second else {})
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports.values()]
        self.url = self.urls[0]
        self._settings = {f"WANFA_{key.upper()}": str(value) for key, value in settings.items()}
        self._log = self.folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._kept = {part: self._second(part) for part in SECOND} if second else {}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._end()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-c", "from engine.cli.main import main; main()", "up"]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                argv, cwd=CHECKOUT, env=self._environment("api"), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _second(self, part: str) -> Kept:
        argv = [sys.executable, "-m", "engine.cli.main", SECOND[part]]
        return Kept(argv, self._environment("api-2"), CHECKOUT, self._log)

    async def _start(self) -> None:
        self._process = self._spawn()
        await self._until_ready(self.urls[0])
        for kept in self._kept.values():
            kept.start()  # now, because it finds the servers by what the supervisor has written
        for url in self.urls[1:]:
            await self._until_ready(url)

    async def _until_ready(self, url: str) -> None:
        assert self._process is not None
        async with Client(url, connections=1) as client:
            ready = asyncio.ensure_future(until_ready(client))
            while not ready.done():
                await asyncio.wait([ready], timeout=0.2)
                if self._process.poll() is not None:
                    ready.cancel()
                    raise RuntimeError(f"wanfa up ended with {self._process.returncode}:\n{self.log_tail()}")
            ready.result()

    def _environment(self, api: str) -> Mapping[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("WANFA_")}
        own = {"WANFA_ENV": "dev", "WANFA_HOME": str(self.home), "WANFA_DEMO_PASSWORD": self.password}
        own |= {"WANFA_API_PORT": str(self.ports[api]), "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        return inherited | own | self._settings

    @property
    def servers(self) -> Servers:
        """Where the embedded servers listen."""
        return msgspec.json.decode((self.home / "servers.json").read_bytes(), type=Servers)

    def pid_of(self, part: str) -> int | None:
        """The process id of one of PARTS or SECOND; None while it is down."""
        assert self._process is not None
        if part in self._kept:
            return self._kept[part].pid
        return next((pid for pid, line in _children(self._process.pid) if PARTS[part] in line), None)

    def kill(self, part: str) -> None:
        """SIGKILL one part; it has ended when this returns."""
        pid = self.pid_of(part)
        if pid is None:
            raise RuntimeError(f"{part} does not run:\n{self.log_tail()}")
        os.kill(pid, signal.SIGKILL)
        while _state(pid) not in ("Z", "X", ""):
            time.sleep(0.001)

    async def listens(self, part: str) -> bool:
        """Whether it takes connections, if it is an API; others are not asked."""
        if part not in self.ports:
            return True
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.ports[part])
        except OSError:
            return False
        writer.close()
        return True

    def stop_part(self, part: str) -> None:
        """SIGSTOP: from the return of this until `continue_part` it is there, but does nothing."""
        self._signal(part, signal.SIGSTOP)
        pid = self.pid_of(part)
        while pid is not None and _state(pid) not in ("T", ""):
            time.sleep(0.001)

    def is_stopped(self, part: str) -> bool:
        """It is there, and stands still."""
        pid = self.pid_of(part)
        return pid is not None and _state(pid) == "T"

    def continue_part(self, part: str) -> None:
        """SIGCONT."""
        self._signal(part, signal.SIGCONT)

    def _signal(self, part: str, number: signal.Signals) -> None:
        pid = self.pid_of(part)
        if pid is not None:
            os.kill(pid, number)

    def hold_supervisor(self) -> None:
        """The supervisor restarts nothing until `release_supervisor`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def release_supervisor(self) -> None:
        """The supervisor does its work again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log_tail(self, lines: int = LOG_TAIL) -> str:
        """The last lines that the supervisor and its children printed."""
        return "\n".join(self.log().splitlines()[-lines:])

    def log(self) -> str:
        """All they printed."""
        return self._log.read_text(errors="replace")

    def _end(self) -> None:
        for kept in self._kept.values():
            kept.end()
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its children are tied to its life
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(parent: int) -> list[tuple[int, str]]:
    """(pid, command line) of the direct children of `parent`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        state, ppid = stat.rpartition(")")[2].split()[:2]
        if int(ppid) == parent and state != "Z":
            found.append((int(folder.name), line))
    return found


def _state(pid: int) -> str:
    """The letter that /proc has for what it does; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
