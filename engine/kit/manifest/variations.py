"""Examples with one thing changed: another price, or another value for one rule, at and beside its bounds.

A rule that may be left empty (`x | None`) is tried empty and filled in, a list with and without items, a group of
rules with its own bounds. What combinations of them do is the random schedules' business.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from engine.core.schema import Schema
from engine.kit.manifest.forms import JsonSchema, resolved
from engine.playbooks.consult import PRICE_FEN_MAX
from engine.sdk import Example, Playbook

PRICES_FEN = (1, 7919, PRICE_FEN_MAX)  # the least, one that no step divides evenly, the most
DEPTH_MAX = 4
ITEMS_MAX = 3
FORMATS = {
    "date": ("2030-01-01",),
    "time": ("00:00:00Z", "23:59:59Z"),
    "date-time": ("2030-01-01T10:00:00+08:00",),
    "duration": ("PT1H",),
    "uuid": ("00000000-0000-4000-8000-000000000000",),
}


class Variation(NamedTuple):
    """An example, and what is different in it: `rule minutes = 1440`, `price = 1 fen`."""

    example: Example
    what: str


def variations(playbook: Playbook, example: Example) -> Iterator[Variation]:
    """The example with one thing changed that the form lets through."""
    schema = Schema(playbook.rules)
    document = schema.document
    filled = msgspec.to_builtins(msgspec.convert(dict(example.rules), playbook.rules), str_keys=True)
    for name, field in resolved(document, document).get("properties", {}).items():
        for value in others(field, filled.get(name), document):
            rules = {**example.rules, name: value}
            if not schema.errors(rules) and _can_be_decoded(playbook, rules):
                what = f"rule {name} = {json.dumps(value, ensure_ascii=False)}"
                yield Variation(msgspec.structs.replace(example, rules=rules), what)
    for price_fen in PRICES_FEN:
        if price_fen != example.price_fen:
            yield Variation(msgspec.structs.replace(example, price_fen=price_fen), f"price = {price_fen} fen")


def _can_be_decoded(playbook: Playbook, rules: dict[str, Any]) -> bool:
    try:
        msgspec.convert(rules, playbook.rules)
    except msgspec.ValidationError:
        return False
    return True


def others(field: JsonSchema, current: Any, document: JsonSchema) -> list[Any]:
    """Values of a field that are not `current`: beside it, at its bounds, empty, filled in."""
    schema = resolved(field, document)
    low, high = _bounds(schema)
    if type(current) is int and low is not None and high is not None:
        beside = [value for value in (current + 1, current - 1) if low <= value <= high]
    else:
        beside = []
    found = [*beside, *_values(schema, document, 0)]
    return [value for at, value in enumerate(found) if value != current and value not in found[:at]]


def _values(field: JsonSchema, document: JsonSchema, depth: int) -> Iterator[Any]:
    """Values at the bounds of a field, the smallest first; its default is one of them."""
    schema = resolved(field, document)
    if depth > DEPTH_MAX:
        return
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    for branch in branches:
        yield from _values(branch, document, depth)
    if not branches:
        yield from _choices(schema) if "enum" in schema or "const" in schema else _of_kind(schema, document, depth)
    if "default" in schema:
        yield schema["default"]


def _choices(schema: JsonSchema) -> Iterator[Any]:
    yield from schema.get("enum", ()) or (schema["const"],)


def _of_kind(schema: JsonSchema, document: JsonSchema, depth: int) -> Iterator[Any]:
    kind = schema.get("type")
    if kind in ("integer", "number"):
        yield from (bound for bound in _bounds(schema) if bound is not None)
    elif kind == "boolean":
        yield from (False, True)
    elif kind == "null":
        yield None
    elif kind == "string":
        yield from _texts(schema)
    elif kind == "array":
        yield from _lists(schema, document, depth)
    elif kind == "object":
        yield from _groups(schema, document, depth)


def _bounds(schema: JsonSchema) -> tuple[Any, Any]:
    """The least and the most that a number may be; None where its schema says nothing."""
    step = 1 if schema.get("type") == "integer" else 1e-6
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + step
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    return low, high


def _texts(schema: JsonSchema) -> Iterator[str]:
    if "examples" in schema:
        yield from schema["examples"]
    elif "format" in schema:
        yield from FORMATS.get(schema["format"], ())
    elif "pattern" in schema:
        from hypothesis import find
        from hypothesis import strategies as st

        pattern: str = schema["pattern"]
        yield find(st.from_regex(pattern, fullmatch=True), lambda _text: True)
    else:
        yield "x" * schema.get("minLength", 0)
        yield "x" * min(schema.get("maxLength", 1), 64)


def _lists(schema: JsonSchema, document: JsonSchema, depth: int) -> Iterator[list[Any]]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", ITEMS_MAX)
    items = list(_values(schema.get("items") or {}, document, depth + 1))
    if least == 0:
        yield []
    for item in items:
        yield [item] * max(1, least)
    if len(items) > 1 and len(items[: min(most, ITEMS_MAX)]) >= least:
        yield items[: min(most, ITEMS_MAX)]


def _groups(schema: JsonSchema, document: JsonSchema, depth: int) -> Iterator[Mapping[str, Any]]:
    """A group of rules with all of them at one end of their bounds, and with only those that it must have."""
    fields = {name: list(_values(one, document, depth + 1)) for name, one in schema.get("properties", {}).items()}
    if any(not values for values in fields.values()):
        return
    yield {name: fields[name][0] for name in schema.get("required", ())}
    yield {name: values[0] for name, values in fields.items()}
    yield {name: values[-1] for name, values in fields.items()}
