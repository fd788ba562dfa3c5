"""Where the Lua sources lie, and what Redis calls a script."""

from hashlib import sha1
from pathlib import Path


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


def compose_alone(name: str) -> str:
    """A command that needs no include and no playbook, ready to run."""
    return "#!lua\n" + read_lua(name)
