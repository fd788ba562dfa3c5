"""A stranger's package can break in many ways: each costs it its own place, and the others go on selling."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.settings import Settings, environment
from engine.gate.outcome import Outcome
from engine.playbooks.bounds import TICKS_MAX
from engine.runtime.database import prepare_database
from tests.support.market import Market, open_market
from tests.support.strangers import Strangers, strangers_in

STEP = "return { join = function() end }"
REMOTE = """\
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from engine.sdk import Rules, hookimpl
from plugins import flash_sale


class RemoteRules(Rules, frozen=True):
    prize: Annotated[str, Meta(extra_json_schema={"$ref": "https://example.com/prize.json"})] = ""


@hookimpl
def wanfa_playbook():
    return replace(flash_sale.wanfa_playbook(), code="BAD", rules=RemoteRules)
"""
CURIOUS = """\
from engine.sdk import hookimpl


@hookimpl
def wanfa_playbook(colour):
    return colour
"""

# What is wrong -> how it is installed, and what its error says.
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "another SDK": ({"sdk": ">=2,<3"}, "it was written for engine.sdk >=2,<3"),
    "a code of ours": (
        {"code": "FLASH_SALE", "point": "bad"},
        "code FLASH_SALE of strange_bad of wanfa-bad 1.0 is already",
    ),
    "a hook of another shape": ({"module": CURIOUS}, "wanfa_playbook takes no arguments; it declares 'colour'"),
    "no hook": ({"module": "x = 1"}, "the module has no @hookimpl named wanfa_playbook"),
    "an import that fails": ({"module": "import no_such_module"}, "ModuleNotFoundError"),
    "an import that exits": ({"module": "raise SystemExit"}, "SystemExit"),
    "a form that refers to elsewhere": ({"module": REMOTE}, "refers to 'https://example.com/prize.json'"),
    "an early verb it has not": ({"early": ("cut",)}, "its early name 'cut'"),
    "Lua that does not compile": ({"step": "local step = {\nreturn step"}, "step.lua:2: "),
    "Lua that breaks out": (
        {"step": "return {} end end redis.call('FLUSHALL') do do"},
        "step.lua:1: 'end' ends no block",
    ),
    "no table of steps": ({"step": "return 7"}, "step.lua must return a table of functions"),
    "a step that loops for ever": (
        {"step": "return { join = function()\n while true do end\nend }"},
        f"join: step.lua:2: step ran over its budget of {TICKS_MAX} loops and calls",
    ),
    "a file that loops for ever": ({"step": "repeat until false"}, "step.lua:1: step ran over its budget"),
    "a step that eats memory": (
        {"step": "return { open = function() local s = 'x' while true do s = s .. s end end }"},
        "open: step.lua:1: step used more than",
    ),
    "a migration that fails": (
        {"step": STEP, "migrations": {"0001_one.sql": "SELECT 1 / 0"}},
        "BAD/0001_one.sql is not applied: run `wanfa migrate`",
    ),
    "a stray migration": ({"step": STEP, "migrations": {"fix.sql": "SELECT 1"}}, "BAD/fix.sql: a migration is called"),
    "a gap in its migrations": ({"step": STEP, "migrations": {"0002_two.sql": "SELECT 1"}}, "expected number 0001"),
}


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Strangers]:
    """Packages that look installed; one of them is good and keeps a table."""
    with strangers_in(tmp_path / "packages") as found:
        found.install("good", step=STEP, migrations={"0001_one.sql": "CREATE TABLE good (a int)"})
        yield found


async def sell(market: Market, code: str) -> None:
    """A unit of it, from the click to a row."""
    config = await market.publish(code, stock=1)
    order = await market.hold(config, "u1")
    await market.drain_all()
    assert (await market.order(order))[0] == "HELD"
    assert (await market.click(config, "u2")).outcome == Outcome.SOLD_OUT


WORST = (
    "an import that exits",
    "Lua that breaks out",
    "a step that loops for ever",
    "a step that eats memory",
    "a migration that fails",
)


@pytest.mark.parametrize("how", WORST)
async def test_what_is_broken_is_quarantined_alone(settings: Settings, strangers: Strangers, how: str) -> None:
    """Its error says why; what is ours and what is another stranger's is loaded and sells."""
    installed, why = BROKEN[how]
    strangers.install("bad", **installed)
    await prepare_database(settings)

    async with open_market(settings) as market:
        registry = market.engine.playbooks
        assert {"FLASH_SALE", "GROUP_BUY", "GOOD"} <= set(registry.loaded)
        (name,) = registry.quarantined
        assert name.lower() == "bad"
        assert why in registry.quarantined[name]
        assert registry.packages[name].distribution == "wanfa-bad"
        await sell(market, "FLASH_SALE")
        await sell(market, "GOOD")


async def test_all_that_is_broken_at_once(settings: Settings, strangers: Strangers) -> None:
    """Each has its own error, and the good ones sell."""
    names = {f"bad_{number:02d}": how for number, how in enumerate(sorted(BROKEN))}
    for name, how in names.items():
        strangers.install(name, **BROKEN[how][0] | {"point": name})
    migrated = await prepare_database(settings)

    assert "GOOD/0001_one.sql" in migrated.applied
    assert len(migrated.refused) == 3
    async with open_market(settings) as market:
        registry = market.engine.playbooks
        quarantined = {registry.packages[name].point: why for name, why in registry.quarantined.items()}
        wrong = {
            how: quarantined.get(name)
            for name, how in names.items()
            if BROKEN[how][1].replace("BAD", name.upper()).replace("bad", name) not in quarantined.get(name, "")
        }
        assert wrong == {}
        assert set(quarantined) == set(names)
        await sell(market, "FLASH_SALE")
        await sell(market, "GOOD")


async def test_a_repaired_migration_brings_the_playbook_back(settings: Settings, strangers: Strangers) -> None:
    """`wanfa migrate` and the next start are all it takes."""
    package = strangers.install("bad", step=STEP, migrations={"0001_one.sql": "CREATE TABEL bad ()"})
    migrated = await prepare_database(settings)
    assert migrated.refused["BAD"].startswith("BAD/0001_one.sql failed and was rolled back: syntax error")
    async with open_market(settings) as market:
        assert set(market.engine.playbooks.quarantined) == {"BAD"}

    (package / "migrations" / "0001_one.sql").write_text("CREATE TABLE bad ()", encoding="utf-8")
    assert await prepare_database(settings) == (["BAD/0001_one.sql"], {})
    async with open_market(settings) as market:
        assert market.engine.playbooks.quarantined == {}
        await sell(market, "BAD")


def migrate(settings: Settings, strangers: Strangers, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `wanfa migrate`."""
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli.main", "migrate", *arguments],
        env=os.environ | environment(settings) | {"WANFA_ENV": "test", "PYTHONPATH": str(strangers.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_wanfa_migrate_says_who_is_left_out(settings: Settings, strangers: Strangers) -> None:
    """And exits with 1, having migrated all the rest; before and after."""
    strangers.install("bad", step=STEP, migrations={"0001_one.sql": "SELECT 1 / 0"})
    why = "playbook BAD is left out: BAD/0001_one.sql failed and was rolled back: division by zero"

    assert migrate(settings, strangers, "--check") == (
        1,
        "would apply BAD/0001_one.sql\nwould apply GOOD/0001_one.sql\n",
    )
    assert migrate(settings, strangers) == (1, f"applied GOOD/0001_one.sql\n{why}\n")
    assert migrate(settings, strangers) == (1, f"{why}\n")
    strangers.uninstall("bad")
    assert migrate(settings, strangers) == (0, "the database is up to date\n")


async def test_all_that_an_engine_loads_has_been_tried(settings: Settings, strangers: Strangers) -> None:
    async with open_market(settings) as market:
        assert market.engine.playbooks.tried
