"""What a client draws: the button for every situation, and how long drawn bytes stay true."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.model import PlayConfig
from engine.gate.records import HeadStatus, ms
from engine.live.view import InstanceState, InstanceView, instance_view, next_change_ms
from engine.sdk import Playbook, Rules, States, Status, View

NOW = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
NOW_MS = ms(NOW)
HOUR = timedelta(hours=1)
PLAYBOOK = Playbook(
    code="GROUP_BUY",
    name="拼团",
    version="1.0.0",
    unit_name="份",
    rules=Rules,
    states=States(
        moves={
            Status.PENDING: (Status.ACTIVE,),
            Status.ACTIVE: (Status.FAILED, Status.SUCCESS),
            Status.FAILED: (Status.SUCCESS,),
        }
    ),
    step="return {}",
    view=View(open="发起拼团", join="立即参团", actions={"cut": "帮砍一刀", "remind": "提醒我"}),
    actions=("cut", "remind", "hidden"),
    early=("remind",),
)


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
        asks=[],
        starts_at=starts_at,
        ends_at=ends_at,
        status="PUBLISHED",
        paused_why=None,
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
    own_left: int | None = None,
    **cells: Any,
) -> InstanceView:
    """The view of an instance of a config; `own_left` units of a stock of its own."""
    if own_left is not None:
        cells["left"] = own_left
    state = InstanceState(status, current=1, target=3, cells=cells)
    return instance_view(config or make_config(), head, left, PLAYBOOK, "c000000000001.g1", state, now_ms)


SITUATIONS: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"seatsLeft": 1}, None),
    ({"status": Status.PENDING}, None),
    ({"left": 0}, "SOLD_OUT"),
    ({"own_left": 0}, "SOLD_OUT"),
    ({"own_left": 1}, None),
    ({"own_left": 1, "left": 0}, "SOLD_OUT"),
    ({"seatsLeft": "none"}, None),
    ({"seatsLeft": False}, None),
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


@pytest.mark.parametrize("moment", [1 << 52, 0, -1, -(1 << 52), True, "soon"], ids=repr)
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
    assert view(start, now_ms=ms(start.starts_at) - 5000).poll_after_ms == 1000
    assert view(start, now_ms=ms(start.starts_at) - 4999).poll_after_ms == 1000
    assert view().poll_after_ms == 1000
    assert view(status=Status.FAILED).poll_after_ms == 60_000


def test_the_stock_is_what_this_instance_can_still_sell() -> None:
    """The smaller of its own and the whole config's."""
    assert (view(left=5).stock_left, view(left=5, own_left=3).stock_left, view(left=2, own_left=3).stock_left) == (
        5,
        3,
        2,
    )


@pytest.mark.parametrize(("cell", "price_fen"), [(None, 9900), (1, 1), (5000, 5000), (9900, 9900)])
def test_the_price_is_the_instances_own(cell: int | None, price_fen: int) -> None:
    """The config's where it has none."""
    cells: dict[str, Any] = {} if cell is None else {"priceFen": cell}
    assert view(**cells).price_fen == price_fen


@pytest.mark.parametrize("cell", [0, -1, 9901, 1 << 50, True, "100"], ids=repr)
def test_a_price_that_nobody_could_be_asked_for_is_not_shown(cell: object) -> None:
    """An order costs between a fen and the config's price."""
    cells: dict[str, Any] = {"priceFen": cell}
    assert view(**cells).price_fen == 9900


@pytest.mark.parametrize(("cells", "shown"), [({}, False), ({"simulated": True}, True), ({"simulated": False}, False)])
def test_a_simulated_instance_says_so(cells: dict[str, Any], shown: bool) -> None:
    """Nobody shall take it for real."""
    assert view(**cells).simulated is shown


# What verbs of its own a client may offer.
OFFERED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["cut", "remind"]),
    ({"status": Status.PENDING}, ["cut", "remind"]),
    ({"left": 0}, ["cut", "remind"]),
    ({"seatsLeft": 0}, ["cut", "remind"]),
    ({"opensAt": NOW_MS + 1}, ["cut", "remind"]),
    ({"endsAt": NOW_MS - 1}, ["cut", "remind"]),
    ({"status": Status.FAILED}, []),
    ({"status": Status.SUCCESS}, []),
    ({"head": HeadStatus.PAUSED}, []),
    ({"head": HeadStatus.ENDED}, []),
    ({"config": make_config(starts_at=NOW + HOUR / 2)}, ["remind"]),
    ({"config": make_config(ends_at=NOW)}, []),
]


@pytest.mark.parametrize(("situation", "verbs"), OFFERED, ids=lambda value: str(value)[:40])
def test_actions_are_offered_while_the_gate_takes_them(situation: dict[str, Any], verbs: list[str]) -> None:
    """Until the instance has ended; before the start the early ones; those without words never."""
    shown = view(**situation).actions
    assert [action.verb for action in shown] == verbs
    assert all(action.text == {"cut": "帮砍一刀", "remind": "提醒我"}[action.verb] for action in shown)


MOMENTS = st.datetimes(NOW.replace(tzinfo=None), (NOW + HOUR).replace(tzinfo=None), timezones=st.just(UTC))


@given(
    starts_at=MOMENTS,
    length_ms=st.integers(1, 20_000),
    offset_ms=st.integers(-8000, 28_000),
    opens_after_ms=st.none() | st.integers(0, 20_000),
    lasts_ms=st.none() | st.integers(0, 20_000),
)
def test_drawn_bytes_stay_true_until_they_are_drawn_anew(
    starts_at: datetime, length_ms: int, offset_ms: int, opens_after_ms: int | None, lasts_ms: int | None
) -> None:
    """Between two drawings time changes nothing; at the next one it may. To the millisecond, as Redis counts."""
    config = make_config(starts_at, starts_at + timedelta(milliseconds=length_ms))
    cells: dict[str, Any] = {}
    if opens_after_ms is not None:
        cells["opensAt"] = ms(config.starts_at) + opens_after_ms
    if lasts_ms is not None:
        cells["endsAt"] = ms(config.starts_at) + (opens_after_ms or 0) + lasts_ms
    drawn_ms = ms(starts_at) + offset_ms
    drawn = view(config, now_ms=drawn_ms, **cells)
    until_ms = next_change_ms(config, drawn, drawn_ms)

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


def test_a_button_may_send_an_action() -> None:
    """Then it says so; stock is not its business unless that action takes some."""
    playbook = msgspec.structs.replace(PLAYBOOK, view=View(join="帮砍一刀", verb="cut", actions={"cut": "帮砍一刀"}))
    state = InstanceState(Status.ACTIVE, current=1, target=3, cells={})
    for reserves, left, expected in (
        ((), 0, {"text": "帮砍一刀", "disabled": False, "reason": None, "verb": "cut"}),
        (("cut",), 0, {"text": "已售罄", "disabled": True, "reason": "SOLD_OUT"}),
        (("cut",), 1, {"text": "帮砍一刀", "disabled": False, "reason": None, "verb": "cut"}),
    ):
        chosen = msgspec.structs.replace(playbook, reserves=reserves)
        drawn = instance_view(make_config(), HeadStatus.PUBLISHED, left, chosen, "c000000000001.g1", state, NOW_MS)
        assert msgspec.to_builtins(drawn.button) == expected


def test_an_action_may_be_offered_once_all_is_over() -> None:
    """A prize is claimed after the draw."""
    words = View(join="抽一张", actions={"cut": "领奖", "remind": "提醒我"}, final=("cut",))
    playbook = msgspec.structs.replace(PLAYBOOK, view=words)
    state = InstanceState(Status.SUCCESS, current=3, target=3, cells={})
    drawn = instance_view(make_config(), HeadStatus.PUBLISHED, 5, playbook, "c000000000001.g1", state, NOW_MS)
    assert [action.verb for action in drawn.actions] == ["cut"]
