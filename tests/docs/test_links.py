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
