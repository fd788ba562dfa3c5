"""Bargains by the thousand: helpers race through the lanes of two gates, and each ends exactly at its floor."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply
from engine.local.running import Running
from engine.sdk import Status
from plugins.bargain.rules import BargainRules
from tests.support.gate import Sale, open_sale

HELPERS = 5
A_DAY = 3
PRICE, FLOOR = 9900, 4900
AT_ONCE = 40  # bargains whose helpers race in the same moment
CROWD = HELPERS + 3  # people who click on a bargain at once
WAVES_MAX = 10
REFUSALS = (Outcome.INSTANCE_FULL, Outcome.NOT_ELIGIBLE, Outcome.LIMIT_REACHED)
DAY_MS = 86_400_000
CHINA_MS = 8 * 3_600_000


def parts(owners: list[str], size: int) -> Iterator[list[str]]:
    """So many of them at a time."""
    return (owners[start : start + size] for start in range(0, len(owners), size))


class Fair:
    """Bargains on one config, and what became of every click."""

    def __init__(self, sale: Sale, other: Sale, size: int) -> None:
        self.sale = sale
        self.doors = sale, other  # two processes that sell the same
        self.random = Random(size)
        self.owners = [f"u{number}" for number in range(size)]
        self.people = [f"u{number}" for number in range(size * 5 // 2)]  # everyone may help, owners as well
        self.suffixes = {owner: ids.opened_suffix(ids.click_id(sale.config_id, owner, "r1")) for owner in self.owners}
        self.outcomes: Counter[Outcome] = Counter()
        self.cuts: list[tuple[str, str]] = []  # (suffix, user) of every cut that was taken, without repeats

    async def open(self) -> None:
        """Everyone's bargain."""
        for some in parts(self.owners, 400):
            replies = await asyncio.gather(*(self.sale.click(owner, verb="open") for owner in some))
            assert {reply.outcome for reply in replies} == {Outcome.DONE}

    async def race(self) -> None:
        """Helpers until no bargain wants any: more than there are cuts, some twice, some again, and the owner."""
        waiting = self.owners
        for _wave in range(WAVES_MAX):
            for some in parts(waiting, AT_ONCE):
                await self._rush(some)
            waiting = [owner for owner in waiting if (await self.cells(owner))["current"] < HELPERS]
            if not waiting:
                return
        pytest.fail(f"{len(waiting)} bargains never reached their floor")

    async def _rush(self, owners: list[str]) -> None:
        clicks = []
        for owner in owners:
            crowd = self.random.sample(self.people, CROWD)
            clicks += [(owner, user, "r1") for user in [*crowd, *crowd[:2], owner]]  # the same click twice is one
            clicks += [(owner, user, "r2") for user in crowd[-2:]]  # another click of theirs is refused
        self.random.shuffle(clicks)
        replies = await asyncio.gather(*(self._cut(*click) for click in clicks))
        for (owner, user, _request), reply in zip(clicks, replies, strict=True):
            self.outcomes[Outcome(reply.outcome)] += 1
            if reply.outcome == Outcome.DONE and not reply.replayed:
                self.cuts.append((self.suffixes[owner], user))

    async def _cut(self, owner: str, user: str, request_id: str) -> Reply:
        suffix = self.suffixes[owner]
        facts = {"newcomer": user.endswith("7")}
        door = self.random.choice(self.doors)
        return await door.click(user, request_id + suffix, verb="cut", suffix=suffix, facts=facts)

    async def buy(self) -> None:
        """Every owner buys and pays."""
        for some in parts(self.owners, 400):
            bought = [self.sale.click(owner, "buy", verb="buy", suffix=self.suffixes[owner]) for owner in some]
            assert {reply.outcome for reply in await asyncio.gather(*bought)} == {Outcome.RESERVED}
            paid = [self.sale.event("paid", owner, "buy", suffix=self.suffixes[owner]) for owner in some]
            assert {reply.outcome for reply in await asyncio.gather(*paid)} == {Outcome.DONE}

    async def cells(self, owner: str) -> dict[str, Any]:
        """A bargain's cells."""
        return await self.sale.cells(self.suffixes[owner])


@pytest.mark.parametrize(("shape", "size"), [("even", 200), ("front", 200), ("random", 2000)])
async def test_every_bargain_ends_at_its_floor_with_the_last_of_exactly_so_many_cuts(
    valkey: Running, shape: Any, size: int
) -> None:
    """Nobody cut twice, nobody too often a day, no cut was lost or added, and each owner paid the floor."""
    rules = BargainRules(
        helpers=HELPERS, floor_price_fen=FLOOR, shape=shape, cuts_per_day=A_DAY, newcomer_bonus_percent=50
    )
    async with open_sale(valkey.url) as sale, open_sale(valkey.url) as other:
        fair = Fair(sale, other, size)
        await sale.publish("BARGAIN", stock=size, price_fen=PRICE, rules=msgspec.to_builtins(rules))
        await fair.open()
        await fair.race()

        assert set(fair.outcomes) == {Outcome.DONE, *REFUSALS}
        assert min(fair.outcomes[refusal] for refusal in REFUSALS) > size / 2  # there was a race
        for owner in fair.owners:
            cells = await fair.cells(owner)
            assert (cells["current"], cells["priceFen"], cells["cuts"]) == (HELPERS, FLOOR, "")
        assert Counter(suffix for suffix, _user in fair.cuts) == dict.fromkeys(fair.suffixes.values(), HELPERS)
        assert max(Counter(fair.cuts).values()) == 1
        await fair.buy()
        payloads = await sale.intents()
        cut = [(payload[0], *action[2:4]) for payload in payloads for action in payload[2] if action[5] == "cut"]
        assert sorted((suffix, user) for _now_ms, suffix, user in cut) == sorted(fair.cuts)
        assert max(Counter((user, (now_ms + CHINA_MS) // DAY_MS) for now_ms, _suffix, user in cut).values()) == A_DAY
        assert [order[6] for payload in payloads for order in payload[1]] == [FLOOR] * size
        assert {(await fair.cells(owner))["status"] for owner in fair.owners} == {Status.SUCCESS}
