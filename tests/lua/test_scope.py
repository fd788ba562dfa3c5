"""What a file of steps writes without `local` is an error, or its own: never the engine's or another playbook's."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import redis

from engine.local.running import Running
from engine.playbooks import script
from engine.playbooks.bounds import BOUNDS, BOUNDS_NAMES
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook

HEAD = script._head("return 0")
ENGINES = re.findall(r"^local (?:function )?([\w, ]+)", HEAD.replace(BOUNDS, ""), re.MULTILINE)
BEHIND = re.findall(r"^local (?:function )?([\w, ]+)", script._gate(), re.MULTILINE)
NAMES = sorted({name for names in [BOUNDS_NAMES, "playbook_of", *ENGINES] for name in names.strip().split(", ")})
GATES = sorted({name for names in BEHIND for name in names.strip().split(", ")} | set(script._gate_values()))

Evaluate = Callable[[str], Any]


@pytest.fixture
def evaluate(valkey: Running) -> Iterator[Evaluate]:
    """`evaluate(lua)`: its answer."""
    with redis.Redis.from_url(valkey.url) as client:
        yield lambda source: client.eval(source, 0)


def playbook(step: str, code: str = "LOTTERY") -> Playbook:
    return msgspec.structs.replace(load_playbooks().loaded["FLASH_SALE"], code=code, step=step)


def test_every_name_of_the_engines_is_looked_at() -> None:
    assert {"PENDING", "SOLD_OUT", "CONFIG_PAUSED", "run_step", "random", "is_whole", "playbook_of", "clock"} <= set(
        NAMES
    )
    assert {"begin_run", "overran", "libraries", "steps_run", "falls_through", "NOBODY", "batch_seed"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_engines_cannot_be_written(evaluate: Evaluate, name: str) -> None:
    """The engine and the next playbook find it as it was."""
    vandal = playbook(f"{name} = 'written' return {{}}")
    reader = playbook(f"return {{ join = function() return {name} == 'written' end }}", "OTHER")
    source = (
        f"{HEAD}{script._playbooks([vandal, reader])}begin_run() pcall(playbook_of, 'LOTTERY')\n"
        f"local mine = {name} == 'written'\n"
        "return (mine or playbook_of('OTHER').join()) and 1 or 0"
    )
    assert evaluate(source) == 0


@pytest.mark.parametrize("name", ["string", "table", "math", "pairs", "tostring", "forgotten"])
def test_a_global_cannot_be_written(evaluate: Evaluate, name: str) -> None:
    """Libraries are the playbook's own; what is really global belongs to Redis, which refuses."""
    vandal = playbook(f"{name} = 'written' return {{}}")
    source = (
        f"{HEAD}{script._playbooks([vandal])}begin_run() pcall(playbook_of, 'LOTTERY')\n"
        f"local ok, found = pcall(function() return {name} end) return ok and found == 'written' and 1 or 0"
    )
    assert evaluate(source) == 0


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(script.STEPS_MAY_CALL) - set(script._values())))
def test_the_engines_own_is_not_seen(evaluate: Evaluate, name: str) -> None:
    reader = playbook(f"return {{ join = function() return {name} == nil end }}")
    source = f"{HEAD}{script._playbooks([reader])}begin_run() return playbook_of('LOTTERY').join() and 1 or 0"
    assert evaluate(source) == 1


# What a pure function of its arguments can do with; `string`, `table` and `math` are the playbook's own copies.
MAY_BE_SEEN = {
    *("assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type", "unpack"),
    *("_VERSION", "bit", "string", "table", "math"),
}


def test_of_what_redis_offers_a_step_sees_what_is_pure(evaluate: Evaluate) -> None:
    """Neither Redis nor the batch, no clock, no other step's tables, nothing that would catch its own end."""
    found = evaluate("local names = {} for name in pairs(_G) do names[#names + 1] = name end return names")
    offered = sorted({name.decode() for name in found} | {"redis", "server", "KEYS", "ARGV"})
    looks = "".join(f"if {name} ~= nil then seen[#seen + 1] = '{name}' end " for name in offered)
    reader = playbook(f"return {{ join = function() local seen = {{}} {looks} return seen end }}  -- string table math")
    source = f"{HEAD}{script._playbooks([reader])}begin_run() return playbook_of('LOTTERY').join()"
    assert {"pcall", "setmetatable", "os", "cjson"} <= set(offered)
    assert {name.decode() for name in evaluate(source)} == MAY_BE_SEEN


def test_what_stands_behind_the_playbooks_is_not_seen(evaluate: Evaluate) -> None:
    """The gate's own files come after the steps, and the values written into them are written into no step."""
    assert {"now_ms", "configs", "orders", "decide", "pack_record", "CLICK_VERB", "EFFECT_STATE", "HELD"} <= set(GATES)
    before_the_first_call, _, _ = script._gate().partition("if redis.call('GET', KEYS[1])")
    for name in [*GATES, "SOLD_OUT"]:
        reader = playbook(f"return {{ join = function() return {name} ~= nil end }}")
        source = (
            f"{script.compose_library([reader], 'return 0')}{before_the_first_call}"
            "begin_run() local ok, seen = pcall(playbook_of('LOTTERY').join) return ok and seen and 1 or 0"
        )
        assert (name, evaluate(source)) == (name, int(name == "SOLD_OUT"))  # which a step may answer


def test_the_script_is_the_same_in_whatever_order_playbooks_are_found() -> None:
    """Every process must have the same one: its name is how a restarted Redis is told from one that goes on."""
    playbooks = list(load_playbooks().loaded.values())
    assert script.compose_gate(playbooks) == script.compose_gate(reversed(playbooks))
