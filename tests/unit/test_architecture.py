"""The house stands as engine/README.md draws it: floors, one place for each thing, nothing too big to see at once."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.playbooks.registry import load_playbooks

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = ("engine", "plugins", "api", "scripts/lua", "loadtests", "tests", "config")
OURS = ("engine", "plugins", "api", "loadtests", "tests")

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FOLDER_FILES_MAX = 14
README_LINES_MIN = 10

# Where a playbook may be named outside plugins/, and why.
MAY_NAME_PLAYBOOKS = {
    "api/schema/examples.py": "the examples of the OpenAPI document show what callers really send",
}


def sources(*folders: str) -> list[Path]:
    """Every Python file of ours in these folders."""
    found = [path for folder in folders for path in sorted((CHECKOUT / folder).rglob("*.py"))]
    return [path for path in found if not {"node_modules", "__pycache__"} & set(path.parts)]


def name_of(path: Path) -> str:
    """As a person would write it."""
    return path.relative_to(CHECKOUT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module the file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            yield node.module or ""


def importers(folders: tuple[str, ...], forbidden: str) -> list[str]:
    """The files that import `forbidden` or something in it."""
    pattern = re.compile(rf"{re.escape(forbidden)}(\.|$)")
    return [name_of(path) for path in sources(*folders) if any(pattern.match(name) for name in imports(path))]


@pytest.mark.parametrize(
    ("upstairs", "downstairs"),
    [
        (("api", "plugins", "loadtests", "tests"), ("engine",)),
        (("plugins", "loadtests", "tests"), ("api",)),
        (("api", "loadtests", "tests"), ("plugins",)),
    ],
)
def test_imports_go_down_only(upstairs: tuple[str, ...], downstairs: tuple[str, ...]) -> None:
    """The engine knows nobody above it; the doors and the playbooks do not see each other."""
    for forbidden in upstairs:
        assert importers(downstairs, forbidden) == []


def test_a_playbook_imports_nothing_of_ours_but_the_sdk() -> None:
    """So that one in a package of its own can do whatever a built-in one does."""
    for path in sources("plugins"):
        package = ".".join(path.relative_to(CHECKOUT).parts[:2])
        reached = {name for name in imports(path) if name.partition(".")[0] in ("engine", "api", "plugins")}
        assert {name for name in reached if name != "engine.sdk" and not name.startswith(package)} == set()


def test_the_sdk_stands_on_nothing_of_ours() -> None:
    for path in sources("engine/sdk"):
        reached = {name for name in imports(path) if name.partition(".")[0] in ("engine", "api", "plugins")}
        assert {name for name in reached if not name.startswith("engine.sdk")} == set()


def test_arq_is_imported_in_one_place() -> None:
    """It is in maintenance mode; a successor changes one file."""
    assert importers(("engine", "api", "plugins"), "arq") == ["engine/runtime/worker.py"]


def test_the_floors_hold() -> None:
    """The contracts of import-linter in pyproject.toml, the floors of the engine among them."""
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"]
    done = subprocess.run(lint, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_gate_knows_no_playbook() -> None:
    """It is handed a script as text; what goes into that is decided a floor above."""
    named = [name_of(path) for path in sources("engine/gate") if re.search(r"\bPlaybook\b", path.read_text("utf-8"))]
    assert named == []


def test_litestar_and_granian_stay_at_the_doors() -> None:
    """The engine can be served by anything."""
    assert importers(("engine", "plugins"), "litestar") == []
    assert importers(("engine", "plugins", "api"), "granian") == ["engine/runtime/serve.py", "api/rsgi.py"]


def test_the_engine_names_no_playbook() -> None:
    """Neither code nor name nor package of any installed playbook, in Python, Lua, SQL or settings."""
    registry = load_playbooks()
    words = {word for code, playbook in registry.loaded.items() for word in (code, code.lower(), playbook.name)}
    words |= {source.rpartition(".")[2] for source in registry.sources.values()}
    said = [
        f"{name_of(path)} says {word}"
        for folder in ("engine", "api", "scripts/lua", "config")
        for path in sorted((CHECKOUT / folder).rglob("*"))
        if path.suffix in (".py", ".lua", ".sql", ".toml") and name_of(path) not in MAY_NAME_PLAYBOOKS
        for word in sorted(words)
        if word in path.read_text(encoding="utf-8")
    ]
    assert said == []
    assert [name for name in MAY_NAME_PLAYBOOKS if not (CHECKOUT / name).exists()] == []


PACKAGES = sorted({name_of(path.parent) for path in sources("engine")} - {"engine"})


@pytest.mark.parametrize("folder", [*FOLDERS, *PACKAGES])
def test_every_folder_says_what_it_is(folder: str) -> None:
    """A README of at least ten lines in each folder of the top level and each package of the engine."""
    readme = CHECKOUT / folder / "README.md"
    assert readme.exists()
    assert len(readme.read_text(encoding="utf-8").splitlines()) >= README_LINES_MIN


def test_nothing_is_too_long_to_be_seen_at_once() -> None:
    """Files and functions; what grows beyond this is two things."""
    long = [
        f"{name_of(path)}: {count} lines"
        for path in sources(*OURS)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) >= FILE_LINES_MAX
    ]
    long += [
        f"{name_of(path)}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in sources(*OURS)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == []


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_folder_is_seen_at_once(folder: str) -> None:
    """About a dozen files; what grows beyond this is two rooms."""
    files = [path for path in (CHECKOUT / folder).glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= FOLDER_FILES_MAX


def test_no_client_or_pool_is_made_by_importing() -> None:
    """`open_engine` is the one place that wires; a module that connects when imported cannot be tested or closed."""
    makers = {
        "Redis",
        "RedisCluster",
        "from_url",
        "create_pool",
        "connect",
        "PluginManager",
        "open_engine",
        "open_pool",
    }
    made = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("engine", "api", "plugins")
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in makers
    ]
    assert made == []
