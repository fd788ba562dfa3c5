"""What a client draws: the button for every situation, and how long drawn bytes stay true."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.model import PlayConfig
from engine.catalog.view import InstanceState, InstanceView, instance_view, next_change_ms
from engine.gate.records import HeadStatus, ms
from engine.sdk import Status, View

NOW = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
NOW_MS = ms(NOW)
HOUR = timedelta(hours=1)
WORDS = View(open="发起拼团", join="立即参团")


def make_config(starts_at: datetime = NOW - HOUR, ends_at: datetime = NOW + HOUR) -> PlayConfig:
    """A config on sale."""
    return PlayConfig(
        id="c000000000001",
        store_id="1001",
        store_name="一店",
        city="BJ",
        service_id="v000000000001",
        service_name="舞蹈课",
        asset_type="COURSE",
        unit_name="节",
        units_per_share=10,
        template_code="GROUP_BUY",
        title="拼团版舞蹈课",
        price_fen=9900,
        stock=10,
        rules={},
        rules_version="1.0.0",
        starts_at=starts_at,
        ends_at=ends_at,
        status="PUBLISHED",
        shard=0,
        warm_pending=False,
        created_at=NOW - HOUR,
    )


def view(
    config: PlayConfig | None = None,
    *,
    status: Status = Status.ACTIVE,
    head: int = HeadStatus.PUBLISHED,
    left: int = 5,
    now_ms: int = NOW_MS,
    **cells: Any,
) -> InstanceView:
    """The view of an instance of a config."""
    state = InstanceState(status, current=1, target=3, cells=cells)
    return instance_view(config or make_config(), head, left, WORDS, "c000000000001.g1", state, now_ms)


SITUATIONS: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"seatsLeft": 1}, None),
    ({"status": Status.PENDING}, None),
    ({"left": 0}, "SOLD_OUT"),
    ({"seatsLeft": 0}, "INSTANCE_FULL"),
    ({"seatsLeft": 0, "left": 0}, "INSTANCE_FULL"),
    ({"head": HeadStatus.PAUSED}, "PAUSED"),
    ({"head": HeadStatus.ENDED}, "ENDED"),
    ({"status": Status.FAILED}, "ENDED"),
    ({"status": Status.SUCCESS}, "ENDED"),
    ({"status": Status.SUCCESS, "seatsLeft": 0}, "INSTANCE_FULL"),
    ({"config": make_config(starts_at=NOW + HOUR / 2)}, "NOT_STARTED"),
    ({"config": make_config(ends_at=NOW)}, "ENDED"),
    ({"opensAt": NOW_MS + 1}, "NOT_STARTED"),
    ({"opensAt": NOW_MS}, None),
    ({"endsAt": NOW_MS}, "ENDED"),
    ({"endsAt": NOW_MS + 1}, None),
    ({"config": make_config(ends_at=NOW), "head": HeadStatus.PAUSED}, "ENDED"),
    ({"config": make_config(starts_at=NOW + HOUR / 2), "left": 0}, "NOT_STARTED"),
]


@pytest.mark.parametrize(("situation", "reason"), SITUATIONS, ids=lambda value: str(value)[:40])
def test_the_button_says_why_it_is_grey(situation: dict[str, Any], reason: str | None) -> None:
    """One reason for each situation, with the code that a click would hear."""
    button = view(**situation).button

    assert (button.reason, button.disabled) == (reason, reason is not None)
    assert button.text


def test_a_group_ends_with_its_sale_at_the_latest() -> None:
    """A group's own deadline cannot reach beyond the window."""
    assert view(endsAt=NOW_MS + 7_200_000).ends_at == NOW + HOUR
    assert view(endsAt=NOW_MS + 60_000).ends_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("moment", [1 << 52, -1, -(1 << 52), True, "soon"], ids=repr)
@pytest.mark.parametrize("cell", ["opensAt", "endsAt"])
def test_a_playbook_that_writes_no_time_is_drawn_all_the_same(cell: str, moment: object) -> None:
    """A cell that happens to have the name but holds no moment is taken for none: the config's window counts."""
    cells: dict[str, Any] = {cell: moment}
    assert view(**cells).button.reason is None


def test_a_waiting_client_asks_again_soon_enough() -> None:
    """Five seconds apart while the start is far, every second when it is near, seldom when all is over."""
    start = make_config(starts_at=NOW + HOUR / 2)
    assert view(start).poll_after_ms == 5000
    assert view(start, now_ms=ms(start.starts_at) - 5001).poll_after_ms == 5000
    assert view(start, now_ms=ms(start.starts_at) - 4999).poll_after_ms == 1000
    assert view().poll_after_ms == 1000
    assert view(status=Status.FAILED).poll_after_ms == 60_000


MOMENTS = st.datetimes(NOW.replace(tzinfo=None), (NOW + HOUR).replace(tzinfo=None), timezones=st.just(UTC))


@given(starts_at=MOMENTS, length_ms=st.integers(1, 3_600_000), offset_ms=st.integers(-8000, 8000), own=st.booleans())
def test_drawn_bytes_stay_true_until_they_are_drawn_anew(
    starts_at: datetime, length_ms: int, offset_ms: int, own: bool
) -> None:
    """Between two drawings time changes nothing; at the next one it may. To the millisecond, as Redis counts."""
    config = make_config(starts_at, starts_at + timedelta(milliseconds=length_ms))
    cells: dict[str, Any] = {"opensAt": ms(config.starts_at), "endsAt": ms(config.ends_at)} if own else {}
    drawn_ms = ms(starts_at) + offset_ms
    drawn = view(config, now_ms=drawn_ms, **cells)
    until_ms = next_change_ms(drawn, drawn_ms)

    assert until_ms > drawn_ms
    for moment_ms in {drawn_ms + 1, (drawn_ms + until_ms) // 2, until_ms - 1}:
        if drawn_ms <= moment_ms < min(until_ms, 1 << 44):
            assert view(config, now_ms=moment_ms, **cells) == drawn


@given(starts_at=MOMENTS)
def test_the_button_opens_in_the_millisecond_the_gate_opens(starts_at: datetime) -> None:
    """The gate compares whole milliseconds; a view drawn in that very one does not still say 未开始."""
    config = make_config(starts_at, starts_at + HOUR)
    assert view(config, now_ms=ms(starts_at) - 1).button.reason == "NOT_STARTED"
    assert view(config, now_ms=ms(starts_at)).button.reason is None
    assert view(config, now_ms=ms(config.ends_at) - 1).button.reason is None
    assert view(config, now_ms=ms(config.ends_at)).button.reason == "ENDED"
