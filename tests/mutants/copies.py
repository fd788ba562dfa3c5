"""A copy of the checkout that bugs are planted in, one after the other."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.row import Row
from tests.mutants.table import CHECKOUT, planted

# What no test needs: git itself, and what git does not track.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".wanfa", ".hypothesis", ".*_cache", "__pycache__", "*.pyc", "*.egg-info", "node_modules", "dist"
)


class Copy:
    """The checkout in `folder`, to be changed and changed back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(CHECKOUT, folder, ignore=LEFT_OUT, symlinks=True)

    @contextmanager
    def with_bug(self, row: Row) -> Iterator[None]:
        """The bug is in the copy; afterwards the copy is as it was. Raises CannotPlant."""
        texts = planted(row, self.folder)
        originals = {file: (self.folder / file).read_text(encoding="utf-8") for file in texts}
        try:
            self._write(texts)
            yield
        finally:
            self._write(originals)

    def _write(self, texts: Mapping[str, str]) -> None:
        for file, text in texts.items():
            path = self.folder / file
            path.write_text(text, encoding="utf-8")
            # Python goes by size and seconds, and both may be those of the text before.
            for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
                compiled.unlink()
