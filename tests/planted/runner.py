"""Plants a bug in a copy of the checkout and runs tests there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.planted.bugs import Bug

CHECKOUT = Path(__file__).resolve().parents[2]
# What git does not track, and git itself.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".wanfa", ".hypothesis", ".*_cache", "__pycache__", "*.pyc", "*.egg-info", "node_modules", "dist"
)
TESTS_FAILED = 1  # pytest's exit code when it ran and something failed; 2 and up: it did not really run
TIMEOUT_S = 1800


@contextmanager
def planted(bug: Bug, folder: Path) -> Iterator[Path]:
    """A copy of the checkout with the bug in it."""
    copy = folder / "copy"
    shutil.copytree(CHECKOUT, copy, ignore=LEFT_OUT, symlinks=True)
    for edit in bug.edits:
        path = copy / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise AssertionError(f"{bug.name}: the text stands {text.count(edit.old)} times in {edit.file}, not once")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    yield copy
    shutil.rmtree(copy)


def run_tests(copy: Path, tests: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """pytest in the copy, stopping at the first failure; the copy's code, this environment's libraries."""
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-x", "-q", *tests]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "WANFA_"))}
    environment = inherited | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        argv, cwd=copy, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
