"""Each check of the auditor finds something that is planted: what can be switched off unnoticed checks nothing."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from loadtests.auditor.verdict import Verdict
from tests.acceptance.auditor.auditor_world import clean_world
from tests.acceptance.auditor.auditor_wrong_histories import WRONG_HISTORIES
from tests.acceptance.auditor.auditor_wrong_stores import WRONG_STORES
from tests.acceptance.auditor.auditor_wrongs import WRONGS

AUDITOR = Path(__file__).resolve().parents[3] / "loadtests" / "auditor"


class Site(NamedTuple):
    """Where the auditor asks whether something holds."""

    file: str
    first: int
    last: int


def sites() -> Iterator[Site]:
    """Every call of Verdict.check but those that only count what holds."""
    for path in sorted(AUDITOR.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "check":
                if isinstance(node.args[1], ast.Constant) and node.args[1].value is True:
                    continue
                yield Site(path.name, node.lineno, node.end_lineno or node.lineno)


def test_every_check_has_a_wrong_that_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many checks that have found something as there are checks."""
    found: set[tuple[str, int]] = set()
    check = Verdict.check

    def noting(self: Verdict, kind: str, holds: bool, what: str, text: str) -> None:
        if not holds:
            asked = sys._getframe(1)
            found.add((Path(asked.f_code.co_filename).name, asked.f_lineno))
        check(self, kind, holds, what, text)

    monkeypatch.setattr(Verdict, "check", noting)
    for number, (wrong, _) in enumerate([*WRONGS, *WRONG_HISTORIES, *WRONG_STORES]):
        world = clean_world()
        wrong(world)
        folder = tmp_path / str(number)
        folder.mkdir()
        world.audit(folder)

    blind = [
        f"{site.file}:{site.first}"
        for site in sites()
        if not any(file == site.file and site.first <= line <= site.last for file, line in found)
    ]
    assert not blind, "\n".join(blind)
