"""A Lua command's header is its contract: it is parsed here and compared with the code."""

import re

import pytest

from engine.gate import lua
from engine.gate.outcome import REFUSALS, Outcome

COMMANDS = sorted(path.stem for path in lua.lua_dir().glob("*.lua"))


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


def test_the_readme_lists_every_command() -> None:
    """scripts/lua/README.md has a row for each command."""
    readme = (lua.lua_dir() / "README.md").read_text(encoding="utf-8")

    for name in COMMANDS:
        assert f"`{name}.lua`" in readme


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
