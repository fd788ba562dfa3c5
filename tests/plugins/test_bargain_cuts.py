"""The laws of 砍价's cuts, for any price, floor, number of helpers, shape and bonus, through the real gate."""

import asyncio
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.gate.outcome import Outcome
from engine.local.running import Running
from plugins.bargain.rules import BargainRules
from tests.support.gate import Sale, open_sale

CONFIGS = count()
PRICE_MAX = 100_000_000  # what the store's form allows
PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Bench:
    """A gate for code that is not async; each bargain is on a config of its own."""

    def __init__(self, runner: asyncio.Runner, sale: Sale) -> None:
        self.runner = runner
        self.sale = sale

    def open(self, price_fen: int, rules: BargainRules) -> str:
        """A bargain's suffix."""
        self.sale = Sale(self.sale.gate, self.sale.redis, f"c{next(CONFIGS):012x}")
        filled = msgspec.to_builtins(rules)
        self.runner.run(self.sale.publish("BARGAIN", price_fen=price_fen, rules=filled))
        reply = self.runner.run(self.sale.click("owner", verb="open"))
        assert reply.outcome == Outcome.DONE
        return reply.suffix

    def cut(self, suffix: str, user: str, newcomer: bool) -> int:
        """What became of a cut."""
        click = self.sale.click(user, verb="cut", suffix=suffix, facts={"newcomer": newcomer})
        return self.runner.run(click).outcome

    def cells(self, suffix: str) -> dict[str, Any]:
        """The bargain's cells."""
        return self.runner.run(self.sale.cells(suffix))


@pytest.fixture
def bench(valkey: Running) -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        opening = open_sale(valkey.url)
        yield Bench(runner, runner.run(opening.__aenter__()))
        runner.run(opening.__aexit__(None, None, None))


@st.composite
def bargains(draw: st.DrawFn, helpers_max: int = 100) -> tuple[int, BargainRules]:
    """A price, and rules that leave at least a fen for each helper."""
    helpers = draw(st.integers(1, helpers_max))
    gap = draw(st.integers(helpers, helpers + 50) | st.integers(helpers, PRICE_MAX - 1))
    price = draw(st.integers(gap + 1, PRICE_MAX))
    shape: Any = draw(st.sampled_from(["even", "front", "random"]))
    bonus = draw(st.sampled_from([0, 1, 50, 100, 300]))
    return price, BargainRules(helpers=helpers, floor_price_fen=price - gap, shape=shape, newcomer_bonus_percent=bonus)


def fen(cells: dict[str, Any]) -> list[int]:
    """The cuts still to come."""
    return [int(cut) for cut in cells["cuts"].split(",") if cut]


def has_shape(cuts: list[int], shape: str) -> bool:
    """Whether cuts of `shape` may be these."""
    if shape == "even":
        return max(cuts) - min(cuts) <= 1
    if shape == "front":
        return all(earlier >= later for earlier, later in pairwise(cuts))
    spare = [sum(cuts[number:]) - len(cuts[number:]) for number in range(len(cuts))]
    return all(
        max(1, int(above * 0.2)) <= cut <= max(1, above * 0.5) for cut, above in zip(cuts[:-1], spare, strict=False)
    )


@PROPERTY
@given(bargain=bargains())
def test_the_cuts_are_as_many_as_the_helpers_and_make_up_the_difference(
    bench: Bench, bargain: tuple[int, BargainRules]
) -> None:
    """To the fen, each at least one, in the shape that was asked for."""
    price, rules = bargain
    cuts = fen(bench.cells(bench.open(price, rules)))

    assert len(cuts) == rules.helpers
    assert sum(cuts) == price - rules.floor_price_fen
    assert min(cuts) >= 1
    assert has_shape(cuts, rules.shape)


@PROPERTY
@given(bargain=bargains(helpers_max=8), data=st.data())
def test_newcomers_cut_more_and_the_floor_is_reached_all_the_same(
    bench: Bench, bargain: tuple[int, BargainRules], data: st.DataObject
) -> None:
    """With the n-th cut and not before; a bonus is no more than the later cuts can give, and no later cut grows."""
    price, rules = bargain
    suffix = bench.open(price, rules)
    before = bench.cells(suffix)
    for number in range(rules.helpers):
        newcomer = data.draw(st.booleans())
        assert bench.cut(suffix, f"u{number}", newcomer) == Outcome.DONE
        after = bench.cells(suffix)
        (drawn, *planned), left = fen(before), fen(after)
        room = sum(planned) - len(planned)
        bonus = min(drawn * rules.newcomer_bonus_percent // 100, room) if newcomer else 0
        assert before["priceFen"] - after["priceFen"] == drawn + bonus
        assert sum(left) == sum(planned) - bonus == after["priceFen"] - rules.floor_price_fen
        assert all(1 <= now <= then for now, then in zip(left, planned, strict=True))
        before = after

    assert (before["current"], before["priceFen"], before["cuts"]) == (rules.helpers, rules.floor_price_fen, "")
    assert bench.cut(suffix, "one too many", newcomer=True) == Outcome.INSTANCE_FULL


@pytest.mark.parametrize("shape", ["even", "front", "random"])
def test_the_largest_bargain_is_within_a_steps_bounds(bench: Bench, shape: Any) -> None:
    """The most helpers, the widest gap and the largest bonus: drawn and cut without running out of budget."""
    rules = BargainRules(helpers=100, floor_price_fen=1, shape=shape, newcomer_bonus_percent=300)
    suffix = bench.open(PRICE_MAX, rules)

    assert [bench.cut(suffix, f"u{number}", newcomer=True) for number in range(100)] == [Outcome.DONE] * 100
    assert bench.cells(suffix)["priceFen"] == 1
