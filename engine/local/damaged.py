"""An append-only file that a Valkey cannot load: cut where the damage begins, with the damaged one kept aside.

Without this the server would be started again for ever. Whether it can be loaded only the server itself knows: it loads
it on trial, in a place of its own. What is cut off or left out is lost to Redis only: its shards are rebuilt from
Postgres, after the clicks of the stream before the cut have become rows (engine/stream/recovery.py).
"""

import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from pathlib import Path

from engine.local.programs import LOG_TAIL_LINES, is_explained, tied_to_parent

FOLDER = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"
CHECK_PART = "valkey-check-aof"  # the server's own program, when it is called so
# Whoever ends it so has nothing against what it had loaded.
BY_OTHERS = (0, *(-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))

WHY_MAX = 160  # characters of a line that may tell of the command that is damaged

TRIAL = "trial"
LOADED = "Ready to accept connections"
OPTIONS = {
    "port": "0",
    "unixsocket": "socket",  # from the trial's own folder, so that no path is too long
    "appendonly": "yes",
    "appendfsync": "no",
    "aof-load-truncated": "no",
    "save": "",
    "loglevel": "notice",
}


def mend(program: str, home: Path, say: Callable[[str], None], *, trusted: bool = False) -> None:
    """Make sure that the server `program` can load what lies in `home`; it must not run. Says what was done.

    `trusted`: it has been loaded before, and nothing says that it cannot be again; that is not tried then.
    """
    folder = home / FOLDER
    try:
        if folder.exists() and (why := _why_damaged(program, folder, trusted=trusted)):
            _mend(program, folder, why, say)
    except OSError as error:  # no room for the trial: what is damaged stays as it is
        say(f"{FOLDER} could not be looked after: {error}")


def _why_damaged(program: str, folder: Path, *, trusted: bool) -> str | None:
    """Why the server cannot load the folder; None when it can."""
    if not folder.is_dir():
        return "it is no folder"
    if not (folder / MANIFEST).exists() and any(folder.iterdir()):
        return f"{MANIFEST} is missing"  # the server would begin anew and write over what is there
    return None if trusted else _refused(program, folder)


def _mend(program: str, folder: Path, why: str, say: Callable[[str], None]) -> None:
    kept = _name_for(folder.parent)
    folder.rename(kept)
    say(f"{FOLDER} is damaged ({why}); as it was it is kept in {kept}")
    if _cut(program, kept, folder):
        say("it was cut where the damage begins; the shards are rebuilt from Postgres")
        return
    shutil.rmtree(folder, ignore_errors=True)
    say("it could not be mended: starting without; the shards are rebuilt from Postgres")


def _cut(program: str, kept: Path, folder: Path) -> bool:
    """Copy what is kept, and cut its last part where the damage begins; whether the rest can be loaded.

    Cutting an earlier part would leave a hole before the next.
    """
    try:
        shutil.copytree(kept, folder)
        last = folder / (folder / MANIFEST).read_text(encoding="utf-8").splitlines()[-1].split()[1]
        argv = [CHECK_PART, "--fix", str(last)]
        done = subprocess.run(argv, executable=program, input=b"y\n", capture_output=True, check=False)
        return done.returncode == 0 and _refused(program, folder) is None
    except (OSError, UnicodeDecodeError, IndexError):  # no room, or no such thing
        return False


def _refused(program: str, folder: Path) -> str | None:
    """Why the server does not load the folder, in its words; None when it does, or fails for another cause."""
    words = _trial(program, folder.parent, folder)
    if words is None or is_explained(words) or _trial(program, folder.parent) is not None:
        return None
    warnings = [line for line in words.splitlines() if " # " in line]
    return warnings[-1].partition(" # ")[2][:WHY_MAX] if warnings else "it says nothing"


def _trial(program: str, home: Path, folder: Path | None = None) -> str | None:
    """The last words of a server that ends by itself over a folder, or over none; None: it has loaded it.

    What it is given are links, so it may do as it likes.
    """
    place = home / TRIAL
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        if folder:
            shutil.copytree(folder, place / FOLDER, copy_function=_link)
        options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
        argv = tied_to_parent([program, "--dir", str(place), *options], signal.SIGKILL)
        return _last_words(argv)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _last_words(argv: list[str]) -> str | None:
    last: deque[str] = deque(maxlen=LOG_TAIL_LINES)
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line)
            if LOADED in line:
                process.kill()
                return None
    return None if process.returncode in BY_OTHERS else "".join(last)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system has links
        shutil.copy2(source, target)


def _name_for(home: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (home / f"{FOLDER}.damaged-{stamp}-{number}" for number in count(1))
    return next(name for name in names if not name.exists())
