"""The page a playbook has for operators: where it is, and whether its table of rules is whole."""

import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.kit.manifest.forms import resolved, said
from engine.kit.typed import place, tool
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook

README = "README.md"


def readme_of(playbook: Playbook) -> str | None:
    """README.md of the package the rules are defined in, of its project, or of the distribution it came with."""
    for page in _pages(playbook):
        if page.is_file():
            return page.read_text(encoding="utf-8")
    return _described(playbook.rules.__module__.partition(".")[0])


def writes_it(playbook: Playbook, page: Path | None = None) -> str:
    """The command that writes the page, or renews the one that is there, from the folder this is run in."""
    places = [page] if page else _pages(playbook)
    wanfa = tool("wanfa")
    if not places:
        return f"`{wanfa} playbook docs {playbook.code}` prints the page, to paste from"
    there = next((one for one in places if one.is_file()), places[-1])
    force = " --force" if there.is_file() else ""
    name = playbook.code if playbook.code in load_playbooks().loaded else place(_folder(playbook) or there.parent)
    command = f"{wanfa} playbook docs {name} --out {place(there)}{force}"
    return f"`{command}` {'adds it, and keeps what people wrote' if force else 'writes the page'}"


def _folder(playbook: Playbook) -> Path | None:
    """The project the rules are defined in, or where there is none their package."""
    file = getattr(sys.modules.get(playbook.rules.__module__), "__file__", None)
    if file is None:
        return None
    package = Path(file).parent
    project = package.parent.parent if package.parent.name == "src" else package.parent
    return project if (project / "pyproject.toml").is_file() else package


def _pages(playbook: Playbook) -> list[Path]:
    """Where its page may lie: in the package, beside the project's pyproject.toml; the last is where one is made."""
    file = getattr(sys.modules.get(playbook.rules.__module__), "__file__", None)
    folder = _folder(playbook)
    return [] if file is None or folder is None else list(dict.fromkeys([Path(file).parent / README, folder / README]))


def _described(package: str) -> str | None:
    for distribution in metadata.packages_distributions().get(package, ()):
        text = metadata.metadata(distribution).json.get("description")
        if isinstance(text, str) and text.strip():
            return text
    return None


def rows_missing(text: str, document: Mapping[str, Any]) -> list[str]:
    """Rules that no row of a table in `text` names with their title: `` | 成团人数 | `target` | ``."""
    rows = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    fields = resolved(document, document).get("properties", {})
    return [
        f"`{name}` {said(field, 'title')}".strip()
        for name, field in fields.items()
        if not any(f"`{name}`" in row and said(field, "title") in row for row in rows)
    ]
