"""Lua sources from `scripts/lua`, and the gate's script composed with every playbook's steps."""

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from engine.gate.outcome import STEP_REFUSALS, Outcome
from engine.gate.records import HeadStatus
from engine.sdk import Playbook, Status

# A step is pure: these names are hidden from it, so it can reach neither Redis nor another step.
HIDDEN = (
    "redis, server, KEYS, ARGV, _G, loaders, moves, reserves, cmsgpack, cjson, struct, os, load, loadstring, "
    "setmetatable, getmetatable, rawset, rawget, rawequal, collectgarbage, gcinfo, coroutine, pcall, xpcall, "
    "__redis__err__handler, __server__err__handler"
)


def lua_dir() -> Path:
    """The checkout's scripts/lua, or the folder packed into the wheel."""
    here = Path(__file__).resolve().parent.parent
    checkout = here.parent / "scripts" / "lua"
    return checkout if checkout.is_dir() else here / "_data" / "lua"


def read_lua(name: str) -> str:
    """The source of one command, without the `.lua`."""
    return (lua_dir() / f"{name}.lua").read_text(encoding="utf-8")


def sha(source: str) -> str:
    """What Redis calls the script."""
    return sha1(source.encode(), usedforsecurity=False).hexdigest()


def compose_gate(playbooks: Iterable[Playbook]) -> str:
    """gate.lua with its constants and the steps of `playbooks`, in a stable order."""
    ordered = sorted(playbooks, key=lambda playbook: playbook.code)
    parts = ["#!lua\n", _constants()]
    parts += ["local loaders, moves, reserves = {}, {}, {}\n"]
    parts += [_playbook(playbook) for playbook in ordered]
    parts += [read_lua("gate")]
    return "".join(parts)


def compose_check(playbook: Playbook) -> str:
    """A script that fails where the playbook's `step.lua` cannot be compiled or does not return its steps."""
    code = playbook.code
    return (
        f"#!lua\n{_constants()}local loaders, moves, reserves = {{}}, {{}}, {{}}\n{_playbook(playbook)}"
        f"local steps = loaders['{code}']()\n"
        "if type(steps) ~= 'table' then error('step.lua must return a table of functions') end\n"
        "for name, step in pairs(steps) do\n"
        "  if type(step) ~= 'function' then error('step.lua: ' .. tostring(name) .. ' is not a function') end\n"
        "end\n"
        "return 1\n"
    )


def compose_warm() -> str:
    """warm.lua, ready to run."""
    return "#!lua\n" + read_lua("warm")


def _constants() -> str:
    values: dict[str, int] = {outcome.name: int(outcome) for outcome in Outcome}
    values |= {status.name: int(status) for status in Status}
    values |= {f"CONFIG_{status.name}": int(status) for status in HeadStatus}
    names, numbers = ", ".join(values), ", ".join(str(value) for value in values.values())
    allowed = ", ".join(f"[{int(outcome)}] = true" for outcome in STEP_REFUSALS)
    return f"local {names} = {numbers}\nlocal step_refusals = {{ {allowed} }}\n"


def _playbook(playbook: Playbook) -> str:
    code = playbook.code
    moves = ", ".join(
        f"[{int(status)}] = {{ {', '.join(f'[{int(after)}] = true' for after in following)} }}"
        for status, following in playbook.states.moves.items()
    )
    reserving = ", ".join(f"['{verb}'] = true" for verb in playbook.reserves)
    return (
        f"moves['{code}'] = {{ {moves} }}\n"
        f"reserves['{code}'] = {{ {reserving} }}\n"
        f"loaders['{code}'] = function(...)\n"
        f"local {HIDDEN}\n"
        f"do\n{playbook.step}\nend\nend\n"
    )
