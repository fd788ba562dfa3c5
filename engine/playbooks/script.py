"""The gate's script, composed with every playbook's steps; and the trial of one playbook."""

import re
from collections.abc import Iterable
from functools import cache

from engine.gate.lua import read_lua
from engine.gate.outcome import STEP_REFUSALS, Outcome
from engine.gate.records import HeadStatus
from engine.playbooks.bounds import BOUNDS, BOUNDS_NAMES, bounded
from engine.sdk import Playbook, States, Status

# A step is pure: these names are hidden from it, so it can reach neither Redis nor another step.
HIDDEN = (
    "redis, server, KEYS, ARGV, _G, playbook_of, code, clock, cmsgpack, cjson, struct, os, load, loadstring, "
    "setmetatable, getmetatable, rawset, rawget, rawequal, collectgarbage, gcinfo, coroutine, pcall, xpcall, "
    "__redis__err__handler, __server__err__handler, step_refusals, moves, reserving, early, " + BOUNDS_NAMES
)
STEPS_MAY_CALL = ("random", "reward", "notice")

# Body of a Lua function: ms since 1970. Never an API host's clock; the author's kit has one that can be moved.
REDIS_CLOCK = """local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)"""


def compose_gate(playbooks: Iterable[Playbook], clock: str = REDIS_CLOCK) -> str:
    """gate.lua with its constants and the steps of `playbooks`, in a stable order."""
    ordered = sorted(playbooks, key=lambda playbook: playbook.code)
    return f"{_head(clock)}{_playbooks(ordered)}{read_lua('gate')}"


def compose_trial(playbook: Playbook) -> tuple[str, int, int]:
    """trial.lua with one playbook; and the first and last line of its `step.lua` in it. Raises PlaybookInvalid."""
    source = f"{_head('return 0')}{_playbooks([playbook])}{read_lua('trial')}".replace(
        "#!lua", "#!lua flags=no-writes", 1
    )
    first = source[: source.index(f"do\n{bounded(playbook.step)}\nend\nend)()")].count("\n") + 2
    return source, first, first + playbook.step.count("\n")


def _head(clock: str) -> str:
    """All that stands before the playbooks: constants, the clock, the bounds of a step, how steps are run."""
    parts = ["#!lua\n", _constants(), f"local function clock()\n{clock}\nend\n", BOUNDS]
    return "".join([*parts, read_lua("include/steps")])


def _values() -> dict[str, int]:
    values: dict[str, int] = {outcome.name: int(outcome) for outcome in Outcome}
    values |= {status.name: int(status) for status in Status}
    return values | {f"CONFIG_{status.name}": int(status) for status in HeadStatus}


def _constants() -> str:
    values = _values()
    names, numbers = ", ".join(values), ", ".join(str(value) for value in values.values())
    allowed = ", ".join(f"[{int(outcome)}] = true" for outcome in STEP_REFUSALS)
    return f"local {names} = {numbers}\nlocal step_refusals = {{ {allowed} }}\n"


@cache
def _scope() -> str:
    """What a file of steps sees: nothing of the engine's, and its own copies of what it may use.

    A name it forgot to declare as local is an error, or its own business: never another playbook's.
    """
    engines = re.findall(r"^local (?:function )?([\w, ]+)", read_lua("include/steps"), re.MULTILINE)
    hidden = [name for names in engines for name in names.strip().split(", ") if name not in STEPS_MAY_CALL]
    given = ", ".join([*_values(), *STEPS_MAY_CALL])
    return f"local {HIDDEN}, {', '.join(hidden)}; local {given} = {given}"


def _playbooks(playbooks: Iterable[Playbook]) -> str:
    """One function that makes the steps of the playbook asked for: a batch pays for no other."""
    return f"local function playbook_of(code)\n{''.join(map(_playbook, playbooks))}end\n"


def _playbook(playbook: Playbook) -> str:
    what = f"{_moves(playbook.states)}, {_set(playbook.reserves)}, {_set(playbook.early)}"
    return (
        f"if code == '{playbook.code}' then\nlocal moves, reserving, early = {what}\n"
        f"local string, table, math = libraries({_mentions(playbook.step)})\n"
        f"local steps = (function()\n{_scope()}\ndo\n{bounded(playbook.step)}\nend\nend)()\n"
        "return steps, moves, reserving, early\nend\n"
    )


def _mentions(source: str) -> str:
    """Which of Lua's libraries the step may be using."""
    return ", ".join("true" if name in source else "false" for name in ("string", "table", "math"))


def _moves(states: States) -> str:
    rows = (f"[{int(status)}] = {_set(map(int, following))}" for status, following in states.moves.items())
    return f"{{ {', '.join(rows)} }}"


def _set(members: Iterable[object]) -> str:
    return f"{{ {', '.join(f'[{member!r}] = true' for member in members)} }}"
