"""拼团, step by step through a real Valkey: seats are held at the click, progress counts the paid."""

import asyncio

import pytest

from engine.core import ids
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply
from engine.sdk import Status
from tests.plugins.groups import TARGET, Group, open_group
from tests.support.gate import Sale

MINUTE_MS = 60_000


async def test_a_leader_has_the_first_seat_and_has_not_paid(sale: Sale) -> None:
    """A fresh group: pending, nobody paid, one seat and one unit taken."""
    group = await open_group(sale, stock=10)

    assert await group.state() == (Status.PENDING, 0, TARGET - 1)
    assert await sale.left() == 9
    assert group.suffix == ids.opened_suffix(ids.click_id(sale.config_id, "leader", "r1"))


async def test_the_deadline_is_counted_from_the_click(sale: Sale) -> None:
    """`durationMinutes` after the opening, by Redis' clock, in the cells and in the wake-up call."""
    group = await open_group(sale, durationMinutes=7)

    opened_at_ms = (await sale.intents())[-1][0]
    cells = await group.cells()
    assert cells["endsAt"] == cells["wakeAt"] == opened_at_ms + 7 * MINUTE_MS


async def test_the_first_payment_makes_it_active_and_the_last_one_a_success(sale: Sale) -> None:
    group = await open_group(sale)
    assert [await group.join(user) for user in ("b", "c")] == [Outcome.RESERVED] * 2

    assert await group.paid("leader") == Outcome.DONE
    assert await group.state() == (Status.ACTIVE, 1, 0)
    await group.paid("b", "c")

    assert await group.state() == (Status.SUCCESS, 3, 0)
    assert (await group.cells())["wakeAt"] == 0


async def test_one_person_has_one_seat(sale: Sale) -> None:
    """Neither the leader nor a friend sits twice, whatever the limit of units is."""
    group = await open_group(sale)
    await group.join("b")

    assert await group.join("leader", "again") == Outcome.LIMIT_REACHED
    assert await group.join("b", "again") == Outcome.LIMIT_REACHED
    assert (await group.state())[2] == 1


async def test_one_person_may_sit_in_two_groups(sale: Sale) -> None:
    """A seat is one a group; how many groups is the limit's business."""
    group = await open_group(sale)
    other = Group(sale, (await sale.click("leader", "r2", verb="open")).suffix)

    assert await other.join("b") == Outcome.RESERVED
    assert await group.join("b", "r2") == Outcome.RESERVED


async def test_a_limit_of_one_holds_across_groups(sale: Sale) -> None:
    group = await open_group(sale, limit=1)
    other = await sale.click("z", verb="open")
    await group.join("b")

    assert (await sale.click("b", "r2", suffix=other.suffix)).outcome == Outcome.LIMIT_REACHED
    assert (await sale.click("b", "r3", verb="open")).outcome == Outcome.LIMIT_REACHED


async def test_several_units_take_one_seat(sale: Sale) -> None:
    """Two units are two of the stock and one person."""
    group = await open_group(sale, stock=10)

    assert await group.join("b", quantity=2) == Outcome.RESERVED
    assert (await group.state())[2] == 1
    assert await sale.left() == 7
    await group.paid("b")
    assert (await group.state())[1] == 1


async def test_a_full_group_is_full(sale: Sale) -> None:
    """Before it is paid for and after."""
    group = await open_group(sale)
    await group.join("b")
    await group.join("c")

    assert await group.join("d") == Outcome.INSTANCE_FULL
    await group.paid("leader", "b", "c")
    assert await group.join("d") == Outcome.INSTANCE_FULL
    assert await sale.left() == 97


async def test_a_seat_that_is_given_back_is_taken_by_the_next(sale: Sale) -> None:
    """Unpaid: the seat and the unit return, somebody else gets them, the group succeeds."""
    group = await open_group(sale)
    await group.join("b")
    await group.join("c")
    await group.released("b")
    assert await group.state() == (Status.PENDING, 0, 1)

    assert await group.join("d") == Outcome.RESERVED
    await group.paid("leader", "c", "d")
    assert await group.state() == (Status.SUCCESS, 3, 0)
    assert await sale.left() == 97


async def test_a_paid_seat_that_is_given_back_takes_its_progress_along(sale: Sale) -> None:
    group = await open_group(sale)
    await group.join("b")
    await group.paid("leader", "b")
    await group.released("b")

    assert await group.state() == (Status.ACTIVE, 1, 2)


async def test_a_group_that_everyone_left_has_failed(sale: Sale) -> None:
    """Nobody in it: over, at once, and nobody may join it any more."""
    group = await open_group(sale)
    await group.join("b")
    await group.released("leader", "b")

    assert await group.state() == (Status.FAILED, 0, TARGET)
    assert (await group.cells())["wakeAt"] == 0
    assert await group.join("c") == Outcome.ENDED
    assert await sale.left() == 100


async def test_the_leader_may_leave_a_group_that_others_are_in(sale: Sale) -> None:
    group = await open_group(sale)
    await group.join("b")
    await group.released("leader")

    assert await group.state() == (Status.PENDING, 0, 2)
    assert await group.join("c") == Outcome.RESERVED


async def test_a_group_fails_at_its_deadline(sale: Sale) -> None:
    """Not complete in time: FAILED, whoever has paid."""
    group = await open_group(sale)
    await group.join("b")
    await group.paid("leader")
    await group.over()

    assert await group.deadline() == Outcome.DONE
    assert (await group.state())[0] == Status.FAILED
    assert await group.join("c") == Outcome.ENDED


async def test_a_deadline_that_comes_early_or_again_changes_nothing(sale: Sale) -> None:
    group = await open_group(sale)
    before = await sale.everything()
    assert await group.deadline() == Outcome.UNCHANGED
    assert await sale.everything() == before

    await group.over()
    await group.deadline()
    before = await sale.everything()
    assert await group.deadline() == Outcome.UNCHANGED
    assert await sale.everything() == before


async def test_a_successful_group_outlives_its_deadline(sale: Sale) -> None:
    group = await open_group(sale)
    await group.join("b")
    await group.join("c")
    await group.paid("leader", "b", "c")
    await group.over()

    assert await group.deadline() == Outcome.UNCHANGED
    assert (await group.state())[0] == Status.SUCCESS


async def test_nobody_joins_after_the_time_even_if_nobody_said_so(sale: Sale) -> None:
    """The clock decides, not the wake-up call, which may be late."""
    group = await open_group(sale)
    await group.over()

    assert await group.join("b") == Outcome.ENDED


async def test_a_payment_into_a_failed_group_is_refused(sale: Sale) -> None:
    """ENDED is what makes Postgres pay it back; the hold stays until it is told `released`."""
    group = await open_group(sale)
    await group.over()
    await group.deadline()

    assert await group.paid("leader") == Outcome.ENDED
    assert await group.state() == (Status.FAILED, 0, 2)
    assert (await sale.intents())[-1][3][0][2:5] == ["paid", 1, Outcome.ENDED]
    await group.released("leader")
    assert await sale.left() == 100


async def test_refunds_of_a_failed_group_bring_all_stock_back(sale: Sale) -> None:
    """FAILED stays FAILED, progress falls to nothing, every unit returns."""
    group = await open_group(sale)
    await group.join("b")
    await group.paid("leader", "b")
    await group.over()
    await group.deadline()
    await group.released("leader", "b")

    assert (await group.state())[:2] == (Status.FAILED, 0)
    assert await sale.left() == 100


async def test_sold_out_counts_before_seats(sale: Sale) -> None:
    """With no stock left a free seat cannot be taken."""
    group = await open_group(sale, stock=2)

    assert await group.join("b") == Outcome.RESERVED
    assert await group.join("c") == Outcome.SOLD_OUT
    assert (await group.state())[2] == 1


@pytest.mark.parametrize("target", [2, 7])
async def test_racing_joiners_never_overfill(sale: Sale, target: int) -> None:
    """Two hundred clicks at five groups: each gets exactly its target, everyone else hears that it is full."""
    first = await open_group(sale, "l0", stock=1000, target=target)
    groups = [first, *[Group(sale, (await sale.click(f"l{i}", verb="open")).suffix) for i in range(1, 5)]]

    async def one(i: int) -> Reply:
        return await sale.click(f"u{i}", suffix=groups[i % 5].suffix)

    outcomes = [reply.outcome for reply in await asyncio.gather(*map(one, range(200)))]

    assert outcomes.count(Outcome.RESERVED) == 5 * (target - 1)
    assert outcomes.count(Outcome.INSTANCE_FULL) == 200 - 5 * (target - 1)
    assert [(await group.state())[2] for group in groups] == [0] * 5
    assert await sale.left() == 1000 - 5 * target
