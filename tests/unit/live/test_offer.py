"""A product's button: what it says, and whether it can be clicked, at every moment of a sale."""

import pytest

from engine.gate.records import HeadStatus, ms
from engine.live.entries import LiveConfig
from engine.live.offer import offer_view
from tests.unit.live.test_view import HOUR, NOW, NOW_MS, PLAYBOOK, make_config

START_MS, END_MS = ms(NOW - HOUR), ms(NOW + HOUR)


def on_sale(status: HeadStatus = HeadStatus.PUBLISHED, *, left: int = 1) -> LiveConfig:
    live = LiveConfig(make_config(), PLAYBOOK)
    live.head_status, live.left = status, left
    return live


@pytest.mark.parametrize(
    ("status", "left", "now_ms", "reason"),
    [
        (HeadStatus.PUBLISHED, 1, NOW_MS, None),
        (HeadStatus.PUBLISHED, 1, START_MS, None),
        (HeadStatus.PUBLISHED, 1, END_MS - 1, None),
        (HeadStatus.PUBLISHED, 1, START_MS - 1, "NOT_STARTED"),
        (HeadStatus.PUBLISHED, 1, END_MS, "ENDED"),
        (HeadStatus.PUBLISHED, 0, NOW_MS, "SOLD_OUT"),
        (HeadStatus.PAUSED, 1, NOW_MS, "PAUSED"),
        (HeadStatus.PAUSED, 1, END_MS, "ENDED"),
        (HeadStatus.ENDED, 1, NOW_MS, "ENDED"),
    ],
)
def test_the_button_says_what_a_click_would_hear(
    status: HeadStatus, left: int, now_ms: int, reason: str | None
) -> None:
    button = offer_view(on_sale(status, left=left), now_ms).button
    assert button is not None
    assert (button.reason, button.disabled) == (reason, reason is not None)


def test_units_that_came_back_are_shown_when_they_are_sold() -> None:
    """Not before: whoever would be told that there are some could not have them."""
    live = on_sale(left=3)
    live.reopens_ms = NOW_MS
    shown = [offer_view(live, now_ms) for now_ms in (NOW_MS - 1, NOW_MS)]
    assert [(view.stock_left, view.button and view.button.reason) for view in shown] == [(0, "SOLD_OUT"), (3, None)]
