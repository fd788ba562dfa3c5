"""A page that is there already, with what can be read off the manifest renewed and all that people wrote kept."""

import re
from collections.abc import Iterator

Section = list[list[str]]  # blocks: lines without an empty one between them, or a fence with all that is in it

VERSION = re.compile(r"版本 .*，计量单位：.*。")  # the one sentence that is made anew: people extend the others


def renewed(old: str, page: str) -> str:
    """`old` with the tables, drawings and version of `page` in the place of those it has.

    A table is known by its head, a drawing by its kind, each in the section of the same title. A table, drawing or
    section that `old` has not is added; sentences are left as people have them.
    """
    before, after = _sections(old), _sections(page)
    for title, blocks in after.items():
        if title not in before:
            before[title] = blocks
            continue
        for place, block in enumerate(blocks):
            _put(before[title], block, blocks[place - 1])
    if not any(block[0].startswith("# ") for block in before[""]):
        before[""] = [block for block in after[""] if block[0].startswith("# ")] + before[""]
    blocks = [block for section in before.values() for block in section]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _put(section: Section, block: list[str], lead: list[str]) -> None:
    """Over the block it stands for; or, if it is a table or drawing, behind the others, after what leads to it."""
    for at, other in enumerate(section):
        if (_is_made(block) and other[0] == block[0]) or (_is_version(block) and _is_version(other)):
            section[at] = block
            return
    if _is_made(block):
        section += [lead, block] if lead[-1].endswith("：") and lead not in section else [block]


def _is_made(block: list[str]) -> bool:
    return block[0].startswith(("|", "```"))


def _is_version(block: list[str]) -> bool:
    return len(block) == 1 and VERSION.fullmatch(block[0]) is not None


def _sections(text: str) -> dict[str, Section]:
    """Title -> blocks, the title's own the first; what stands before the first title is under ""."""
    found: dict[str, Section] = {"": []}
    section = found[""]
    for block in _blocks(text):
        if block[0].startswith("## "):
            title = block[0] if block[0] not in found else f"{block[0]} {len(found)}"  # two of one title stay two
            section = found.setdefault(title, [])
        section.append(block)
    return found


def _blocks(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        opens = line.startswith("```") and not fenced
        if block and not fenced and (opens or not line.strip() or line[0] == "#" or _mark(line) != _mark(block[-1])):
            yield block
            block = []
        if fenced or line.strip():
            block.append(line)
        if line.startswith("```"):
            fenced = opens
            if not opens:
                yield block
                block = []
    if block:
        yield block


def _mark(line: str) -> str:
    """What tells a title and a row of a table from text."""
    return line[0] if line[0] in "#|" else ""
