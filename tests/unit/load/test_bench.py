"""The bench's arithmetic, and that its opponent has the same work to do as we have."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.core.errors import WanfaError
from engine.db.migrations import CORE_FOLDER
from engine.gate.outcome import REFUSALS, Outcome
from loadtests.bench.__main__ import exit_code
from loadtests.bench.answers import check_alike
from loadtests.bench.checkout import NoCheckout, command_of
from loadtests.bench.cpu import cpu_seconds, family
from loadtests.bench.idle import check_loaded
from loadtests.bench.measure import Plan, Row, Sample, compare, interleave
from loadtests.bench.peer import FOLDER
from loadtests.bench.processes import frozen
from loadtests.bench.wrk import Run, Target
from tests.support.waiting import WAIT_S, until_true


def test_rounds_alternate_and_medians_are_compared() -> None:
    """A B A B; one wild round changes nothing."""
    order: list[str] = []
    ours = iter([100, 900, 110])

    def mine() -> Sample:
        order.append("ours")
        return Sample(next(ours), 1.0, 1.0)

    def theirs() -> Sample:
        order.append("theirs")
        return Sample(50, 1.0, 1.0)

    samples = interleave("x", {"ours": mine, "theirs": theirs}, Plan(3, 1, 1, lambda _text: None))
    row = compare("x", "a / b", samples, target=2.0)
    assert order == ["ours", "theirs"] * 3
    assert (row.ours, row.other, row.ratio, row.reached) == (110, 50, 2.2, True)
    assert compare("x", "a / b", samples, target=2.3).reached is False


@pytest.mark.parametrize(
    ("sides", "code"),
    [
        ([(3.0, 2.0, 1.4)], 0),
        ([(3.0, 2.0, None)], 0),
        ([(3.0, None, None)], 0),
        ([(3.0, 2.0, 1.6), (3.0, None, 1.4)], 1),
        ([(3.0, 2.0, 1.4), (3.0, None, 1.4)], 2),
    ],
)
def test_a_target_whose_opponent_is_missing_is_not_reached(
    sides: list[tuple[float, float | None, float | None]], code: int
) -> None:
    """The exit code says so: nobody takes a run without the peer for one that it has lost."""
    rows = [Row(name="x", unit="u", ours=ours, other=other, target=target) for ours, other, target in sides]
    assert exit_code(rows) == code


def test_a_row_keeps_its_target_without_an_opponent() -> None:
    row = compare("x", "a", {"ours": [Sample(10, 1.0, 1.0)]}, target=2.0)
    assert (row.target, row.other, row.reached) == (2.0, None, None)


def test_idle_playbooks_that_are_not_loaded_are_no_measurement(tmp_path: Path) -> None:
    """All of them, and no other, as they are installed."""
    check_loaded({"IDLE_01", "IDLE_02"}, 2)
    for more in (set[str](), {"IDLE_01"}, {"IDLE_01", "IDLE_02", "ODD"}):
        with pytest.raises(RuntimeError, match="2 idle playbooks should be loaded"):
            check_loaded(more, 2)


@pytest.mark.parametrize(("not2xx", "status"), [(1, 200), (100, 200), (99, 409), (0, 409)])
def test_a_run_of_other_answers_is_no_measurement(not2xx: int, status: int) -> None:
    """Each must be as the one that was looked at: a detail that is not found costs less than one that is."""
    run = Run(requests=100, seconds=1.0, not2xx=not2xx, broken=0, timeouts=0, answers={})
    with pytest.raises(RuntimeError, match=f"where {status} is due"):
        check_alike(Target(1, "get", "/x"), run, status)


@pytest.mark.parametrize(("not2xx", "status"), [(0, 200), (0, 201), (100, 409)])
def test_a_run_of_answers_alike_is_one(not2xx: int, status: int) -> None:
    run = Run(requests=100, seconds=1.0, not2xx=not2xx, broken=0, timeouts=0, answers={})
    check_alike(Target(1, "get", "/x"), run, status)


def test_cpu_time_is_that_of_a_process_and_its_children() -> None:
    """Work of this process shows in its own account."""
    before, until = cpu_seconds([os.getpid()]), time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert cpu_seconds([os.getpid()]) - before >= 0.08
    assert os.getpid() in family(os.getppid())


def test_the_command_of_another_checkout_is_found_where_it_has_it(tmp_path: Path) -> None:
    """Older ones keep it elsewhere; a folder without it is said not to be one."""
    assert command_of(Path(__file__).resolve().parents[3]) == "engine.cli.main"
    with pytest.raises(NoCheckout, match="is no checkout of wanfa"):
        command_of(tmp_path)
    (tmp_path / "engine/runtime").mkdir(parents=True)
    (tmp_path / "engine/runtime/cli.py").touch()
    assert command_of(tmp_path) == "engine.runtime.cli"


def test_what_is_frozen_stands_still_with_its_children_and_goes_on_afterwards() -> None:
    """A process and the child it started are stopped inside the block, and both run after it."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin
        assert program.stdout
        assert program.stdout.readline() == b"1\n"
        with frozen(program.pid):
            assert len(family(program.pid)) == 2
            until_true(lambda: _states(program.pid) == {"T"})
        until_true(lambda: _states(program.pid) <= {"R", "S"})
        program.communicate(b"\n", timeout=WAIT_S)
        assert program.returncode == 0


def _states(pid: int) -> set[str]:
    """Those of the family of `pid`; a signal is delivered a moment after it was sent."""
    return {_state(one) for one in family(pid)}


def _state(pid: int) -> str:
    """R, S, T, …: how /proc calls it."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_peer_keeps_the_same_table_as_wanfa() -> None:
    """Same columns, same indexes, so an INSERT of the peer costs what one of ours would."""
    ours = _table((CORE_FOLDER / "0001_core.sql").read_text(encoding="utf-8"), "orders")
    theirs = _table((FOLDER / "sql" / "orders.sql").read_text(encoding="utf-8"), "peer_orders")
    assert theirs == ours
    assert len(ours[1]) == 3


def test_peer_answers_with_the_same_codes() -> None:
    """Every refusal of the peer's script is one of ours, with our words."""
    source = (FOLDER / "src" / "app.ts").read_text(encoding="utf-8")
    found = re.findall(r"^  (\d+): \[(\d+), '([A-Z_]+)', '(.+)'\],$", source, re.MULTILINE)
    assert len(found) == 7
    for number, _status, code, detail in found:
        error: type[WanfaError] = REFUSALS[Outcome(int(number))]
        assert (code, detail) == (error.code, error.text.zh)


def test_lock_file_of_the_peer_names_no_download_address() -> None:
    """Versions and hashes are enough; where they come from is the business of whoever installs."""
    packages = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in packages.items() if name)


def _table(sql: str, name: str) -> tuple[list[str], list[str]]:
    """Columns and indexes of a table, without comments and the prefix of its name."""
    bare = re.sub(r"\s*--.*", "", sql)
    body = re.search(rf"CREATE TABLE {name} \((.*?)\n\)", bare, re.DOTALL)
    assert body
    columns = [" ".join(line.split()) for line in body[1].split(",\n")]
    indexes = re.findall(rf"CREATE INDEX \S+ ON {name} (.+?);", bare, re.DOTALL)
    return columns, [" ".join(index.split()) for index in indexes]
