"""The guide in plugins/README.md keeps its word: its example becomes a package that is checked, and sells."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.docs import worked_example
from tests.support.up import CHECKOUT, up_in_a_folder
from tests.support.waiting import WAIT_S

CODE_LINES_MAX = 150
SCHEDULES = 25  # of the check; a person's run has more
TIMEOUT_S = 180


class Installed(NamedTuple):
    """The example, built and installed into an environment of its own."""

    python: Path
    package: Path

    def run(self, *argv: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """A module, run in that environment."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WANFA_")}
        return subprocess.run(
            [str(self.python), "-m", *argv],
            cwd=cwd or self.package.parent,
            env=environment | {"COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    package = worked_example.write_package(tmp_path_factory.mktemp("guide"))
    python = worked_example.make_environment(tmp_path_factory.mktemp("fresh") / "venv")
    worked_example.install(python, package)
    return Installed(python, package)


def test_the_example_is_short(example: Installed) -> None:
    """What its author writes of the game, Python and Lua, fits in 150 lines; pyproject.toml is the scaffold's own."""
    sources = [path for path in (example.package / "wanfa_draw").glob("*") if path.is_file()]
    names = {f"wanfa_draw/{path.name}" for path in sources}
    assert names == {
        f"wanfa_draw/{name}" for name in ("__init__.py", "metrics.py", "rules.py", "states.py", "step.lua")
    }
    assert {name for name in worked_example.files() if name.startswith("wanfa_draw/")} == names
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in sources) <= CODE_LINES_MAX


def test_it_is_listed_beside_the_built_in_ones(example: Installed) -> None:
    """Found by its entry point, with the distribution it came from."""
    listed = example.run("engine.cli.main", "playbook", "list")

    assert listed.returncode == 0, listed.stdout + listed.stderr
    (line,) = [line for line in listed.stdout.splitlines() if "DRAW" in line]
    for word in ("抽奖", "0.1.0", "wanfa-draw", ">=1,<2", "loaded"):
        assert word in line
    assert "GROUP_BUY" in listed.stdout


def test_its_check_passes(example: Installed) -> None:
    checked = example.run("engine.cli.main", "playbook", "check", "DRAW", "--examples", str(SCHEDULES), "--seed", "1")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_its_own_tests_pass(example: Installed) -> None:
    """The guide's test of the draw; the conformance class it also has is what `check` has just run."""
    tested = example.run("pytest", "-q", "-p", "no:cacheprovider", "-k", "as_many_win", cwd=example.package)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "1 passed" in tested.stdout


def test_it_sells_under_load(example: Installed, tmp_path: Path) -> None:
    """A whole wanfa with the package installed puts its example on sale; a burst of clicks each gets a ticket once."""
    with up_in_a_folder() as up:
        up.python = str(example.python)
        up.start()
        (round_,) = httpx.get(f"{up.url}/v1/instances?playCode=DRAW").json()["items"]
        assert round_["button"]["text"] == "抽一张"
        burst = subprocess.run(
            [sys.executable, "-m", "loadtests.burst", "--url", up.url, "--clicks", "600", "--rate", "600",
             "--repeats", "0.25", "--instance", round_["id"], "--json"],
            cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
        assert burst.returncode == 0, burst.stdout + burst.stderr
        result = json.loads(burst.stdout)
        assert (result["orders"], result["replayed"]) == (450, 150)
        assert _settled_left(f"{up.url}/v1/instances/{round_['id']}", round_["stockLeft"] - 450)
        assert up.end() == 0


def _settled_left(url: str, expected: int) -> bool:
    """Whether so many units are left once the API has heard of the last click: its snapshot is a moment old."""
    deadline = time.monotonic() + WAIT_S
    while httpx.get(url).json()["stockLeft"] != expected:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
