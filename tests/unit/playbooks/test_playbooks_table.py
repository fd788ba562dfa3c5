"""`wanfa playbook list` says of each playbook where it comes from and whether it can be used."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from engine.cli.screen import playbooks_table, welcome
from engine.core.settings import load_settings
from engine.local.health import Health
from engine.playbooks.registry import Registry, load_playbooks
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
    found = {line[0]: line for line in reversed(shown[1:])}
    assert found["DICE"][3:] == ["strange_dice", "of", "wanfa-dice", "2.3.1", "~=1.0", "loaded"]
    assert found["DRAW"][3:] == ["strange_draw", "of", "wanfa-draw", "1.0", ">=2", "quarantined"]
    assert found["-"] == ["-", "oops", "-", "strange_oops", "of", "wanfa-oops", "1.0", "-", "quarantined"]
    assert found["FLASH_SALE"][3:5] == ["plugins.flash_sale", "of"]
    below = [" ".join(line) for line in shown if "is" in line]
    assert below[0].startswith("DRAW is quarantined: it was written for engine.sdk >=2")
    assert below[1] == (
        "oops is quarantined: ModuleNotFoundError: No module named 'no_such_module' (strange_oops/__init__.py:1)"
    )


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


def test_the_box_says_what_it_is_ready_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each quarantined playbook, cut at the box; and what is paused because of a missing one."""
    monkeypatch.setenv("WANFA_DEMO_PASSWORD", "hush")
    console = Console(file=StringIO(), width=80)
    welcome(
        console,
        load_settings("test", environ={}),
        Health({"DRAW": "join: step.lua:2:\nran " + "long " * 50}, {"DRAW": 2}),
    )
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()

    assert "wanfa is ready without DRAW; 2 products paused" in shown
    (line,) = [line for line in shown.splitlines() if "step.lua" in line]
    assert line.split()[1:6] == ["quarantined", "DRAW:", "join:", "step.lua:2:", "ran"]
    assert "2 products of DRAW, which is not loaded" in shown


def test_the_footnote_fits_the_terminal() -> None:
    console = Console(file=StringIO(), width=80)
    playbooks_table(console, Registry())
    assert isinstance(console.file, StringIO)
    assert max(map(len, console.file.getvalue().splitlines())) <= 80
