"""README's tour is run as printed, with bash, against a stack that was started for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.kit.commands import playbook as commands
from tests.docs.tour import CHECKOUT, keeps, promised, script_of, with_variable
from tests.support.up import up_in_a_folder

TOUR_TIMEOUT_S = 120


@pytest.fixture
def draw(tmp_path: Path) -> Path:
    """Where the playbook is installed that README proposes to write; its code sorts before those of our own."""
    made = CliRunner().invoke(commands, ["new", "DRAW", "--title", "抽奖", "--dir", str(tmp_path)])
    assert made.exit_code == 0, made.output
    installed = tmp_path / "site"
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target", str(installed)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(tmp_path / "wanfa-draw")], check=True)
    return installed


def test_the_tour_works_as_printed(draw: Path) -> None:
    """Line by line, the tour prints what README says it prints, and no command fails, whatever else is installed."""
    script = script_of((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    with up_in_a_folder(PYTHONPATH=str(draw)) as up:
        up.start()
        pasted = with_variable(with_variable(script, "WANFA", up.url), "PASSWORD", up.password())
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", pasted],
            cwd=up.home,
            capture_output=True,
            text=True,
            timeout=TOUR_TIMEOUT_S,
            check=False,
        )
        up.end()

    printed = ran.stdout.splitlines()
    assert ran.stderr == "", ran.stderr + ran.stdout
    assert ran.returncode == 0, ran.stdout
    assert [
        (promise, line) for promise, line in zip(promised(script), printed, strict=False) if not keeps(promise, line)
    ] == []
    assert len(printed) == len(promised(script))


def test_what_is_not_there_is_said_shortly() -> None:
    """A tour that goes wrong says so in a few lines, however long the answer is."""
    script = script_of((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    pick = script[script.index("pick()") :].partition('"$1"; }')[0] + '"$1"; }\n'
    many = '{"items": [' + ", ".join(['{"code": "DRAW"}'] * 1000) + "]}"
    for answer in (many, "[]", "null"):
        asked = ["bash", "-c", pick + "pick items.GROUP_BUY.name"]
        ran = subprocess.run(asked, input=answer, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith("no items.GROUP_BUY.name in ")
        assert len(ran.stderr) < 400


@pytest.mark.parametrize(
    ("promise", "printed", "kept"),
    [
        ("RESERVED", "RESERVED", True),
        ("RESERVED", "RESERVED!", False),
        ('{"id":"…","n":1}', '{"id":"c12","n":1}', True),
        ('{"id":"…","n":1}', '{"id":"c12","n":2}', False),
        ('{"id":"…"}', '{"id":""}', False),
    ],
)
def test_a_promise_is_compared_whole(promise: str, printed: str, kept: bool) -> None:
    """Nothing but the dots may differ."""
    assert keeps(promise, printed) == kept
