"""Steps are tried before they sell: what does not compile or end is told of with its line, what refuses is not."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine.core.connections import open_hot
from engine.playbooks.bounds import MEMORY_KB_MAX, TEXT_BYTES_MAX, TICKS_MAX
from engine.playbooks.registry import load_playbooks
from engine.playbooks.trial import sample, try_steps
from engine.sdk import Playbook, Session

LOADED = load_playbooks().loaded
OVER_BUDGET = f"step ran over its budget of {TICKS_MAX} loops and calls"
TOO_MUCH_MEMORY = f"step used more than {MEMORY_KB_MAX} KB of memory"
TOO_LONG = f"step made a text of more than {TEXT_BYTES_MAX} bytes"


def playbook(step: str, **changes: Any) -> Playbook:
    """The flash sale with another step."""
    return msgspec.structs.replace(LOADED["FLASH_SALE"], step=step, **changes)


@pytest.fixture
async def hot(hot_url: str) -> AsyncIterator[Redis]:
    """A client as an engine opens it."""
    client = await open_hot(hot_url)
    yield client
    await client.aclose()


@pytest.mark.parametrize("code", sorted(LOADED))
async def test_every_installed_playbook_passes(hot: Redis, code: str) -> None:
    assert await try_steps(hot, LOADED[code]) == ""


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("local x = = 1", "step.lua:1: unexpected symbol near '='"),
        ("local step = {}\nstep.join = function()\n  retrun 1\nend\nreturn step", "step.lua:3: "),
        ("\nreturn {", "step.lua:2: "),
        ("return {}\nend", "step.lua:2: 'end' ends no block"),
        ("\nlocal tick = 1", "step.lua:2: the name 'tick' belongs to the engine"),
        ("\nerror('at load')", "step.lua:2: at load"),
        ("local _ = nothing.at_all", "step.lua:1: "),
        ("\nwhile true do end", f"step.lua:2: {OVER_BUDGET}"),
        ("return 7", "step.lua must return a table of functions"),
        ("local step = {}", "step.lua must return a table of functions"),
        ("return { join = 7 }", "step.lua: join is not a function"),
        ("return { join = function()\n\nwhile true do end end }", f"join: step.lua:3: {OVER_BUDGET}"),
        ("return { open = function() repeat until false end }", f"open: step.lua:1: {OVER_BUDGET}"),
        (
            "return { paid = function() local s = 'x' while 1 do s = s .. s end end }",
            f"paid: step.lua:1: {TOO_MUCH_MEMORY}",
        ),
        ("return { late = function() return string.rep('x', 1e9) end }", "late: "),
        ("local function f() return f() end return { released = f }", f"released: step.lua:1: {OVER_BUDGET}"),
        ("return { deadline = function(click, _, cells) while click.now >= cells.wakeAt do end end }", "deadline: "),
        ("return { join = function(click, rules) while rules.limitPerPerson do end end }", "join: "),
        ("return { join = function(click) while click.newcomer and click.device do end end }", "join: "),
        (
            "return { open = function(_, _, c) c.on = true end,\n join = function(_, _, c) while c.on do end end }",
            f"join: step.lua:2: {OVER_BUDGET}",
        ),
        ("return { join = function(_, _, cells) while cells.opensAt do end end }", "join: "),
    ],
)
async def test_what_does_not_compile_or_end_is_told_of(hot: Redis, step: str, why: str) -> None:
    """With the verb and the line of the author's own file."""
    assert (await try_steps(hot, playbook(step))).startswith(why)


@pytest.mark.parametrize(
    "step",
    [
        "return {}",
        "return { join = function() error('mine') end }",
        "return { join = function() return redis.call('FLUSHALL') end }",
        "return { join = function() return 'nonsense' end }",
        "return { join = function(_, rules) rules.limitPerPerson = 1 end }",
        "return { open = function(_, _, cells) cells.status = 77 end }",
        "return { open = function(click) reward(click, { kind = 'NONE' }) end }",
        "return { open = function(click) return random(click, 6) end }",
        "return { strange = function() while true do end end }",
        f"return {{ join = function() for i = 1, {TICKS_MAX - 1} do end end }}",
    ],
)
async def test_what_only_goes_wrong_is_not(hot: Redis, step: str) -> None:
    """A step that complains refuses its own clicks; one that nobody can call does no harm."""
    assert await try_steps(hot, playbook(step)) == ""


def _broken(*_: object) -> tuple[Session, ...]:
    raise SystemExit(1)


def _endless(*_: object) -> Any:
    while True:
        yield Session(suffix="s")


@pytest.mark.parametrize(
    "changes",
    [
        {"examples": ()},
        {"examples": (msgspec.structs.replace(LOADED["FLASH_SALE"].examples[0], rules={"limitPerPerson": "many"}),)},
        {"sessions": _broken},
        {"sessions": _endless},
        {"sessions": lambda *_: (Session(suffix="s", cells={"big": 1 << 70}),)},
        {"sessions": lambda *_: 7},
    ],
)
async def test_what_is_wrong_with_examples_is_not_judged_here(hot: Redis, changes: dict[str, Any]) -> None:
    """The steps are tried all the same, with no rules if there are none."""
    assert await try_steps(hot, playbook("return { join = function() end }", **changes)) == ""
    assert OVER_BUDGET in await try_steps(hot, playbook("return { join = function() while 1 do end end }", **changes))


async def test_nothing_is_written(hot: Redis) -> None:
    for each in LOADED.values():
        await try_steps(hot, each)

    assert await hot.dbsize() in (0, {})  # a cluster's client answers by node


async def test_a_redis_that_cannot_run_scripts_is_nobodys_fault(hot: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is raised, and no playbook is blamed."""

    async def refuse(*_: object) -> None:
        raise ResponseError("LOADING Redis is loading the dataset in memory")

    monkeypatch.setattr(hot, "execute_command", refuse)
    with pytest.raises(ResponseError):
        await try_steps(hot, LOADED["FLASH_SALE"])


@pytest.mark.parametrize("code", sorted(LOADED))
def test_the_sample_is_the_same_every_time(code: str) -> None:
    """So all processes quarantine the same."""
    first, second = sample(LOADED[code]), sample(LOADED[code])

    assert first == second
