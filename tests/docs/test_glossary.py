"""engine/GLOSSARY.md and the code use the same words: what the page names exists, and what exists is named."""

import ast
import re
from collections import Counter
from pathlib import Path

import engine.sdk
from engine.access.tokens import Role
from engine.gate.records import EffectState, HeadStatus
from engine.orders.moves import MOVES
from engine.sdk import Status

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "engine" / "GLOSSARY.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \|([^|]*)\| (.+?) \| `([^`]+)` \|$", PAGE, re.MULTILINE)
WORDS = set(re.findall(r"\w+", PAGE))

# Said once as pictures; a newcomer could not guess what they are.
PICTURES = re.compile(r"\b(witness|keeper|referee|crew|tally|patience|footing|tether)\w*", re.IGNORECASE)
PICTURED = {"tests/docs/test_glossary.py"}

# A class of that name in two places, and why that is one meaning.
SAME_MEANING = {
    "Click": "the kit's is one before it is packed",
    "Order": "the kit's is the row as Postgres would have it",
    "Turn": "what somebody does next, in a schedule of check and in a game of play",
}


def sources(*patterns: str) -> list[Path]:
    """Our files, without what is installed or generated."""
    found = [path for pattern in patterns for path in sorted(CHECKOUT.glob(pattern))]
    return [path for path in found if not {"node_modules", "__pycache__", ".venv"} & set(path.parts)]


def defined_in(path: Path) -> set[str]:
    """Names that a module defines at its top."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_what_is_named_exists() -> None:
    """Each row points to a file, and to something in it where it says so."""
    assert len(ROWS) == len(re.findall(r"^\| `", PAGE, re.MULTILINE))
    for word, _chinese, _meaning, place in ROWS:
        file, _, name = place.partition(":")
        assert (CHECKOUT / file).exists(), f"{word}: {file} is gone"
        assert not name or name in defined_in(CHECKOUT / file), f"{word}: {place} is gone"


def test_a_word_stands_there_once() -> None:
    assert [word for word, count in Counter(word.lower() for word, *_ in ROWS).items() if count > 1] == []


def test_what_exists_is_named() -> None:
    """Tables, packages of the engine, the SDK's names, moves, and every status there is."""
    sql = "".join(path.read_text(encoding="utf-8") for path in sources("engine/db/sql/*.sql"))
    exist = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", sql))
    exist |= {path.parent.name for path in sources("engine/*/__init__.py")}
    exist |= set(engine.sdk.__all__) | {move.name for move in MOVES} | {move.target for move in MOVES}
    exist |= {one.name for kind in (Status, HeadStatus, EffectState, Role) for one in kind}
    assert sorted(exist - WORDS) == []


def test_one_name_one_class() -> None:
    """Two public classes of one name would be two meanings of a word."""
    names = Counter(
        node.name
        for path in sources("engine/**/*.py", "api/**/*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == set(SAME_MEANING)


def test_no_word_is_a_picture() -> None:
    """In code, pages and tests alike."""
    patterns = (
        "*.md",
        "*.toml",
        "api/**/*",
        "engine/**/*",
        "plugins/**/*",
        "scripts/**/*",
        "tests/**/*",
        "loadtests/**/*",
    )
    found = [
        f"{path.relative_to(CHECKOUT)}: {match[0]}"
        for path in sources(*patterns)
        if path.suffix in {".py", ".md", ".lua", ".toml", ".tmpl", ".sql"}
        for match in PICTURES.finditer(path.read_text(encoding="utf-8"))
        if path.relative_to(CHECKOUT).as_posix() not in PICTURED
    ]
    assert found == []
