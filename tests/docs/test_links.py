"""Links between the pages lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.tour import CHECKOUT

LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def pages() -> list[str]:
    """Every Markdown file of the checkout."""
    skipped = {".venv", ".wanfa", "node_modules"}
    found = (path.relative_to(CHECKOUT) for path in CHECKOUT.rglob("*.md"))
    return sorted(path.as_posix() for path in found if not {p for p in path.parts if p in skipped or p[0] == "."})


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    """To a file or folder that exists; addresses elsewhere are the reader's to follow."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", (CHECKOUT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [match[1] for match in LINK.finditer(text) if "://" not in match[1]]
    assert [target for target in targets if not (CHECKOUT / Path(page).parent / target).exists()] == []


FOLDERS = ("api", "engine", "plugins", "scripts", "tests", "loadtests", "config")
NAMED = re.compile(rf"(?<![\w/.])(?:{'|'.join(FOLDERS)})/[\w/]+\.(?:py|lua|sql|md|toml|html)\b")
FIRST_CELL = re.compile(r"^\| ((?:`[^`|]+`(?:, )?)+) \|", re.MULTILINE)
# Pages that are not in the repository: what they say is said here, or nowhere.
ELSEWHERE = re.compile(r"\bDESIGN\b|\bSTYLE\.md\b|\bPRD\b")
# Text that names what is not here, on purpose: these checks, a package of somebody's own, an older checkout, and what
# was released.
SPOKEN_OF = {
    "plugins/README.md",
    "tests/unit/cli/test_cli.py",
    "tests/unit/core/test_settings.py",
    "tests/unit/load/test_bench.py",
    "tests/docs/test_links.py",
    "tests/kit/test_new.py",
    "tests/unit/test_architecture.py",
    "engine/db/sql/0001_core.sql",
    "engine/db/sql/0002_playbooks_as_products.sql",
}


def texts() -> dict[str, str]:
    """Every file of ours that people read, by its path."""
    kinds = {".py", ".md", ".lua", ".sql", ".toml", ".tmpl", ".ts"}
    found = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("*.toml")]
    found += [path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*") if path.suffix in kinds]
    named = {path.relative_to(CHECKOUT).as_posix(): path for path in found if "node_modules" not in path.parts}
    return {name: path.read_text(encoding="utf-8") for name, path in named.items() if name not in SPOKEN_OF}


def test_files_that_are_named_are_there() -> None:
    """A path of this checkout in code, comments or pages leads somewhere."""
    gone = {
        f"{name}: {path}"
        for name, text in texts().items()
        for path in NAMED.findall(text)
        if not (CHECKOUT / path).exists()
    }
    assert gone == set()


def test_a_folders_page_lists_what_is_in_it() -> None:
    """The first cells of the tables in a folder's README that look like files are its files, and all of them."""
    for page in [name for name in pages() if re.match(r"(engine|api)/.*README\.md", name)]:
        folder = (CHECKOUT / page).parent
        cells = FIRST_CELL.findall((CHECKOUT / page).read_text(encoding="utf-8"))
        listed = {one for cell in cells for one in re.findall(r"`([\w./]+\.(?:py|sql|html))`", cell)}
        assert {one for one in listed if not (folder / one).exists()} == set(), page
        files = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        if listed:
            assert files - listed == set(), page


def test_pages_that_are_not_here_are_not_referred_to() -> None:
    said = [f"{name}: {match[0]}" for name, text in texts().items() for match in ELSEWHERE.finditer(text)]
    assert said == []
