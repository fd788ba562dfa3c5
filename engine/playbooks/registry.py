"""Finds playbooks and keeps them: pluggy and entry points at start, a plain dict afterwards.

A playbook that cannot be used is quarantined with its error; the others run. The ones wanfa ships
with are found the way a stranger's are: by the entry point group `wanfa.playbooks`.
"""

import logging
import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from traceback import walk_tb
from typing import Any

import msgspec
import pluggy

from engine.core.errors import PlaybookInvalid
from engine.playbooks.manifest import CODE, check_manifest
from engine.sdk import Playbook
from engine.sdk.hookspec import PROJECT, PlaybookSpec

log = logging.getLogger("wanfa.playbooks")

GROUP = "wanfa.playbooks"
OWN_DISTRIBUTION = "wanfa"
ERROR_CHARACTERS_MAX = 1000

# In what pluggy says of a hook: the arguments that nobody passes; the name that nobody knows.
_ARGUMENTS = re.compile(r"Argument\(s\) \{(.+?)\} are declared in the hookimpl")
_UNKNOWN = re.compile(r"unknown hook '(\w+)'")


class Package(msgspec.Struct, frozen=True):
    """Where a playbook comes from: the entry point's name and module, and the distribution that has it."""

    point: str
    module: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.module} of {self.distribution} {self.version}" if self.distribution else self.module


class Registry(msgspec.Struct):
    """The playbooks of one engine.

    `loaded` and `sources` (their modules) are by code. `quarantined` is by code, or by entry point name where the
    code is not known; either is followed by its package where somebody else has that name. `packages` and
    `manifests`, as far as they are known, have the keys of both. `tried`: the steps were tried on a Valkey, the
    migrations compared with a database. `disabled_unknown`: disabled codes that no installed playbook has.
    """

    loaded: dict[str, Playbook] = {}
    quarantined: dict[str, str] = {}
    sources: dict[str, str] = {}
    packages: dict[str, Package] = {}
    manifests: dict[str, Playbook] = {}
    tried: bool = False
    disabled_unknown: tuple[str, ...] = ()

    def quarantine(self, code: str, error: str) -> None:
        """Set a loaded playbook aside."""
        self.loaded.pop(code, None)
        self.sources.pop(code, None)
        self.quarantined[code] = error

    def refuse(self, package: Package, error: str, playbook: Playbook | None) -> None:
        """Quarantine what was never loaded."""
        code = None if playbook is None else playbook.code
        name = code if isinstance(code, str) and CODE.fullmatch(code) else package.point
        if name in self.packages:
            name = f"{name} ({package})"
        self.packages[name] = package
        if playbook is not None:
            self.manifests[name] = playbook
        self.quarantine(name, error)

    def add(self, package: Package, playbook: Playbook) -> None:
        """Take a playbook whose code is free."""
        if playbook.code in self.quarantined:
            self._rename(playbook.code)  # somebody else's, or an entry point that has this name
        self.loaded[playbook.code] = self.manifests[playbook.code] = playbook
        self.sources[playbook.code] = package.module
        self.packages[playbook.code] = package

    def log_quarantined(self) -> None:
        """Say which playbooks cannot be used, and why; and which were to be disabled and are none."""
        for name, error in sorted(self.quarantined.items()):
            log.error("playbook %s quarantined: %s", name, error)
        if self.disabled_unknown:
            log.warning("playbooks.disabled names %s, and no playbook has that code", ", ".join(self.disabled_unknown))

    def _rename(self, name: str) -> None:
        longer = f"{name} ({self.packages[name]})"
        self.quarantined[longer] = self.quarantined.pop(name)
        self.packages[longer] = self.packages.pop(name)
        if name in self.manifests:
            self.manifests[longer] = self.manifests.pop(name)


def load_playbooks(disabled: Iterable[str] = (), points: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every installed playbook (or those of `points`) except the disabled codes. Never raises.

    Of two with one code the one that wanfa ships with is loaded, else the first by name.
    """
    registry = Registry()
    disabled = set(disabled)
    codes = set()
    for package, point in _packages(points):
        playbook = None
        try:
            playbook = _playbook_of(point.load())
            check_manifest(playbook)
            _check_code(playbook.code, package, registry)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's module may raise anything
            registry.refuse(package, _said(error, package), playbook)
        else:
            codes.add(playbook.code)
            if playbook.code not in disabled:
                registry.add(package, playbook)
    registry.disabled_unknown = tuple(sorted(disabled - codes - {*registry.quarantined}))
    return registry


def installed_packages() -> list[Package]:
    """Every installed playbook, none of them imported."""
    return [package for package, _ in _packages(None)]


def _packages(points: Iterable[EntryPoint] | None) -> list[tuple[Package, EntryPoint]]:
    """Entry points with where they come from; wanfa's own first, then by name, the same in every process."""
    found = [(_package(point), point) for point in (_installed_points() if points is None else points)]
    return sorted(found, key=lambda pair: (pair[0].distribution != OWN_DISTRIBUTION, *msgspec.structs.astuple(pair[0])))


def _installed_points() -> Iterable[EntryPoint]:
    try:
        return entry_points(group=GROUP)
    except Exception:  # noqa: BLE001  # one distribution's metadata is broken: ask each apart
        found: dict[str, Iterable[EntryPoint]] = {}
        for distribution in distributions():
            try:
                found.setdefault(distribution.name, distribution.entry_points.select(group=GROUP))
            except Exception as error:  # noqa: BLE001  # this is the broken one; the others are asked on
                log.warning("the entry points of %s cannot be read: %r", distribution.name, error)
        return [point for points in found.values() for point in points]


def _package(point: EntryPoint) -> Package:
    distribution = point.dist
    if distribution is None:
        return Package(point.name, point.value)
    # While it is being installed, its metadata may not be complete yet.
    return Package(point.name, point.value, distribution.name or "", distribution.version or "")


def _playbook_of(module: Any) -> Playbook:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlaybookSpec)
    try:
        manager.register(module)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PlaybookInvalid(_misshapen(str(error))) from None
    returned = manager.hook.wanfa_playbook()
    if len(returned) != 1:
        raise PlaybookInvalid("the module has no @hookimpl named wanfa_playbook")
    playbook = returned[0]
    if not isinstance(playbook, Playbook):
        raise PlaybookInvalid(f"wanfa_playbook returned a {type(playbook).__name__}, not a Playbook")
    return playbook


def _misshapen(said: str) -> str:
    """In a line what pluggy says of a hook in three."""
    if found := _ARGUMENTS.search(said):
        return f"wanfa_playbook takes no arguments; it declares {', '.join(sorted(found[1].split(', ')))}"
    if found := _UNKNOWN.search(said):
        return f"it has a @hookimpl named {found[1]}; the only hook there is is wanfa_playbook"
    return " ".join(said.split())


def _said(error: BaseException, package: Package) -> str:
    if isinstance(error, PlaybookInvalid):
        return str(error)
    place = _place(error, package.module.partition(":")[0].partition(".")[0])
    try:
        words = str(error.msg if isinstance(error, SyntaxError) else error)  # which names the file once more
        said = " ".join(f"{type(error).__name__}: {words}".split()).removesuffix(":")[
            : ERROR_CHARACTERS_MAX - len(place)
        ]
    except Exception:  # noqa: BLE001  # its own __str__ is a stranger's, too
        said = type(error).__name__
    return said + place


def _place(error: BaseException, top: str) -> str:
    """Where in the package, or module, `top` it was raised; nothing when it was elsewhere."""
    found = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        found.append((error.filename or "", error.lineno or 0))
    for file, line in reversed(found):
        path = Path(file)
        if top in path.parts:
            depth = path.parts[::-1].index(top) + 1
            return f" ({'/'.join(path.parts[-depth:])}:{line})"
        if path.name == f"{top}.py":
            return f" ({path.name}:{line})"
    return ""


def _check_code(code: str, package: Package, registry: Registry) -> None:
    if code in registry.loaded:
        raise PlaybookInvalid(f"code {code} of {package} is already taken by {registry.packages[code]}")
