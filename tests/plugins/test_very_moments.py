"""At the very millisecond: what begins has begun, what ends is over, and a day is another day."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

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


def test_units_that_came_back_are_sold_again(stage: Stage) -> None:
    """When every process may have heard of them, and not a millisecond later."""
    stage.publish(LOADED["FLASH_SALE"], Example(price_fen=9900, stock=2))
    stage.reopen_ms = MINUTE_MS
    for user in ("first", "second"):
        stage.click("join", user, suffix="s1")
    for order in list(stage.orders):
        stage.release(order)
    assert told(stage, MINUTE_MS, "join") == [Outcome.SOLD_OUT, Outcome.RESERVED]


def test_a_session_ends(stage: Stage) -> None:
    begin(stage, "FLASH_SALE", sessionMinutes=10)
    assert told(stage, 10 * MINUTE_MS, "join") == [Outcome.RESERVED, Outcome.ENDED]


def test_a_sale_ends(stage: Stage) -> None:
    """Whatever its playbook says: a group goes on for days."""
    begin(stage, "GROUP_BUY", hours=1, target=5, durationMinutes=2 * 24 * 60)
    assert told(stage, HOUR_MS, "open", "") == [Outcome.RESERVED, Outcome.ENDED]


def test_who_has_paid_late_is_taken_in_until_the_sale_ends(stage: Stage) -> None:
    begin(stage, "GROUP_BUY", hours=1, target=5, durationMinutes=2 * 24 * 60)
    group = stage.click("open", "leader").suffix
    for user in ("before", "then"):
        stage.click("join", user, suffix=group)
    _leader, before, then = stage.orders
    stage.release(before)
    stage.release(then)
    stage.advance(HOUR_MS - 1)
    taken = [stage.late(before).outcome]
    stage.advance(1)
    taken.append(stage.late(then).outcome)
    assert taken == [Outcome.DONE, Outcome.ENDED]


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


def test_a_bargain_ends_for_friends_and_owner(stage: Stage) -> None:
    """For who helps, and for who would buy it."""
    begin(stage, "BARGAIN", helpers=3, floorPriceFen=4900, durationMinutes=10, buyBeforeFloor=True)
    helped, bought = (stage.click("open", owner).suffix for owner in ("one", "other"))
    stage.advance(10 * MINUTE_MS - 1)
    before = [stage.click("cut", "friend", suffix=helped).outcome]
    stage.advance(1)
    after = [stage.click("cut", "another", suffix=helped).outcome, stage.click("buy", "other", suffix=bought).outcome]
    assert (before, after) == ([Outcome.DONE], [Outcome.ENDED, Outcome.ENDED])


def test_an_invitation_ends(stage: Stage) -> None:
    begin(stage, "REFERRAL", hours=72, durationDays=1, newcomersOnly=False)
    link = stage.click("open", "host").suffix
    assert told(stage, DAY_MS, "visit", link) == [Outcome.DONE, Outcome.ENDED]


def due(stage: Stage, suffix: str, after_ms: int) -> list[Outcome]:
    """What its deadline brings about a millisecond before that time has passed, and when it has."""
    stage.advance(after_ms - 1)
    early = stage.deadline(suffix).outcome
    stage.advance(1)
    return [Outcome(early), Outcome(stage.deadline(suffix).outcome)]


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ("FLASH_SALE", {"sessionMinutes": 10}),
        ("GROUP_BUY", {"target": 5, "durationMinutes": 10}),
        ("BARGAIN", {"helpers": 3, "floorPriceFen": 4900, "durationMinutes": 10}),
        ("REFERRAL", {"durationDays": 1, "newcomersOnly": False}),
    ],
)
def test_what_is_due_this_very_millisecond_is_over(stage: Stage, code: str, rules: dict[str, Any]) -> None:
    begin(stage, code, hours=72, **rules)
    suffix = "s1" if code == "FLASH_SALE" else stage.click("open", "owner").suffix
    if code == "FLASH_SALE":
        stage.click("join", "buyer", suffix=suffix)
    after_ms = DAY_MS if code == "REFERRAL" else 10 * MINUTE_MS
    assert due(stage, suffix, after_ms) == [Outcome.UNCHANGED, Outcome.DONE]


def test_a_group_that_nobody_can_complete_any_more_is_over_with_its_sale(stage: Stage) -> None:
    """Whatever its own deadline is."""
    begin(stage, "GROUP_BUY", hours=1, target=5, durationMinutes=2 * 24 * 60)
    group = stage.click("open", "leader").suffix
    assert due(stage, group, HOUR_MS) == [Outcome.UNCHANGED, Outcome.DONE]


def test_nobody_is_reminded_of_what_begins_now(stage: Stage) -> None:
    begin(stage, "FLASH_SALE", starts_in_ms=MINUTE_MS)
    assert told(stage, MINUTE_MS, "remind") == [Outcome.DONE, Outcome.ENDED]
