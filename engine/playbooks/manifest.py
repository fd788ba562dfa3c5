"""Whether a playbook's manifest keeps the contract, as far as that can be seen without running its steps."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from engine.core.errors import PlaybookInvalid
from engine.gate.wire import EVENTS
from engine.playbooks.bounds import bounded
from engine.sdk import SDK_VERSION, Example, Metric, Playbook, Rules, States, Status, View

CODE = re.compile(r"[A-Z][A-Z0-9_]{1,31}")
VERB = re.compile(r"[a-z][a-z0-9_]{0,31}")
CELL = re.compile(r"[A-Za-z][A-Za-z0-9]*")
RESERVED_VERBS = frozenset(EVENTS)
OPENING_VERBS = ("open", "join")

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_manifest(playbook: Playbook) -> None:
    """Raises PlaybookInvalid, which names the field; or whatever a stranger's types raise when they are read."""
    _check_types(playbook)
    _check_sdk(playbook.sdk)
    _check_names(playbook)
    if not playbook.step.strip():
        raise PlaybookInvalid("its step is empty")
    bounded(playbook.step)
    _check_schema(playbook.rules)


def _is(kind: type[Any]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _holds(kind: type[Any]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple | list) and all(isinstance(item, kind) for item in value)


def _is_rules(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Rules)


# Python checks no types: a field with the wrong one would be found by the first store that uses it.
_TYPES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "code": (_is(str), "a text"),
    "name": (_is(str), "a text"),
    "version": (_is(str), "a text"),
    "unit_name": (_is(str), "a text"),
    "step": (_is(str), "Lua source"),
    "sdk": (_is(str), "a text like '>=1,<2'"),
    "rules": (_is_rules, "a subclass of engine.sdk.Rules"),
    "states": (_is(States), "a States"),
    "view": (_is(View), "a View"),
    "metrics": (_holds(Metric), "a tuple of Metric"),
    "examples": (_holds(Example), "a tuple of Example"),
    "actions": (_holds(str), "a tuple of verbs"),
    "reserves": (_holds(str), "a tuple of verbs"),
    "early": (_holds(str), "a tuple of verbs"),
    "totals": (_holds(str), "a tuple of names of cells"),
    "reseats": (_is(bool), "True or False"),
    "sessions": (callable, "a function"),
    "asks": (callable, "a function"),
    "newcomers_only": (callable, "a function"),
    "problems": (callable, "a function"),
    "upgrade_rules": (callable, "a function"),
}


def _check_types(playbook: Playbook) -> None:
    for field, (fits, what) in _TYPES.items():
        value = getattr(playbook, field)
        if not fits(value):
            raise PlaybookInvalid(f"its {field} is {value!r}, not {what}")
    for status, following in playbook.states.moves.items():
        if not all(isinstance(one, Status) for one in (status, *following)):
            raise PlaybookInvalid(f"its states move from {status!r} to {following!r}: those are not all a Status")


def _check_sdk(wanted: str) -> None:
    try:
        fits = SpecifierSet(wanted).contains(SDK_VERSION)
    except InvalidSpecifier:
        raise PlaybookInvalid(
            f"its sdk is {wanted!r}, which is no range of versions; write one like '>=1,<2'"
        ) from None
    if not fits:
        raise PlaybookInvalid(
            f"it was written for engine.sdk {wanted}, and this wanfa has {SDK_VERSION}: install a version of it, or of "
            "wanfa, that fits the other"
        )


def _check_names(playbook: Playbook) -> None:
    if not CODE.fullmatch(playbook.code):
        raise PlaybookInvalid(f"code {playbook.code!r} must be upper case, digits and _ , 2 to 32 characters")
    for verb in (*playbook.actions, *playbook.reserves):
        if not VERB.fullmatch(verb) or verb in RESERVED_VERBS:
            raise PlaybookInvalid(f"{verb!r} cannot be the name of an action")
    for verb in playbook.actions:
        if verb in OPENING_VERBS:
            raise PlaybookInvalid(f"{verb!r} is a verb of every playbook, not one of its own actions")
    clickable = (*OPENING_VERBS, *playbook.actions)
    _check_among(playbook.reserves, "reserves", clickable, "neither open, join nor one of its actions")
    _check_among(playbook.early, "early", playbook.actions, "not one of its actions")
    _check_among(playbook.view.actions, "view.actions", playbook.actions, "not one of its actions")
    _check_among(playbook.view.final, "view.final", tuple(playbook.view.actions), "not one of view.actions")
    _check_among((playbook.view.verb,), "view.verb", ("join", *playbook.actions), "neither join nor one of its actions")
    for cell in playbook.totals:
        if not CELL.fullmatch(cell):
            raise PlaybookInvalid(f"its totals name {cell!r}, which cannot be the name of a cell")


def _check_among(verbs: Iterable[str], field: str, allowed: Iterable[str], otherwise: str) -> None:
    for verb in verbs:
        if verb not in allowed:
            raise PlaybookInvalid(f"its {field} name {verb!r}, which is {otherwise}")


def _check_schema(rules: type[Rules]) -> None:
    """A rules Struct that has no schema fails here, not at publication; and nothing is fetched to check a form."""
    for reference in _references(msgspec.json.schema(rules)):
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise PlaybookInvalid(f"the schema of its rules refers to {reference!r}; it must be complete in itself")


def _references(schema: object) -> Iterator[object]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in _REFERENCES:
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _references(value)
