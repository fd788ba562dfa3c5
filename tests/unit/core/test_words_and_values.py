"""Texts for people, patterns and times of a schema, and values of a stranger's shape: what passes and what does not."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from engine.core.plain import DEPTH_MAX, TEXT_MAX, WHOLE_MAX, unkeepable
from engine.core.schema import WORDS, Schema, is_about_a_time, pointer_of
from engine.core.texts import is_readable

UNSEEN = ["", " ", "\u3000\u3000", "\u200b", "\u200d", "\u200e\u200f", "\ufeff", "\u00ad", "\ufe0f"]
BLANK = ["\u2800", "\u3164", "\uffa0", "\u115f\u1160", "\U0001d159", "\U00013441"]
IGNORED = ["\u034f", "\u17b4", "\u180b", "\U00016fe4", "\U000e0100"]
NOTHING_BY_ITSELF = ["\u0301", " \u0301\u20e3", "\ud7ff", "\ue000", "\U0010fffd", "\uffff"]
HIDING = ["\u202eabc", "a\u2066b", "a\n", "a\tb", "a\u0085", "a\u2028b", "a\u200bb"]


JOINERS = ("\u200c", "\u200d")


class Sign(msgspec.Struct):
    """A Struct with a text, patterns and a time."""

    words: Annotated[str, Meta(max_length=20, title="标题", extra_json_schema={"format": WORDS})] = "x"
    clock: Annotated[str, Meta(pattern="^[0-2][0-9]:[0-5][0-9]$")] = "10:00"
    dollars: Annotated[str, Meta(pattern=r"^[$]\$[^]$]+$")] = "$$1"
    opens: Annotated[datetime, Meta(tz=True)] = datetime(2026, 1, 1, tzinfo=UTC)


SIGN = Schema(Sign)


@pytest.mark.parametrize("words", ["舞蹈课", " a ", "👩\u200d👧 亲子", "❤\ufe0f", "cafe\u0301", "1", "?", "¥"])
def test_words_that_can_be_seen_pass(words: str) -> None:
    assert SIGN.errors({"words": words}) == []


@pytest.mark.parametrize("words", UNSEEN + BLANK + IGNORED + NOTHING_BY_ITSELF + HIDING)
def test_words_that_cannot_be_seen_or_hide_something_do_not(words: str) -> None:
    """The sentence says what is wanted."""
    (error,) = SIGN.errors({"words": words})
    assert error.pointer == "/words"
    assert error.message.zh.startswith("标题 必须有可见的字符")
    assert error.message.en.startswith("words must have a visible character")


def test_nothing_that_unicode_calls_a_control_or_a_format_passes() -> None:
    """Wherever it stands; but for joiners, which scripts and emoji need."""
    for char in map(chr, range(0x110000)):
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in JOINERS:
            assert not is_readable(f"a{char}b"), ascii(char)


@pytest.mark.parametrize("clock", ["10:00\n", "10:00\r", "10:0", "x10:00"])
def test_a_pattern_ends_where_it_says(clock: str) -> None:
    """A line break behind `$` is none of the pattern's."""
    (error,) = SIGN.errors({"clock": clock})
    assert (error.pointer, error.message.zh) == ("/clock", "clock 格式不正确")


def test_a_dollar_that_is_a_character_stays_one() -> None:
    assert SIGN.errors({"dollars": "$$1"}) == []
    assert len(SIGN.errors({"dollars": "$$1\n"})) == 0, "the class takes a line break, as it says"
    assert len(SIGN.errors({"dollars": "$$1$"})) == 1
    assert len(SIGN.errors({"dollars": "$1"})) == 1


@pytest.mark.parametrize("opens", ["soon", "2026-13-01T00:00:00Z", "", "2026-01-01T00:00:00"])
def test_a_time_that_is_none_is_named_in_both_languages(opens: str) -> None:
    (error,) = SIGN.errors({"opens": opens}, at="/rules")
    assert error.pointer == "/rules/opens"
    assert error.message.en == "opens must be a time as in RFC 3339, with a time zone"
    assert error.message.zh == "opens 必须是带时区的 RFC 3339 时间"


def test_where_msgspec_found_something_is_a_pointer() -> None:
    """Also where no schema has looked."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"opens": "2026-01-01T00:00:00"}, Sign)
    assert (pointer_of(str(caught.value)), is_about_a_time(str(caught.value))) == ("/opens", True)
    assert pointer_of("Expected `int`, got `str` - at `$.a[0].b`") == "/a/0/b"
    assert (pointer_of("it is mine"), is_about_a_time("it is mine")) == ("", False)


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"target": 10**400}, "/rules/target"),
        ({"target": -(2**53)}, "/rules/target"),
        ({"a": {"b/c": [1, float("inf")]}}, "/rules/a/b~1c/1"),
        ({"a": float("nan")}, "/rules/a"),
        ({"a": 1e300}, "/rules/a"),
        ({"a": ["b\0c"]}, "/rules/a/0"),
        ({"a": {"b\0c": 1}}, "/rules/a"),
        ({"a": "x" * (TEXT_MAX + 1)}, "/rules/a"),
        (nested(DEPTH_MAX + 1), "/rules" + "/0" * DEPTH_MAX),
    ],
)
def test_what_nobody_could_read_again_is_named(value: Any, pointer: str) -> None:
    assert [error.pointer for error in unkeepable(value, "/rules")] == [pointer]


@pytest.mark.parametrize("value", [WHOLE_MAX, -WHOLE_MAX, 0.5, "x" * TEXT_MAX, True, None, nested(DEPTH_MAX), {}])
def test_what_everybody_can_read_is_kept(value: Any) -> None:
    assert list(unkeepable(value, "/rules")) == []
