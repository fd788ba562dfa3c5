"""The bench refuses to print a figure of something else than what its row says."""

import os
import subprocess
import sys
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from loadtests.bench import answers, idle, joins, measure, orders
from loadtests.bench.__main__ import print_table
from loadtests.bench.ask import Answer
from loadtests.bench.cpu import cpu_seconds
from loadtests.bench.measure import Plan, Row, Sample, check_answers, load
from loadtests.bench.wrk import Run, Target

TARGET = Target(1, "get", "/x")
PLAN = Plan(1, 1, 1, lambda _text: None)


def ran(**counted: Any) -> Run:
    fields: dict[str, Any] = {"requests": 100, "seconds": 1.0, "not2xx": 0, "broken": 0, "timeouts": 0, "answers": {}}
    return Run(**fields | counted)


def answering(monkeypatch: pytest.MonkeyPatch, module: Any, **counted: Any) -> None:
    monkeypatch.setattr(module, "run_wrk", lambda *_, **__: ran(**counted))


@pytest.mark.parametrize("found", [{}, {"404 -": 100}, {"200 -": 99, "404 -": 1}])
def test_every_answer_that_is_read_is_the_wanted_one(found: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One other is enough, and none at all is none."""
    answering(monkeypatch, measure, answers={"200 -": 100})
    check_answers(TARGET, 1, "200 -")
    answering(monkeypatch, measure, answers=found)
    with pytest.raises(RuntimeError, match="should answer 200 -"):
        check_answers(TARGET, 1, "200 -")


@pytest.mark.parametrize("wrong", ["broken", "timeouts"])
def test_a_run_with_an_answer_that_never_came_is_no_measurement(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, measure)
    assert load(TARGET, 1, 1, [os.getpid()])[1].work == 100
    answering(monkeypatch, measure, **{wrong: 1})
    with pytest.raises(RuntimeError, match="broken connections"):
        load(TARGET, 1, 1, [os.getpid()])


@pytest.mark.parametrize(("refused", "reserved"), [(1, 100), (0, 99), (0, 121)])
def test_joins_that_redis_counts_otherwise_are_no_measurement(refused: int, reserved: int) -> None:
    """A refusal, a unit too few, or more than can have been under way at the end."""
    for possible in (100, 120):
        joins.check_count(100, 0, possible, 10)
    with pytest.raises(RuntimeError, match="Redis reserved"):
        joins.check_count(100, refused, reserved, 10)


def test_a_target_that_is_just_met_is_reached() -> None:
    row = Row(name="x", unit="u", ours=14, other=10, target=1.4)
    assert row.reached is True


def test_both_sides_are_warm_before_anything_counts() -> None:
    """Two rounds each, in turns."""
    order: list[str] = []

    def side(name: str) -> Sample:
        order.append(name)
        return Sample(1, 1.0, 1.0)

    joins.warm_up({"a": lambda: side("a"), "b": lambda: side("b")})
    assert order == ["a", "b", "a", "b"]


def test_the_table_says_which_target_was_missed_and_which_nobody_can_judge() -> None:
    console = Console(width=140, record=True, file=StringIO())
    rows = [Row(name="fast", unit="u", ours=20, other=10, target=1.4)]
    rows += [Row(name="slow", unit="u", ours=5, other=10, target=1.4)]
    rows += [Row(name="alone", unit="u", ours=5, target=1.4), Row(name="shown", unit="u", ours=5)]
    print_table(console, rows, {})
    lines = console.export_text().splitlines()
    said = {row.name: next(line for line in lines if f" {row.name} " in line) for row in rows}
    found = {
        name: [word for word in ("reached", "missed", "not judged") if word in line] for name, line in said.items()
    }
    assert found == {"fast": ["reached"], "slow": ["missed"], "alone": ["not judged"], "shown": []}


def test_cpu_time_of_children_that_were_waited_for_counts() -> None:
    """A server may have had its work done by others that have ended since."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    before = cpu_seconds([os.getpid()])
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_seconds([os.getpid()]) - before >= 0.25


class Still:
    """A program that is frozen and thawed."""

    pid = 1
    frozen = False

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False


def stack(**subject: Any) -> Any:
    made = {"publish": lambda **_: ["c1"], "wait_visible": lambda _: None, "target": lambda _: TARGET} | subject
    parts = {name: Still() for name in ("api", "worker", "valkey", "postgres")}
    return SimpleNamespace(subject=SimpleNamespace(**made), folder=Path(), peer=None, **parts)


def test_the_row_of_reads_is_of_a_detail_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detail that is not found, however alike its answers are, is no measurement; and the worker goes on."""
    one = stack(detail=lambda _: TARGET)
    monkeypatch.setattr(answers, "ask", lambda *_: Answer(404, [], "{}"))
    monkeypatch.setattr(answers, "_against_bare", lambda *_: Row(name="x", unit="u", ours=1))
    answering(monkeypatch, measure, answers={"404 INSTANCE_NOT_FOUND": 100}, not2xx=100)
    with pytest.raises(RuntimeError, match="should answer 200 -"):
        answers.reads(one, PLAN)
    assert not one.worker.frozen


def test_each_round_of_answers_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, measure, not2xx=1)
    with pytest.raises(RuntimeError, match="where 200 is due"):
        answers._answers(TARGET, cast("Any", Still()), 1, 200)


def test_the_row_of_idle_playbooks_is_of_playbooks_that_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """That they are installed is not enough: nothing is measured before the API says that it has loaded them."""

    @contextmanager
    def second(_stack: Any, **_: Any) -> Any:
        yield stack(loaded=lambda: {"FLASH_SALE", "IDLE_01"})

    monkeypatch.setattr(idle, "second_wanfa", second)
    monkeypatch.setattr(idle, "install_idle", lambda folder, _count: folder)
    monkeypatch.setattr(idle, "beside", lambda *_: {"2 idle": [Sample(1, 1.0, 1.0)], "none": [Sample(1, 1.0, 1.0)]})
    one = stack(loaded=lambda: {"FLASH_SALE"})
    with pytest.raises(RuntimeError, match="2 idle playbooks should be loaded"):
        idle.idle_playbooks(one, PLAN, 2)
    assert len(idle.idle_playbooks(one, PLAN, 1)) == 1


@pytest.mark.parametrize(
    "counted",
    [
        {"orders": 99},
        {"orders": 101},
        {"reserved": 99},
        {"left": 4_999_901},
        {"orders": 90, "reserved": 90, "left": 4_999_910},
    ],
)
def test_orders_that_are_counted_in_two_ways_are_no_measurement(
    counted: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, units in Postgres, units in Redis; and nobody was told of more orders than there are."""
    monkeypatch.setattr(orders, "wait", lambda *_: None)
    monkeypatch.setattr(orders, "cpu_seconds", lambda _: 1.0)
    answering(monkeypatch, orders)

    def subject(**seen: int) -> Any:
        read = {name: (lambda _, found=found: found) for name, found in seen.items()}
        return stack(shard=lambda _: 0, **read)

    right = {"orders": 100, "reserved": 100, "left": 4_999_900}
    assert orders.ours(subject(**right), 1).work == 100
    with pytest.raises(RuntimeError, match="Postgres has"):
        orders.ours(subject(**right | counted), 1)
