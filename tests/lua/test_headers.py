"""A Lua command's header is its contract: it is parsed here and compared with the code."""

import re

import pytest

from engine.gate import lua
from engine.gate.outcome import REFUSALS, Outcome
from engine.playbooks.bounds import BOUNDS_NAMES
from engine.playbooks.script import GATE_INCLUDES, STEPS_MAY_CALL

COMMANDS = sorted(path.stem for path in lua.lua_dir().glob("*.lua"))
INCLUDES = ("steps", *GATE_INCLUDES)  # in the order in which they are composed
LOADERS = {"clock", "playbook_of", "step_refusals", *BOUNDS_NAMES.split(", ")}


def parts(source: str) -> tuple[str, str]:
    """The header, and the code without its comments and texts."""
    header, _, code = source.partition("]]")
    return header, re.sub(r"--[^\n]*|'[^'\n]*'", "", code)


def given(source: str) -> set[str]:
    """What a file defines for those behind it: the names that begin a line."""
    found = re.findall(r"^local (?:function )?([\w, ]+)", parts(source)[1], re.MULTILINE)
    return {name for names in found for name in names.strip().split(", ")}


def used(source: str) -> set[str]:
    """Every name in the code that is no field of something."""
    return set(re.findall(r"(?<![\w.:])[A-Za-z_]\w*", parts(source)[1]))


def announced(header: str, word: str) -> set[str]:
    """The names after `Needs:` or `Gives:`."""
    found = re.search(rf"^  {word}: (\w+(?:,\s+\w+)*)", header, re.MULTILINE)
    return set(re.split(r",\s+", found[1])) if found else set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_header_names_what_the_code_reads(name: str) -> None:
    """Every KEYS and ARGV index in the code is announced, and every announced one is used."""
    header, _, code = lua.read_lua(name).partition("]]")

    assert header.startswith(f"--[[ {name}: ")
    assert "\n  Output: " in header
    for word in ("KEYS", "ARGV"):
        announced = set(re.findall(rf"^  {word}\[(\d+)", header, re.MULTILINE))
        used = set(re.findall(rf"{word}\[(\d+)\]", code))
        open_ended = re.search(rf"^  {word}\[(\d+)\.\.\]", header, re.MULTILINE)
        assert used <= announced
        assert announced - used <= ({open_ended.group(1)} if open_ended else set())


@pytest.mark.parametrize("name", INCLUDES)
def test_an_include_names_what_it_needs_and_gives(name: str) -> None:
    """What it takes from those before it, and what those behind it take; the rest is its own."""
    place = INCLUDES.index(name)
    source = lua.read_lua(f"include/{name}")
    before = [lua.read_lua(f"include/{other}") for other in INCLUDES[:place]]
    behind = [lua.read_lua(f"include/{other}") for other in INCLUDES[place + 1 :]]
    behind += [lua.read_lua(command) for command in ("gate", "trial")]
    header, _ = parts(source)

    assert header.startswith(f"--[[ {name}: ")
    assert announced(header, "Needs") == used(source) & LOADERS.union(*map(given, before))
    taken = set().union(*map(used, behind)) | set(STEPS_MAY_CALL)
    assert announced(header, "Gives") == given(source) & taken


def test_every_include_is_composed() -> None:
    assert {path.stem for path in (lua.lua_dir() / "include").glob("*.lua")} == set(INCLUDES)


def test_the_readme_lists_every_command_and_include() -> None:
    """scripts/lua/README.md has a row for each, the includes in their order."""
    readme = (lua.lua_dir() / "README.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(\w+)\.lua` \|", readme, re.MULTILINE)) == set(COMMANDS)
    assert tuple(re.findall(r"^\| `include/(\w+)\.lua` \|", readme, re.MULTILINE)) == INCLUDES


def test_every_refusal_has_an_error_of_the_same_name() -> None:
    """One table of codes, one translation, equal names on both sides."""
    refusing = {outcome for outcome in Outcome if outcome >= 10}

    assert set(REFUSALS) == refusing
    assert {outcome.name for outcome in refusing} == {error.code for error in REFUSALS.values()}


def test_the_readme_lists_every_outcome() -> None:
    """scripts/lua/README.md explains each code."""
    readme = (lua.lua_dir() / "README.md").read_text(encoding="utf-8")

    for outcome in Outcome:
        assert f"| {int(outcome)} | `{outcome.name}` |" in readme
