"""Nothing of the engine waits for a worker that has never heard of it: what is offered for it stands in its tables."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.runtime.jobs import AT_START, JOBS, LOOPS

ROOT = Path(__file__).resolve().parents[3]
MARK = "For the worker"
# An unknown script is the sign of a restart: the engine loads it with a recovery, only tests without one.
OF_TESTS = {"Gate.load_script"}


class Method(NamedTuple):
    """A public coroutine of a class of the engine."""

    owner: str
    name: str
    says: str


class Asked:
    """An engine that only notes what it is asked for."""

    def __init__(self, asked: list[str], name: str = "") -> None:
        self._asked = asked
        self._name = name

    def __getattr__(self, name: str) -> "Asked":
        return Asked(self._asked, name)

    def __call__(self, *_arguments: Any) -> None:
        self._asked.append(self._name)


def methods() -> Iterator[Method]:
    """Those of the machine; the author's kit and the command run in processes of their own."""
    for path in sorted((ROOT / "engine").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for one in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(one, ast.AsyncFunctionDef) and not one.name.startswith("_"):
                    assert isinstance(node, ast.ClassDef)
                    yield Method(node.name, one.name, ast.get_docstring(one) or "")


def names_in(package: str) -> set[str]:
    """All that is asked for by its name in a package's files."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / package).rglob("*.py")]
    passed_on = {
        id(asked)
        for tree in trees
        for node in ast.walk(tree)
        for method in (node.body if isinstance(node, ast.ClassDef) and package == "engine" else ())
        for asked in ast.walk(method)
        if isinstance(method, ast.AsyncFunctionDef) and isinstance(asked, ast.Attribute) and asked.attr == method.name
    }  # by a method to that of the same name of a part of its own: somebody must ask for the first one
    found = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in found if id(node) not in passed_on}


def test_a_worker_does_what_is_offered_for_it() -> None:
    """Each once: nothing is missing, and nothing is done for it in two places."""
    asked: list[str] = []
    for work in (*(loop.work for loop in LOOPS), *(job.work for job in JOBS), *AT_START):
        work(Asked(asked))  # type: ignore[arg-type]

    assert sorted(asked) == sorted(method.name for method in methods() if MARK in method.says)


def test_the_engine_offers_nothing_that_nobody_asks_for() -> None:
    """A resend that is never called, a job that is in no table: neither the engine nor the doors name it."""
    named = names_in("engine") | names_in("api")

    assert {f"{one.owner}.{one.name}" for one in methods() if one.name not in named} == OF_TESTS


def test_each_has_a_name_of_its_own() -> None:
    """By which the log speaks of it, and arq rings for it."""
    names = [one.name for one in (*LOOPS, *JOBS)]
    assert len(set(names)) == len(names)
