"""An append-only file that a Valkey could not load: cut where the damage begins, with the damaged one kept aside.

Without this the server would be started again for ever. What is cut off is lost to Redis only: its shards are rebuilt
from Postgres, after the clicks of the stream before the cut have become rows (engine/stream/recovery.py).
"""

import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

FOLDER = "appendonlydir"
# The server's own program, when it is called by these names. Of a whole manifest the first says no to every base that
# this Valkey writes, so each part is checked by itself.
CHECK_PART = "valkey-check-aof"
CHECK_BASE = "valkey-check-rdb"


def mend(program: str, home: Path, say: Callable[[str], None]) -> None:
    """Make sure that the server `program` can load what lies in `home`; it must not run. Says what was done."""
    folder = home / FOLDER
    try:
        if folder.exists() and (bad := _damaged(program, folder)):
            _mend(program, folder, bad, say)
    except OSError as error:  # no room for the copy: what is damaged stays as it is
        say(f"{FOLDER} is damaged and could not be mended: {error}")


def _mend(program: str, folder: Path, bad: str, say: Callable[[str], None]) -> None:
    kept = _name_for(folder.parent)
    shutil.copytree(folder, kept)
    say(f"{bad} is damaged; {FOLDER} as it was is kept in {kept}")
    if _cut(program, folder, bad):
        say("it was cut where the damage begins; the shards are rebuilt from Postgres")
        return
    shutil.rmtree(folder)
    say("it could not be mended: starting without; the shards are rebuilt from Postgres")


def _cut(program: str, folder: Path, bad: str) -> bool:
    """Cut the last part where its damage begins; an earlier one would leave a hole before the next."""
    if bad not in _parts(folder)[-1:] or _is_base(bad) or not (folder / bad).exists():
        return False
    return _run(program, CHECK_PART, "--fix", folder / bad) and _damaged(program, folder) is None


def _damaged(program: str, folder: Path) -> str | None:
    """The name of the first file that cannot be loaded."""
    parts = _parts(folder)
    if not parts:
        return "appendonly.aof.manifest"
    for name in parts:
        check = CHECK_BASE if _is_base(name) else CHECK_PART
        if not (folder / name).exists() or not _run(program, check, folder / name):
            return name
    return None


def _parts(folder: Path) -> list[str]:
    """What the manifest names, in order: a base, and what was appended since."""
    try:
        lines = (folder / "appendonly.aof.manifest").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    words = [line.split() for line in lines]
    return [word[1] for word in words if len(word) == 6 and word[0] == "file" and word[5] in "bi"]


def _is_base(name: str) -> bool:
    """Whether it is a snapshot; a base may also be a list of commands, like what follows it."""
    return name.endswith(".rdb")


def _run(program: str, called: str, *words: str | Path) -> bool:
    """Whether the checker is content; to what it asks it is told yes. It says no to an empty file, which is sound."""
    path = Path(words[-1])
    if path.stat().st_size == 0:
        return True
    argv = [called, *map(str, words)]
    done = subprocess.run(argv, executable=program, input=b"y\n", capture_output=True, check=False)
    return done.returncode == 0


def _name_for(home: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (home / f"{FOLDER}.damaged-{stamp}-{number}" for number in count(1))
    return next(name for name in names if not name.exists())
