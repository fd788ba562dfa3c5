"""What a step may do beyond its cells: know people, lower the price, promise, draw, and take in the late."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook
from tests.support.gate import CONFIG, SHARD, Sale, gate_settings, open_sale


def playbook(step: str, **changes: object) -> Playbook:
    """The flash sale with other steps."""
    base = load_playbooks().loaded["FLASH_SALE"]
    return msgspec.structs.replace(base, step=f"local step = {{}}\n{step}\nreturn step", **changes)


COUNTING = "function step.join(click, rules, cells, me) me.joins = (me.joins or 0) + 1 end"


async def test_a_person_has_cells_of_their_own(hot_url: str) -> None:
    """They are the person's on this config, whichever instance is clicked; each change has a revision of its own."""
    async with open_sale(hot_url, playbooks=[playbook(COUNTING)]) as sale:
        await sale.publish()
        await asyncio.gather(*(sale.click("u1", f"r{n}") for n in range(3)), sale.click("u2"))
        await sale.click("u1", "r3")

        assert (await sale.mine("u1"))["joins"] == 4
        assert (await sale.mine("u2"))["joins"] == 1
        assert len(await sale.person("u1")) == 4
        told = [person for payload in await sale.intents() for person in payload[5] if person[1] == "u1"]
        assert [rev for _config, _user, rev, _cells in told] == list(range(1, len(told) + 1))
        assert told[-1][3]["joins"] == 4


async def test_a_refused_click_writes_nothing_about_the_person(hot_url: str) -> None:
    step = "function step.join(click, rules, cells, me) me.seen = true return NOT_ELIGIBLE end"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()
        before = await sale.everything()

        assert (await sale.click("u1")).outcome == Outcome.NOT_ELIGIBLE
        assert await sale.everything() == before


async def test_a_person_with_a_place_joins_there(hot_url: str) -> None:
    """`me.at` is where all their joins go, whichever instance they clicked on; others go where they click."""
    step = """
    function step.visit(click, rules, cells, me) me.at = click.instance end
    function step.join(click, rules, cells) cells.current = cells.current + 1 end
    function step.open(click, rules, cells) end
    """
    playbooks = [playbook(step, actions=("visit",), reserves=("join",))]
    async with open_sale(hot_url, playbooks=playbooks) as sale:
        await sale.publish()
        home = (await sale.click("host", verb="open")).suffix
        await sale.click("u1", verb="visit", suffix=home)

        bound, free = await asyncio.gather(sale.click("u1", "r2", suffix="s1"), sale.click("u2", suffix="s1"))
        again = await sale.click("u1", "r2", suffix="s1")

        assert (bound.suffix, free.suffix) == (home, "s1")
        assert again == bound._replace(state=EffectState.HELD)
        assert (await sale.cells(home))["current"] == 1


async def test_a_person_whose_place_is_gone_joins_where_they_click(hot_url: str) -> None:
    step = "function step.visit(click, rules, cells, me) me.at = 'gone' end function step.join() end"
    playbooks = [playbook(step, actions=("visit",), reserves=("join",))]
    async with open_sale(hot_url, playbooks=playbooks) as sale:
        await sale.publish()
        await sale.click("u1", verb="visit")

        reply = await sale.click("u1", "r2")
        assert (reply.outcome, reply.suffix) == (Outcome.RESERVED, "s1")
        assert await sale.cells("gone") == {}


async def test_an_action_goes_where_it_is_clicked(hot_url: str) -> None:
    """Only what reserves something follows its person: who is bound to one instance may act in another."""
    step = """
    function step.visit(click, rules, cells, me) me.at = click.instance cells.current = cells.current + 1 end
    function step.open(click, rules, cells) end
    """
    async with open_sale(hot_url, playbooks=[playbook(step, actions=("visit",))]) as sale:
        await sale.publish()
        home = (await sale.click("host", verb="open")).suffix
        await sale.click("u1", verb="visit", suffix=home)

        assert (await sale.click("u1", "r2", verb="visit", suffix="s1")).suffix == "s1"
        assert ((await sale.cells("s1"))["current"], (await sale.cells(home))["current"]) == (1, 1)


async def test_an_action_needs_neither_stock_nor_room_under_the_limit(hot_url: str) -> None:
    """It takes nothing: who has all they may have, of what is sold out, may still act."""
    step = "function step.join() end function step.wave(click, rules, cells) cells.current = cells.current + 1 end"
    async with open_sale(hot_url, playbooks=[playbook(step, actions=("wave",))]) as sale:
        await sale.publish(stock=1, limit=1)
        await sale.click("u1")

        assert (await sale.click("u1", "r2", verb="wave")).outcome == Outcome.DONE
        assert (await sale.click("u2", "r2")).outcome == Outcome.SOLD_OUT


TELLS = """
local function tell(click, cells)
  cells.told = (cells.told or '') .. click.verb .. click.seats .. click.acts .. (click.was or '') .. ' '
end
function step.open(click, rules, cells) tell(click, cells) end
function step.join(click, rules, cells) tell(click, cells) end
function step.wave(click, rules, cells) tell(click, cells) end
function step.paid(click, rules, cells) tell(click, cells) end
function step.released(click, rules, cells) tell(click, cells) end
"""


async def test_a_step_is_told_what_its_person_has_in_this_instance(hot_url: str) -> None:
    """Live seats and acts, of this instance alone; whether an order was held or paid; and a released one is no seat."""
    async with open_sale(hot_url, playbooks=[playbook(TELLS, actions=("wave",))]) as sale:
        await sale.publish()
        other = (await sale.click("u1", "r0", verb="open")).suffix
        await sale.click("u1", "r1", verb="wave", suffix=other)
        for request, verb in (("r2", "join"), ("r3", "wave"), ("r4", "join")):
            await sale.click("u1", request, verb=verb)
        await sale.event("paid", "u1", "r2")
        await sale.event("released", "u1", "r2", extra=int(EffectState.PAID))
        await sale.event("released", "u1", "r4", extra=int(EffectState.HELD))

        told = "join00 wave10 join11 paid21held released11paid released01held "
        assert ((await sale.cells("s1"))["told"], (await sale.cells(other))["told"]) == (told, "open00 wave10 ")


async def test_an_action_that_changes_nothing_has_a_row_all_the_same(hot_url: str) -> None:
    """It is one of the clicks that are kept of a person: a rebuilt Redis must know it again."""
    async with open_sale(hot_url, playbooks=[playbook("function step.wave() end", actions=("wave",))]) as sale:
        await sale.publish()
        assert (await sale.click("u1", verb="wave")).outcome == Outcome.DONE

        assert [(action[0], action[5]) for payload in await sale.intents() for action in payload[2]] == [
            (ids.click_id(CONFIG, "u1", "r1"), "wave")
        ]


async def test_a_step_may_lower_the_price(hot_url: str) -> None:
    step = "function step.join(click, rules, cells) click.price = click.price - 30 end"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(price_fen=100)
        await sale.click("u1", quantity=2)

        assert [order[6] for payload in await sale.intents() for order in payload[1]] == [140]


@pytest.mark.parametrize("price", ["click.price + 1", "0", "-5", "0.5", "'50'", "1e9"])
async def test_a_step_may_set_no_other_price(hot_url: str, price: str) -> None:
    step = f"function step.join(click, rules, cells) click.price = {price} end"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(price_fen=100)

        assert (await sale.click("u1")).outcome == Outcome.PLAYBOOK_FAILED
        assert await sale.left() == 10


async def test_an_early_verb_works_before_the_start_and_no_other_does(hot_url: str) -> None:
    step = "function step.remind() end function step.join() end"
    async with open_sale(hot_url, playbooks=[playbook(step, actions=("remind",), early=("remind",))]) as sale:
        await sale.publish(starts_in_s=60)

        assert (await sale.click("u1", verb="remind")).outcome == Outcome.DONE
        assert (await sale.click("u1", "r2")).outcome == Outcome.NOT_STARTED


async def test_promises_become_intents_of_the_click_that_made_them(hot_url: str) -> None:
    """Rewards and notices, each under a source that is new for every run of a step."""
    step = """
    function step.join(click) notice(click, { user = click.user, topic = 'SALE_OPENS', at = 1000 }) end
    function step.paid(click)
      reward(click, { user = click.user, kind = 'CREDIT', amount = 5, days = 1 })
      reward(click, { user = 'host', kind = 'CASH', amount = 7 })
    end
    """
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()
        await sale.click("u1")
        await sale.event("paid", "u1")
        await sale.event("paid", "u1")

        order_id = ids.click_id(CONFIG, "u1", "r1")
        payloads = await sale.intents()
        notices = [one for payload in payloads for one in payload[7]]
        rewards = [one for payload in payloads for one in payload[6]]
        assert notices == [[f"{order_id}:join", 0, CONFIG, "s1", "u1", "SALE_OPENS", 1000]]
        assert [one[:8] for one in rewards] == [
            [f"{order_id}:paid", 0, CONFIG, "s1", order_id, "u1", "CREDIT", 5],
            [f"{order_id}:paid", 1, CONFIG, "s1", order_id, "host", "CASH", 7],
        ]
        assert rewards[0][8] - rewards[1][8] == 86_400_000


@pytest.mark.parametrize(
    "promise",
    [
        "reward(click, { user = 'u', kind = 'GOLD', amount = 1 })",
        "reward(click, { user = 'u', kind = 'CASH', amount = 0 })",
        "reward(click, { user = 'u', kind = 'CASH', amount = 1.5 })",
        "reward(click, { kind = 'CASH', amount = 1 })",
        "reward(click, { user = 'u', kind = 'CASH', amount = 1, days = 1000 })",
        "notice(click, { user = 'u', topic = 'lower', at = 1 })",
        "notice(click, { user = 'u', topic = 'LATE' })",
        "notice(click, { user = 'u', topic = 'SOON', at = 2 ^ 45 + 2 })",
        "notice(click, { user = string.char(200), topic = 'SOON', at = 1 })",
        "notice(click, { user = 'a\\0b', topic = 'SOON', at = 1 })",
        "notice(click, { user = string.rep('u', 65), topic = 'SOON', at = 1 })",
        "reward({ now = 1e300 }, { user = 'u', kind = 'CASH', amount = 1 })",
        "for i = 1, 101 do reward(click, { user = 'u', kind = 'CASH', amount = 1 }) end",
    ],
)
async def test_a_promise_that_cannot_be_kept_fails_its_click(hot_url: str, promise: str) -> None:
    async with open_sale(hot_url, playbooks=[playbook(f"function step.join(click) {promise} end")]) as sale:
        await sale.publish()

        assert (await sale.click("u1")).outcome == Outcome.PLAYBOOK_FAILED
        assert await sale.intents() == []


@pytest.mark.parametrize("mischief", ["{}", "string.char(200)", "'s2'"])
async def test_a_promise_is_the_clicks_whatever_the_step_writes_on_it(hot_url: str, mischief: str) -> None:
    """A step that spoils its own click spoils neither the batch nor the stream."""
    step = f"""
    function step.join(click)
      if click.user == 'bad' then click.instance, click.verb, click.user = {mischief}, {mischief}, {mischief} end
      reward(click, {{ user = 'u', kind = 'CASH', amount = 1 }})
    end
    """
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()
        replies = await asyncio.gather(sale.click("bad"), sale.click("good"))

        assert [reply.outcome for reply in replies] == [Outcome.RESERVED, Outcome.RESERVED]
        rewards = [one for payload in await sale.intents() for one in payload[6]]
        orders = [ids.click_id(CONFIG, user, "r1") for user in ("bad", "good")]
        assert [one[:5] for one in rewards] == [
            [f"{order_id}:join", number, CONFIG, "s1", order_id] for number, order_id in enumerate(orders)
        ]


async def test_a_refused_click_promises_nothing(hot_url: str) -> None:
    step = """
    function step.join(click)
      reward(click, { user = 'u', kind = 'CASH', amount = 1 })
      if click.user == 'bad' then return NOT_ELIGIBLE end
    end
    """
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()
        await asyncio.gather(sale.click("bad"), sale.click("good"))

        assert len([one for payload in await sale.intents() for one in payload[6]]) == 1


async def test_a_deadline_that_promises_must_leave_a_trace(hot_url: str) -> None:
    """Otherwise it would promise again whenever it is woken."""
    step = """
    function step.deadline(click, rules, cells, me)
      assert(me == nil)
      reward(click, { user = 'u', kind = 'CASH', amount = 1 })
      if cells.traced then cells.done = true end
    end
    """
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(cells={"traced": False})
        assert (await sale.event("deadline", "")).outcome == Outcome.PLAYBOOK_FAILED
        await sale.publish(cells={"traced": True})
        await sale.redis.flushall()
        await sale.redis.set("{s1}:epoch", 1)
        await sale.publish(cells={"traced": True})

        assert (await sale.event("deadline", "")).outcome == Outcome.DONE
        assert [one[0] for payload in await sale.intents() for one in payload[6]] == [f"{CONFIG}.s1:1"]


async def test_draws_are_numbers_from_one_to_n(hot_url: str) -> None:
    """Spread over all of them, and not the same for everyone in a batch."""
    step = "function step.join(click, rules, cells, me) me.drawn = random(click, 6) end"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(stock=300)
        await asyncio.gather(*(sale.click(f"u{n}") for n in range(300)))

        drawn = [(await sale.mine(f"u{n}"))["drawn"] for n in range(300)]
        assert set(drawn) == {1, 2, 3, 4, 5, 6}
        assert max(drawn.count(number) for number in range(1, 7)) < 100


LATE = """
function step.open(click, rules, cells) cells.seats = 2 end
function step.join(click, rules, cells)
  if (cells.seats or 2) < 1 then return INSTANCE_FULL end
  cells.seats = (cells.seats or 2) - 1
end
function step.late(click, rules, cells)
  if click.fresh then cells.seats = 2 end
  if (cells.seats or 2) < 1 then return INSTANCE_FULL end
  cells.seats = (cells.seats or 2) - 1
  cells.current = cells.current + 1
end
"""


@pytest.fixture
async def late_sale(hot_url: str) -> AsyncIterator[Sale]:
    """A sale whose session has two seats, one of them held and given back by u1."""
    async with open_sale(hot_url, playbooks=[playbook(LATE, reseats=True)]) as sale:
        await sale.publish(stock=10, limit=2)
        await sale.click("u1")
        await sale.event("released", "u1")
        yield sale


async def test_a_late_payer_goes_to_the_first_place_that_takes_them(late_sale: Sale) -> None:
    fresh = ids.click_id(CONFIG, "u1", "r1")[16:]
    full = (await late_sale.click("host", verb="open")).suffix
    await asyncio.gather(late_sale.click("a", suffix=full), late_sale.click("b", suffix=full))
    left = await late_sale.left()

    told = await late_sale.event("late", "u1", extra=["nowhere", full, "s1", fresh])
    again = await late_sale.event("late", "u1", extra=[fresh])

    assert (told.outcome, again.outcome) == (Outcome.DONE, Outcome.UNCHANGED)
    assert await late_sale.left() == left - 1
    assert (await late_sale.cells("s1"))["current"] == 1
    assert [(one.state, one.suffix) for one in await late_sale.person("u1")] == [(EffectState.PAID, "s1")]
    events = [event[2:] for payload in await late_sale.intents() for event in payload[3] if event[2] == "late"]
    assert events == [["late", 2, Outcome.DONE, "s1"], ["late", 2, Outcome.UNCHANGED, "s1"]]


async def test_a_late_payer_need_not_wait_for_the_sale_to_reopen(hot_url: str) -> None:
    """That wait lets every process hear of units that are back; a late payer is known to all of them."""
    patient = gate_settings(reopen_ms=60_000)
    async with open_sale(hot_url, playbooks=[playbook(LATE, reseats=True)], settings=patient) as sale:
        await sale.publish(stock=1)
        await sale.click("u1")
        await sale.event("released", "u1")

        assert (await sale.click("u2")).outcome == Outcome.SOLD_OUT
        assert (await sale.event("late", "u1", extra=["s1"])).outcome == Outcome.DONE


async def test_a_late_payer_may_lead_a_new_instance(late_sale: Sale) -> None:
    fresh = ids.click_id(CONFIG, "u1", "r1")[16:]
    await asyncio.gather(late_sale.click("a"), late_sale.click("b"))

    assert (await late_sale.event("late", "u1", extra=["s1", fresh])).outcome == Outcome.DONE
    assert (await late_sale.cells(fresh))["seats"] == 1
    assert [(one.state, one.suffix) for one in await late_sale.person("u1")] == [(EffectState.PAID, fresh)]
    assert (await late_sale.intents())[-1][3][0][5] == fresh


@pytest.mark.parametrize("change", [{"status": HeadStatus.PAUSED}, {"status": HeadStatus.ENDED}, {"ends_in_s": -1}])
async def test_a_late_payer_is_taken_in_by_what_is_live_only(late_sale: Sale, change: dict[str, Any]) -> None:
    await late_sale.publish(limit=2, **change)
    assert (await late_sale.event("late", "u1", extra=["s1"])).outcome == Outcome.ENDED
    assert [one.state for one in await late_sale.person("u1")] == [EffectState.RELEASED]


async def test_a_late_payer_may_have_all_that_one_person_may(late_sale: Sale) -> None:
    """Two units are allowed; they have bought one since, and one more is what they paid for late."""
    await late_sale.click("u1", "r2")
    fresh = ids.click_id(CONFIG, "u1", "r1")[16:]
    assert (await late_sale.event("late", "u1", extra=[fresh])).outcome == Outcome.DONE


async def test_a_late_payer_whose_playbook_fails_is_not_taken_further(hot_url: str) -> None:
    """Perhaps it would have taken them in: it is asked again, in the same order, when it works."""
    step = "function step.join() end function step.late(click) assert(click.instance ~= 'bad') end"
    async with open_sale(hot_url, playbooks=[playbook(step, reseats=True)]) as sale:
        await sale.publish()
        head, session = await sale.redis.execute_command("HMGET", keys.cells(SHARD, CONFIG), "head", "s1")
        await sale.gate.warm(SHARD, CONFIG, head, 10, {"bad": session})
        await sale.click("u1")
        await sale.event("released", "u1")

        assert (await sale.event("late", "u1", extra=["bad", "s1"])).outcome == Outcome.PLAYBOOK_FAILED
        assert [one.state for one in await sale.person("u1")] == [EffectState.RELEASED]


@pytest.mark.parametrize("seat", ["s1", ids.click_id(CONFIG, "u1", "r1")[16:]])
async def test_a_release_that_is_late_itself_does_not_empty_the_new_seat(late_sale: Sale, seat: str) -> None:
    """It says that it means a hold, and was sent for the one that was given back before."""
    await late_sale.event("late", "u1", extra=[seat])
    left = await late_sale.left()

    assert (await late_sale.event("released", "u1", extra=1)).outcome == Outcome.UNCHANGED
    assert await late_sale.left() == left
    assert (await late_sale.event("released", "u1", extra=2, suffix=seat)).outcome == Outcome.DONE


async def test_a_late_payer_nobody_takes_is_refused(late_sale: Sale) -> None:
    """The state in the intent stays released, so Postgres pays them back."""
    await asyncio.gather(late_sale.click("a"), late_sale.click("b"))
    left = await late_sale.left()

    assert (await late_sale.event("late", "u1", extra=["s1"])).outcome == Outcome.INSTANCE_FULL
    assert await late_sale.left() == left
    assert (await late_sale.intents())[-1][3][0][2:5] == ["late", 0, Outcome.INSTANCE_FULL]


async def test_stock_and_limit_hold_for_late_payers_too(late_sale: Sale) -> None:
    await late_sale.click("u1", "r2", quantity=2)
    assert (await late_sale.event("late", "u1", extra=["s1"])).outcome == Outcome.LIMIT_REACHED

    await late_sale.event("released", "u1", "r2")
    await asyncio.gather(*(late_sale.click(f"x{n}", verb="open", quantity=2) for n in range(5)))
    assert await late_sale.left() == 0
    assert (await late_sale.event("late", "u1", extra=["s1"])).outcome == Outcome.SOLD_OUT


async def test_a_late_payer_of_two_units_needs_both(hot_url: str) -> None:
    """Under their limit, and in stock: one of the two is not enough."""
    async with open_sale(hot_url, playbooks=[playbook(LATE, reseats=True)]) as sale:
        await sale.publish(stock=10, limit=2)
        await sale.click("u1", quantity=2)
        await sale.event("released", "u1")
        await sale.click("u1", "r2")
        assert (await sale.event("late", "u1", extra=["s1"])).outcome == Outcome.LIMIT_REACHED

        await sale.event("released", "u1", "r2")
        await asyncio.gather(*(sale.click(f"x{n}", verb="open", quantity=2 - n // 4) for n in range(5)))
        assert await sale.left() == 1
        assert (await sale.event("late", "u1", extra=["s1"])).outcome == Outcome.SOLD_OUT


async def test_a_session_sells_no_more_than_its_own_stock(hot_url: str) -> None:
    """The cell `left` is the engine's: counted down with the config's stock and back up with it."""
    async with open_sale(hot_url, playbooks=[playbook("function step.join() end")]) as sale:
        await sale.publish(stock=10, cells={"left": 2})

        outcomes = [reply.outcome for reply in await asyncio.gather(*(sale.click(f"u{n}") for n in range(4)))]
        assert sorted(outcomes) == [Outcome.RESERVED] * 2 + [Outcome.SOLD_OUT] * 2
        assert (await sale.left(), (await sale.cells())["left"]) == (8, 0)

        await sale.event("released", f"u{outcomes.index(Outcome.RESERVED)}")
        assert (await sale.left(), (await sale.cells())["left"]) == (9, 1)


async def test_a_step_may_not_write_what_the_engine_counts(hot_url: str) -> None:
    step = "function step.join(click, rules, cells) cells.left = 100 end"
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish(cells={"left": 2})

        assert (await sale.click("u1")).outcome == Outcome.PLAYBOOK_FAILED


async def test_facts_reach_the_step_that_asked_for_them(hot_url: str) -> None:
    step = """
    function step.join(click, rules, cells, me)
      me.device, me.newcomer, me.address = click.device, click.newcomer, click.address or 'unasked'
    end
    """
    async with open_sale(hot_url, playbooks=[playbook(step)]) as sale:
        await sale.publish()
        await sale.click("u1", facts={"device": "ab12", "newcomer": True})

        mine = await sale.mine("u1")
        assert (mine["device"], mine["newcomer"], mine["address"]) == ("ab12", True, "unasked")


async def test_a_config_whose_playbook_is_gone_is_paused(hot_url: str) -> None:
    """Clicks are told to come back; what Postgres decides is sent again until the playbook is back."""
    async with open_sale(hot_url) as sale:
        await sale.publish("FLASH_SALE")
        await sale.click("u1")
    async with open_sale(hot_url, playbooks=[]) as sale:
        assert (await sale.click("u2")).outcome == Outcome.PAUSED
        assert (await sale.event("paid", "u1")).outcome == Outcome.PLAYBOOK_FAILED
        await sale.publish("FLASH_SALE", ends_in_s=-1)
        assert (await sale.click("u2")).outcome == Outcome.ENDED
    async with open_sale(hot_url) as sale:
        assert (await sale.event("paid", "u1")).outcome == Outcome.DONE
