"""At the very millisecond: what begins has begun, what ends is over, and a day is another day."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from engine.kit.stage import Outcome, Stage, open_stage
from engine.local.running import Running
from engine.playbooks.registry import load_playbooks
from engine.sdk import Example, Window
from plugins.flash_sale.rules import FlashSaleRules, sessions

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
CHINA_MS = 8 * HOUR_MS
LOADED = load_playbooks().loaded


@pytest.fixture
def stage(valkey: Running) -> Iterator[Stage]:
    with open_stage(LOADED.values(), url=valkey.url) as opened:
        yield opened


def begin(stage: Stage, code: str, *, hours: int = 48, starts_in_ms: int = 0, **rules: object) -> None:
    stage.publish(LOADED[code], Example(rules=rules, price_fen=9900, hours=hours), starts_in_ms=starts_in_ms)


def told(stage: Stage, after_ms: int, verb: str, suffix: str = "s1") -> list[Outcome]:
    """What somebody is told a millisecond before that time has passed, and what somebody else is when it has."""
    stage.advance(after_ms - 1)
    before = stage.click(verb, "before", suffix=suffix).outcome
    stage.advance(1)
    return [Outcome(before), Outcome(stage.click(verb, "then", suffix=suffix).outcome)]


def test_a_sale_and_its_session_begin(stage: Stage) -> None:
    begin(stage, "FLASH_SALE", starts_in_ms=MINUTE_MS)
    assert told(stage, MINUTE_MS, "join") == [Outcome.NOT_STARTED, Outcome.RESERVED]


def test_a_session_ends(stage: Stage) -> None:
    begin(stage, "FLASH_SALE", sessionMinutes=10)
    assert told(stage, 10 * MINUTE_MS, "join") == [Outcome.RESERVED, Outcome.ENDED]


def test_a_sale_ends(stage: Stage) -> None:
    """Whatever its playbook says: a group goes on for days."""
    begin(stage, "GROUP_BUY", hours=1, target=5, durationMinutes=2 * 24 * 60)
    assert told(stage, HOUR_MS, "open", "") == [Outcome.RESERVED, Outcome.ENDED]


def test_a_group_ends(stage: Stage) -> None:
    begin(stage, "GROUP_BUY", target=5, durationMinutes=10)
    group = stage.click("open", "leader").suffix
    assert told(stage, 10 * MINUTE_MS, "join", group) == [Outcome.RESERVED, Outcome.ENDED]


def test_a_day_of_cuts_is_one_in_china(stage: Stage) -> None:
    """One cut a day: the next at midnight there, eight hours after any other."""
    begin(stage, "BARGAIN", helpers=5, floorPriceFen=4900, cutsPerDay=1, durationMinutes=3 * 24 * 60)
    bargains = [stage.click("open", f"owner{number}").suffix for number in range(3)]
    stage.advance(DAY_MS - (stage.now_ms + CHINA_MS) % DAY_MS - 1)
    cut = [stage.click("cut", "friend", suffix=bargains[0]).outcome]
    cut.append(stage.click("cut", "friend", suffix=bargains[1]).outcome)
    stage.advance(1)
    cut.append(stage.click("cut", "friend", suffix=bargains[1]).outcome)
    stage.advance(DAY_MS - 1)
    cut.append(stage.click("cut", "friend", suffix=bargains[2]).outcome)
    assert cut == [Outcome.DONE, Outcome.LIMIT_REACHED, Outcome.DONE, Outcome.LIMIT_REACHED]


@pytest.mark.parametrize(("ends_s", "count"), [(0, 0), (1, 1), (59, 1)])
def test_a_session_of_the_last_moment_is_one(ends_s: int, count: int) -> None:
    """It begins before the window ends, if only by a second."""
    window = Window(datetime(2026, 12, 1, 3, 30, tzinfo=UTC), datetime(2026, 12, 1, 4, 0, ends_s, tzinfo=UTC))
    assert len(sessions(FlashSaleRules(times=("12:00",)), window)) == count
