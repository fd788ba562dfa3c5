"""The page a playbook has for operators: where it is, and whether its table of rules is whole."""

import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.kit.manifest.forms import resolved, said
from engine.sdk import Playbook

README = "README.md"
PAGE_IS_WRITTEN = f"`wanfa playbook docs . --out {README}` writes the page; without --out it is printed, to paste from"


def readme_of(playbook: Playbook) -> str | None:
    """README.md of the package the rules are defined in, of its project, or of the distribution it came with."""
    module = playbook.rules.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is not None:
        package = Path(file).parent
        project = package.parent.parent if package.parent.name == "src" else package.parent
        beside = [package / README] + ([project / README] if (project / "pyproject.toml").is_file() else [])
        for page in beside:
            if page.is_file():
                return page.read_text(encoding="utf-8")
    return _described(module.partition(".")[0])


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
