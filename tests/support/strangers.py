"""Playbook packages by strangers: folders that look installed, with metadata, entry point and module."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

MODULE = """\
from msgspec.structs import replace

from engine.sdk import Rules, hookimpl
from plugins import flash_sale


@hookimpl
def wanfa_playbook():
    return replace(flash_sale.wanfa_playbook(), {changes})
"""


class Strangers:
    """A folder of installed packages; whoever has it on `sys.path` finds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self,
        name: str,
        /,
        *,
        code: str | None = None,
        point: str | None = None,
        version: str = "1.0",
        module: str | None = None,
        migrations: Mapping[str, str] | None = None,
        **changes: object,
    ) -> Path:
        """Its folder. A flash sale with another `code` (NAME by default) and `changes`, or `module`'s source."""
        package = self.folder / f"strange_{name}"
        package.mkdir(parents=True)
        said = ", ".join(f"{field}={value!r}" for field, value in ({"code": code or name.upper()} | changes).items())
        source = MODULE.format(changes=said) if module is None else module
        (package / "__init__.py").write_text(source, encoding="utf-8")
        if migrations:
            (package / "migrations").mkdir()
        for file, sql in (migrations or {}).items():
            (package / "migrations" / file).write_text(sql, encoding="utf-8")
        metadata = self.folder / f"wanfa_{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: wanfa-{name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[wanfa.playbooks]\n{point or name} = {package.name}\n")
        importlib.invalidate_caches()
        return package

    def uninstall(self, name: str) -> None:
        """Take it away again."""
        for path in [self.folder / f"strange_{name}", *self.folder.glob(f"wanfa_{name}-*.dist-info")]:
            rmtree(path)
        importlib.invalidate_caches()


@contextmanager
def strangers_in(folder: Path) -> Iterator[Strangers]:
    """Strangers whom this process finds, and forgets afterwards."""
    sys.path.insert(0, str(folder))
    try:
        yield Strangers(folder)
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("strange_")]:
            del sys.modules[name]
        importlib.invalidate_caches()
