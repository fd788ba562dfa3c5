"""All rows, and whether each can still be planted."""

import ast
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from tests.mutants.row import Row

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS = CHECKOUT / "tests/mutants/rows"
PACKAGES = tuple(sorted(path.name for path in ROWS.iterdir() if any(path.glob("*.py"))))


class CannotPlant(Exception):
    """A row's text does not stand exactly once in its file: the code has changed, and the row must follow."""


def rows_of(packages: Iterable[str] = PACKAGES) -> list[Row]:
    """The rows of these folders of rows/, in the order they stand there."""
    files = [path for package in packages for path in sorted((ROWS / package).glob("*.py"))]
    return [row for path in files for row in import_module(f"tests.mutants.rows.{path.parent.name}.{path.stem}").ROWS]


def planted(row: Row, checkout: Path = CHECKOUT) -> dict[str, str]:
    """The files that the bug changes, by path, as they read then. Raises CannotPlant."""
    texts: dict[str, str] = {}
    for file, before, after in row.edits:
        text = texts.get(file) or (checkout / file).read_text(encoding="utf-8")
        if (times := text.count(before)) != 1:
            raise CannotPlant(f"{row.what}: the text stands {times} times in {file}, not once")
        texts[file] = text.replace(before, after)
    return texts


def faults(rows: Iterable[Row]) -> Iterator[str]:
    """What is wrong with the table itself."""
    seen: set[str] = set()
    for row in rows:
        if row.what in seen:
            yield f"two rows say: {row.what}"
        seen.add(row.what)
        try:
            texts = planted(row)
        except (CannotPlant, OSError) as error:
            yield str(error)
            continue
        yield from (f"{row.what}: {fault}" for fault in _faults_of(row, texts))


def _faults_of(row: Row, texts: dict[str, str]) -> Iterator[str]:
    if not row.by:
        yield "no test is named"
    for test in row.by:
        if not (CHECKOUT / test.partition("::")[0]).exists():
            yield f"there is no {test}"
    for file, text in texts.items():
        if text == (CHECKOUT / file).read_text(encoding="utf-8"):
            yield "it changes nothing"
        if file.endswith(".py"):
            try:
                ast.parse(text)
            except SyntaxError as error:
                yield f"{file} is no Python then: {error}"
