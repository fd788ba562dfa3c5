"""Commands as somebody can type them in the folder where they are shown."""

import shlex
import shutil
import sys
from pathlib import Path


def tool(name: str, path: str = "") -> str:
    """How to call a command of the environment that runs this: by its name if that finds it, else by its path.

    Without a `path` it is the one beside this Python. One inside the current folder is shortened to `.venv/bin/…`.
    """
    there = Path(path) if path else Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if not there.is_file() or (found and Path(found).absolute() == there.absolute()):
        return name
    return shlex.quote(str(there.relative_to(Path.cwd()) if there.is_relative_to(Path.cwd()) else there))


def place(path: Path) -> str:
    """As a command takes it: shorter inside the current folder; `./` tells a folder from a code."""
    path = path.resolve()
    if not path.is_relative_to(Path.cwd()):
        return shlex.quote(str(path))
    inside = str(path.relative_to(Path.cwd()))
    return shlex.quote(inside if path.is_file() or path.suffix or inside == "." else f"./{inside}")
