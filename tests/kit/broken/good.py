"""A small playbook that keeps its whole contract; variants.py breaks it, one thing at a time."""

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.sdk import (
    Counters,
    Example,
    Metric,
    Playbook,
    Rules,
    Session,
    States,
    Status,
    View,
    Window,
    ratio,
    step_beside,
)


class RoundRules(Rules, frozen=True):
    """凑座规则"""

    seats: Annotated[int, Meta(ge=2, le=100, title="座位数", description="多少人付款后成功（含开场的人）")]
    minutes: Annotated[int, Meta(ge=1, le=1440, title="时限（分钟）", description="开场后多久内未坐满则失败并退款")] = (
        60
    )


def success_rate(counters: Counters) -> float | None:
    """成功率: rounds that filled / rounds that ended, in percent."""
    return ratio(counters.instances_succeeded, counters.instances_succeeded + counters.instances_failed)


GOOD = Playbook(
    code="ROUND_OF_SEATS",
    name="凑座",
    version="1.0.0",
    unit_name="份",
    rules=RoundRules,
    states=States(
        moves={
            Status.PENDING: (Status.ACTIVE, Status.FAILED),
            Status.ACTIVE: (Status.SUCCESS, Status.FAILED),
        },
        orders={Status.FAILED: "refund"},
    ),
    step=step_beside(__file__),
    view=View(open="发起凑座", join="立即入座", actions={"cheer": "加油"}),
    metrics=(Metric(key="successRate", label="成功率", unit="%", compute=success_rate),),
    actions=("cheer",),
    examples=(Example(rules={"seats": 3}, stock=10),),
)


def sessions(rules: RoundRules, window: Window) -> tuple[Session, ...]:
    """Two rounds, each with a stock of its own."""
    ends_at = window.starts_at + timedelta(minutes=rules.minutes)
    cells = {"seatsLeft": rules.seats, "endsAt": int(ends_at.timestamp() * 1000)}
    return tuple(
        Session(suffix=suffix, target=rules.seats, wake_at=ends_at, stock=3, cells=cells) for suffix in ("r1", "r2")
    )


# The same with rounds that are there from the start.
SESSIONS = msgspec.structs.replace(GOOD, sessions=sessions)

# The same with rounds that have begun when they go on sale: nothing is ever PENDING, and nobody opens one.
BEGUN = msgspec.structs.replace(
    SESSIONS,
    states=States(moves={Status.ACTIVE: (Status.SUCCESS, Status.FAILED)}, orders={Status.FAILED: "refund"}),
    step=GOOD.step.replace("function step.open(", "local function open("),
    view=msgspec.structs.replace(GOOD.view, open=None),
    reserves=("join",),
    sessions=lambda rules, window: tuple(
        msgspec.structs.replace(session, status=Status.ACTIVE) for session in sessions(rules, window)
    ),
)
