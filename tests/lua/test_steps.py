"""A step is pure and contained: it can't reach Redis, break a neighbour or leave a trace when it fails."""

import asyncio

import msgspec
import pytest

from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus
from engine.playbooks.bounds import TICKS_MAX
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook, Status
from tests.support.gate import Sale, open_sale


def playbook(step: str, **changes: object) -> Playbook:
    """The flash sale with another step."""
    return msgspec.structs.replace(load_playbooks().loaded["FLASH_SALE"], step=step, **changes)


@pytest.mark.parametrize(
    "body",
    [
        "error('boom')",
        "return redis.call('FLUSHALL')",
        "return server.call('FLUSHALL')",
        "leaked = 1",
        "cells.list = { 1 }",
        "cells.half = 0.5",
        "cells.rev = 7",
        "cells.status = SUCCESS",
        "rules.limitPerPerson = 9",
        "return 99",
        "return 'ENDED'",
        "return _G.redis.call('GET', 'x')",
        "local f = loadstring('return redis') return f()",
        "cells.gone.deeper = 1",
        "cells[1] = 5",
        "cells['a b'] = 5",
        "cells.x = string.char(255)",
        "cells.x = 'a\\0b'",
        "cells.current = 'abc'",
        "cells.current = -3",
        "cells.current = 2 ^ 40",
        "cells.target = true",
        "cells.wakeAt = 2 ^ 52",
    ],
)
async def test_a_failing_step_changes_nothing_and_hurts_no_neighbour(hot_url: str, body: str) -> None:
    """Whatever a step does wrong, its click alone is refused and the batch goes on."""
    mischief = f"if click.user == 'bad' then cells.seen = true {body} end"
    step = f"return {{ join = function(click, rules, cells) {mischief} end }}"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(stock=5)

        good, bad, other = await asyncio.gather(sale.click("u1"), sale.click("bad"), sale.click("u2"))

        assert [good.outcome, bad.outcome, other.outcome] == [
            Outcome.RESERVED,
            Outcome.PLAYBOOK_FAILED,
            Outcome.RESERVED,
        ]
        assert await sale.left() == 3
        assert "seen" not in await sale.cells()
        assert await sale.person("bad") == []


@pytest.mark.parametrize("broken", ["error('at load')", "return 7", "return { join = 7 }"])
async def test_a_step_file_that_fails_refuses_its_own_clicks_only(hot_url: str, broken: str) -> None:
    """A file that raises, or returns no table, costs its own config its clicks and no other."""
    good, bad = playbook("return { join = function() end }"), playbook(broken, code="BROKEN")
    async with open_sale(hot_url, playbooks=[good, bad]) as sale:
        other = Sale(sale.gate, sale.redis, "cbbbbbbbbbbbb")
        await sale.publish()
        await other.publish("BROKEN")

        mine, theirs = await asyncio.gather(sale.click("u1"), other.click("u1"))

        assert mine.outcome == Outcome.RESERVED
        assert theirs.outcome in (Outcome.PAUSED, Outcome.PLAYBOOK_FAILED)


async def test_what_a_step_does_to_a_list_among_its_rules_is_its_own_business(hot_url: str) -> None:
    """The next click of the batch, and the next run, see the store's list again."""
    step = """return { join = function(click, rules, cells)
      cells.seen = (cells.seen or '') .. #rules.tiers .. rules.tiers[1].people
      local tiers = rules.tiers
      tiers[1].people = 9
      table.remove(tiers, 2)
    end }"""
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(rules={"tiers": [{"people": 3}, {"people": 5}]})
        replies = await asyncio.gather(*(sale.click(user) for user in ("u1", "u2", "u3")))

        assert {reply.outcome for reply in replies} == {Outcome.RESERVED}
        assert (await sale.cells())["seen"] == "232323"


async def test_every_step_of_a_batch_has_a_budget_of_its_own(hot_url: str) -> None:
    """Ten that need most of one each: together several times as much as any step may."""
    step = f"return {{ join = function() for i = 1, {TICKS_MAX * 6 // 10} do local _ = i end end }}"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(stock=10)

        replies = await asyncio.gather(*(sale.click(f"u{number}") for number in range(10)))
        assert [reply.outcome for reply in replies] == [Outcome.RESERVED] * 10


async def test_a_refusing_step_leaves_no_trace(hot_url: str) -> None:
    """What a step wrote before it refused is forgotten."""
    step = "return { join = function(click, rules, cells) cells.seen = true return NOT_ELIGIBLE end }"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()
        before = await sale.everything()

        assert (await sale.click("u1")).outcome == Outcome.NOT_ELIGIBLE
        assert await sale.everything() == before


async def test_an_action_changes_cells_and_holds_nothing(hot_url: str) -> None:
    """A playbook's own verb: answered DONE, written as an action, replayed like any click."""
    step = "return { cut = function(click, rules, cells) cells.current = cells.current + 1 end }"
    async with open_sale(hot_url, playbooks=[playbook(step, actions=("cut",))]) as sale:
        await sale.publish(stock=3)

        first = await sale.click("u1", verb="cut")
        again = await sale.click("u1", verb="cut")

        assert (first.outcome, first.current) == (Outcome.DONE, 1)
        assert again == first._replace(state=EffectState.ACTION)
        assert await sale.left() == 3
        assert [action[5] for payload in await sale.intents() for action in payload[2]] == ["cut"]


async def test_a_failing_release_step_still_gives_the_stock_back(hot_url: str) -> None:
    """Stock belongs to the engine: a playbook's mistake can't keep it."""
    step = "return { join = function() end, released = function() error('boom') end }"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(stock=2)
        await sale.click("u1")

        await sale.event("released", "u1")

        assert await sale.left() == 2


async def test_a_failing_payment_step_is_told_again(hot_url: str) -> None:
    """A payment a faulty playbook can't take is not acknowledged: it waits for the repaired playbook."""
    step = "return { join = function() end, paid = function() error('boom') end }"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(stock=2)
        await sale.click("u1")

        assert (await sale.event("paid", "u1")).outcome == Outcome.PLAYBOOK_FAILED
        assert [event for payload in await sale.intents() for event in payload[3]] == []


async def test_the_deadline_step_moves_an_instance_when_its_time_has_come(hot_url: str) -> None:
    """Events of time reach the step with Redis' clock."""
    step = "return { deadline = function(click, rules, cells) cells.status = ACTIVE cells.wakeAt = 0 end }"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()

        assert (await sale.event("deadline", "")).outcome == Outcome.DONE
        assert (await sale.cells())["status"] == Status.ACTIVE
        assert (await sale.event("deadline", "")).outcome == Outcome.UNCHANGED


@pytest.mark.parametrize("why", ["ended", "its window"])
async def test_a_deadline_is_told_that_the_product_is_over(hot_url: str, why: str) -> None:
    """And not otherwise, nor any other step."""
    step = """
    local function note(click, _, cells) cells.told = click.over == nil and 'nothing' or tostring(click.over) end
    return { deadline = note, join = note }
    """
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(stock=5)
        await sale.event("deadline", "")
        assert (await sale.cells())["told"] == "false"
        await sale.click("u1")
        assert (await sale.cells())["told"] == "nothing"
        if why == "ended":
            await sale.publish(stock=5, status=HeadStatus.ENDED)
        else:
            await sale.publish(stock=5, starts_in_s=-7200, ends_in_s=-1)
        await sale.event("deadline", "")
        assert (await sale.cells())["told"] == "true"
