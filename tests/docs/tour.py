"""The tour in README.md, taken apart: its shell blocks, and the lines it says they print."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ARROW = re.compile(r"(?:^|\s)# → (.*)$", re.MULTILINE)
WILDCARD = "…"


def script_of(readme: str) -> str:
    """Every bash block of the tour, as the one script a reader pastes."""
    tour = readme.split("## A five-minute tour\n")[1].split("\n## ", maxsplit=1)[0]
    return "".join(BLOCK.findall(tour))


def with_variable(script: str, name: str, value: str) -> str:
    """The script with one of the variables it sets at its top set to something else."""
    changed, count = re.subn(rf"^{name}=.*$", lambda _: f"{name}='{value}'", script, flags=re.MULTILINE)
    assert count == 1, f"the tour must set {name} once"
    return changed


def promised(script: str) -> list[str]:
    """The lines that the tour says it prints, in order."""
    return [line.rstrip() for line in ARROW.findall(script)]


def keeps(promise: str, printed: str) -> bool:
    """Whether a printed line is as promised; `…` stands for anything."""
    return re.fullmatch(".+?".join(map(re.escape, promise.split(WILDCARD))), printed) is not None
