"""Whoever plays a lot can still buy: clicks that hold no stock never use up all that the engine keeps of a person."""

from collections.abc import Iterator

import pytest

from engine.kit.stage import Outcome, Stage, open_stage
from engine.local.running import Running
from engine.playbooks.registry import load_playbooks
from engine.sdk import Example, Status

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
FREE_MAX = 40  # clicks that hold no stock, a person on one config
LOADED = load_playbooks().loaded


@pytest.fixture
def stage(valkey: Running) -> Iterator[Stage]:
    """The real gate with a clock that one moves; it keeps as much of a person as a server does by default."""
    with open_stage(LOADED.values(), url=valkey.url) as opened:
        yield opened


def begin(stage: Stage, code: str, *, hours: int = 24 * 60, starts_in_ms: int = 0, **rules: object) -> None:
    """Put a playbook with these rules on sale."""
    example = Example(rules=rules, price_fen=9900, stock=1000, hours=hours)
    stage.publish(LOADED[code], example, starts_in_ms=starts_in_ms)


def outcome(stage: Stage, verb: str, user: str, suffix: str = "", **facts: object) -> Outcome:
    """One click's."""
    return Outcome(stage.click(verb, user, suffix=suffix, facts=facts or None).outcome)


def test_whoever_wants_to_be_reminded_of_everything_can_buy(stage: Stage) -> None:
    """Of eight days with a session an hour."""
    times = [f"{hour:02}:00" for hour in range(24)]
    begin(stage, "FLASH_SALE", hours=24 * 8, starts_in_ms=MINUTE_MS, times=times)
    sessions = list(stage.instances())

    outcomes = [outcome(stage, "remind", "u", suffix) for suffix in sessions]
    assert outcomes == [Outcome.DONE] * FREE_MAX + [Outcome.LIMIT_REACHED] * (len(sessions) - FREE_MAX)

    stage.advance(2 * 60 * MINUTE_MS)
    stage.catch_up()
    (selling,) = [suffix for suffix, cells in stage.instances().items() if cells["status"] == Status.ACTIVE]
    assert outcome(stage, "join", "u", selling) == Outcome.RESERVED


def test_whoever_helps_everybody_can_buy(stage: Stage) -> None:
    """Their own bargain counts among those forty; a bargain they open afterwards would be one too many."""
    begin(stage, "BARGAIN", helpers=2, floorPriceFen=4900, cutsPerDay=50, bargainsPerPerson=20)
    own = stage.click("open", "u").suffix
    others = [stage.click("open", f"owner{number}").suffix for number in range(FREE_MAX)]

    outcomes = [outcome(stage, "cut", "u", suffix) for suffix in others]
    assert outcomes == [Outcome.DONE] * (FREE_MAX - 1) + [Outcome.LIMIT_REACHED]
    assert outcome(stage, "open", "u") == Outcome.LIMIT_REACHED
    assert outcome(stage, "buy", "u", own) == Outcome.RESERVED


def test_whoever_follows_every_invitation_can_buy(stage: Stage) -> None:
    """The last one that was accepted counts."""
    begin(stage, "REFERRAL", touch="last")
    codes = [stage.click("open", f"r{number}").suffix for number in range(2)]

    outcomes = [outcome(stage, "visit", "u", codes[number % 2]) for number in range(FREE_MAX + 1)]
    assert outcomes == [Outcome.DONE] * FREE_MAX + [Outcome.LIMIT_REACHED]
    assert stage.click("join", "u", suffix=codes[0]).suffix == codes[1]


def test_a_bargain_ends_though_the_clock_goes_back(stage: Stage) -> None:
    """It waits for an order at its deadline; the order is given back by a clock that says it is not over yet."""
    begin(stage, "BARGAIN", helpers=2, floorPriceFen=4900, durationMinutes=3)
    suffix = stage.click("open", "u").suffix
    stage.advance(2 * MINUTE_MS)
    stage.click("buy", "u", suffix=suffix)
    (order_id,) = stage.orders
    stage.advance(MINUTE_MS)
    stage.catch_up()
    stage.advance(-500)
    stage.release(order_id)

    assert stage.cells(suffix)["status"] == Status.ACTIVE
    stage.advance(500)
    stage.catch_up()
    assert stage.cells(suffix)["status"] == Status.FAILED


def test_an_order_counts_as_new_by_its_own_click(stage: Stage) -> None:
    """The first was a newcomer's; the second came when something of theirs was paid already, and is never paid."""
    begin(stage, "REFERRAL", limitPerPerson=2)
    code = stage.click("open", "r").suffix
    stage.click("visit", "u", suffix=code)
    stage.click("join", "u", suffix=code)
    (first,) = stage.orders
    outcome(stage, "join", "u", code, newcomer=False)
    stage.pay(first)

    assert (stage.cells(code)["converted"], stage.cells(code)["brought"]) == (1, 1)


def test_a_referrer_who_hid_where_they_came_from_is_known_once_they_buy(stage: Stage) -> None:
    """What counts is the first device that is known of those who take part; a mere buyer's is nobody's business."""
    begin(stage, "REFERRAL", limitPerPerson=2, referrerRewardAmount=100)
    code = stage.click("open", "r", facts={"device": ""}).suffix
    for user, device in (("r", "d1"), ("r", "d2"), ("stranger", "d3")):
        stage.click("join", user, suffix=code, facts={"device": device})

    assert stage.person("r").mine["device"] == "d1"
    assert "device" not in stage.person("stranger").mine
