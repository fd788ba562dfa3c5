"""Whether a JSON value of a stranger's shape can be kept, and read again by everybody who will."""

from collections.abc import Iterator
from typing import Any

from engine.core.schema import FieldError, escape
from engine.core.texts import Text

WHOLE_MAX = 2**53 - 1  # what every reader of JSON, and Lua, still tells from its neighbours
TEXT_MAX = 4096
DEPTH_MAX = 8

TOO_LARGE = Text(f"数字不能超过 ±{WHOLE_MAX}", f"A number may not be beyond ±{WHOLE_MAX}")
TOO_LONG = Text(f"文本最多 {TEXT_MAX} 个字符", f"A text may have at most {TEXT_MAX} characters")
NUL = Text("文本不能含空字符（U+0000）", "A text may not have the character U+0000")
TOO_DEEP = Text(f"最多嵌套 {DEPTH_MAX} 层", f"It may be nested {DEPTH_MAX} levels at most")


def unkeepable(value: Any, at: str, depth: int = 0) -> Iterator[FieldError]:
    """What of a decoded JSON value cannot be kept; `at` is its pointer."""
    if isinstance(value, dict | list):
        if depth == DEPTH_MAX:
            yield FieldError(at, TOO_DEEP)
            return
        for step, part in value.items() if isinstance(value, dict) else enumerate(value):
            if "\0" in str(step):
                yield FieldError(at, NUL)
            yield from unkeepable(part, f"{at}/{escape(str(step))}", depth + 1)
    elif isinstance(value, int | float) and not abs(value) <= WHOLE_MAX:  # nor what is no number at all
        yield FieldError(at, TOO_LARGE)
    elif isinstance(value, str) and "\0" in value:
        yield FieldError(at, NUL)
    elif isinstance(value, str) and len(value) > TEXT_MAX:
        yield FieldError(at, TOO_LONG)
