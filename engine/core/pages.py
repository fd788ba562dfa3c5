"""Lists by cursor: a page, and an opaque mark of where the next one starts."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from engine.core.errors import CursorInvalid

LIMIT_MAX = 100
LIMIT_DEFAULT = 20
CURSOR_CHARS_MAX = 512

# Years that every part of the system can hold, in any time zone.
YEAR_MIN = 2000
YEAR_MAX = 2100

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    """Some items of a list; `next_cursor` None: there are no more."""

    items: list[T]
    next_cursor: str | None


def page_of(found: Sequence[T], limit: int, key: Callable[[T], Sequence[str]]) -> Page[T]:
    """The first `limit` of `found`, which the caller has fetched with one more to see whether there are more."""
    items = list(found[:limit])
    return Page(items, mark(*key(items[-1])) if len(found) > limit else None)


def mark(*keys: str) -> str:
    """A cursor after the row with these sort keys."""
    return urlsafe_b64encode(msgspec.json.encode(keys)).rstrip(b"=").decode()


def unmark(cursor: str | None, count: int) -> list[str] | None:
    """The `count` sort keys in a cursor; None for the first page. Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        if len(cursor) > CURSOR_CHARS_MAX:
            raise CursorInvalid
        keys = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list[str])
    except (NotBase64, ValueError, msgspec.DecodeError):
        raise CursorInvalid from None
    if len(keys) != count or any("\0" in key for key in keys):
        raise CursorInvalid
    return keys


def unmark_moment(cursor: str | None, count: int = 2) -> tuple[Any, ...]:
    """The `count` sort keys in the cursor of a list by time: the moment, then texts; all None for the first page.

    Raises CursorInvalid.
    """
    keys = unmark(cursor, count)
    if keys is None:
        return (None,) * count
    try:
        moment = datetime.fromisoformat(keys[0])
    except ValueError:
        raise CursorInvalid from None
    if moment.tzinfo is None or not YEAR_MIN <= moment.year < YEAR_MAX:
        raise CursorInvalid
    return moment, *keys[1:]
