"""Finds the folders of migrations of playbooks that keep tables of their own, for engine/db/migrations.py."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path


def playbook_folders(modules: Mapping[str, str]) -> dict[str, Path]:
    """Of playbooks (code -> entry point), those that keep tables, with their folders of migrations."""
    folders = {}
    for code, entry_point in modules.items():
        spec = find_spec(entry_point.partition(":")[0])
        folder = Path(spec.origin).with_name("migrations") if spec and spec.origin else None
        if folder and folder.is_dir():
            folders[code] = folder
    return folders
