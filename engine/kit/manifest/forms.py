"""What is wrong with the form of a playbook's rules."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from engine.core.schema import DIALECT
from engine.sdk import Playbook

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LOCAL = "#/$defs/"
DEPTH_MAX = 8  # a form nested deeper is none an operator can fill in
BOUNDED_FORMATS = frozenset({"date", "time", "date-time", "duration", "uuid"})

JsonSchema = Mapping[str, Any]


def document_of(playbook: Playbook) -> dict[str, Any]:
    """The JSON Schema of a playbook's rules, as it is published."""
    return {"$schema": DIALECT, **msgspec.json.schema(playbook.rules)}


def is_chinese(text: object) -> bool:
    """Whether there is any Chinese in it."""
    return isinstance(text, str) and CHINESE.search(text) is not None


def schema_faults(document: JsonSchema) -> list[str]:
    """Why it is no JSON Schema 2020-12 that needs nothing from elsewhere."""
    try:
        Draft202012Validator.check_schema(document)
    except SchemaError as error:
        return [f"{'/'.join(map(str, error.absolute_path)) or 'the schema'}: {error.message}"]
    return [f"$ref {ref} leads out of the schema" for ref in _refs(document) if not ref.startswith(LOCAL)]


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _refs(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _refs(child)


def field_faults(document: JsonSchema) -> list[str]:
    """Fields, nested ones included, without a Chinese title, a Chinese description or bounds."""
    form = resolved(document, document)
    faults = [] if form.get("additionalProperties") is False else ["the rules take unknown fields: forbid them"]
    return faults + list(_object_faults(form, "", document, 0))


def resolved(schema: JsonSchema, document: JsonSchema) -> dict[str, Any]:
    """A schema with what its `$ref` says; its own words win."""
    found = dict(schema)
    for _ in range(DEPTH_MAX):
        ref = found.pop("$ref", None)
        if ref is None:
            break
        found = {**document["$defs"][ref.removeprefix(LOCAL)], **found}
    return found


def said(field: JsonSchema, key: str) -> str:
    """Its title or description; those of a rule that may be left empty stand on the branch that says what it may be."""
    found = (str(branch[key]) for branch in (field, *field.get("anyOf", ())) if key in branch)
    return next(found, "")


def _object_faults(form: JsonSchema, at: str, document: JsonSchema, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        yield f"{at}: nested deeper than {DEPTH_MAX}"
        return
    for name, field in form.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        if "const" in field or len(field.get("enum", ("", ""))) == 1:
            continue  # the tag of one of several kinds of object: nobody fills it in
        for key in ("title", "description"):
            if not is_chinese(said(field, key)):
                yield f"{path} has no Chinese {key}"
        yield from _value_faults(field, path, document, depth)


def _value_faults(field: JsonSchema, path: str, document: JsonSchema, depth: int) -> Iterator[str]:
    schema = resolved(field, document)
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    for branch in branches:
        yield from _value_faults(branch, path, document, depth)
    if branches or "enum" in schema or "const" in schema:
        return
    check = _KINDS.get(schema.get("type", ""))
    if check is None:
        yield f"{path} has no single type"
    else:
        yield from check(schema, path, document, depth)


def _number(schema: JsonSchema, path: str, _document: JsonSchema, _depth: int) -> Iterator[str]:
    for end in ("minimum", "maximum"):
        if end not in schema and f"exclusive{end.capitalize()}" not in schema:
            yield f"{path} has no {end}"


def _text(schema: JsonSchema, path: str, _document: JsonSchema, _depth: int) -> Iterator[str]:
    anchored = str(schema.get("pattern", "")).startswith("^") and str(schema["pattern"]).endswith("$")
    if "maxLength" not in schema and schema.get("format") not in BOUNDED_FORMATS and not anchored:
        yield f"{path} has no maxLength"


def _list(schema: JsonSchema, path: str, document: JsonSchema, depth: int) -> Iterator[str]:
    if "maxItems" not in schema:
        yield f"{path} has no maxItems"
    for item in (schema.get("items"), *schema.get("prefixItems", ())):
        if item:
            yield from _value_faults(item, f"{path}[]", document, depth + 1)


def _object(schema: JsonSchema, path: str, document: JsonSchema, depth: int) -> Iterator[str]:
    if "properties" in schema:
        if schema.get("additionalProperties") is not False:
            yield f"{path} takes unknown fields: forbid them"
        yield from _object_faults(schema, path, document, depth + 1)
        return
    if "maxProperties" not in schema:
        yield f"{path} has no maxProperties"
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _value_faults(schema["additionalProperties"], f"{path}.*", document, depth + 1)


def _nothing(_schema: JsonSchema, _path: str, _document: JsonSchema, _depth: int) -> Iterator[str]:
    return iter(())


_KINDS: Mapping[str, Callable[[JsonSchema, str, JsonSchema, int], Iterator[str]]] = {
    "integer": _number,
    "number": _number,
    "string": _text,
    "array": _list,
    "object": _object,
    "boolean": _nothing,
    "null": _nothing,
}
