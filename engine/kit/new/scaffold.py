"""`wanfa playbook new`: a complete playbook package, filled in from the templates beside this file."""

import re
from pathlib import Path
from typing import NamedTuple, Self

from engine.core.errors import AlreadyExists, BadInput
from engine.kit.find import normal

TITLE = "满额开卖"
TITLE_LENGTH_MAX = 20
CODE = re.compile(r"(?=.{2,32}$)[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")  # a name of a distribution ends in no underscore

TEMPLATES = Path(__file__).with_name("templates")
SUFFIX = ".tmpl"  # so that no tool takes a template for a file of its own


class Plan(NamedTuple):
    """What to write, and where."""

    code: str
    title: str
    folder: Path

    @classmethod
    def of(cls, name: str, title: str, parent: Path) -> Self:
        """The plan for a playbook called `name` in `parent`. Raises BadInput for names that cannot be used."""
        code = normal(name).removeprefix("WANFA_")
        if not CODE.fullmatch(code):
            raise BadInput(f"{name!r} must be 2 to 32 letters, digits and single _ or -, a letter first: LUCKY_DRAW")
        if title.isascii() or not title.isprintable() or len(title) > TITLE_LENGTH_MAX or set(title) & set("\"'\\{}|"):
            raise BadInput(f"{title!r} must be Chinese, at most {TITLE_LENGTH_MAX} characters, without quotes")
        return cls(code, title, parent / f"wanfa-{code.lower().replace('_', '-')}")

    @property
    def words(self) -> dict[str, str]:
        """What stands in the templates in double braces."""
        short = self.code.lower()
        return {
            "code": self.code,
            "short": short,
            "project": self.folder.name,
            "package": f"wanfa_{short}",
            "Class": "".join(part.capitalize() for part in short.split("_")),
            "title": self.title,
        }


def write_package(plan: Plan) -> list[Path]:
    """Write every file of the package; their paths. Raises AlreadyExists, and OSError where it cannot write."""
    if plan.folder.exists():
        raise AlreadyExists(f"{plan.folder} exists; choose another name or another --dir")
    written = []
    for template in sorted(TEMPLATES.rglob(f"*{SUFFIX}"), key=lambda path: (len(path.parts), path)):
        name = template.relative_to(TEMPLATES).as_posix().removesuffix(SUFFIX)
        path = plan.folder / name.replace("package", plan.words["package"]).replace("short", plan.words["short"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(template.read_text(encoding="utf-8"), plan), encoding="utf-8")
        written.append(path)
    return written


def filled(text: str, plan: Plan) -> str:
    """A template's text with the plan's words in it."""
    for key, word in plan.words.items():
        text = text.replace(f"{{{{{key}}}}}", word)
    return text
