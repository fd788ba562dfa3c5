"""`wanfa playbook list` says of each playbook where it comes from and whether it can be used."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from engine.catalog.registry import Registry, load_playbooks
from engine.runtime.screen import playbooks_table
from tests.support.strangers import Strangers, strangers_in


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Strangers]:
    """Packages that look installed beside ours."""
    with strangers_in(tmp_path) as found:
        yield found


def lines(registry: Registry) -> list[list[str]]:
    """What is shown, in words."""
    console = Console(file=StringIO(), width=160)
    playbooks_table(console, registry)
    assert isinstance(console.file, StringIO)
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]


def test_each_playbook_has_a_line(strangers: Strangers) -> None:
    """Code, name, version, package with its version, SDK range and state; dashes where nothing is known."""
    strangers.install("dice", version="2.3.1", name="骰子", sdk="~=1.0")
    strangers.install("draw", name="抽奖", sdk=">=2")
    strangers.install("oops", module="import no_such_module")

    shown = lines(load_playbooks())

    assert shown[0] == ["code", "name", "version", "source", "sdk", "state"]
    found = {line[0]: line for line in shown[1:]}
    assert found["DICE"][3:] == ["strange_dice", "of", "wanfa-dice", "2.3.1", "~=1.0", "loaded"]
    assert found["DRAW"][3:] == ["strange_draw", "of", "wanfa-draw", "1.0", ">=2", "quarantined"]
    assert found["-"] == ["-", "oops", "-", "strange_oops", "of", "wanfa-oops", "1.0", "-", "quarantined"]
    assert found["FLASH_SALE"][3:5] == ["plugins.flash_sale", "of"]
    assert " ".join(found["oops"]) == "oops is quarantined: ModuleNotFoundError: No module named 'no_such_module'"
    assert " ".join(found["draw"]).startswith("draw is quarantined: it was written for engine.sdk >=2")


def test_what_was_not_tried_is_said() -> None:
    """A list without a Valkey knows manifests only; one by an engine knows all."""
    registry = load_playbooks()
    assert "Manifests only" in " ".join(map(" ".join, lines(registry)))

    registry.tried = True
    assert "Manifests only" not in " ".join(map(" ".join, lines(registry)))


def test_one_that_was_found_out_when_tried() -> None:
    registry = load_playbooks()
    registry.quarantine("FLASH_SALE", "join: step.lua:3: step ran over its budget")

    shown = {line[0]: line for line in lines(registry)}
    assert shown["FLASH_SALE"][-1] == "budget"
    assert any(line[:1] == ["FLASH_SALE"] and line[-1] == "quarantined" for line in lines(registry))
