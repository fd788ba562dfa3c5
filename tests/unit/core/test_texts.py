"""Whatever a person is told is told in both languages: no sentence of ours is written in Chinese only."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SOURCES = [path for folder in ("engine", "api") for path in sorted((CHECKOUT / folder).rglob("*.py"))]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call there is."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """`Text` of `Text(…)`, `NotFound` of `errors.NotFound(…)`."""
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def words(node: ast.AST) -> str:
    """The literal parts of a text, formatted or not."""
    parts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return "".join(part for part in parts if isinstance(part, str))


def untranslated(tree: ast.AST) -> Iterator[str]:
    """Chinese in what is raised, and in field errors, that stands in no Text."""
    translated = {id(part) for call in calls(tree) if called(call) == "Text" for part in ast.walk(call)}
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc]
    fields = [call for call in calls(tree) if called(call) == "FieldError"]
    for said in (*raised, *fields):
        for part in ast.walk(said):
            value = part.value if isinstance(part, ast.Constant) else None
            if isinstance(value, str) and CHINESE.search(value) and id(part) not in translated:
                yield value


def test_no_error_is_raised_in_chinese_only() -> None:
    found = {path.name: list(untranslated(ast.parse(path.read_text(encoding="utf-8")))) for path in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_playbooks_find_fault_in_both_languages() -> None:
    """Each Problem of the built-in ones has its third word, English."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((CHECKOUT / "plugins").rglob("*.py"))]
    found = [call for tree in trees for call in calls(tree) if called(call) == "Problem"]
    assert len(found) > 10
    for call in found:
        assert len(call.args) == 3, ast.unparse(call)
        assert re.search("[a-z]", words(call.args[2])), ast.unparse(call)
        assert not CHINESE.search(words(call.args[2])), ast.unparse(call)


def test_english_is_english_in_every_text() -> None:
    """Of each Text written down: the first is Chinese, the second says something else in English."""
    count = 0
    for path in SOURCES:
        for call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            if called(call) == "Text" and len(call.args) == 2 and CHINESE.search(words(call.args[0])):
                count += 1
                english = words(call.args[1])
                assert re.search("[a-z]", english), f"{path.name}:{call.lineno}"
                assert not CHINESE.search(english), f"{path.name}:{call.lineno}"
    assert count > 80


@pytest.mark.parametrize(
    "source",
    ['raise NotFound("没有")', 'raise NotFound(f"没有 {x}") from None', 'FieldError("/x", "没有")'],
)
def test_the_search_would_find_one(source: str) -> None:
    assert list(untranslated(ast.parse(source)))
