"""What a store fills in for a flash sale, and the sessions that follow from it."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, timezone
from itertools import islice, pairwise
from typing import Annotated

from msgspec import Meta

from engine.sdk import Offer, Problem, Rules, Session, Window

SESSIONS_MAX = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))  # one time all over the country, no summer time since 1991

ClockTime = Annotated[
    str,
    Meta(
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$",
        title="开抢时刻",
        description="北京时间，24 小时制，时和分各两位",
        examples=["10:00"],
    ),
]


class FlashSaleRules(Rules, frozen=True):
    """秒杀规则"""

    times: Annotated[
        tuple[ClockTime, ...],
        Meta(max_length=24, title="每日场次", description="活动期间每天几点各开一场（北京时间）；空表示整个活动一场"),
    ] = ()
    session_minutes: Annotated[
        int,
        Meta(ge=0, le=1440, title="场次时长（分钟）", description="开抢后持续多久，0 表示直到下一场开始或活动结束"),
    ] = 0
    stock_per_session: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            title="每场库存",
            description="每场最多卖几份，卖不完不转入下一场；0 表示共用总库存",
        ),
    ] = 0
    remind_minutes: Annotated[
        int,
        Meta(ge=0, le=1440, title="提前提醒（分钟）", description="开抢前多久提醒预约的人"),
    ] = 5


def starts(rules: FlashSaleRules, window: Window) -> Iterator[datetime]:
    """When sessions begin, earliest first: at each of `times` that lies in the window, or with the window itself."""
    if not rules.times:
        yield window.starts_at
        return
    times = sorted(time.fromisoformat(each) for each in set(rules.times))
    day, last = window.starts_at.astimezone(CHINA).date(), window.ends_at.astimezone(CHINA).date()
    while day <= last:
        for each in times:
            moment = datetime.combine(day, each, CHINA)
            if window.starts_at <= moment < window.ends_at:
                yield moment
        day += timedelta(days=1)


def sessions(rules: FlashSaleRules, window: Window) -> tuple[Session, ...]:
    """A session ends after `session_minutes`, and at the latest with the next one's start or the window's end."""
    opening = [*islice(starts(rules, window), SESSIONS_MAX + 1)]
    return tuple(_session(rules, begins, ends) for begins, ends in pairwise([*opening, window.ends_at]))


def _session(rules: FlashSaleRules, begins: datetime, ends: datetime) -> Session:
    if rules.session_minutes:
        ends = min(begins + timedelta(minutes=rules.session_minutes), ends)
    return Session(
        suffix=begins.astimezone(CHINA).strftime("d%Y%m%dt%H%M") if rules.times else "s1",
        wake_at=begins,
        stock=rules.stock_per_session or None,
        cells={"opensAt": _ms(begins), "endsAt": _ms(ends)},
    )


def _ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def problems(rules: FlashSaleRules, offer: Offer) -> Iterator[Problem]:
    """Every session has to happen, and has to have what it promises."""
    if len(set(rules.times)) < len(rules.times):
        yield Problem("times", "开抢时刻不能重复", "times: none twice")
    count = len(sessions(rules, offer.window))
    if count == 0:
        yield Problem(
            "times",
            "活动期间没有任何一场：请检查开抢时刻与活动的开始、结束时间",
            "times: no session lies between the start and the end of the sale",
        )
    elif count > SESSIONS_MAX:
        yield Problem(
            "times",
            f"活动期间最多 {SESSIONS_MAX} 场，请减少开抢时刻或缩短活动",
            f"times: {SESSIONS_MAX} sessions at most; take fewer times or a shorter sale",
        )
    elif rules.stock_per_session * count > offer.stock:
        yield Problem(
            "stockPerSession",
            f"共 {count} 场，各场库存之和不能超过总库存 {offer.stock}",
            f"stockPerSession: {count} sessions have more together than the stock of {offer.stock}",
        )
