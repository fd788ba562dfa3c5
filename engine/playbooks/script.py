"""The gate's script, composed with every playbook's steps; and the trial of one playbook."""

import re
from collections.abc import Iterable
from functools import cache

from engine.gate import wire
from engine.gate.lua import read_lua
from engine.gate.outcome import STEP_REFUSALS, Outcome
from engine.gate.records import KEY_LENGTH, PERSON_RELEASED_MAX, Effect, EffectState, HeadStatus
from engine.playbooks.bounds import BOUNDS, BOUNDS_NAMES, bounded
from engine.sdk import Playbook, States, Status

# A step is pure: these names are hidden from it, so it can reach neither Redis nor another step.
HIDDEN = (
    "redis, server, KEYS, ARGV, _G, playbook_of, code, clock, cmsgpack, cjson, struct, os, load, loadstring, "
    "setmetatable, getmetatable, rawset, rawget, rawequal, collectgarbage, gcinfo, coroutine, pcall, xpcall, "
    "__redis__err__handler, __server__err__handler, step_refusals, moves, reserving, early, " + BOUNDS_NAMES
)
STEPS_MAY_CALL = ("random", "reward", "notice")

# The gate's own parts, in order. They stand behind the playbooks, so a step sees nothing of them.
GATE_INCLUDES = ("records", "rules", "decide", "settle", "write")

# Body of a Lua function: ms since 1970. Never an API host's clock; the author's kit has one that can be moved.
REDIS_CLOCK = """local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)"""

_CONSTANT = re.compile(r"\b[A-Z][A-Z_]+\b")


def compose_gate(playbooks: Iterable[Playbook], clock: str = REDIS_CLOCK) -> str:
    """gate.lua behind all it needs: constants, includes and the steps of `playbooks`, in a stable order."""
    return compose_library(playbooks, clock) + _gate()


def compose_library(playbooks: Iterable[Playbook], clock: str = REDIS_CLOCK) -> str:
    """What runs steps, and the steps: a script that does nothing with them yet."""
    ordered = sorted(playbooks, key=lambda playbook: playbook.code)
    return f"{_head(clock)}{_playbooks(ordered)}"


def compose_trial(playbook: Playbook) -> tuple[str, int, int]:
    """trial.lua with one playbook; and the first and last line of its `step.lua` in it. Raises PlaybookInvalid."""
    source = compose_library([playbook], "return 0").replace("#!lua", "#!lua flags=no-writes", 1) + read_lua("trial")
    first = source[: source.index(f"do\n{bounded(playbook.step)}\nend\nend)()")].count("\n") + 2
    return source, first, first + playbook.step.count("\n")


def _head(clock: str) -> str:
    """All that stands before the playbooks: constants, the clock, the bounds of a step, how steps are run."""
    return f"#!lua\n{_constants()}local function clock()\n{clock}\nend\n{BOUNDS}{_includes(['steps'])}"


def _includes(names: Iterable[str]) -> str:
    return "".join(read_lua(f"include/{name}") for name in names)


def _values() -> dict[str, int]:
    values: dict[str, int] = {outcome.name: int(outcome) for outcome in Outcome}
    values |= {status.name: int(status) for status in Status}
    return values | {f"CONFIG_{status.name}": int(status) for status in HeadStatus}


def _constants() -> str:
    values = _values()
    names, numbers = ", ".join(values), ", ".join(str(value) for value in values.values())
    return f"local {names} = {numbers}\nlocal step_refusals = {_set(map(int, STEP_REFUSALS))}\n"


def _gate_values() -> dict[str, int | str]:
    """What the gate's files are given besides: places of fields, states of effects, kinds of events."""
    values: dict[str, int | str] = {"KEY_LENGTH": KEY_LENGTH, "PERSON_RELEASED_MAX": PERSON_RELEASED_MAX}
    for prefix, record in (("BATCH", wire.Batch), ("CLICK", wire.Click), ("EFFECT", Effect)):
        values |= {f"{prefix}_{field.upper()}": place for place, field in enumerate(record.__struct_fields__, 1)}
    values |= {state.name: int(state) for state in EffectState}
    return values | {f"EVENT_{kind.upper()}": kind for kind in wire.EVENTS}


def _gate() -> str:
    """The gate's own files, with the value of every constant in the place of its name.

    As locals of the script, which Lua's functions reach as upvalues, they would cost a click four per cent.
    """
    values = {**_values(), **_gate_values()}
    source = _includes(GATE_INCLUDES) + read_lua("gate")
    return _CONSTANT.sub(lambda name: repr(values[name[0]]) if name[0] in values else name[0], source)


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
