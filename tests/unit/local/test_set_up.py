"""`scripts/_setup.sh` makes `.venv` from the Python that was asked for, and again when another one is."""

import subprocess
from pathlib import Path
from shutil import copy

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
# Says what _setup.sh asks a Python, and cannot make an environment: a test shall not wait for one.
PYTHON = """\
#!/bin/sh
case "$*" in
    *python_version*) echo CPython {version} ;;
    --version) echo Python {version} ;;
    *'-m venv'*) exit 1 ;;
    *'pip install'*'-r lock'*) cat pip.out; exit "$(cat pip.status)" ;;
esac
"""


def python_in(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "python"
    path.write_text(PYTHON.format(version=version), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One whose `.venv` is of Python 3.12.4 and up to date."""
    root = tmp_path / "checkout"
    python_in(root / ".venv" / "bin", "3.12.4")
    (root / "scripts").mkdir()
    copy(CHECKOUT / "scripts" / "_setup.sh", root / "scripts")
    (root / "lock").touch()
    (root / "pyproject.toml").touch()
    stamped = 'set -u; . "$0"; stamp_of lock >.venv/wanfa-run.stamp'
    subprocess.run(["sh", "-c", stamped, str(root / "scripts" / "_setup.sh")], check=True)
    return root


def set_up(checkout: Path, **environment: str) -> str:
    """What it says."""
    script = 'set -u; . "$0"; set_up lock wanfa-run.stamp'
    argv = ["sh", "-c", script, str(checkout / "scripts" / "_setup.sh")]
    done = subprocess.run(
        argv, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )
    return done.stderr


def test_an_environment_of_any_python_will_do_when_none_is_asked_for(checkout: Path) -> None:
    assert set_up(checkout) == ""


def test_the_same_version_is_not_made_again(checkout: Path, tmp_path: Path) -> None:
    assert set_up(checkout, WANFA_PYTHON=str(python_in(tmp_path / "same", "3.12.4"))) == ""


def test_another_version_is_made_anew(checkout: Path, tmp_path: Path) -> None:
    said = set_up(checkout, WANFA_PYTHON=str(python_in(tmp_path / "other", "3.13.1")))
    assert said.startswith("wanfa: making .venv with Python 3.13.1")


def test_one_that_does_not_run_is_named(checkout: Path) -> None:
    """Not passed over because there is an environment already."""
    assert set_up(checkout, WANFA_PYTHON="/no/such") == "wanfa: WANFA_PYTHON=/no/such is no Python that runs here\n"


def pip_says(checkout: Path, *lines: str, status: int = 0) -> None:
    """A lock of 21 packages that has changed, and what pip will say and come to."""
    packages = "".join(f"package{number}==1 \\\n    --hash=sha256:00\n" for number in range(21))
    (checkout / "lock").write_text("# made by a tool\n" + packages, encoding="utf-8")
    (checkout / "pip.out").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (checkout / "pip.status").write_text(str(status), encoding="utf-8")


def test_what_takes_long_is_said_while_it_takes(checkout: Path) -> None:
    """In whole lines, so a log has them as well: how many packages, how far it is, what comes then."""
    fetched = [line for number in range(21) for line in (f"Collecting package{number}==1", "  Downloading it (1 kB)")]
    pip_says(
        checkout,
        "Looking in indexes: somewhere",
        "WARNING: Location '/no/such/' is ignored: it is either a non-existing path or lacks a specific scheme.",
        *fetched,
        "Installing collected packages: all",
        "Successfully installed",
    )

    assert set_up(checkout).splitlines() == [
        "wanfa: installing the 21 packages of lock: a minute or two, only when it has changed",
        "wanfa:   10 of 21 packages fetched",
        "wanfa:   20 of 21 packages fetched",
        "wanfa:   putting them in place",
        "wanfa: building this checkout: a few seconds",
    ]
    assert set_up(checkout) == ""


def test_a_pip_that_fails_is_heard(checkout: Path) -> None:
    """Its own words, then ours; and it is tried again the next time."""
    pip_says(checkout, "Collecting package0==1", "  Downloading it", "  gcc: not found", "ERROR: no wheel", status=1)

    for _ in range(2):
        assert set_up(checkout).splitlines()[1:] == [
            "  gcc: not found",
            "ERROR: no wheel",
            "wanfa: pip could not install the packages of lock; the lines above say why (no network? a full disk?)",
        ]


def test_up_says_what_it_does_before_it_has_nothing_to_install() -> None:
    """The servers take a moment as well."""
    up = (CHECKOUT / "scripts" / "up").read_text(encoding="utf-8")
    assert up.index("set_up requirements.lock") < up.index('say "starting servers') < up.index("exec ")
