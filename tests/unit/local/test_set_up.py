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
