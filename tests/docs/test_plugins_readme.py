"""plugins/README.md is the contract: whatever a playbook can say or be told stands in it."""

import re

import msgspec
import pytest

from engine import sdk
from engine.gate.lua import read_lua
from engine.gate.outcome import STEP_REFUSALS
from engine.kit.docs.pages import rules_table
from engine.playbooks.manifest import RESERVED_VERBS
from engine.playbooks.registry import load_playbooks
from engine.playbooks.script import GATE_INCLUDES
from engine.sdk import (
    Counters,
    Example,
    Fact,
    Metric,
    Offer,
    Playbook,
    Problem,
    Rules,
    Session,
    States,
    Status,
    View,
    Window,
)
from tests.docs.tour import CHECKOUT

CONTRACT = (CHECKOUT / "plugins" / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", CONTRACT, re.MULTILINE | re.DOTALL)
    assert found, f"plugins/README.md has no section {title!r}"
    return found[1]


def rows(text: str) -> set[str]:
    """The names in code marks in the first column of the tables in a text."""
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("struct", [Playbook, Rules, States, Session, Window, Offer, Problem, Example, View, Metric])
def test_every_field_has_a_row(struct: type[msgspec.Struct]) -> None:
    """No field without a word about it, and no word about a field that is gone."""
    assert rows(section(struct.__name__)) == set(struct.__struct_fields__)


def test_every_counter_is_named() -> None:
    assert set(re.findall(r"`(\w+)`", section("Counters"))) == set(Counters.__struct_fields__)


def test_every_step_has_a_row() -> None:
    """Those of consumers, those of events, and the playbook's own."""
    reserves = next(field.default for field in msgspec.structs.fields(Playbook) if field.name == "reserves")
    assert rows(section("Steps")) == {*reserves, *RESERVED_VERBS, "actions"}


def test_everything_a_step_is_given_has_a_row() -> None:
    """The keys of `click`, facts included, and the engine's cells, as the gate's includes make them."""
    gate = "".join(read_lua(f"include/{name}") for name in GATE_INCLUDES)
    given = {key for table in re.findall(r"local asked = \{(.*?)\}", gate, re.DOTALL) for key in keys_of(table)}
    given |= set(re.findall(r"asked\.(\w+)[, ]", gate)) - given
    fresh = re.search(r"local function fresh_cells\(\)\s+return \{(.*?)\}", gate)
    assert fresh
    assert {fact.value for fact in Fact} < given
    assert rows(section("What a step is given")) == given | keys_of(fresh[1])


def keys_of(table: str) -> set[str]:
    """The names in a Lua table's constructor."""
    return set(re.findall(r"(\w+) =", table))


def test_everything_a_step_may_call_has_a_row() -> None:
    """The functions of include/steps.lua that are not hidden from it."""
    calls = set(re.findall(r"`(\w+)\(click, ", section("What a step may call")))
    functions = set(re.findall(r"^local function (\w+)\((?:click|_), ", read_lua("include/steps"), re.MULTILINE))
    assert calls == functions


def test_every_fact_has_a_row() -> None:
    assert rows(section("Fact")) == {fact.name for fact in Fact}
    for fact in Fact:
        assert f"| `{fact.name}` | `{fact.value}`" in section("Fact")


def test_every_cell_the_view_understands_is_named() -> None:
    """The view and the steps' runner read these from a playbook's own cells."""
    view = (CHECKOUT / "engine" / "live" / "view.py").read_text(encoding="utf-8")
    understood = set(re.findall(r"""cells(?:\.get\(|\[)"(\w+)\"""", view))
    bounds = re.search(r"INTEGER_MAX = \{(.*?)\}", read_lua("include/steps"), re.DOTALL)
    assert bounds
    understood |= keys_of(bounds[1])
    assert understood
    assert {name for name in understood if f"`{name}`" not in section("What a step is given")} == set()


def test_every_refusal_and_status_is_named() -> None:
    """Exactly the refusals the script accepts from a step."""
    named = set(re.findall(r"`([A-Z_]+)`", section("What a step may answer")))
    assert named == {outcome.name for outcome in STEP_REFUSALS} | {status.name for status in Status}


@pytest.mark.parametrize("code", sorted(load_playbooks().loaded))
def test_an_operators_readme_has_every_rule(code: str) -> None:
    """Title, field, bounds, default and help, as the form shows them; lists with what their items are."""
    playbook = load_playbooks().loaded[code]
    readme = (CHECKOUT / "plugins" / code.lower() / "README.md").read_text(encoding="utf-8")
    _head, _line, *expected = rules_table(playbook)
    assert set(re.findall(r"^\| .* \| `[\w.\[\]]+` \|.*$", readme, re.MULTILINE)) == set(expected)
    for metric in playbook.metrics:
        assert f"**{metric.label}**" in readme


def test_the_sdks_readme_has_every_name() -> None:
    """What a playbook may import is listed where the SDK is."""
    readme = (CHECKOUT / "engine" / "sdk" / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`.*?`) \| `\w+\.py` \|", readme, re.MULTILINE)
    assert {name for cell in table for name in re.findall(r"`(\w+)`", cell)} == set(sdk.__all__)
