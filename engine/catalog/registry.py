"""Finds playbooks and keeps them: pluggy and entry points at start, a plain dict afterwards.

A playbook that cannot be loaded is quarantined with its error; the others run. The ones wanfa ships
with are found the way a stranger's are: by the entry point group `wanfa.playbooks`.
"""

import logging
import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec
import pluggy

from engine.errors import PlaybookInvalid
from engine.sdk import Playbook
from engine.sdk.hookspec import PROJECT, PlaybookSpec

log = logging.getLogger("wanfa.playbooks")

GROUP = "wanfa.playbooks"
CODE = re.compile(r"[A-Z][A-Z0-9_]{1,31}")
VERB = re.compile(r"[a-z][a-z0-9_]{0,31}")
RESERVED_VERBS = frozenset({"paid", "released", "deadline"})


class Registry(msgspec.Struct):
    """The playbooks of one engine, by code; and what could not be loaded, by entry point name."""

    loaded: dict[str, Playbook] = {}
    quarantined: dict[str, str] = {}
    sources: dict[str, str] = {}

    def quarantine(self, name: str, error: str) -> None:
        """Set a playbook aside, and say so."""
        self.loaded.pop(name, None)
        self.quarantined[name] = error
        log.error("playbook %s quarantined: %s", name, error)


def load_playbooks(disabled: Iterable[str] = (), points: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every installed playbook (or those of `points`) except the disabled codes. Never raises."""
    registry = Registry()
    chosen = entry_points(group=GROUP) if points is None else points
    for point in sorted(chosen, key=lambda point: point.name):
        try:
            playbook = _playbook_of(point.load(), registry)
        except Exception as error:  # noqa: BLE001  # a stranger's module may raise anything
            registry.quarantine(point.name, f"{type(error).__name__}: {error}")
        else:
            if playbook.code not in disabled:
                registry.loaded[playbook.code] = playbook
                registry.sources[playbook.code] = point.value
    return registry


def _playbook_of(module: Any, registry: Registry) -> Playbook:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlaybookSpec)
    manager.register(module)
    manager.check_pending()
    returned = manager.hook.wanfa_playbook()
    if len(returned) != 1:
        raise PlaybookInvalid("the module has no @hookimpl named wanfa_playbook")
    playbook = returned[0]
    if not isinstance(playbook, Playbook):
        raise PlaybookInvalid(f"wanfa_playbook returned a {type(playbook).__name__}, not a Playbook")
    if playbook.code in registry.loaded:
        raise PlaybookInvalid(f"code {playbook.code} is already taken by {registry.sources[playbook.code]}")
    return _checked(playbook)


def _checked(playbook: Playbook) -> Playbook:
    if not CODE.fullmatch(playbook.code):
        raise PlaybookInvalid(f"code {playbook.code!r} must be upper case, digits and _ , 2 to 32 characters")
    for verb in (*playbook.actions, *playbook.reserves):
        if not VERB.fullmatch(verb) or verb in RESERVED_VERBS:
            raise PlaybookInvalid(f"{verb!r} cannot be the name of an action")
    if not playbook.step.strip():
        raise PlaybookInvalid("its step is empty")
    msgspec.json.schema(playbook.rules)  # a rules Struct that has no schema fails here, not at publication
    return playbook
