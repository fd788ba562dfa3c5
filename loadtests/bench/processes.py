"""Programs the bench starts: pinned to a core, tied to its life, their output in a file."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from engine.local.programs import tied_to_parent
from loadtests.bench.cpu import cpu_seconds, family, pinned

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0


class Program:
    """One program under test, from `with` to its end. `cwd` is where it runs, by default here."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        cores: set[int],
        log: Path,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._cwd = cwd
        self._argv = tied_to_parent(argv, signal.SIGTERM)
        self._env = {**inherited(), **env}
        self._cores = cores
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []

    def __enter__(self) -> Self:
        with self.log.open("ab") as out, pinned(self._cores):
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """RuntimeError when it is not running."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of the program and its children so far."""
        return cpu_seconds([self.pid])

    def freeze(self) -> None:
        """Stop it from running (SIGSTOP), so that it takes no CPU from what is measured."""
        self._frozen = family(self.pid)
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run again."""
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Ask until it is ready. RuntimeError with its last words when it ended or took too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                words = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} {'ended' if ended else 'timed out'} before {what}:\n{words}")
            time.sleep(0.05)

    def wait_for_line(self, start: str) -> str:
        """The rest of the first line of its output that begins with `start`."""
        found: list[str] = []

        def look() -> bool:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            found[:] = [line.removeprefix(start).strip() for line in lines if line.startswith(start)]
            return bool(found)

        self.wait_until(look, f"it said {start!r}")
        return found[0]

    def wait_for_http(self, url: str) -> None:
        """Wait until `url` answers 200."""
        self.wait_until(lambda: http_status(url) == 200, f"{url} answered")


def inherited() -> dict[str, str]:
    """What a program needs of our own environment; no setting of wanfa is among it."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")}


@contextmanager
def frozen(*roots: int) -> Iterator[None]:
    """These processes with all their children stand still inside: stopped in this order, let go in the reverse."""
    stopped: list[int] = []
    try:
        for root in roots:
            os.kill(root, signal.SIGSTOP)  # the parent first: then no child can appear that nobody stops
            stopped.append(root)
            for pid in family(root):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def http_status(url: str) -> int:
    """The status of a GET; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (loopback addresses of our own programs)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
