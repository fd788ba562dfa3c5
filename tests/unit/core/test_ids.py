"""Identifiers are functions of what they identify, and of all of it."""

import pytest

from engine.core import ids

CLICK = ("c1", "u1", "r1")
ASKED = ("join", "c1.s1", 1)


@pytest.mark.parametrize("other", [("c2", "u1", "r1"), ("c1", "u2", "r1"), ("c1", "u1", "r2")])
def test_another_request_is_another_order(other: tuple[str, str, str]) -> None:
    """Of another config, another person, under another requestId; the same is the same for ever."""
    assert ids.click_id(*CLICK) == ids.click_id(*CLICK) != ids.click_id(*other)


@pytest.mark.parametrize("other", [("open", "c1.s1", 1), ("join", "c1.s2", 1), ("join", "c1.s1", 2)])
def test_whoever_asks_for_something_else_says_so(other: tuple[str, str, int]) -> None:
    assert ids.fingerprint(*ASKED) == ids.fingerprint(*ASKED) != ids.fingerprint(*other)


def test_an_order_may_open_two_instances() -> None:
    """One by its click, one for a payment that comes late: each bears its own half of the id."""
    order_id = ids.click_id(*CLICK)
    assert ids.opened_suffix(order_id) + ids.late_suffix(order_id) == order_id
    assert ids.opened_suffix(order_id) != ids.late_suffix(order_id)
