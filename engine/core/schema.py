"""What is wrong with a value, field by field, by the schema of the Struct it should become.

A schema is read as JSON Schema means it, not as Python's `re` would: `$` is the end of the text, and nothing follows.
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Annotated, Any, cast

import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry as LocalReferences

from engine.core.texts import Text, alike, is_readable

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ERRORS_MAX = 20

# The format of words for people; `re` has no names for Unicode's categories, so a pattern cannot say it.
WORDS = "words"

NO_DATE = Text("时间必须是带时区的 RFC 3339 格式", "A time must be as in RFC 3339, with a time zone")
WRONG_FORMAT = Text("格式不正确", "has the wrong format")
A_TIME = Text("必须是带时区的 RFC 3339 时间", "must be a time as in RFC 3339, with a time zone")
UNSEEN = Text(
    "必须有可见的字符，不能含控制字符或不可见的方向标记",
    "must have a visible character, and no control character or invisible mark of direction",
)

TYPES = {
    "integer": Text("整数", "an integer"),
    "number": Text("数字", "a number"),
    "string": Text("文本", "a text"),
    "boolean": Text("true 或 false", "true or false"),
    "array": Text("列表", "a list"),
    "object": Text("对象", "an object"),
    "null": Text("空值", "null"),
}

# JSON Schema keyword -> what to say after the field's title; `value` is the keyword's value.
SENTENCES: dict[str, Callable[[Any], Text]] = {
    "minimum": lambda value: Text(f"不能小于 {value}", f"must be at least {value}"),
    "maximum": lambda value: Text(f"不能大于 {value}", f"must be at most {value}"),
    "exclusiveMinimum": lambda value: Text(f"必须大于 {value}", f"must be more than {value}"),
    "exclusiveMaximum": lambda value: Text(f"必须小于 {value}", f"must be less than {value}"),
    "multipleOf": lambda value: Text(f"必须是 {value} 的倍数", f"must be a multiple of {value}"),
    "minLength": lambda value: Text(f"至少 {value} 个字符", f"must have at least {_many(value, 'character')}"),
    "maxLength": lambda value: Text(f"最多 {value} 个字符", f"must have at most {_many(value, 'character')}"),
    "minItems": lambda value: Text(f"至少 {value} 项", f"must have at least {_many(value, 'item')}"),
    "maxItems": lambda value: Text(f"最多 {value} 项", f"must have at most {_many(value, 'item')}"),
    "uniqueItems": lambda _: Text("不能有重复项", "must not have an item twice"),
    "minProperties": lambda value: Text(f"至少 {value} 个字段", f"must have at least {_many(value, 'field')}"),
    "maxProperties": lambda value: Text(f"最多 {value} 个字段", f"must have at most {_many(value, 'field')}"),
    "pattern": lambda _: WRONG_FORMAT,
    "format": lambda value: {"date-time": A_TIME, WORDS: UNSEEN}.get(value, WRONG_FORMAT),
    "enum": lambda value: Text(f"必须是 {_listed(value, '、')} 之一", f"must be one of: {_listed(value, ', ')}"),
    "const": lambda value: Text(f"必须是 {value}", f"must be {value}"),
    "type": lambda value: _typed([value] if isinstance(value, str) else value),
    "required": lambda _: Text("必须填写", "is required"),
}


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field: a JSON Pointer (RFC 6901) into what was sent, and what is wrong with it."""

    pointer: str
    message: Text


class Schema:
    """The JSON Schema of a Struct type, and the reader of its errors."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self.document: dict[str, Any] = {"$schema": DIALECT, **msgspec.json.schema(struct)}
        # An empty registry: no `$ref` is ever fetched from anywhere.
        self._validator = _Validator(self.document, registry=LocalReferences(), format_checker=FORMATS)
        self._fields: dict[str, Any] = self.document["$defs"][struct.__name__].get("properties", {})

    @property
    def has_words(self) -> bool:
        """Whether a field is for people to read; msgspec does not look at formats."""
        return any(field.get("format") == WORDS for field in self._fields.values())

    @property
    def defaults(self) -> dict[str, Any]:
        """The fields that may be left out, with what they are then."""
        return {name: field["default"] for name, field in self._fields.items() if "default" in field}

    def errors(self, value: Any, at: str = "") -> list[FieldError]:
        """What is wrong with `value`, at most ERRORS_MAX; `at` is the pointer of `value` itself."""
        found = (one for error in self._validator.iter_errors(value) for one in _explain(error, at))
        return list(islice(found, ERRORS_MAX))


def pointer_of(message: str) -> str:
    """The JSON Pointer to where msgspec found what its message says."""
    _, _, path = message.rstrip("`").partition(" - at `$")
    steps = path.replace("[", ".").replace("]", "").split(".")
    return "".join(f"/{escape(step)}" for step in steps if step)


def is_about_a_time(message: str) -> bool:
    """Whether msgspec's message is about a date and time, which a schema alone cannot judge."""
    return "datetime" in message or "RFC3339" in message


FORMATS = FormatChecker(formats=())
_MOMENT = Annotated[datetime, msgspec.Meta(tz=True)]


@FORMATS.checks("date-time", raises=msgspec.ValidationError)
def _is_a_time(value: object) -> bool:
    if isinstance(value, str):
        msgspec.convert(value, _MOMENT)
    return True


@FORMATS.checks(WORDS)
def _are_words(value: object) -> bool:
    return not isinstance(value, str) or is_readable(value)


def _matches(_validator: Any, pattern: str, value: object, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("it does not match the pattern")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """`$` outside of brackets is `\\Z`: Python's lets one line break follow."""
    token = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
    return re.compile(token.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern))


_Validator = extend(Draft202012Validator, {"pattern": _matches})  # type: ignore[no-untyped-call]


def _explain(error: ValidationError, at: str) -> Iterator[FieldError]:
    if error.context:  # an anyOf: the branch that came closest says more than "none fits"
        error = cast("ValidationError", best_match([error]))
    pointer = at + "".join(f"/{escape(str(step))}" for step in error.absolute_path)
    schema = cast("dict[str, Any]", error.schema)
    keyword = str(error.validator)
    sentence = SENTENCES.get(keyword, _unfit)(error.validator_value)
    if keyword == "additionalProperties":
        sentence = _unknown(schema.get("properties", {}))
    for name in _names(error, schema):
        field = schema.get("properties", {}).get(name, {})
        yield FieldError(f"{pointer}/{escape(name)}", _sentence(field.get("title", name), name, sentence))
    if keyword not in ("required", "additionalProperties"):
        last = error.absolute_path[-1] if error.absolute_path else None
        own = "内容" if last is None else str(last)
        title = own if schema.get("type") == "object" else schema.get("title", own)  # a Struct's title is its class
        called = "the content" if last is None else f"item {last}" if isinstance(last, int) else last
        yield FieldError(pointer, _sentence(title, called, sentence))


def _sentence(title: str, name: str, sentence: Text) -> Text:
    """About a field by its title in Chinese; in English by its name, for titles are Chinese only."""
    return Text(f"{title} {sentence.zh}", f"{name} {sentence.en}")


def _names(error: ValidationError, schema: dict[str, Any]) -> list[str]:
    """The fields that an error about a whole object is about."""
    value = cast("dict[str, Any]", error.instance)
    if error.validator == "required":  # jsonschema reports each missing field apart, but names it only in prose
        return [name for name in schema["required"] if name not in value and repr(name) in error.message]
    if error.validator == "additionalProperties":
        return [name for name in value if name not in schema.get("properties", {})]
    return []


def _unknown(known: Collection[str]) -> Text:
    if not known:
        return Text("是未知字段，此处没有字段", "is an unknown field; there are none here")
    return Text(f"是未知字段，可用：{'、'.join(known)}", f"is an unknown field; there are: {', '.join(known)}")


def _unfit(_: Any) -> Text:
    return Text("不符合要求", "does not fit")


def escape(step: str) -> str:
    """One step of a JSON Pointer."""
    return step.replace("~", "~0").replace("/", "~1")


def _listed(values: list[Any], separator: str) -> str:
    return separator.join(str(value) for value in values)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _typed(names: list[str]) -> Text:
    kinds = [TYPES.get(name, alike(name)) for name in names]
    return Text("必须是" + "或".join(kind.zh for kind in kinds), "must be " + " or ".join(kind.en for kind in kinds))
