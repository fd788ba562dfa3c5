"""What a client draws of an instance, without thinking: pure functions of snapshot and time."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.catalog.model import PlayConfig
from engine.gate.records import HeadStatus, ms
from engine.sdk import Playbook, Status

POLL_LIVE_MS = 1000
POLL_WAITING_MS = 5000
POLL_FINAL_MS = 60000
MOMENT_MAX_MS = 1 << 47  # in the year 6429: everything that reads it can hold that


class Progress(msgspec.Struct, frozen=True, rename="camel"):
    """`current` of `target`; a target of 0 means there is none to reach."""

    current: int
    target: int


class Button(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The one button: its text, whether it is greyed out, and the stable code of the reason.

    `verb`: it sends this action; left out where it sends what is usual, join or, on a product, open.
    """

    text: str
    disabled: bool
    reason: str | None
    verb: str = ""


class Action(msgspec.Struct, frozen=True, rename="camel"):
    """A verb of the playbook's own, at `actions/{verb}`, and the words on its button."""

    verb: str
    text: str


class InstanceView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An instance as consumers see it; the same bytes for everyone.

    `price_fen` is what a unit costs in it just now. `simulated`: it was completed without real people.
    """

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
    actions: list[Action]
    simulated: bool
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
    config: PlayConfig,
    head_status: int,
    left: int,
    playbook: Playbook,
    instance_id: str,
    state: InstanceState,
    now_ms: int,
) -> InstanceView:
    """The view at `now_ms` (Redis' clock); `left` are the units of the whole config."""
    cells = state.cells
    seats_left = _seats(cells.get("seatsLeft"))
    stock_left = min(left, cells.get("left", left))
    starts_at, ends_at = _window(config, cells)
    return InstanceView(
        id=instance_id,
        config_id=config.id,
        store_id=config.store_id,
        store_name=config.store_name,
        city=config.city,
        play_code=config.template_code,
        title=config.title,
        price_fen=_price_fen(config, cells),
        unit_name=config.unit_name,
        units_per_share=config.units_per_share,
        status=state.status.name,
        progress=Progress(state.current, state.target),
        stock_left=stock_left,
        seats_left=seats_left,
        button=_button(playbook, head_status, stock_left, state, seats_left, starts_at, ends_at, now_ms),
        actions=_actions(config, head_status, playbook, state.status, now_ms),
        simulated=cells.get("simulated") is True,
        starts_at=starts_at,
        ends_at=ends_at,
        poll_after_ms=_poll_after_ms(state.status, starts_at, now_ms),
    )


def next_change_ms(config: PlayConfig, view: InstanceView, now_ms: int) -> int:
    """When time alone changes the view; far away if it never does."""
    starts_ms, ends_ms = ms(view.starts_at), ms(view.ends_at)
    edges = (starts_ms - POLL_WAITING_MS, starts_ms, ends_ms, ms(config.starts_at), ms(config.ends_at))
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


def _seats(cell: object) -> int | None:
    return cell if type(cell) is int else None


def _price_fen(config: PlayConfig, cells: dict[str, Any]) -> int:
    """The instance's own price; the config's where the cell is not set or is no price."""
    price: object = cells.get("priceFen")
    return price if type(price) is int and 1 <= price <= config.price_fen else config.price_fen


def _actions(config: PlayConfig, head_status: int, playbook: Playbook, status: Status, now_ms: int) -> list[Action]:
    """The playbook's own verbs as far as the gate lets anybody use them: before the start the early ones only."""
    words = playbook.view.actions
    over = head_status != HeadStatus.PUBLISHED or now_ms >= ms(config.ends_at)
    if not words or over:
        return []
    started, final = now_ms >= ms(config.starts_at), status in (Status.SUCCESS, Status.FAILED)
    return [
        Action(verb, text)
        for verb, text in words.items()
        if (started or verb in playbook.early) and (not final or verb in playbook.view.final)
    ]


def _button(
    playbook: Playbook,
    head_status: int,
    left: int,
    state: InstanceState,
    seats_left: int | None,
    starts_at: datetime,
    ends_at: datetime,
    now_ms: int,
) -> Button:
    words, ended = playbook.view, now_ms >= ms(ends_at)
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
    elif left < 1 and words.verb in playbook.reserves:
        text, reason = "已售罄", "SOLD_OUT"
    else:
        return Button(words.join, disabled=False, reason=None, verb="" if words.verb == "join" else words.verb)
    return Button(text, disabled=True, reason=reason)


def _poll_after_ms(status: Status, starts_at: datetime, now_ms: int) -> int:
    if status in (Status.SUCCESS, Status.FAILED):
        return POLL_FINAL_MS
    return POLL_WAITING_MS if ms(starts_at) - now_ms > POLL_WAITING_MS else POLL_LIVE_MS
