"""What a client draws of an instance, without thinking: pure functions of snapshot and time."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.catalog.model import PlayConfig
from engine.gate.records import HeadStatus, ms
from engine.sdk import Status, View

POLL_LIVE_MS = 1000
POLL_WAITING_MS = 5000
POLL_FINAL_MS = 60000
MOMENT_MAX_MS = 1 << 47  # in the year 6429: everything that reads it can hold that


class Progress(msgspec.Struct, frozen=True, rename="camel"):
    """`current` of `target`; a target of 0 means there is none to reach."""

    current: int
    target: int


class Button(msgspec.Struct, frozen=True, rename="camel"):
    """The one button: its text, whether it is greyed out, and the stable code of the reason."""

    text: str
    disabled: bool
    reason: str | None


class InstanceView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An instance as consumers see it; the same bytes for everyone."""

    id: str
    config_id: str
    store_id: str
    store_name: str
    city: str
    play_code: str
    title: str
    price_fen: int
    unit_name: str
    units_per_share: int
    status: str
    progress: Progress
    stock_left: int
    seats_left: int | None
    button: Button
    starts_at: datetime
    ends_at: datetime
    poll_after_ms: int


class InstanceState(msgspec.Struct, frozen=True):
    """An instance's cells as last read from Redis."""

    status: Status
    current: int
    target: int
    cells: dict[str, Any]


def instance_view(
    config: PlayConfig, head_status: int, left: int, words: View, instance_id: str, state: InstanceState, now_ms: int
) -> InstanceView:
    """The view at `now_ms` (Redis' clock)."""
    seats_left = state.cells.get("seatsLeft")
    starts_at, ends_at = _window(config, state.cells)
    return InstanceView(
        id=instance_id,
        config_id=config.id,
        store_id=config.store_id,
        store_name=config.store_name,
        city=config.city,
        play_code=config.template_code,
        title=config.title,
        price_fen=config.price_fen,
        unit_name=config.unit_name,
        units_per_share=config.units_per_share,
        status=state.status.name,
        progress=Progress(state.current, state.target),
        stock_left=left,
        seats_left=seats_left,
        button=_button(words, head_status, left, state, seats_left, starts_at, ends_at, now_ms),
        starts_at=starts_at,
        ends_at=ends_at,
        poll_after_ms=_poll_after_ms(state.status, starts_at, now_ms),
    )


def next_change_ms(view: InstanceView, now_ms: int) -> int:
    """When time alone changes the view; far away if it never does."""
    starts_ms, ends_ms = ms(view.starts_at), ms(view.ends_at)
    edges = (starts_ms - POLL_WAITING_MS, starts_ms, ends_ms)
    return min((edge for edge in edges if edge > now_ms), default=1 << 62)


def _window(config: PlayConfig, cells: dict[str, Any]) -> tuple[datetime, datetime]:
    starts_at = _moment(cells.get("opensAt")) or config.starts_at
    ends_at = _moment(cells.get("endsAt")) or config.ends_at
    return starts_at, min(ends_at, config.ends_at)


def _moment(cell: object) -> datetime | None:
    """The time in a playbook's cell; None for what is none, so that one playbook cannot spoil a whole list."""
    if type(cell) is not int or not 0 < cell < MOMENT_MAX_MS:
        return None
    return datetime.fromtimestamp(cell / 1000, UTC)


def _button(
    words: View,
    head_status: int,
    left: int,
    state: InstanceState,
    seats_left: int | None,
    starts_at: datetime,
    ends_at: datetime,
    now_ms: int,
) -> Button:
    ended = now_ms >= ms(ends_at)
    if state.status is Status.SUCCESS:
        text, reason = "已成功", "INSTANCE_FULL" if seats_left is not None else "ENDED"
    elif state.status is Status.FAILED or ended or head_status == HeadStatus.ENDED:
        text, reason = "已结束", "ENDED"
    elif head_status == HeadStatus.PAUSED:
        text, reason = "暂停中", "PAUSED"
    elif now_ms < ms(starts_at):
        text, reason = "未开始", "NOT_STARTED"
    elif seats_left == 0:
        text, reason = "名额已满", "INSTANCE_FULL"
    elif left < 1:
        text, reason = "已售罄", "SOLD_OUT"
    else:
        return Button(words.join, disabled=False, reason=None)
    return Button(text, disabled=True, reason=reason)


def _poll_after_ms(status: Status, starts_at: datetime, now_ms: int) -> int:
    if status in (Status.SUCCESS, Status.FAILED):
        return POLL_FINAL_MS
    return POLL_WAITING_MS if ms(starts_at) - now_ms > POLL_WAITING_MS else POLL_LIVE_MS
