"""拼团 beyond a plain group: tiers, a leader who pays less and may leave, newcomers, simulation, late payments."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.sdk import Fact, Offer, Status, Window
from plugins.group_buy import wanfa_playbook
from plugins.group_buy.rules import GroupBuyRules, asks, problems
from tests.plugins.groups import TARGET, Group, open_group
from tests.support.gate import SHARD, Sale

PRICE_FEN = 100  # of the sale's config
TIERS = [{"people": 4, "priceFen": 90}, {"people": 6, "priceFen": 70}]


async def tiered(sale: Sale, members: int, **rules: Any) -> Group:
    """A group in tiers with so many paid people, its leader among them."""
    group = await open_group(sale, tiers=TIERS, **rules)
    await group.paid("leader")
    for i in range(1, members):
        assert await group.join(f"m{i}") == Outcome.RESERVED
        await group.paid(f"m{i}")
    return group


async def amounts(sale: Sale) -> dict[str, int]:
    """What each person's latest order costs."""
    return {order[3]: order[6] for payload in await sale.intents() for order in payload[1]}


# Tiers ------------------------------------------------------------------------------------------


async def test_a_tiered_group_stays_open_until_its_top_tier_is_full(sale: Sale) -> None:
    """Three are enough, but five may still come; the sixth payment ends it at the best price."""
    group = await tiered(sale, 5)
    assert await group.state() == (Status.ACTIVE, 5, 1)

    await group.join("last")
    await group.paid("last")

    assert await group.state() == (Status.SUCCESS, 6, 0)
    cells = await group.cells()
    assert (cells["target"], cells["rebateFen"], cells["wakeAt"]) == (TARGET, PRICE_FEN - 70, 0)
    assert await group.join("seventh") == Outcome.INSTANCE_FULL


@pytest.mark.parametrize(
    ("members", "status", "rebate_fen"),
    [(2, Status.FAILED, None), (3, Status.SUCCESS, None), (4, Status.SUCCESS, 10), (5, Status.SUCCESS, 10)],
)
async def test_the_deadline_fixes_the_tier(sale: Sale, members: int, status: Status, rebate_fen: int | None) -> None:
    """Too few: nothing; enough: the highest tier that was reached."""
    group = await tiered(sale, members)
    await group.over()

    assert await group.deadline() == Outcome.DONE
    assert (await group.state())[0] == status
    assert (await group.cells()).get("rebateFen") == rebate_fen


async def test_everyone_pays_the_first_price_whatever_tier_is_reached(sale: Sale) -> None:
    await tiered(sale, 5)

    assert set((await amounts(sale)).values()) == {PRICE_FEN}


async def test_a_tier_once_fixed_stays(sale: Sale) -> None:
    """The sixth was held at the end and is paid for later, others are paid back: the rebate is as it was."""
    group = await tiered(sale, 5)
    await group.join("slow")
    await group.over()
    await group.deadline()

    assert await group.paid("slow") == Outcome.DONE
    assert (await group.state())[:2] == (Status.SUCCESS, 6)
    assert (await group.cells())["rebateFen"] == 10

    await group.released("m1", "m2", "leader")
    cells = await group.cells()
    assert (await group.state()) == (Status.SUCCESS, 3, 0)
    assert (cells["rebateFen"], cells["leader"]) == (10, "leader")


async def test_a_tiered_group_fails_when_the_last_one_leaves_it(sale: Sale) -> None:
    """Not when as many seats are free as a plain group has."""
    group = await tiered(sale, 4)
    await group.released("m1")
    assert await group.state() == (Status.ACTIVE, 3, TARGET)

    await group.released("m2", "m3", "leader")
    assert await group.state() == (Status.FAILED, 0, 6)


# The leader -------------------------------------------------------------------------------------


async def test_the_leader_pays_less(sale: Sale) -> None:
    """A unit; the others pay the price."""
    await sale.publish("GROUP_BUY", rules={"leaderOffFen": 30})
    opened = await sale.click("leader", verb="open", quantity=2)
    await sale.click("b", suffix=opened.suffix, quantity=2)

    assert await amounts(sale) == {"leader": 140, "b": 200}


async def test_the_earliest_paid_member_leads_when_the_leader_leaves(sale: Sale) -> None:
    """Earliest by payment, not by click; with nobody paid, whoever pays next. The deadline stays."""
    group = await open_group(sale, target=5)
    ends_at = (await group.cells())["endsAt"]
    for user in ("b", "c", "d"):
        await group.join(user)
    await group.paid("c", "b")

    async def leader_after(*left: str) -> str:
        await group.released(*left)
        leader: str = (await group.cells())["leader"]
        return leader

    assert await leader_after("leader") == "c"
    assert await leader_after("c") == "b"
    assert await leader_after("b") == ""
    await group.paid("d")
    assert (await group.cells())["leader"] == "d"
    assert (await group.cells())["endsAt"] == ends_at


async def test_a_member_who_leaves_does_not_lead_later(sale: Sale) -> None:
    """And one whose name is part of another's is not mistaken for them."""
    group = await open_group(sale, target=5)
    for user in ("ab", "b", "abc"):
        await group.join(user)
    await group.paid("leader", "ab", "b", "abc")
    await group.released("b")
    await group.released("ab")

    await group.released("leader")
    assert (await group.cells())["leader"] == "abc"


async def test_only_so_many_members_are_remembered(sale: Sale) -> None:
    """The list of a thousand people would not stay small; the first twenty are enough to lead."""
    group = await open_group(sale, stock=100, target=40)
    users = [f"u{i:016x}" for i in range(30)]  # as long as real ids are
    for user in users:
        await group.join(user)
        await group.paid(user)

    assert (await group.cells())["members"].split() == users[:20]


# Newcomers --------------------------------------------------------------------------------------


async def test_only_newcomers_join_where_the_rules_say_so(sale: Sale) -> None:
    """The leader need not be one."""
    group = await open_group(sale, newcomersOnly=True)

    assert await group.join("old", facts={"newcomer": False}) == Outcome.NOT_ELIGIBLE
    assert (await group.state())[2] == TARGET - 1
    assert await group.join("new", facts={"newcomer": True}) == Outcome.RESERVED


def test_only_such_a_group_asks_who_is_new() -> None:
    """A look-up for every click of a crowd is paid only where it matters."""
    assert asks(GroupBuyRules(target=2)) == ()
    assert asks(GroupBuyRules(target=2, newcomers_only=True)) == (Fact.NEWCOMER,)


# Simulation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "paid", "simulated"), [(0, 4, False), (80, 4, True), (81, 4, False), (80, 3, False), (50, 3, True)]
)
async def test_a_group_is_completed_only_above_the_threshold(
    sale: Sale, percent: int, paid: int, simulated: bool
) -> None:
    """Of five; it is flagged, and its progress shows the people there are."""
    group = await open_group(sale, target=5, simulatedPercent=percent)
    await group.paid("leader")
    for i in range(1, paid):
        await group.join(f"m{i}")
        await group.paid(f"m{i}")
    await group.over()
    await group.deadline()

    cells = await group.cells()
    assert (await group.state())[:2] == (Status.SUCCESS if simulated else Status.FAILED, paid)
    assert cells.get("simulated", False) == simulated
    assert cells.get("simulatedSeats", 0) == (5 - paid if simulated else 0)


async def test_a_group_that_is_full_by_itself_is_not_flagged(sale: Sale) -> None:
    group = await open_group(sale, target=2, simulatedPercent=50)
    await group.join("b")
    await group.paid("leader", "b")

    assert (await group.state())[0] == Status.SUCCESS
    assert "simulated" not in await group.cells()


# Late payments ----------------------------------------------------------------------------------


async def let_go(group: Group, user: str = "late") -> None:
    """They took a seat and did not pay in time."""
    assert await group.join(user) == Outcome.RESERVED
    await group.released(user)


def own_group(sale: Sale, user: str) -> str:
    """The fresh instance this person's order would open."""
    return ids.click_id(sale.config_id, user, "r1")[16:]


async def late(sale: Sale, *groups: Group, user: str = "late") -> Outcome:
    """Their payment lands; they may go to these groups, or to one of their own."""
    places = [*(group.suffix for group in groups), own_group(sale, user)]
    return Outcome((await sale.event("late", user, suffix=groups[0].suffix, extra=places)).outcome)


async def test_a_late_payer_gets_the_seat_back_if_it_is_free(sale: Sale) -> None:
    """As if joined and paid in time."""
    group = await open_group(sale, stock=10)
    await let_go(group)

    assert await late(sale, group) == Outcome.DONE
    assert await group.state() == (Status.ACTIVE, 1, 1)
    assert await sale.left() == 8


async def test_a_late_payer_completes_another_group(sale: Sale) -> None:
    """The own one is full; the other one lacked just this payment."""
    group = await open_group(sale)
    other = Group(sale, (await sale.click("z", verb="open")).suffix)
    await let_go(group)
    await group.join("b")
    await group.join("c")
    await other.join("y")
    await other.paid("z", "y")

    assert await late(sale, group, other) == Outcome.DONE
    assert await other.state() == (Status.SUCCESS, TARGET, 0)
    assert (await sale.intents())[-1][3][0][2:] == ["late", 2, Outcome.DONE, other.suffix]


async def test_a_late_payer_leads_a_group_of_their_own_when_all_are_full(sale: Sale) -> None:
    """A whole group: the first payment is in, others may join it, it succeeds."""
    group = await open_group(sale)
    await let_go(group)
    await group.join("b")
    await group.join("c")
    await group.paid("leader", "b", "c")

    assert await late(sale, group) == Outcome.DONE
    own = Group(sale, own_group(sale, "late"))
    assert await own.state() == (Status.ACTIVE, 1, TARGET - 1)
    assert (await own.cells())["leader"] == "late"
    for user in ("x", "y"):
        assert await own.join(user) == Outcome.RESERVED
        await own.paid(user)
    assert (await own.state())[0] == Status.SUCCESS


async def test_a_late_payer_does_not_sit_twice_in_one_group(sale: Sale) -> None:
    """They have come back meanwhile: the money goes into a group of its own."""
    group = await open_group(sale)
    await let_go(group)
    assert await group.join("late", "r2") == Outcome.RESERVED

    assert await late(sale, group) == Outcome.DONE
    assert await group.state() == (Status.PENDING, 0, 1)
    assert (await Group(sale, own_group(sale, "late")).state())[1] == 1


async def test_a_group_that_is_over_takes_in_nobody(sale: Sale) -> None:
    """Failed, or out of time though nobody said so."""
    group = await open_group(sale)
    out_of_time = Group(sale, (await sale.click("z", verb="open")).suffix)
    await let_go(group)
    await group.released("leader")
    await out_of_time.over()

    assert await late(sale, group, out_of_time) == Outcome.DONE
    assert (await group.state())[0] == Status.FAILED
    assert (await out_of_time.state())[1] == 0


async def test_a_late_payer_need_not_be_new_again(sale: Sale) -> None:
    """They were when they clicked, and the payment itself made them an old customer."""
    group = await open_group(sale, newcomersOnly=True)
    assert await group.join("late", facts={"newcomer": True}) == Outcome.RESERVED
    await group.released("late")

    assert await late(sale, group) == Outcome.DONE


# What a store may fill in -----------------------------------------------------------------------


NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
OFFER = Offer(price_fen=PRICE_FEN, stock=10, window=Window(NOON, NOON + timedelta(hours=1)))


def fields(stock: int = 10, **rules: Any) -> list[str]:
    """What is wrong with these rules, beyond their schema."""
    filled = msgspec.convert({"target": 3} | rules, GroupBuyRules)
    return [problem.field for problem in problems(filled, msgspec.structs.replace(OFFER, stock=stock))]


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ({}, []),
        ({"tiers": TIERS, "leaderOffFen": 69, "simulatedPercent": 50}, []),
        ({"tiers": [{"people": 3, "priceFen": 90}]}, ["tiers"]),
        ({"tiers": [{"people": 4, "priceFen": 100}]}, ["tiers"]),
        ({"tiers": [*TIERS, {"people": 6, "priceFen": 70}]}, ["tiers", "tiers"]),
        ({"leaderOffFen": 99}, []),
        ({"leaderOffFen": 100}, ["leaderOffFen"]),
        ({"tiers": TIERS, "leaderOffFen": 70}, ["leaderOffFen"]),
        ({"simulatedPercent": 49}, ["simulatedPercent"]),
        ({"target": 10}, []),
        ({"target": 11}, ["target"]),
        ({"target": 11, "tiers": [{"people": 12, "priceFen": 90}]}, ["target"]),
        ({"tiers": [{"people": 11, "priceFen": 90}]}, ["tiers"]),
        ({"stock": 6, "tiers": TIERS}, []),
        ({"stock": 5, "tiers": TIERS}, ["tiers"]),
    ],
)
def test_rules_that_cannot_work_are_named(rules: dict[str, Any], wrong: list[str]) -> None:
    """More people must never pay more, the leader pays at least one fen, and there is a unit for each seat."""
    assert fields(**rules) == wrong


@pytest.mark.parametrize("example", wanfa_playbook().examples)
def test_the_examples_work(example: Any) -> None:
    offer = msgspec.structs.replace(OFFER, price_fen=example.price_fen)

    assert list(problems(msgspec.convert(example.rules, GroupBuyRules), offer)) == []


async def test_a_group_of_before_goes_on(sale: Sale) -> None:
    """Cells and rules as version 1.0 left them: it fills and succeeds; its leader may leave."""
    group = await open_group(sale)
    cells = await group.cells()
    for name in ("seats", "leader"):
        del cells[name]
    key = keys.cells(SHARD, sale.config_id)
    await sale.redis.execute_command("HSET", key, group.suffix, msgspec.msgpack.encode(cells))
    await group.join("b")
    await group.paid("b")
    await group.released("leader")
    assert await group.state() == (Status.ACTIVE, 1, 2)

    for user in ("c", "d"):
        assert await group.join(user) == Outcome.RESERVED
        await group.paid(user)
    assert (await group.state())[0] == Status.SUCCESS
