"""What is wrong with a value, field by field and in Chinese, by the schema of the Struct it should become."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, cast

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry as LocalReferences

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ERRORS_MAX = 20

TYPES = {
    "integer": "整数",
    "number": "数字",
    "string": "文本",
    "boolean": "true 或 false",
    "array": "列表",
    "object": "对象",
    "null": "空值",
}

# JSON Schema keyword -> what to say after the field's title; `value` is the keyword's value.
SENTENCES: dict[str, Callable[[Any], str]] = {
    "minimum": lambda value: f"不能小于 {value}",
    "maximum": lambda value: f"不能大于 {value}",
    "exclusiveMinimum": lambda value: f"必须大于 {value}",
    "exclusiveMaximum": lambda value: f"必须小于 {value}",
    "multipleOf": lambda value: f"必须是 {value} 的倍数",
    "minLength": lambda value: f"至少 {value} 个字符",
    "maxLength": lambda value: f"最多 {value} 个字符",
    "minItems": lambda value: f"至少 {value} 项",
    "maxItems": lambda value: f"最多 {value} 项",
    "uniqueItems": lambda _: "不能有重复项",
    "minProperties": lambda value: f"至少 {value} 个字段",
    "maxProperties": lambda value: f"最多 {value} 个字段",
    "pattern": lambda _: "格式不正确",
    "format": lambda _: "格式不正确",
    "enum": lambda value: f"必须是 {_listed(value)} 之一",
    "const": lambda value: f"必须是 {value}",
    "type": lambda value: f"必须是{_typed(value)}",
    "required": lambda _: "必须填写",
    "additionalProperties": lambda _: "是未知字段",
}


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field: a JSON Pointer (RFC 6901) into what was sent, and what is wrong with it."""

    pointer: str
    message: str


class Schema:
    """The JSON Schema of a Struct type, and the reader of its errors."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self.document: dict[str, Any] = {"$schema": DIALECT, **msgspec.json.schema(struct)}
        # An empty registry: no `$ref` is ever fetched from anywhere.
        self._validator = Draft202012Validator(self.document, registry=LocalReferences())
        self._fields: dict[str, Any] = self.document["$defs"][struct.__name__].get("properties", {})

    @property
    def defaults(self) -> dict[str, Any]:
        """The fields that may be left out, with what they are then."""
        return {name: field["default"] for name, field in self._fields.items() if "default" in field}

    def errors(self, value: Any, at: str = "") -> list[FieldError]:
        """What is wrong with `value`, at most ERRORS_MAX; `at` is the pointer of `value` itself."""
        found = (one for error in self._validator.iter_errors(value) for one in _explain(error, at))
        return list(islice(found, ERRORS_MAX))


def _explain(error: ValidationError, at: str) -> Iterator[FieldError]:
    if error.context:  # an anyOf: the branch that came closest says more than "none fits"
        error = cast("ValidationError", best_match([error]))
    pointer = at + "".join(f"/{escape(str(step))}" for step in error.absolute_path)
    schema = cast("dict[str, Any]", error.schema)
    keyword = str(error.validator)
    sentence = SENTENCES.get(keyword, _unfit)(error.validator_value)
    for name in _names(error, schema):
        field = schema.get("properties", {}).get(name, {})
        yield FieldError(f"{pointer}/{escape(name)}", f"{field.get('title', name)} {sentence}")
    if keyword not in ("required", "additionalProperties"):
        last = error.absolute_path[-1] if error.absolute_path else "内容"
        title = last if schema.get("type") == "object" else schema.get("title", last)  # a Struct's title is its class
        yield FieldError(pointer, f"{title} {sentence}")


def _names(error: ValidationError, schema: dict[str, Any]) -> list[str]:
    """The fields that an error about a whole object is about."""
    value = cast("dict[str, Any]", error.instance)
    if error.validator == "required":  # jsonschema reports each missing field apart, but names it only in prose
        return [name for name in schema["required"] if name not in value and repr(name) in error.message]
    if error.validator == "additionalProperties":
        return [name for name in value if name not in schema.get("properties", {})]
    return []


def _unfit(_: Any) -> str:
    return "不符合要求"


def escape(step: str) -> str:
    """One step of a JSON Pointer."""
    return step.replace("~", "~0").replace("/", "~1")


def _listed(values: list[Any]) -> str:
    return "、".join(str(value) for value in values)


def _typed(value: str | list[str]) -> str:
    return "或".join(TYPES.get(name, name) for name in ([value] if isinstance(value, str) else value))
