"""What a store fills in for a flash sale."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from engine.sdk import Rules, Session, Status, Window


class FlashSaleRules(Rules, frozen=True):
    """秒杀规则"""

    session_minutes: Annotated[
        int,
        Meta(ge=0, le=1440, title="场次时长（分钟）", description="开抢后持续多久，0 表示直到活动结束"),
    ] = 0


def sessions(rules: FlashSaleRules, window: Window) -> tuple[Session, ...]:
    """One session: it opens with the window and ends with it, or after `session_minutes`."""
    length = timedelta(minutes=rules.session_minutes) or window.ends_at - window.starts_at
    ends_at = min(window.starts_at + length, window.ends_at)
    cells = {
        "opensAt": int(window.starts_at.timestamp() * 1000),
        "endsAt": int(ends_at.timestamp() * 1000),
    }
    return (Session(suffix="s1", status=Status.PENDING, wake_at=window.starts_at, cells=cells),)
