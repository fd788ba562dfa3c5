"""Lua sources from `scripts/lua`, and the gate's script composed with every playbook's steps."""

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from engine.gate.bounds import BOUNDS, BOUNDS_NAMES, bounded
from engine.gate.outcome import STEP_REFUSALS, Outcome
from engine.gate.records import HeadStatus
from engine.sdk import Playbook, States, Status

# A step is pure: these names are hidden from it, so it can reach neither Redis nor another step.
HIDDEN = (
    "redis, server, KEYS, ARGV, _G, playbooks, clock, cmsgpack, cjson, struct, os, load, loadstring, "
    "setmetatable, getmetatable, rawset, rawget, rawequal, collectgarbage, gcinfo, coroutine, pcall, xpcall, "
    "__redis__err__handler, __server__err__handler, batch_seed, rewards, notices, promise, promised, merge, "
    "run_step, keep_promises, overlay_of, step_refusals, " + BOUNDS_NAMES
)

# Body of a Lua function: ms since 1970. Never an API host's clock; the author's kit has one that can be moved.
REDIS_CLOCK = """local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)"""


def lua_dir() -> Path:
    """The checkout's scripts/lua, or the folder packed into the wheel."""
    here = Path(__file__).resolve().parent.parent
    checkout = here.parent / "scripts" / "lua"
    return checkout if checkout.is_dir() else here / "_data" / "lua"


def read_lua(name: str) -> str:
    """The source of one command or include, without the `.lua`."""
    return (lua_dir() / f"{name}.lua").read_text(encoding="utf-8")


def sha(source: str) -> str:
    """What Redis calls the script."""
    return sha1(source.encode(), usedforsecurity=False).hexdigest()


def compose_gate(playbooks: Iterable[Playbook], clock: str = REDIS_CLOCK) -> str:
    """gate.lua with its constants and the steps of `playbooks`, in a stable order."""
    ordered = sorted(playbooks, key=lambda playbook: playbook.code)
    return "".join([_head(clock), *map(_playbook, ordered), read_lua("gate")])


def compose_trial(playbook: Playbook) -> tuple[str, int, int]:
    """trial.lua with one playbook; and the first and last line of its `step.lua` in it. Raises PlaybookInvalid."""
    step = _playbook(playbook)
    source = f"{_head('return 0')}{step}{read_lua('trial')}".replace("#!lua", "#!lua flags=no-writes", 1)
    first = source[: source.index(f"do\n{bounded(playbook.step)}\nend\nend)()")].count("\n") + 2
    return source, first, first + playbook.step.count("\n")


def compose_warm() -> str:
    """warm.lua, ready to run."""
    return "#!lua\n" + read_lua("warm")


def _head(clock: str) -> str:
    """All that stands before the playbooks: constants, the clock, the bounds of a step, how steps are run."""
    parts = ["#!lua\n", _constants(), f"local function clock()\n{clock}\nend\n", BOUNDS]
    return "".join([*parts, read_lua("include/steps"), "local playbooks = {}\n"])


def _constants() -> str:
    values: dict[str, int] = {outcome.name: int(outcome) for outcome in Outcome}
    values |= {status.name: int(status) for status in Status}
    values |= {f"CONFIG_{status.name}": int(status) for status in HeadStatus}
    names, numbers = ", ".join(values), ", ".join(str(value) for value in values.values())
    allowed = ", ".join(f"[{int(outcome)}] = true" for outcome in STEP_REFUSALS)
    return f"local {names} = {numbers}\nlocal step_refusals = {{ {allowed} }}\n"


def _playbook(playbook: Playbook) -> str:
    """A function that makes the playbook's steps, run only by a batch that has clicks for it."""
    what = f"{_moves(playbook.states)}, {_set(playbook.reserves)}, {_set(playbook.early)}"
    return (
        f"playbooks['{playbook.code}'] = function()\nlocal moves, reserving, early = {what}\n"
        "local string, table, math = libraries()\n"
        f"local steps = (function()\nlocal {HIDDEN}\ndo\n{bounded(playbook.step)}\nend\nend)()\n"
        "return steps, moves, reserving, early\nend\n"
    )


def _moves(states: States) -> str:
    rows = (f"[{int(status)}] = {_set(map(int, following))}" for status, following in states.moves.items())
    return f"{{ {', '.join(rows)} }}"


def _set(members: Iterable[object]) -> str:
    return f"{{ {', '.join(f'[{member!r}] = true' for member in members)} }}"
