"""砍价, step by step through a real Valkey: what friends may cut, what the owner may buy, and when it is over."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.sdk import Fact, Offer, Status, Window
from plugins.bargain.rules import BargainRules, asks, problems
from tests.plugins.clock import run_out
from tests.support.gate import SHARD, Sale

PRICE = 1000
FLOOR = 700
HELPERS = 3
MINUTE_MS = 60_000
DAY_MS = 86_400_000
CHINA_MS = 8 * 3_600_000
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(days=2))


class Bargain:
    """An open bargain; `open_bargain` makes it, its owner is `owner`."""

    def __init__(self, sale: Sale, suffix: str) -> None:
        self.sale = sale
        self.suffix = suffix

    async def cut(self, user: str, request_id: str = "cut", *, newcomer: bool | None = None) -> Outcome:
        """A friend's cut."""
        facts = None if newcomer is None else {"newcomer": newcomer}
        reply = await self.sale.click(user, request_id + self.suffix, verb="cut", suffix=self.suffix, facts=facts)
        return Outcome(reply.outcome)

    async def to_the_floor(self) -> None:
        """As many friends cut as there can be."""
        for number in range((await self.cells())["target"]):
            assert await self.cut(f"friend{number}") == Outcome.DONE

    async def buy(self, request_id: str = "buy", *, user: str = "owner", quantity: int = 1) -> Outcome:
        """The owner's purchase."""
        reply = await self.sale.click(user, request_id, verb="buy", suffix=self.suffix, quantity=quantity)
        return Outcome(reply.outcome)

    async def paid(self, request_id: str = "buy") -> Outcome:
        """The owner's payment."""
        return Outcome((await self.sale.event("paid", "owner", request_id, suffix=self.suffix)).outcome)

    async def released(self, request_id: str = "buy") -> None:
        """The owner's order given back."""
        await self.sale.event("released", "owner", request_id, suffix=self.suffix)

    async def deadline(self) -> Outcome:
        """Somebody thinks that the time has come."""
        return Outcome((await self.sale.event("deadline", "", suffix=self.suffix)).outcome)

    async def over(self) -> None:
        """The bargain's time runs out."""
        await run_out(self.sale, self.suffix)

    async def cells(self) -> dict[str, Any]:
        """Its cells."""
        return await self.sale.cells(self.suffix)

    async def state(self) -> tuple[Status, int, int]:
        """Status, cuts, price now."""
        cells = await self.cells()
        return Status(cells["status"]), cells["current"], cells["priceFen"]


async def publish(sale: Sale, *, stock: int = 10, price_fen: int = PRICE, **rules: Any) -> None:
    """A config on which people bargain; the rules are complete, as publication makes them."""
    filled = BargainRules(**{"helpers": HELPERS, "floor_price_fen": FLOOR} | rules)
    await sale.publish("BARGAIN", stock=stock, price_fen=price_fen, rules=msgspec.to_builtins(filled))


async def another(sale: Sale, owner: str = "owner", request_id: str = "r1") -> Bargain:
    """One more bargain on a published config."""
    reply = await sale.click(owner, request_id, verb="open")
    assert reply.outcome == Outcome.DONE
    return Bargain(sale, reply.suffix)


async def open_bargain(sale: Sale, **how: Any) -> Bargain:
    """The owner's bargain on a config of its own."""
    await publish(sale, **how)
    return await another(sale)


async def amounts(sale: Sale) -> list[int]:
    """What the orders cost, oldest first."""
    return [order[6] for payload in await sale.intents() for order in payload[1]]


# Opening ------------------------------------------------------------------------------------------


async def test_a_fresh_bargain_holds_no_stock_and_names_its_helpers(sale: Sale) -> None:
    """Before it is shared, it says how many cuts it takes; nothing is reserved, and the price is the config's."""
    bargain = await open_bargain(sale, stock=1)

    assert await bargain.state() == (Status.PENDING, 0, PRICE)
    assert (await bargain.cells())["target"] == HELPERS
    assert await sale.left() == 1
    assert bargain.suffix == ids.opened_suffix(ids.click_id(sale.config_id, "owner", "r1"))


@pytest.mark.parametrize(
    ("shape", "floor", "helpers", "cuts"),
    [
        ("even", 700, 3, "100,100,100"),
        ("even", 990, 4, "3,3,2,2"),
        ("front", 980, 4, "8,6,4,2"),
        ("front", 995, 5, "1,1,1,1,1"),
        ("random", 995, 5, "1,1,1,1,1"),
        ("random", 700, 1, "300"),
    ],
)
async def test_the_cuts_are_drawn_when_it_is_opened(
    sale: Sale, shape: str, floor: int, helpers: int, cuts: str
) -> None:
    """All of them, in fen; their sum is the price less the floor."""
    bargain = await open_bargain(sale, shape=shape, floor_price_fen=floor, helpers=helpers)

    assert (await bargain.cells())["cuts"] == cuts


async def test_two_random_bargains_differ(sale: Sale) -> None:
    """Nobody knows the cuts from those of another bargain, even one opened in the same batch."""
    await publish(sale, price_fen=10_000_000, shape="random", helpers=8)

    opened = [(await another(sale, owner)).suffix for owner in ("a", "b", "c")]

    assert len({(await sale.cells(suffix))["cuts"] for suffix in opened}) == 3


async def test_a_person_opens_as_many_as_the_rules_allow(sale: Sale) -> None:
    """Ended ones count; other people's do not."""
    await publish(sale, bargains_per_person=2)
    first = await another(sale)
    await first.over()
    await first.deadline()
    await another(sale, request_id="r2")

    assert (await sale.click("owner", "r3", verb="open")).outcome == Outcome.LIMIT_REACHED
    await another(sale, "somebody else")


# Cutting ------------------------------------------------------------------------------------------


async def test_each_cut_lowers_the_price_until_the_floor(sale: Sale) -> None:
    bargain = await open_bargain(sale, shape="front")  # 150, 100, 50

    seen = []
    for friend in ("a", "b", "c"):
        await bargain.cut(friend)
        seen.append(await bargain.state())

    assert seen == [(Status.ACTIVE, 1, 850), (Status.ACTIVE, 2, 750), (Status.ACTIVE, 3, FLOOR)]
    assert await sale.left() == 10


async def test_nobody_cuts_their_own(sale: Sale) -> None:
    bargain = await open_bargain(sale)

    assert await bargain.cut("owner") == Outcome.NOT_ELIGIBLE
    assert (await bargain.state())[1] == 0


async def test_a_friend_cuts_once_a_bargain(sale: Sale) -> None:
    """The same click again has the same answer; another click is refused."""
    bargain = await open_bargain(sale)
    assert [await bargain.cut("a"), await bargain.cut("a")] == [Outcome.DONE] * 2

    assert await bargain.cut("a", "again") == Outcome.LIMIT_REACHED
    assert (await bargain.state())[1] == 1


async def test_there_is_no_cut_after_the_last_one(sale: Sale) -> None:
    bargain = await open_bargain(sale)
    await bargain.to_the_floor()

    assert await bargain.cut("late") == Outcome.INSTANCE_FULL
    assert await bargain.state() == (Status.ACTIVE, HELPERS, FLOOR)


async def test_nobody_cuts_when_the_time_is_over(sale: Sale) -> None:
    """Whether or not the wake-up call has come, and at the floor as well."""
    bargain = await open_bargain(sale)
    await bargain.over()

    assert await bargain.cut("a") == Outcome.ENDED
    await bargain.deadline()
    assert await bargain.cut("b") == Outcome.ENDED


async def test_nobody_cuts_what_is_bought(sale: Sale) -> None:
    """Bought before the floor, it is over; at the floor there was no cut left."""
    bargain = await open_bargain(sale)
    await bargain.buy()
    assert await bargain.cut("a") == Outcome.DONE
    await bargain.paid()

    assert await bargain.cut("b") == Outcome.ENDED


async def test_a_friend_cuts_so_often_a_day(sale: Sale) -> None:
    """Counted over all bargains on the config; refused cuts are none."""
    await publish(sale, cuts_per_day=2)
    first, second, third = [await another(sale, owner) for owner in ("a", "b", "c")]
    await first.cut("friend")
    await first.cut("friend", "again")
    await second.cut("friend")

    assert await third.cut("friend") == Outcome.LIMIT_REACHED
    assert await third.cut("somebody else") == Outcome.DONE


async def test_tomorrow_a_friend_may_cut_again(sale: Sale) -> None:
    """The day is China's, and its number is what the person's cells keep."""
    await publish(sale, cuts_per_day=1)
    first, second = [await another(sale, owner) for owner in ("a", "b")]
    before = int(time.time() * 1000)
    await first.cut("friend")
    after = int(time.time() * 1000)
    mine = await sale.mine("friend")
    assert (before + CHINA_MS) // DAY_MS <= mine["day"] <= (after + CHINA_MS) // DAY_MS

    yesterday = [mine | {"day": mine["day"] - 1}, *await sale.person("friend")]
    people = keys.people(SHARD, sale.config_id)
    await sale.redis.execute_command("HSET", people, "friend", msgspec.msgpack.encode(yesterday))
    assert await second.cut("friend") == Outcome.DONE
    assert (await sale.mine("friend"))["cutsToday"] == 1


async def test_a_newcomer_cuts_more_and_the_others_pay_for_it(sale: Sale) -> None:
    """Half as much again, taken from the cuts to come; the floor and the number of cuts stay."""
    bargain = await open_bargain(sale, newcomer_bonus_percent=50)

    await bargain.cut("new", newcomer=True)
    assert await bargain.state() == (Status.ACTIVE, 1, PRICE - 150)
    assert (await bargain.cells())["cuts"] == "75,75"
    await bargain.cut("old", newcomer=False)
    await bargain.cut("last", newcomer=True)
    assert await bargain.state() == (Status.ACTIVE, HELPERS, FLOOR)


async def test_a_bonus_leaves_every_later_cut_its_fen(sale: Sale) -> None:
    bargain = await open_bargain(sale, newcomer_bonus_percent=300, floor_price_fen=PRICE - 10)  # 4, 3, 3

    await bargain.cut("new", newcomer=True)

    assert (await bargain.cells())["cuts"] == "1,1"
    assert (await bargain.state())[2] == PRICE - 8


def test_only_rules_with_a_bonus_ask_who_is_new() -> None:
    rules = BargainRules(helpers=1, floor_price_fen=1)

    assert asks(rules) == ()
    assert asks(msgspec.structs.replace(rules, newcomer_bonus_percent=1)) == (Fact.NEWCOMER,)


# Buying -------------------------------------------------------------------------------------------


async def test_the_owner_buys_at_the_price_there_is(sale: Sale) -> None:
    """Only now stock is held; the price of the order is the bargain's."""
    bargain = await open_bargain(sale, stock=5)
    await bargain.cut("a")

    assert await bargain.buy() == Outcome.RESERVED
    assert await amounts(sale) == [PRICE - 100]
    assert await sale.left() == 4
    assert await bargain.paid() == Outcome.DONE
    assert await bargain.state() == (Status.SUCCESS, 1, PRICE - 100)
    assert (await bargain.cells())["wakeAt"] == 0


async def test_an_owner_may_buy_before_anybody_has_helped(sale: Sale) -> None:
    bargain = await open_bargain(sale)
    await bargain.buy()

    assert await bargain.paid() == Outcome.DONE
    assert (await amounts(sale), await bargain.state()) == ([PRICE], (Status.SUCCESS, 0, PRICE))


async def test_where_the_rules_say_so_the_floor_comes_first(sale: Sale) -> None:
    bargain = await open_bargain(sale, buy_before_floor=False)
    assert await bargain.buy() == Outcome.NOT_STARTED

    await bargain.to_the_floor()
    assert await bargain.buy() == Outcome.RESERVED
    assert await amounts(sale) == [FLOOR]


async def test_only_the_owner_buys(sale: Sale) -> None:
    bargain = await open_bargain(sale)

    assert await bargain.buy(user="a") == Outcome.NOT_ELIGIBLE


async def test_one_bargain_sells_one_unit(sale: Sale) -> None:
    """Not two at once, not another while one waits to be paid, and not one more afterwards."""
    bargain = await open_bargain(sale)

    assert await bargain.buy(quantity=2) == Outcome.LIMIT_REACHED
    assert await bargain.buy("one") == Outcome.RESERVED
    assert await bargain.buy("two") == Outcome.LIMIT_REACHED
    await bargain.paid("one")
    assert await bargain.buy("three") == Outcome.ENDED
    assert await sale.left() == 9


async def test_what_is_sold_out_is_cut_but_not_bought(sale: Sale) -> None:
    """Until somebody gives a unit back."""
    await publish(sale, stock=1)
    first, second = await another(sale, "first"), await another(sale)
    await first.buy(user="first")

    assert await second.cut("a") == Outcome.DONE
    assert await second.buy() == Outcome.SOLD_OUT
    assert (await second.cells())["buying"] is False


async def test_an_order_given_back_may_be_made_again_at_the_price_of_then(sale: Sale) -> None:
    bargain = await open_bargain(sale)
    await bargain.buy("one")
    await bargain.cut("a")
    await bargain.released("one")

    assert await sale.left() == 10
    assert await bargain.buy("two") == Outcome.RESERVED
    assert await amounts(sale) == [PRICE, PRICE - 100]


async def test_what_is_paid_back_stays_bought(sale: Sale) -> None:
    """The unit returns; a bargain has one end."""
    bargain = await open_bargain(sale)
    await bargain.buy()
    await bargain.paid()
    await bargain.released()

    assert await sale.left() == 10
    assert (await bargain.state())[0] == Status.SUCCESS
    assert await bargain.buy("again") == Outcome.ENDED


# The end ------------------------------------------------------------------------------------------


async def test_the_time_is_counted_from_the_opening_and_then_from_the_last_cut(sale: Sale) -> None:
    """`durationMinutes` to bargain; at the floor `payMinutes` to buy, shorter or longer."""
    bargain = await open_bargain(sale, duration_minutes=60, pay_minutes=7)
    opened_at_ms = (await sale.intents())[-1][0]
    cells = await bargain.cells()
    assert cells["endsAt"] == cells["wakeAt"] == opened_at_ms + 60 * MINUTE_MS

    await bargain.to_the_floor()
    floor_at_ms = (await sale.intents())[-1][0]
    cells = await bargain.cells()
    assert cells["endsAt"] == cells["wakeAt"] == floor_at_ms + 7 * MINUTE_MS


async def test_a_wake_up_call_before_the_end_changes_nothing(sale: Sale) -> None:
    bargain = await open_bargain(sale)

    assert await bargain.deadline() == Outcome.UNCHANGED
    assert (await bargain.state())[0] == Status.PENDING


@pytest.mark.parametrize("cuts", [0, 1, HELPERS])
async def test_what_nobody_bought_in_time_has_failed(sale: Sale, cuts: int) -> None:
    """With or without help, and at the floor when the time to buy is over; once."""
    bargain = await open_bargain(sale)
    for number in range(cuts):
        await bargain.cut(f"friend{number}")
    await bargain.over()

    assert await bargain.buy() == Outcome.ENDED
    assert await bargain.deadline() == Outcome.DONE
    assert (await bargain.state())[0] == Status.FAILED
    assert (await bargain.cells())["wakeAt"] == 0
    assert await bargain.deadline() == Outcome.UNCHANGED
    assert await bargain.buy() == Outcome.ENDED


async def waiting(sale: Sale) -> Bargain:
    """A bargain whose time is over while its owner's order waits to be paid."""
    bargain = await open_bargain(sale)
    await bargain.buy()
    await bargain.over()
    assert await bargain.deadline() == Outcome.DONE
    return bargain


async def test_at_the_end_a_bargain_waits_for_the_order_that_is_to_be_paid(sale: Sale) -> None:
    """Nobody cuts any more, nobody wakes it again, and the payment makes it a success."""
    bargain = await waiting(sale)
    assert (await bargain.state())[0] == Status.ACTIVE
    assert (await bargain.cells())["wakeAt"] == 0
    assert await bargain.deadline() == Outcome.UNCHANGED
    assert await bargain.cut("a") == Outcome.ENDED

    assert await bargain.paid() == Outcome.DONE
    assert (await bargain.state())[0] == Status.SUCCESS


async def test_the_order_it_waited_for_is_given_back_and_it_has_failed(sale: Sale) -> None:
    bargain = await waiting(sale)
    await bargain.released()

    assert (await bargain.state())[0] == Status.FAILED
    assert await sale.left() == 10


async def test_an_order_given_back_after_the_end_needs_no_wake_up_call(sale: Sale) -> None:
    bargain = await open_bargain(sale)
    await bargain.buy()
    await bargain.over()
    await bargain.released()

    assert (await bargain.state())[0] == Status.FAILED
    assert await bargain.deadline() == Outcome.UNCHANGED


# Rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("floor", "helpers", "fields"),
    [(999, 1, []), (999, 2, ["helpers"]), (1000, 1, ["floorPriceFen"]), (5000, 1, ["floorPriceFen"]), (900, 100, [])],
)
def test_the_price_leaves_room_for_every_cut(floor: int, helpers: int, fields: list[str]) -> None:
    """A fen for each helper, above the floor."""
    rules = BargainRules(helpers=helpers, floor_price_fen=floor)
    found = problems(rules, Offer(price_fen=PRICE, stock=1, window=WINDOW))

    assert [problem.field for problem in found] == fields
