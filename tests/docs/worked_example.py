"""The worked example of plugins/README.md, as a reader types it: scaffold, files, installation."""

import re
import site
import subprocess
import sys
from pathlib import Path

from tests.docs.tour import CHECKOUT

GUIDE = CHECKOUT / "plugins" / "README.md"
BEGIN = re.compile(r"^wanfa (playbook new .*?) +#", re.MULTILINE)
FILE = re.compile(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """Path in the package -> text, of every file the guide shows."""
    return dict(FILE.findall(GUIDE.read_text(encoding="utf-8")))


def write_package(folder: Path) -> Path:
    """Scaffold and overwrite, in `folder`; the package's own folder."""
    begin = BEGIN.search(GUIDE.read_text(encoding="utf-8"))
    assert begin, "the guide begins with `wanfa playbook new`"
    subprocess.run([sys.executable, "-m", "engine.cli.main", *begin[1].split()], cwd=folder, check=True)
    (package,) = folder.iterdir()
    for name, text in files().items():
        path = package / name
        assert path.exists(), f"the scaffold has no {name}"
        path.write_text(text, encoding="utf-8")
    return package


def make_environment(folder: Path) -> Path:
    """A fresh environment with wanfa in it and nothing else installed; its Python.

    The packages wanfa needs are those of this environment: no test downloads anything.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    paths = [*site.getsitepackages(), str(CHECKOUT)]
    (packages / "wanfa.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    return folder / "bin" / "python"


def install(python: Path, package: Path) -> None:
    """Build the package and install it there."""
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(package)], check=True
    )
