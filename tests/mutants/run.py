"""Runs tests in a copy, and says what became of a bug."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tests.mutants.copies import Copy
from tests.mutants.row import Row

TIMEOUT_S = 90.0  # the slowest of them take a sixth of it on an idle machine
CLEAN_UP_S = 10.0

TESTS_FAILED = 1  # pytest's exit code when it ran and something failed; 2 and up: it did not really run
_SUMMARY = "short test summary info"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)

# caught: a test failed; survived: all were green; hung: our time-out ended them, they have none of their own;
# broken: the tests did not get so far as to fail; wrong: a row that says "equivalent" was caught.
Fate = Literal["caught", "survived", "equivalent", "hung", "broken", "wrong"]
GOOD: tuple[Fate, ...] = ("caught", "equivalent")
TARGET = 0.98  # of all that is not equivalent


class Ran(NamedTuple):
    """A run of pytest; `code` None: our time-out ended it."""

    code: int | None
    output: str
    seconds: float

    @property
    def failed(self) -> str:
        """The first test that failed, or ''."""
        found = _FAILED.search(self.output.rpartition(_SUMMARY)[2])
        return found[1] if found else ""


class Result(NamedTuple):
    """What became of a row."""

    row: Row
    fate: Fate
    ran: Ran


def run_tests(
    copy: Path,
    tests: Sequence[str],
    *,
    stop_at_first: bool = True,
    timeout_s: float = TIMEOUT_S,
    clean_up_s: float = CLEAN_UP_S,
) -> Ran:
    """pytest in the copy: its code, this environment's libraries. All that it started ends with it."""
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-rfE", "--tb=short"]
    argv += [*(["-x"] if stop_at_first else []), *tests]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "WANFA_"))}
    started = time.monotonic()
    process = subprocess.Popen(
        argv,
        cwd=copy,
        env=inherited | {"PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, code = process.communicate(timeout=timeout_s)[0], process.returncode
    except subprocess.TimeoutExpired:
        output, code = _end(process, clean_up_s), None
    return Ran(code, output, time.monotonic() - started)


def fate_of(row: Row, ran: Ran) -> Fate:
    """What a run says of the row's bug."""
    if ran.code is None:
        return "hung"
    if ran.code == 0:
        return "equivalent" if row.equivalent else "survived"
    begun = "ERROR at setup of" not in ran.output and "ERROR collecting" not in ran.output
    if ran.code == TESTS_FAILED and begun:
        return "wrong" if row.equivalent else "caught"
    return "broken"


def try_row(copy: Copy, row: Row) -> Result:
    """Plant the bug, run the row's tests, and take the bug out again."""
    with copy.with_bug(row):
        ran = run_tests(copy.folder, row.by)
    return Result(row, fate_of(row, ran), ran)


def missed(results: Iterable[Result]) -> list[Result]:
    """What the table is wrong about, or no test has noticed."""
    return [result for result in results if result.fate not in GOOD]


def _end(process: "subprocess.Popen[str]", clean_up_s: float) -> str:
    """Ask it to clean up, as Ctrl-C does; then end it and whatever it has left."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=clean_up_s)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]
