"""A playbook that fails for a crowd fills no log."""

import logging

import pytest

from api.hot.failures import Failures
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


def test_failed_clicks_are_a_line_a_second(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The first at once; the next counts those in between."""
    failures = Failures()
    for _ in range(100):
        failures.add("DRAW", "c1", "join")
    clock.now += 1
    failures.add("DRAW", "c2", "draw")

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "DRAW failed on 1 clicks, the last a join on c1" in caplog.messages[0]
    assert "DRAW failed on 100 clicks, the last a draw on c2" in caplog.messages[1]


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
