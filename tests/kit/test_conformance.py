"""The conformance kit: it passes what keeps the contract and refuses each way of breaking it, for the right reason."""

import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from engine.gate import lua
from engine.kit.check import Conformance, conformance, cost, terminal
from engine.kit.check.budget import LongestRun
from engine.kit.check.conformance import BrokenError
from engine.kit.check.terminal import Result, conformance_of, results_of, run_check
from engine.kit.commands import playbook as commands
from engine.kit.find import Found, find_playbook
from engine.playbooks import script
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook
from tests.kit.broken.good import BEGUN, GOOD, SESSIONS
from tests.kit.broken.variants import READ, RUN, Variant

PLAYBOOKS = sorted(load_playbooks().loaded.values(), key=lambda playbook: playbook.code)
GUIDE = Path(__file__).resolve().parents[2] / "plugins" / "README.md"

SCHEDULES = 60
READ_LUA = lua.read_lua
FEW = 15  # for what need not be played to be found


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on how busy this machine is: what a step costs is told by its loops and calls."""
    monkeypatch.setattr(cost, "CLICK_US_MAX", 1e9)
    monkeypatch.setattr(cost, "TIMES_TRIVIAL_MAX", 1e9)


class TestGood(Conformance):
    """The way a stranger's suite has it."""

    playbook = GOOD
    schedules = SCHEDULES


def checked(playbook: Playbook, schedules: int = SCHEDULES) -> dict[str, Result]:
    """What each check came to, by its name."""
    return {result.name: result for result in results_of(conformance_of(playbook, schedules=schedules))}


def broken(results: dict[str, Result]) -> dict[str, str]:
    """What was found wrong, without what could not be told because of it."""
    return {name: result.fault for name, result in results.items() if result.fault and result.known}


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda playbook: playbook.code)
def test_every_playbook_conforms(playbook: Playbook) -> None:
    """Those wanfa ships with keep the contract they are an example of."""
    assert broken(checked(playbook)) == {}


@pytest.mark.parametrize("variant", READ + RUN, ids=lambda variant: variant.what)
def test_what_is_broken_is_refused_for_its_reason(variant: Variant) -> None:
    """By the check whose business it is, in words that name it, and by no other."""
    found = broken(checked(variant.playbook, FEW if variant in READ else SCHEDULES))

    assert variant.says in found.get(variant.check, "")
    assert set(found) - variant.also == {variant.check}


def test_a_schedule_that_breaks_a_claim_is_told_step_by_step() -> None:
    """And shortened to what it takes."""
    (variant,) = [one for one in RUN if one.what == "a seat is lost when somebody leaves"]

    said = checked(variant.playbook)[variant.check].fault.splitlines()

    assert said[1] == "in this schedule (#1: the first instance, r1: the first request):"
    assert re.match(r"  on sale: \d+ units at \d+ fen; seats 3, minutes 60", said[2])
    assert re.match(r"  \w+ open \(r1\) -> RESERVED, #1 PENDING 0/3", said[3])
    assert len(said) <= 7


@pytest.mark.parametrize(
    ("line", "instead", "check"),
    [
        ("config.left = config.left - quantity", "", "test_stock_is_conserved"),
        ("cells.left = cells.left + quantity", "", "test_stock_is_conserved"),
        ("if seen then", "if false then", "test_effects_happen_once"),
        ("kind == EVENT_PAID and state == HELD", "kind == EVENT_PAID", "test_effects_happen_once"),
    ],
)
def test_a_gate_that_forgets_what_it_promises_is_found_out(
    line: str, instead: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's own promises are checked as well: switched off in the script, they are missed."""
    includes = [READ_LUA(f"include/{name}") for name in script.GATE_INCLUDES]
    assert sum(source.count(line) for source in includes) == 1
    monkeypatch.setattr(script, "read_lua", lambda name: READ_LUA(name).replace(line, instead))

    found = broken(checked(SESSIONS, 4 * SCHEDULES))

    assert check in found


def test_a_click_is_too_dear_by_itself_or_beside_one_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "CLICK_US_MAX", 100.0)
    monkeypatch.setattr(cost, "TIMES_TRIVIAL_MAX", 20.0)
    rows = [cost.Cost("open", 101.0, 10.0), cost.Cost("join", 63.0, 3.0), cost.Cost("paid", 60.0, 3.0)]
    frugal = LongestRun("open", cost.TICKS_USED_MAX, {})

    assert list(cost.faults(rows, frugal)) == [
        "open costs 101 µs, 10 times one that does nothing; at most 100 µs and 20 times",
        "join costs 63 µs, 21 times one that does nothing; at most 100 µs and 20 times",
    ]


def test_the_same_seed_plays_the_same_schedules() -> None:
    """So what was found once is found again."""
    first, again, other = (conformance_of(GOOD, schedules=20, seed=seed) for seed in (7, 7, 8))
    clicks = []
    for checks in (first, again, other):
        assert all(not result.fault for result in results_of(checks))
        assert checks.searched is not None
        clicks.append(checks.searched.clicks)

    assert clicks[0] == clicks[1] != clicks[2]


def test_the_command_shows_each_check_and_sums_up() -> None:
    console = Console(file=StringIO(), width=200)

    assert run_check("flash-sale", examples=20, seed=3, console=console)

    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO
    assert said.count("✓") == len([name for name in vars(Conformance) if name.startswith("test_")])
    assert re.search(r"20 schedules with [\d,]+ clicks and events, seed 3; instances were PENDING", said)
    assert said.rstrip().endswith("passed")


def test_what_waits_for_the_same_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where in step.lua that is, without the line of the script around it."""
    endless = msgspec.structs.replace(GOOD, step="local step = {}\nwhile true do end\nreturn step")
    monkeypatch.setattr(terminal, "find_playbook", lambda _name: Found(endless, "", ""))
    console = Console(file=StringIO(), width=200)

    assert not run_check("endless", examples=5, console=console)

    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO
    assert said.count("    mend first: ") == 1
    assert "step.lua:2: step ran over its budget of 10000 loops and calls\n" in said
    assert "? 9 more checks wait for that\n" in said


@pytest.mark.parametrize(("page", "says"), [(None, "there is no README.md"), ("# 凑座", "no row of its tables has")])
def test_a_missing_page_is_told_with_what_writes_it(
    page: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance, "readme_of", lambda _playbook: page)
    monkeypatch.chdir(GUIDE.parents[1])

    with pytest.raises(BrokenError, match=says) as raised:
        conformance_of(GOOD)().test_operators_have_a_page()

    said = "playbook docs ./tests/kit/broken --out tests/kit/broken/README.md --force` adds it, and keeps what people"
    assert said in str(raised.value)


@pytest.mark.parametrize("has_page", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_what_writes_the_page_writes_it_where_the_check_was_run(
    has_page: bool, inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted as it is, from the package's folder or from elsewhere, whether or not there is a page."""
    monkeypatch.setattr("sys.path", [*sys.path])
    name = f"paged-{has_page}-{inside}".lower()
    CliRunner().invoke(commands, ["new", name, "--dir", str(tmp_path)])
    folder = tmp_path / f"wanfa-{name}"
    (folder / "README.md").write_text("mine\n") if has_page else (folder / "README.md").unlink()
    monkeypatch.chdir(folder if inside else tmp_path)
    found = find_playbook(str(folder)).playbook
    assert found is not None
    with pytest.raises(BrokenError) as raised:
        conformance_of(found)().test_operators_have_a_page()

    command = re.findall(r"`(.*?wanfa playbook docs .*?)`", str(raised.value))[-1]
    done = CliRunner().invoke(commands, shlex.split(command)[2:])

    assert done.exit_code == 0, done.output
    conformance_of(found)().test_operators_have_a_page()
    assert ("mine" in (folder / "README.md").read_text()) == has_page


def test_sessions_may_begin_in_another_state_than_pending() -> None:
    """So nothing need be reachable from PENDING, and nobody waits for it to be reached."""
    assert broken(checked(BEGUN)) == {}
    console = Console(file=StringIO(), width=200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "find_playbook", lambda _name: Found(BEGUN, "", ""))
        assert run_check("begun", examples=FEW, console=console)
    assert "no schedule reached PENDING" not in console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO


def test_the_command_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is run."""
    monkeypatch.chdir(tmp_path)

    assert run_check("FLASH_SALE", examples=5, console=Console(file=StringIO()))

    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_to_install(tmp_path: Path) -> None:
    """Hypothesis comes with an extra: without it there is a line, not a traceback."""
    without = "import sys; sys.modules['hypothesis'] = None; from engine.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, "playbook", "check", "FLASH_SALE"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "wanfa: checking takes hypothesis; run `pip install 'wanfa[embedded,kit]'`\n"


def test_the_command_says_what_cannot_be_loaded() -> None:
    console = Console(file=StringIO(), width=200)

    assert not run_check("nobody", console=console)

    assert "no playbook is called nobody" in console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO


@pytest.mark.parametrize("name", [name for name in vars(Conformance) if name.startswith("test_")])
def test_every_check_says_what_it_claims_and_where_to_read_more(name: str) -> None:
    """In one sentence, and under a heading of the guide that is there."""
    check = vars(Conformance)[name]
    headings = re.findall(r"^#+ (.+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)

    assert check.__doc__.endswith(".")
    assert "\n" not in check.__doc__
    assert check.section in headings
