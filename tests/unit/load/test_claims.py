"""A campaign says no: when one claim of many does not hold, and when one campaign of many has failed."""

import random
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner
from rich.console import Console

from loadtests.campaigns import __main__ as program
from loadtests.campaigns import groups, holds, kill, stampede, torn
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import UNDECIDED, Counts
from loadtests.campaigns.faults.recovery import Recovery

QUIET = Console(quiet=True)


@pytest.mark.parametrize("wrong", [0, 1, 2, None])
def test_one_claim_that_does_not_hold_is_enough(wrong: int | None) -> None:
    """Wherever it stands: the first, one in the middle, the last."""
    claims = Claims(QUIET)
    for number in range(3):
        claims.expect("this holds", number != wrong)
    assert claims.all_hold is (wrong is None)


@pytest.mark.parametrize("failed", [*program.CAMPAIGNS, None])
def test_one_campaign_that_fails_is_enough(failed: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of all it is."""
    monkeypatch.setattr(program, "run", lambda name, *_: name != failed)
    done = CliRunner().invoke(program.main, ["all"])
    assert done.exit_code == (0 if failed is None else 1)


def order(status: str = "PAID", **more: Any) -> SimpleNamespace:
    """As much of an auditor's order as campaigns look at."""
    fields = {"status": status, "live": status in ("HELD", "PAID"), "reason": None, "quantity": 1, "created_at": None}
    return SimpleNamespace(**fields | {"id": f"o{random.random()}"} | more)


def counts(orders: int, **outcomes: int) -> Counts:
    found = Counts()
    found.orders = {f"o{number}" for number in range(orders)}
    found.outcomes = Counter(outcomes)
    return found


STAMPEDE: dict[str, Any] = {"clean": True, "units": 2, "rows": 2, "told": {"RESERVED": 2, "SOLD_OUT": 5}, "known": 2}


@pytest.mark.parametrize(
    ("wrong", "holds_true"),
    [
        ({}, True),
        ({"clean": False}, False),
        ({"units": 3}, False),
        ({"units": 1}, False),
        ({"rows": 3}, False),
        ({"known": 1}, False),
        ({"rows": 3, "known": 3}, False),
        ({"told": {"RESERVED": 2, "SOLD_OUT": 5, "PAUSED": 1}}, False),
        ({"told": {"RESERVED": 2}}, False),
    ],
)
def test_a_stampede_says_no(wrong: dict[str, Any], holds_true: bool) -> None:
    """The auditor's no, a unit too many or too few, a row nobody was told of, a refusal that is none, no crowd."""
    seen = STAMPEDE | wrong
    size = stampede.Size(clicks=7, stock=2, people=7, connections=1)
    told = counts(seen["known"], **seen["told"])
    said = stampede.judge(size, told, seen["clean"], units=seen["units"], rows=seen["rows"], console=QUIET)
    assert said is holds_true


def judged_groups(
    clean: bool = True, orders: tuple[str, ...] = ("PAID",) * 3, status: str = "SUCCESS", opened: int = 1, full: int = 1
) -> bool:
    evidence = SimpleNamespace(
        orders_of_instance={"g": [order(one) for one in orders]}, instances={"g": SimpleNamespace(status=status)}
    )
    fair = SimpleNamespace(instances=["g"] * opened, counts=counts(3, INSTANCE_FULL=full))
    return groups.judge(groups.Size(1, 6, 1), cast("Any", fair), clean, cast("Any", evidence), QUIET)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clean": False},
        {"opened": 0},
        {"opened": 2},
        {"orders": ("PAID",) * 3 + ("HELD",)},
        {"status": "FAILED"},
        {"orders": ("PAID", "PAID", "EXPIRED")},
        {"orders": ("PAID", "PAID", "EXPIRED"), "status": "FAILED"},
        {"full": 0},
    ],
)
def test_groups_say_no(wrong: dict[str, Any]) -> None:
    """A group too few, a seat too many, one that is whole and failed, one that is not and succeeded, none at all."""
    assert judged_groups()
    assert not judged_groups(**wrong)


def judged_holds(
    clean: bool = True,
    orders: tuple[str, ...] = ("PAID", "EXPIRED", "EXPIRED", "REFUNDED"),
    reserved: int = 1,
    left: int = 1,
    paid: int = 1,
) -> bool:
    evidence = SimpleNamespace(
        stock={"c": SimpleNamespace(reserved=reserved)},
        orders=[order(one) for one in orders],
        warmed={"c": SimpleNamespace(left=left)},
    )
    sale = SimpleNamespace(config_id="c", paid=paid)
    return holds.judge(
        holds.Size(stock=2, rounds=2, connections=1), cast("Any", sale), clean, cast("Any", evidence), QUIET
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"clean": False},
        {"paid": 0},
        {"reserved": 2},
        {"left": 0},
        {"orders": ("PAID", "EXPIRED")},
        {"orders": ("PAID", "EXPIRED", "EXPIRED", "HELD")},
    ],
)
def test_short_holds_say_no(wrong: dict[str, Any]) -> None:
    """Nobody paid, a unit that did not come back here or there, nothing sold twice in turn, a hold that goes on."""
    assert judged_holds()
    assert not judged_holds(**wrong)


def judged_tears(
    clean: bool = True, batches: int = 3, kept: bool = True, lost: bool = True, reserved: int = 2, reason: str = ""
) -> bool:
    cut = SimpleNamespace(batches=batches, covers=lambda _moment: kept)
    known = order(id="o1", reason=reason)
    only_in_redis = frozenset({"o2"} if lost else {"o1"})
    tears = [torn.Tear(cast("Any", cut), stalled, only_in_redis) for stalled in (False, True)]
    stock = {"c": SimpleNamespace(reserved=reserved)}
    evidence = SimpleNamespace(orders=[known], order_by_id={"o1": known}, stock=stock)
    return torn.judge(torn.Size(2, 1, 1, 2, 1, 1), cast("Any", evidence), "c", clean, tears, QUIET)


@pytest.mark.parametrize(
    "wrong",
    [{"clean": False}, {"batches": 0}, {"kept": False}, {"lost": False}, {"reserved": 3}, {"reason": "OVERSOLD"}],
)
def test_torn_tails_say_no(wrong: dict[str, Any]) -> None:
    """Nothing was cut off, nothing of it was a row, all of it was one, a unit too many, the last line was needed."""
    assert judged_tears()
    assert not judged_tears(**wrong)


def judged_kill(clean: bool = True, missing: str = "", reason: str = "", **told: int) -> bool:
    happened = [Recovery(fault.name, 1.0, 1.0, 1.0) for fault in kill.ALWAYS if fault.name != missing]
    evidence = SimpleNamespace(orders=[order(reason=reason)], order_by_id={"o0": None})
    said = counts(1, **{"RESERVED": 1, "SOLD_OUT": 1} | told)
    return kill.judge(said, happened, clean, cast("Any", evidence), QUIET).all_hold


@pytest.mark.parametrize(
    "wrong",
    [
        {"clean": False},
        *({"missing": fault.name} for fault in kill.ALWAYS),
        {"UNKNOWN": 1},
        {"PAUSED": 1},
        {"LIMIT_REACHED": 1},
        {"reason": "OVERSOLD"},
    ],
    ids=str,
)
def test_kill_says_no(wrong: dict[str, Any]) -> None:
    """A fault that has not happened, somebody who never knew, or was turned away for nothing, the last line needed."""
    assert judged_kill()
    assert not judged_kill(**wrong)


def test_what_decides_nothing_is_asked_again() -> None:
    """Whoever stopped asking there would lose what they have won."""
    assert {"PAUSED", "UNAVAILABLE", "INTERNAL", "OVERLOADED", "ORDER_NOT_READY"} == UNDECIDED
