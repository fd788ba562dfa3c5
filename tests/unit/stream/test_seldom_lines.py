"""What goes wrong for a crowd, or for long, fills no log."""

import logging
from typing import Any

import pytest

from engine.gate.failures import SAY_EVERY_S, StepFailures
from engine.gate.wire import Failure
from engine.runtime.backlog import SAY_EVERY_S as SHARD_EVERY_S
from engine.runtime.backlog import Backlog
from engine.stream.stalled import StalledLog


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("time.monotonic", found)
    return found


def test_a_step_that_fails_is_a_line_in_ten_seconds(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The first at once; the next counts those in between. Another step, or playbook, has a line of its own."""
    failures = StepFailures()
    for _ in range(100):
        failures.add([Failure("DRAW", "join", "c1", 3, "step.lua:7: no luck")])
    failures.add([Failure("DRAW", "paid", "c1", 1, "%E9%92%B1%0A100%25"), Failure("DICE", "join", "c2", 1, "")])
    clock.now += SAY_EVERY_S
    failures.add([Failure("DRAW", "join", "c3", 3, "step.lua:8: no luck")])

    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 4
    assert caplog.messages == [
        "playbook DRAW failed in its step join, 3 times, last on c1: step.lua:7: no luck",
        "playbook DRAW failed in its step paid, 1 times, last on c1: 钱 100%",
        "playbook DICE failed in its step join, 1 times, last on c2: ",
        "playbook DRAW failed in its step join, 300 times, last on c3: step.lua:8: no luck",
    ]


def test_what_waits_is_a_line_a_minute_for_each_playbook(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is tried; what is tried twice counts once, and what fails no more not at all."""
    stalled = StalledLog("events")
    for attempt in range(31):
        for waiting in ("a", "b", "c"):
            stalled.failed("DRAW", waiting)
        if attempt < 20:
            stalled.failed("DICE", "d")
        stalled.say()
        assert len(caplog.messages) == (2 if attempt < 30 else 3)
        clock.now += 2

    assert [message.partition(";")[0] for message in caplog.messages] == [
        "playbook DRAW is missing or fails: 3 events wait",
        "playbook DICE is missing or fails: 1 events wait",
        "playbook DRAW is missing or fails: 3 events wait",
    ]


def test_a_shard_that_is_not_drained_is_a_line_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """One more once it is again, and then the next time is told at once. Another shard has lines of its own."""
    unused: Any = None
    backlog = Backlog(unused, unused, shards=2)
    for late in ({0: 6.0}, {0: 7.0, 1: 6.0}, {0: 8.0}):
        backlog._say(late)
    clock.now += SHARD_EVERY_S
    backlog._say({0: 66.0})
    backlog._say({})
    backlog._say({0: 5.5})

    waits = "is not drained: its oldest entry has waited for"
    assert caplog.messages == [
        f"shard 0 {waits} 6 s",
        f"shard 1 {waits} 6 s",
        "shard 1 is drained again",
        f"shard 0 {waits} 66 s",
        "shard 0 is drained again",
        f"shard 0 {waits} 6 s",
    ]
