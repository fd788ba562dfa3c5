"""A `wanfa up` in a folder of its own, as a person would run it, and who belongs to it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import httpx

from engine.local.embedded import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 30.0


class Up:
    """One state folder; `start` and `end` as often as a test likes."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.python = sys.executable
        self.home = folder / "state"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("WANFA_")}
        self.environment = {**inherited, "WANFA_HOME": str(self.home), **environment}
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, int] = {}  # pid -> when it started

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The supervisor."""
        assert self._process is not None, "not started"
        return self._process

    def output(self) -> str:
        """All it has printed since its last start."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def spawn(self, *arguments: str) -> None:
        """Start it, without waiting."""
        argv = [self.python, "-m", "engine.cli.main", "up", "--port", str(self.port), *arguments]
        with self._output.open("wb") as out:
            self._process = subprocess.Popen(
                argv, cwd=CHECKOUT, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.spawn()
        self.until_said("wanfa is ready")

    def until_said(self, words: str, *, times: int = 1) -> None:
        """Wait until it has printed this, so many times."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.output().count(words) < times:
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal it and wait for its end; its exit code."""
        self.processes()
        self.process.send_signal(number)
        deadline = time.monotonic() + END_TIMEOUT_S
        while self.process.poll() is None:
            self.processes()  # so that nobody who is started now is missed
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.01)
        return self.process.returncode

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        return self.process.wait(END_TIMEOUT_S)

    def processes(self) -> dict[int, str]:
        """The living processes that ever descended from it, when this was asked: pid -> command line."""
        table = _process_table()
        if self._process is not None and self._process.poll() is None and (row := table.get(self._process.pid)):
            self._seen[self._process.pid] = row.started
        grown = True
        while grown:
            fresh = {
                pid: row.started for pid, row in table.items() if row.parent in self._seen and pid not in self._seen
            }
            self._seen |= fresh
            grown = bool(fresh)
        return {pid: _command_line(pid) for pid, row in table.items() if self._seen.get(pid) == row.started}

    def pid_of(self, part: str) -> int:
        """The first process with `part` in its command line."""
        return min(pid for pid, line in self.processes().items() if part in line and pid != self.process.pid)

    def until_gone(self) -> dict[int, str]:
        """Who is left when nobody should be; waits a little for the kernel."""
        deadline = time.monotonic() + END_TIMEOUT_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def until_ready(self) -> None:
        """Wait until /readyz answers 200 again."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.output())

    def password(self) -> str:
        """The demo password it printed."""
        match = re.search(r"password\s+(\S+)", self.output())
        assert match, self.output()
        return match[1]


class _Row(NamedTuple):
    parent: int
    started: int


def _process_table() -> dict[int, _Row]:
    """Every living process; a zombie is dead."""
    table = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            table[int(folder.name)] = _Row(int(fields[1]), int(fields[19]))
    return table


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def up_in_a_folder(**environment: str) -> Iterator[Up]:
    """An `Up`, not started; whatever is left of it is killed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="wanfa-up-"))
    folder.chmod(0o711)  # root's Postgres runs as nobody
    up = Up(folder, environment)
    try:
        yield up
    finally:
        for pid in up.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if up._process is not None:
            up._process.wait(END_TIMEOUT_S)
        rmtree(folder, ignore_errors=True)
