"""What `wanfa up --reload` looks at: the files that make a process what it is, and which of them have changed.

Polled, because a library for the kernel's own news would be one more to install, and 300 files are read in 5 ms.
"""

import asyncio
import importlib
import os
import site
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from engine.core.settings import config_dir
from engine.gate.lua import lua_dir
from engine.playbooks.registry import Package, installed_packages

POLL_S = 0.5
SUFFIXES = frozenset({".py", ".lua", ".sql", ".toml", ".json"})
SKIPPED = frozenset({"__pycache__", "node_modules"})
OURS = ("engine", "api", "plugins")
NAMES_MAX = 2

Stamps = Mapping[str, tuple[int, ...]]


class Watch:
    """Remembers what it saw when it was made, and at each `changed`."""

    def __init__(self) -> None:
        self._paths: tuple[int, ...] = ()
        self._packages: list[Package] = []
        self._roots: list[Path] = []
        self._seen = self._look()

    async def changed(self) -> list[str]:
        """Wait until something is another than it was, and then the same for POLL_S; what it was, by name."""
        found: set[str] = set()
        while True:
            await asyncio.sleep(POLL_S)
            seen = await asyncio.to_thread(self._look)
            if seen == self._seen and found:
                return sorted(found)
            found |= {name for name, _ in seen.items() ^ self._seen.items()}
            self._seen = seen

    def _look(self) -> Stamps:
        paths = tuple(_modified(Path(path or ".")) for path in sys.path)
        if paths != self._paths:  # something was installed, or is gone
            self._paths = paths
            _find_new_paths()
            self._packages = installed_packages()
            self._roots = _roots(self._packages)
        stamps = {str(path): stamp for root in self._roots for path, stamp in _stamps(root)}
        return stamps | {f"{package.distribution} {package.version}": (0,) for package in self._packages}


def named(changed: list[str]) -> str:
    """Some of what has changed, as a line: packages that came or went first, then files, as short as they can be."""
    paths = sorted(map(Path, changed), key=Path.is_absolute)
    short = [_short(path) if path.is_absolute() else str(path) for path in paths]
    rest = len(short) - NAMES_MAX
    return ", ".join(short[:NAMES_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _short(path: Path) -> str:
    """Below its package, or the working folder; else with the folder it is in."""
    for parent in reversed(path.parents):
        if (parent / "__init__.py").is_file():
            return str(path.relative_to(parent.parent))
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return "/".join(path.parts[-2:])


def _find_new_paths() -> None:
    """A package that was installed in editable mode since we started is found by a `.pth` file."""
    importlib.invalidate_caches()
    for folder in site.getsitepackages():
        site.addsitedir(folder)


def _roots(packages: list[Package]) -> list[Path]:
    """Our own folders, and the top-level package (or module) of every installed playbook."""
    tops = dict.fromkeys([*OURS, *(package.module.partition(":")[0].partition(".")[0] for package in packages)])
    found = [lua_dir(), config_dir()]
    for top in tops:
        with suppress(ImportError, ValueError):
            if spec := find_spec(top):  # of a top-level name it imports nothing
                found += map(Path, spec.submodule_search_locations or [spec.origin or ""])
    return list(dict.fromkeys(found))


def _stamps(root: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    if root.suffix in SUFFIXES and root.is_file():
        yield root, _stamp(root)
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if path.suffix in SUFFIXES:
                yield path, _stamp(path)


def _stamp(path: Path) -> tuple[int, ...]:
    """What a file is now; its time alone may be the same after a quick second change."""
    try:
        status = path.stat()
    except OSError:  # deleted since it was listed
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
