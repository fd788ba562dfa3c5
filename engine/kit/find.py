"""One way to name a playbook on the command line: its code, its entry point, or the folder it is written in."""

import os
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

from engine.playbooks.registry import GROUP, load_playbooks
from engine.sdk import Playbook


class Found(NamedTuple):
    """A playbook and the module with its hook; or None and, in `error`, why it can't be had."""

    playbook: Playbook | None
    module: str
    error: str


def find_playbook(name: str) -> Found:
    """The playbook called `name`.

    `name` is a code (LUCKY_DRAW, lucky-draw), an entry point's name, or a folder: of a package with the hook, or
    of a project whose pyproject.toml names one. A folder need not be installed; it is imported from where it is,
    for which it stays on `sys.path`.
    """
    if _says_folder(name):
        return _in_folder(Path(name))
    found = _installed(name)
    if found is None and Path(name).is_dir():
        found = _in_folder(Path(name))
    return found or Found(None, "", f"no playbook is called {name}; there are {_known()}, or give its folder: ./{name}")


def normal(name: str) -> str:
    """A code as it is written in a manifest."""
    return name.upper().replace("-", "_")


def _says_folder(name: str) -> bool:
    separators = {os.sep, os.altsep or os.sep}
    return name in (".", "..") or any(separator in name for separator in separators)


def _installed(name: str) -> Found | None:
    registry = load_playbooks()
    points = {normal(point.name): point for point in entry_points(group=GROUP)}
    code = normal(name)
    if code in registry.loaded:
        return Found(registry.loaded[code], registry.sources[code], "")
    for known, error in registry.quarantined.items():
        package = registry.packages[known]
        if code in (normal(known), normal(package.point)):
            return Found(None, package.module, error)
    return _load(points[code]) if code in points else None


def _known() -> str:
    registry = load_playbooks()
    return ", ".join(sorted([*registry.loaded, *registry.quarantined])) or "none"


def _in_folder(folder: Path) -> Found:
    folder = folder.resolve()
    if (folder / "__init__.py").is_file():
        root = folder
        while (root / "__init__.py").is_file():  # the folder plugins/draw is the module plugins.draw
            root = root.parent
        return _load_from(root, ".".join(folder.relative_to(root).parts))
    if (folder / "pyproject.toml").is_file():
        return _in_project(folder)
    what = "is neither a package (no __init__.py) nor a project (no pyproject.toml)"
    return Found(None, "", f"{folder} {what if folder.is_dir() else 'is not a folder'}")


def _in_project(folder: Path) -> Found:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Found(None, "", f"{folder / 'pyproject.toml'}: {error}")
    modules = list(project.get("entry-points", {}).get(GROUP, {}).values())
    if len(modules) != 1:
        names = ", ".join(modules) or "none"
        return Found(None, "", f'{folder / "pyproject.toml"} names {names} in [project.entry-points."{GROUP}"]')
    first = modules[0].partition(":")[0].partition(".")[0]
    root = folder / "src" if (folder / "src" / first).is_dir() else folder
    return _load_from(root, modules[0])


def _load_from(root: Path, module: str) -> Found:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return _load(EntryPoint(name=module.rpartition(".")[2], value=module, group=GROUP))


def _load(point: EntryPoint) -> Found:
    registry = load_playbooks(points=[point])
    playbook = next(iter(registry.loaded.values()), None)
    return Found(playbook, point.value, "" if playbook else next(iter(registry.quarantined.values())))
