"""Cursors are opaque, come back whole, and a bad one is told so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import CursorInvalid
from engine.core.pages import mark, page_of, unmark

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(words, words)
def test_a_cursor_gives_back_its_keys(first: str, second: str) -> None:
    assert unmark(mark(first, second), 2) == [first, second]


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        keys = unmark(text, 1)
    except CursorInvalid:
        return
    assert keys is not None
    assert len(keys) == 1


@pytest.mark.parametrize(
    "cursor", ["", "x", "W10", mark("a"), mark("a", "b", "c"), mark("a", "\0"), "A" * 5000, mark("a" * 400, "b")]
)
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        unmark(cursor, 2)


def test_the_first_page_needs_none() -> None:
    assert unmark(None, 2) is None


def test_a_page_says_whether_there_is_more() -> None:
    assert page_of([1, 2, 3], 2, lambda one: (str(one),)).next_cursor == mark("2")
    assert page_of([1, 2], 2, lambda one: (str(one),)).next_cursor is None
    assert page_of([], 2, lambda one: (str(one),)).items == []
