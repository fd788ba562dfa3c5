"""老带新, step by step through a real Valkey: who is bound to whom, which orders count, and what is promised."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.sdk import Status
from plugins.referral.rules import ReferralRules
from tests.plugins.clock import run_out
from tests.support.gate import SHARD, Sale

DAY_MS = 86_400_000
NEW = {"newcomer": True, "device": "", "address": ""}
OLD = NEW | {"newcomer": False}


class Fair:
    """A config on sale, and people who bring others to it. Referrals go by the name of their owner."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        self.codes: dict[str, str] = {}  # by owner
        self._bought_at: dict[str, str] = {}  # by request
        self._requests = 0

    def _request(self) -> str:
        self._requests += 1
        return f"r{self._requests}"

    async def open(self, user: str, **facts: Any) -> Outcome:
        """They want invitations of their own."""
        reply = await self.sale.click(user, self._request(), verb="open", facts=OLD | facts)
        self.codes.setdefault(user, reply.suffix)
        return Outcome(reply.outcome)

    async def visit(self, user: str, referrer: str, **facts: Any) -> Outcome:
        """They accept an invitation."""
        code, known = self.codes[referrer], NEW | facts
        reply = await self.sale.click(user, self._request(), verb="visit", suffix=code, facts=known)
        return Outcome(reply.outcome)

    async def buy(self, user: str, at: str, **facts: Any) -> str:
        """They click on buying at somebody's page; the request, to pay for later."""
        request = self._request()
        reply = await self.sale.click(user, request, suffix=self.codes[at], facts=NEW | facts)
        assert reply.outcome == Outcome.RESERVED
        self._bought_at[request] = reply.suffix
        return request

    async def tell(self, kind: str, user: str, request: str) -> None:
        """Postgres has decided about that order."""
        at = self._bought_at[request]
        assert (await self.sale.event(kind, user, request, suffix=at)).outcome == Outcome.DONE

    async def paid(self, user: str, request: str) -> None:
        """And it is paid for."""
        await self.tell("paid", user, request)

    async def brought(self, user: str, referrer: str, **facts: Any) -> str:
        """Accepted, bought and paid for, all is well."""
        assert await self.visit(user, referrer, **facts) == Outcome.DONE
        request = await self.buy(user, referrer, **facts)
        await self.paid(user, request)
        return request

    async def cells(self, referrer: str) -> dict[str, Any]:
        """A referral's cells."""
        return await self.sale.cells(self.codes[referrer])

    async def state(self, referrer: str) -> tuple[Status, int]:
        """Status and progress of a referral."""
        cells = await self.cells(referrer)
        return Status(cells["status"]), cells["current"]

    async def counts(self, referrer: str) -> tuple[int, int, int]:
        """Bound, converted, brought."""
        cells = await self.cells(referrer)
        return cells["bound"], cells["converted"], cells["brought"]

    async def rewards(self) -> list[tuple[str, str, int]]:
        """Who was promised what, in order."""
        return [(one[5], one[6], one[7]) for payload in await self.sale.intents() for one in payload[6]]

    async def end(self, referrer: str) -> None:
        """The time of a referral runs out, and it is told so."""
        await run_out(self.sale, self.codes[referrer])
        await self.sale.event("deadline", "", suffix=self.codes[referrer])

    async def lapse(self, user: str) -> None:
        """The binding of a person runs out, as waiting would do."""
        key = keys.people(SHARD, self.sale.config_id)
        record = [await self.sale.mine(user) | {"boundUntil": 1}, *await self.sale.person(user)]
        await self.sale.redis.execute_command("HSET", key, user, msgspec.msgpack.encode(record))


async def fair(sale: Sale, *openers: str, stock: int = 100, **rules: Any) -> Fair:
    """A fair with these referrals open; both sides are promised credit."""
    both = {"referrerRewardAmount": 20, "inviteeRewardAmount": 10}
    filled = msgspec.to_builtins(msgspec.convert({"limitPerPerson": 0} | both | rules, ReferralRules))
    await sale.publish("REFERRAL", stock=stock, rules=filled)
    opened = Fair(sale)
    for user in openers:
        assert await opened.open(user) == Outcome.DONE
    return opened


# Opening ----------------------------------------------------------------------------------------


async def test_an_opened_referral_holds_no_stock(sale: Sale) -> None:
    """Its owner has invitations for so many days, and nothing more."""
    one = await fair(sale, "ann", stock=10, target=5, durationDays=3)

    cells = await one.cells("ann")
    opened_at_ms = (await sale.intents())[-1][0]
    assert (cells["owner"], cells["target"], cells["status"]) == ("ann", 5, Status.PENDING)
    assert cells["endsAt"] == cells["wakeAt"] == opened_at_ms + 3 * DAY_MS
    assert await sale.left() == 10


async def test_one_person_has_one_referral(sale: Sale) -> None:
    one = await fair(sale, "ann")

    assert await one.open("ann") == Outcome.LIMIT_REACHED


# Binding ----------------------------------------------------------------------------------------


async def test_a_visit_binds_for_so_many_days(sale: Sale) -> None:
    one = await fair(sale, "ann", windowDays=4)
    assert await one.visit("bob", "ann") == Outcome.DONE

    mine, visited_at_ms = await sale.mine("bob"), (await sale.intents())[-1][0]
    assert mine["boundUntil"] == visited_at_ms + 4 * DAY_MS
    assert (await one.cells("ann"))["bound"] == 1
    assert await sale.left() == 100


async def test_nobody_accepts_their_own_invitation(sale: Sale) -> None:
    one = await fair(sale, "ann")

    assert await one.visit("ann", "ann") == Outcome.NOT_ELIGIBLE


async def test_whoever_has_opened_is_nobody_s_guest(sale: Sale) -> None:
    """Not of somebody who opened before, not of somebody who opened after."""
    one = await fair(sale, "ann", "bob")

    assert await one.visit("ann", "bob") == Outcome.NOT_ELIGIBLE
    assert await one.visit("bob", "ann") == Outcome.NOT_ELIGIBLE


async def test_no_circle_can_be_closed(sale: Sale) -> None:
    """Ann brings Bob brings Cid: each may open when bound, and then Ann can be bound to none of them."""
    one = await fair(sale, "ann")
    for guest, referrer in (("bob", "ann"), ("cid", "bob")):
        assert await one.visit(guest, referrer) == Outcome.DONE
        assert await one.open(guest) == Outcome.DONE

    assert await one.visit("ann", "bob") == Outcome.NOT_ELIGIBLE
    assert await one.visit("ann", "cid") == Outcome.NOT_ELIGIBLE
    assert await one.visit("bob", "cid") == Outcome.NOT_ELIGIBLE


@pytest.mark.parametrize(("touch", "outcome", "owner"), [("first", Outcome.CONFLICT, 0), ("last", Outcome.DONE, 1)])
async def test_a_second_invitation(sale: Sale, touch: str, outcome: Outcome, owner: int) -> None:
    """First touch keeps the first referrer, last touch goes over to the second."""
    one = await fair(sale, "ann", "bob", touch=touch)
    await one.visit("cid", "ann")

    assert await one.visit("cid", "bob") == outcome
    await one.paid("cid", await one.buy("cid", "bob"))
    assert [(await one.state("ann"))[1], (await one.state("bob"))[1]] == [1 - owner, owner]


@pytest.mark.parametrize("touch", ["first", "last"])
async def test_the_same_invitation_again_changes_nothing(sale: Sale, touch: str) -> None:
    """A page that is loaded a hundred times uses up none of what a person may do."""
    one = await fair(sale, "ann", touch=touch)
    await one.visit("bob", "ann")
    before = await sale.everything()

    assert [await one.visit("bob", "ann") for _ in range(3)] == [Outcome.CONFLICT] * 3
    assert await sale.everything() == before


async def test_a_binding_that_is_over_makes_room_for_the_next(sale: Sale) -> None:
    one = await fair(sale, "ann", "bob", touch="first")
    await one.visit("cid", "ann")
    await one.lapse("cid")

    assert await one.visit("cid", "bob") == Outcome.DONE


async def test_only_newcomers_are_bound_where_the_rules_say_so(sale: Sale) -> None:
    one = await fair(sale, "ann", newcomersOnly=True)
    assert await one.visit("bob", "ann", newcomer=False) == Outcome.NOT_ELIGIBLE

    anyone = Sale(sale.gate, sale.redis, "cbbbbbbbbbbbb")
    other = await fair(anyone, "ann", newcomersOnly=False)
    assert await other.visit("bob", "ann", newcomer=False) == Outcome.DONE


async def test_nobody_is_bound_after_success_or_the_end(sale: Sale) -> None:
    """Neither once the deadline has been told nor before it was."""
    one = await fair(sale, "ann", "bob", "cid", target=1)
    await one.brought("x", "ann")
    await one.end("bob")
    await run_out(sale, one.codes["cid"])

    assert await one.visit("y", "ann") == Outcome.INSTANCE_FULL
    assert await one.visit("y", "bob") == Outcome.ENDED
    assert await one.visit("y", "cid") == Outcome.ENDED


async def test_where_somebody_came_from_is_kept_and_cannot_be_covered_up(sale: Sale) -> None:
    """The first device and address that are known, of both sides; who says nothing is like nobody else."""
    one = await fair(sale)
    await one.open("ann", device="d1", address="a1")
    await one.visit("bob", "ann", device="", address="a2")
    await one.buy("bob", "ann", device="d2", address="a3")
    await one.buy("bob", "ann", device="d4", address="a4")

    origins = [{name: (await sale.mine(user)).get(name) for name in ("device", "address")} for user in ("ann", "bob")]
    assert origins == [{"device": "d1", "address": "a1"}, {"device": "d2", "address": "a2"}]


# What counts ------------------------------------------------------------------------------------


async def test_a_paid_order_of_a_guest_earns_both_sides_something(sale: Sale) -> None:
    """Frozen for the refund window; each in its own kind."""
    one = await fair(
        sale, "ann",
        referrerRewardKind="ASSET", referrerRewardAmount=2, inviteeRewardKind="CASH", inviteeRewardAmount=30,
        refundDays=9,
    )  # fmt: skip
    request = await one.brought("bob", "ann")

    payload = (await sale.intents())[-1]
    assert [(one[5], one[6], one[7], one[8] - payload[0]) for one in payload[6]] == [
        ("ann", "ASSET", 2, 9 * DAY_MS),
        ("bob", "CASH", 30, 9 * DAY_MS),
    ]
    order_id = next(order[0] for one in await sale.intents() for order in one[1] if order[4] == request)
    assert {reward[4] for reward in payload[6]} == {order_id}
    assert await one.state("ann") == (Status.ACTIVE, 1)
    assert await one.counts("ann") == (1, 1, 1)


async def test_a_reward_of_nothing_is_not_promised(sale: Sale) -> None:
    one = await fair(sale, "ann", referrerRewardAmount=0, inviteeRewardAmount=0)
    await one.brought("bob", "ann")

    assert await one.rewards() == []
    assert await one.state("ann") == (Status.ACTIVE, 1)


async def test_the_purchase_counts_for_the_referrer_wherever_it_is_clicked(sale: Sale) -> None:
    one = await fair(sale, "ann", "bob")
    await one.visit("cid", "ann")
    await one.paid("cid", await one.buy("cid", "bob"))

    assert (await one.state("ann"), await one.state("bob")) == ((Status.ACTIVE, 1), (Status.PENDING, 0))


async def test_a_second_level_earns_nothing(sale: Sale) -> None:
    """Ann brought Bob, Bob brings Cid: Cid's order is Bob's alone."""
    one = await fair(sale, "ann")
    await one.brought("bob", "ann")
    await one.open("bob")
    await one.brought("cid", "bob")

    assert await one.rewards() == [
        ("ann", "CREDIT", 20),
        ("bob", "CREDIT", 10),
        ("bob", "CREDIT", 20),
        ("cid", "CREDIT", 10),
    ]
    assert (await one.state("ann"))[1] == 1


Deed = Callable[[Fair], Any]


async def unbound(one: Fair) -> None:
    """A stranger buys."""
    await one.paid("bob", await one.buy("bob", "ann"))


async def the_owner(one: Fair) -> None:
    """The referrer buys on their own page."""
    await one.paid("ann", await one.buy("ann", "ann"))


async def too_late(one: Fair) -> None:
    """The binding was over at the click."""
    await one.visit("bob", "ann")
    await one.lapse("bob")
    await one.paid("bob", await one.buy("bob", "ann"))


async def after_the_end(one: Fair) -> None:
    """The referral was over at the click."""
    await one.visit("bob", "ann")
    await run_out(one.sale, one.codes["ann"])
    await one.paid("bob", await one.buy("bob", "ann"))


async def never_paid(one: Fair) -> None:
    """The hold ran out."""
    await one.visit("bob", "ann")
    await one.tell("released", "bob", await one.buy("bob", "ann"))


@pytest.mark.parametrize("deed", [unbound, the_owner, too_late, after_the_end, never_paid])
async def test_what_counts_for_nobody(sale: Sale, deed: Deed) -> None:
    """They may buy all the same."""
    one = await fair(sale, "ann")
    await deed(one)

    assert await one.rewards() == []
    assert (await one.state("ann"))[1] == 0


async def test_attribution_is_judged_at_the_click(sale: Sale) -> None:
    """Between click and payment the binding may end, go over to another, and the referral be over."""
    one = await fair(sale, "ann", "bob", touch="last", target=2)
    await one.visit("cid", "ann")
    clicked = await one.buy("cid", "ann")
    await one.visit("cid", "bob")
    await one.lapse("cid")
    await one.end("ann")

    await one.paid("cid", clicked)
    assert await one.rewards() == [("ann", "CREDIT", 20), ("cid", "CREDIT", 10)]
    assert await one.state("ann") == (Status.FAILED, 1)
    assert await one.state("bob") == (Status.PENDING, 0)


async def test_a_person_counts_once(sale: Sale) -> None:
    """Of several orders the one that is paid first; later ones, and other referrers, get nothing."""
    one = await fair(sale, "ann", "bob", touch="last")
    await one.visit("cid", "ann")
    first, second = await one.buy("cid", "ann"), await one.buy("cid", "ann")
    await one.paid("cid", second)
    await one.paid("cid", first)
    await one.paid("cid", await one.buy("cid", "ann"))

    assert await one.visit("cid", "bob") == Outcome.NOT_ELIGIBLE
    assert len(await one.rewards()) == 2
    assert await one.state("ann") == (Status.ACTIVE, 1)


async def test_an_order_nobody_paid_for_leaves_the_next_one_its_place(sale: Sale) -> None:
    one = await fair(sale, "ann")
    await one.visit("bob", "ann")
    await one.tell("released", "bob", await one.buy("bob", "ann"))
    await one.paid("bob", await one.buy("bob", "ann"))

    assert (await one.state("ann"))[1] == 1


async def test_an_order_that_is_paid_back_no_longer_counts(sale: Sale) -> None:
    """Only the one that did: another order of the same person is nothing to the referrer."""
    one = await fair(sale, "ann")
    counted = await one.brought("bob", "ann")
    other = await one.buy("bob", "ann", newcomer=False)
    await one.paid("bob", other)

    await one.tell("released", "bob", other)
    assert (await one.state("ann"), await one.counts("ann")) == ((Status.ACTIVE, 1), (1, 1, 1))
    await one.tell("released", "bob", counted)
    assert (await one.state("ann"), await one.counts("ann")) == ((Status.ACTIVE, 0), (1, 0, 0))


async def test_whoever_was_paid_back_does_not_count_again(sale: Sale) -> None:
    """Or buying and giving back in turn would earn a reward each time that the freeze is over."""
    one = await fair(sale, "ann")
    await one.tell("released", "bob", await one.brought("bob", "ann"))
    await one.paid("bob", await one.buy("bob", "ann"))

    assert len(await one.rewards()) == 2
    assert await one.counts("ann") == (1, 0, 0)


async def test_brought_are_only_the_new(sale: Sale) -> None:
    """New at the click: whoever has paid elsewhere since the visit is converted, but not new."""
    one = await fair(sale, "ann", target=5)
    await one.visit("bob", "ann")
    request = await one.buy("bob", "ann", newcomer=False)
    await one.paid("bob", request)
    await one.brought("cid", "ann")
    assert await one.counts("ann") == (2, 2, 1)

    await one.tell("released", "bob", request)
    assert await one.counts("ann") == (2, 1, 1)


# The end ----------------------------------------------------------------------------------------


async def test_the_last_friend_makes_it_a_success(sale: Sale) -> None:
    """What is paid back afterwards takes nothing of it away, except from the numbers."""
    one = await fair(sale, "ann", target=2)
    request = await one.brought("bob", "ann")
    await one.brought("cid", "ann")
    assert await one.state("ann") == (Status.SUCCESS, 2)
    assert (await one.cells("ann"))["wakeAt"] == 0

    await one.tell("released", "bob", request)
    assert await one.state("ann") == (Status.SUCCESS, 2)
    assert await one.counts("ann") == (2, 1, 1)


async def test_after_success_only_what_was_clicked_before_counts(sale: Sale) -> None:
    """The budget of a referral is its target; a click that was promised something keeps it."""
    one = await fair(sale, "ann", target=1)
    for user in ("bob", "cid", "dan"):
        await one.visit(user, "ann")
    first, second = await one.buy("bob", "ann"), await one.buy("cid", "ann")
    await one.paid("bob", first)
    third = await one.buy("dan", "ann")

    await one.paid("cid", second)
    await one.paid("dan", third)
    assert await one.state("ann") == (Status.SUCCESS, 2)
    assert {user for user, _, _ in await one.rewards()} == {"ann", "bob", "cid"}


async def test_below_its_target_it_fails_at_the_end_and_what_was_earned_stays(sale: Sale) -> None:
    one = await fair(sale, "ann", target=2)
    await one.brought("bob", "ann")
    await one.end("ann")

    assert await one.state("ann") == (Status.FAILED, 1)
    assert len(await one.rewards()) == 2


async def test_an_order_of_the_last_minutes_may_still_make_it_a_success(sale: Sale) -> None:
    one = await fair(sale, "ann", target=1)
    await one.visit("bob", "ann")
    request = await one.buy("bob", "ann")
    await one.end("ann")
    assert await one.state("ann") == (Status.FAILED, 0)

    await one.paid("bob", request)
    assert await one.state("ann") == (Status.SUCCESS, 1)


async def test_a_deadline_that_comes_early_or_after_success_changes_nothing(sale: Sale) -> None:
    one = await fair(sale, "ann", "bob", target=1)
    await one.brought("cid", "bob")
    await run_out(sale, one.codes["bob"])
    before = await sale.everything()

    for referrer in ("ann", "bob"):
        reply = await sale.event("deadline", "", suffix=one.codes[referrer])
        assert reply.outcome == Outcome.UNCHANGED
    assert await sale.everything() == before


async def test_orders_without_end_do_not_grow_a_person_s_cells_without_end(sale: Sale) -> None:
    """So many unpaid orders may count; more are orders like any other."""
    one = await fair(sale, "ann", stock=100)
    await one.visit("bob", "ann")
    requests = [await one.buy("bob", "ann") for _ in range(20)]
    assert len((await sale.mine("bob"))["claims"].split()) == 16

    await one.paid("bob", requests[-1])
    assert (await one.state("ann"))[1] == 0
    await one.tell("released", "bob", requests[0])
    await one.paid("bob", await one.buy("bob", "ann"))
    assert (await one.state("ann"))[1] == 1
