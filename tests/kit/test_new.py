"""`wanfa playbook new`: what it writes is complete, keeps the contract, and sells, unchanged."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.kit.commands import playbook as commands
from engine.kit.docs import pages
from engine.kit.find import find_playbook
from engine.kit.new.scaffold import SUFFIX, TEMPLATES
from engine.sdk import Playbook
from tests.support.up import Up, up_in_a_folder

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300


def new(*arguments: str) -> Result:
    """`wanfa playbook new`."""
    return CliRunner().invoke(commands, ["new", *arguments])


def run(*argv: str, cwd: Path, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """A Python module, with `path` on its sys.path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, (path, CHECKOUT))))}
    command = [sys.executable, "-m", *argv]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package as it was made."""
    folder = tmp_path_factory.mktemp("new")
    done = new("lucky-draw", "--title", "幸运抽奖", "--dir", str(folder))
    assert done.exit_code == 0, done.output
    return folder / "wanfa-lucky-draw"


@pytest.fixture
def made(package: Path, monkeypatch: pytest.MonkeyPatch) -> Playbook:
    """Its playbook, from where it lies."""
    monkeypatch.setattr("sys.path", [*sys.path])
    found = find_playbook(str(package))
    assert found.playbook is not None, found.error
    return found.playbook


def test_a_package_has_everything(package: Path) -> None:
    """Manifest, rules, states, steps, metrics, tests, load scenario, the operators' page; no blank is left."""
    paths = [path for path in package.rglob("*.*") if "__pycache__" not in path.parts]
    files = {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in paths}
    assert set(files) == {
        "README.md",
        "load.py",
        "pyproject.toml",
        "tests/test_lucky_draw.py",
        "wanfa_lucky_draw/__init__.py",
        "wanfa_lucky_draw/metrics.py",
        "wanfa_lucky_draw/rules.py",
        "wanfa_lucky_draw/states.py",
        "wanfa_lucky_draw/step.lua",
    }
    assert [name for name, text in files.items() if "{{" in text or "}}" in text] == []


def test_new_names_the_next_commands(tmp_path: Path) -> None:
    done = new("draw", "--dir", str(tmp_path))
    folder = tmp_path / "wanfa-draw"
    for line in (
        f"python -m pip install -e {folder}",
        "wanfa playbook check DRAW",
        "wanfa playbook play DRAW",
        f"python -m pip install -e '{folder}[test]' && ",
        "wanfa up --reload",
    ):
        assert line in done.output


@pytest.mark.parametrize("active", [True, False], ids=["activated", "not activated"])
def test_the_next_commands_use_the_environment_that_new_ran_in(
    active: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name where that finds them, else by their path: from a checkout `.venv/bin/…`, so that they can be pasted."""
    bin_ = tmp_path / ".venv" / "bin"
    bin_.mkdir(parents=True)
    for name in ("python", "wanfa"):
        (bin_ / name).touch(0o755)
    monkeypatch.setattr(sys, "executable", str(bin_ / "python"))
    monkeypatch.setenv("PATH", str(bin_) if active else "")
    monkeypatch.chdir(tmp_path)

    lines = new("draw").output.partition("Next:\n")[2].splitlines()

    where = "" if active else ".venv/bin/"
    assert lines == [
        f"  {where}python -m pip install -e wanfa-draw",
        f"  {where}wanfa playbook check DRAW",
        f"  {where}wanfa playbook play DRAW",
        f"  {where}python -m pip install -e 'wanfa-draw[test]' && {where}python -m pytest wanfa-draw",
        f"  {where}wanfa up --reload",
    ]


def test_the_names_are_filled_in(made: Playbook) -> None:
    assert (made.code, made.name, made.rules.__name__) == ("LUCKY_DRAW", "幸运抽奖", "LuckyDrawRules")


def test_its_page_keeps_the_table_that_docs_prints(made: Playbook, package: Path) -> None:
    """And explains each metric."""
    readme = (package / "README.md").read_text(encoding="utf-8")
    assert set(pages.rules_table(made)) <= set(readme.splitlines())
    assert [metric.label for metric in made.metrics if f"**{metric.label}**" not in readme] == []


def test_the_package_imports_the_sdk_and_nothing_else_of_the_engine(package: Path) -> None:
    modules = {
        node.module or ""
        for path in (package / "wanfa_lucky_draw").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert {name for name in modules if name.startswith("engine")} == {"engine.sdk"}


def test_the_package_is_tidy(package: Path) -> None:
    """As it would be after its author has run a formatter and a linter."""
    rules = "E,F,I,B,UP,SIM,N,RET,PTH"
    checked = run("ruff", "check", "--no-cache", "--select", rules, str(package), cwd=package)
    formatted = run("ruff", "format", "--no-cache", "--check", str(package), cwd=package)
    assert checked.returncode == 0, checked.stdout
    assert formatted.returncode == 0, formatted.stdout


def test_its_own_tests_pass(package: Path) -> None:
    """Unchanged, the conformance class among them."""
    done = run("pytest", "-q", "-p", "no:cacheprovider", cwd=package, path=package)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)


def test_check_is_green(package: Path) -> None:
    """From its folder, without being installed."""
    done = run("engine.cli.main", "playbook", "check", ".", "--examples", "20", cwd=package)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_carries_the_steps_and_the_entry_point(package: Path, tmp_path: Path) -> None:
    done = run("hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=package)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "[wanfa.playbooks]\nlucky_draw = wanfa_lucky_draw\n" in archive.read(points).decode()
    assert "wanfa_lucky_draw/step.lua" in names
    assert not any(name.startswith(("tests", "load")) for name in names)


def test_wanfas_own_wheel_carries_the_templates(tmp_path: Path) -> None:
    """So `new` works where wanfa is installed, not only in a checkout."""
    done = run("hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("engine/kit/new/templates/")}
    assert packed == {path.relative_to(CHECKOUT).as_posix() for path in TEMPLATES.rglob(f"*{SUFFIX}")}


def test_it_sells(package: Path, tmp_path: Path) -> None:
    """Its load scenario, as it is, against a `wanfa up` that has it installed."""
    counts, _verbs = sell_with(package, tmp_path)
    assert counts["RESERVED"] >= counts["paid"] > 0


def sell_with(package: Path, tmp_path: Path) -> tuple[dict[str, int], set[str]]:
    """Install it, start `wanfa up`, send its crowd: how often which outcome, and the names of the requests."""
    installed = tmp_path / "site"
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target", str(installed)]
    done = run("pip", "install", *options, str(package), cwd=package)
    assert done.returncode == 0, done.stderr
    with up_in_a_folder(PYTHONPATH=str(installed)) as up:
        up.start()
        load = locust(up, package)
        assert up.end() == 0
    assert load.returncode == 0, load.stdout + load.stderr
    counts = {outcome: int(count) for count, outcome in re.findall(r"(\d+) (\w+)\b", load.stdout)}
    return counts, set(re.findall(r"^POST +(\w+) ", load.stdout + load.stderr, re.MULTILINE))


def locust(up: Up, package: Path) -> "subprocess.CompletedProcess[str]":
    """A few seconds of a crowd."""
    options = ["--headless", "--only-summary", "--host", up.url, "-u", "20", "-r", "20", "-t", "5s"]
    return run("locust", "-f", str(package / "load.py"), *options, cwd=package)


# What an author changes first ------------------------------------------------------------------

RENAMED = {  # a rule gets another name, in Python and in JSON
    "wanfa_edit/rules.py": [
        ("    target: Annotated[", "    goal: Annotated["),
        ("rules.target", "rules.goal"),
        ('"target"', '"goal"'),
    ],
    "wanfa_edit/__init__.py": [('"target"', '"goal"')],
    "README.md": [("`target`", "`goal`")],
}
OTHER_NUMBERS = {  # another default, other examples
    "wanfa_edit/rules.py": [("    ] = 60\n", "    ] = 45\n"), ("    ] = 1\n", "    ] = 2\n")],
    "wanfa_edit/__init__.py": [
        ('{"target": 20}, price_fen=4900, stock=20', '{"target": 7}, price_fen=1, stock=15'),
        ('"target": 3, "rounds": 2, "countdownMinutes": 30, "limitPerPerson": 2', '"target": 5, "rounds": 3'),
        ("stock=6", "stock=15"),
    ],
    "README.md": [("| 1–1440 | 60 |", "| 1–1440 | 45 |"), ("| 1–24 | 1 |", "| 1–24 | 2 |")],
}
ONE_ROUND = {  # the last example has no second round
    "wanfa_edit/__init__.py": [('"rounds": 2, "countdownMinutes": 30, ', ""), ("stock=6", "stock=3")],
}
CHEER = """\
function step.cheer(click, rules, cells)
  if click.acts > 0 then return CONFLICT end
  cells.cheers = (cells.cheers or 0) + 1
end

return step
"""
ANOTHER_VERB = {  # something to do besides taking part
    "wanfa_edit/__init__.py": [
        ('View(join="我要参加")', 'View(join="我要参加", actions={"cheer": "加油"})'),
        ("sessions=sessions,", 'sessions=sessions,\n        actions=("cheer",),'),
    ],
    "wanfa_edit/step.lua": [("return step\n", CHEER)],
}
OPEN = """\
function step.open(click, rules, cells)
  cells.target, cells.opensAt = rules.target, click.now
  cells.endsAt = click.now + rules.countdownMinutes * 60000
  cells.status, cells.wakeAt = ACTIVE, cells.endsAt
end

return step
"""
OPENED = {  # consumers open rounds besides those that are there
    "wanfa_edit/__init__.py": [('View(join="我要参加")', 'View(open="开一轮", join="我要参加")')],
    "wanfa_edit/step.lua": [("return step\n", OPEN)],
}
EDITS = {"renamed": RENAMED, "numbers": OTHER_NUMBERS, "one round": ONE_ROUND, "verb": ANOTHER_VERB, "opened": OPENED}


@pytest.fixture
def edited(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A package in which one thing was changed, and its page with it."""
    assert new("edit", "--dir", str(tmp_path)).exit_code == 0
    package = tmp_path / "wanfa-edit"
    for name, changes in EDITS[request.param].items():
        path = package / name
        text = path.read_text(encoding="utf-8")
        for old, instead in changes:
            assert old in text, old
            text = text.replace(old, instead)
        path.write_text(text, encoding="utf-8")
    return package


@pytest.mark.parametrize("edited", list(EDITS), indirect=True)
def test_its_own_tests_pass_after_the_obvious_edit(edited: Path) -> None:
    """Those that say what the game does still hold, so they do, without another change."""
    done = run("pytest", "-q", "-p", "no:cacheprovider", cwd=edited, path=edited)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("edited", ["verb", "opened"], indirect=True)
def test_its_crowd_finds_a_new_button(edited: Path, tmp_path: Path) -> None:
    """load.py presses what is there: an action of its own, and a product that opens instances."""
    counts, verbs = sell_with(edited, tmp_path)
    assert counts["RESERVED"] >= counts["paid"] > 0
    assert {"join"} < verbs & {"join", "open", "cheer"}


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["9LIVES", "a", "TWO__SCORES", "_DRAW", "DRAW_", "抽奖", "a b", "../x", "", "X" * 33])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    done = new(name, "--dir", str(tmp_path))
    assert done.exit_code == 2
    assert "must be 2 to 32 letters, digits and single _ or -, a letter first" in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("title", ["Draw", "", '抽"奖', "抽\n奖", "抽" * 21, "抽{奖", "抽|奖"])
def test_a_bad_title_is_refused(title: str, tmp_path: Path) -> None:
    done = new("DRAW", "--title", title, "--dir", str(tmp_path))
    assert done.exit_code == 2
    assert "must be Chinese" in done.output
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    new("DRAW", "--dir", str(tmp_path))
    (tmp_path / "wanfa-draw" / "README.md").write_text("mine", encoding="utf-8")
    again = CliRunner().invoke(commands, ["new", "draw", "--dir", str(tmp_path)])
    assert again.exit_code == 1
    assert "wanfa-draw exists; choose another name or another --dir" in str(again.exception)
    assert (tmp_path / "wanfa-draw" / "README.md").read_text(encoding="utf-8") == "mine"


def test_a_code_that_is_installed_is_refused(tmp_path: Path) -> None:
    done = new("flash-sale", "--dir", str(tmp_path))
    assert done.exit_code == 2
    assert "FLASH_SALE is the code of plugins.flash_sale, which is installed" in done.output


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = new("DRAW", "--dir", str(tmp_path / "file" / "below"))
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert "Not a directory" in done.output
