"""`wanfa up`'s demo products: what `wanfa playbook check` calls publishable is on sale, what is not is named."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from engine.core.settings import Settings
from engine.kit.manifest.examples import example_faults
from engine.local.demo import PRODUCT_STOCK, make_demo
from engine.sdk import Example, Offer, Playbook, Problem, Rules
from tests.support.market import open_market
from tests.support.stall import installed, make_stall

SOLD = (
    "SELECT stock, ends_at - starts_at AS length FROM play_configs WHERE template_code = 'STALL' AND status <> 'DRAFT'"
)
DRAFTS = "SELECT count(*) FROM play_configs WHERE template_code = 'STALL' AND status = 'DRAFT'"


def small_only(_rules: Rules, offer: Offer) -> Iterator[Problem]:
    """A game of at most twenty, that is over within a day."""
    if offer.stock > 20:
        yield Problem("limitPerPerson", f"最多 20 份，不能是 {offer.stock} 份")
    if offer.window.ends_at - offer.window.starts_at > timedelta(days=1):
        yield Problem("", "必须在一天之内")


def broken(_rules: Rules, _offer: Offer) -> Iterator[Problem]:
    raise ValueError("no idea")


async def demo_of(settings: Settings, playbook: Playbook) -> tuple[list[str], list[tuple[int, float]], int]:
    """The codes that got a product; stock and hours of this one's products; and how many drafts are left."""
    with installed(playbook):
        async with open_market(settings) as market:
            made = await make_demo(market.engine, "demo-demo")
            sold = [(row["stock"], row["length"] / timedelta(hours=1)) for row in await market.pool.fetch(SOLD)]
            return made, sold, await market.pool.fetchval(DRAFTS)


async def test_what_check_calls_publishable_is_on_sale(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """As the example is, where the playbook takes nothing larger: no demo is refused for what the demo added."""
    playbook = make_stall(problems=small_only, examples=(Example(stock=20, hours=12),))
    assert example_faults(playbook) == []

    made, sold, drafts = await demo_of(settings, playbook)

    assert "STALL" in made
    assert (sold, drafts) == ([(20, 12)], 0)
    assert "no demo product" not in caplog.text


async def test_a_product_for_a_crowd_where_the_playbook_takes_it(settings: Settings) -> None:
    made, sold, _ = await demo_of(settings, make_stall(examples=(Example(stock=20, hours=12),)))
    assert "STALL" in made
    assert sold == [(PRODUCT_STOCK, 24 * 30)]


@pytest.mark.parametrize(
    ("playbook", "why"),
    [
        (
            make_stall(problems=small_only, examples=(Example(stock=21, hours=12),)),
            "/rules/limitPerPerson: 最多 20 份，不能是 21 份",
        ),
        (make_stall(examples=(Example(rules={"limitPerPerson": -1}),)), "/limitPerPerson: 每人限购 不能小于 0"),
        (make_stall(problems=broken, examples=(Example(),)), "ValueError: no idea (test_demo.py:"),
    ],
    ids=["its own problem", "its form", "its function"],
)
async def test_what_cannot_be_published_is_named_by_both(
    settings: Settings, caplog: pytest.LogCaptureFixture, playbook: Playbook, why: str
) -> None:
    """With the rule and what is wrong with it, in the words of `check`; no draft is left behind."""
    caplog.set_level(logging.WARNING)
    made, sold, drafts = await demo_of(settings, playbook)

    assert "STALL" not in made
    assert (sold, drafts) == ([], 0)
    (said,) = [message for message in caplog.messages if "no demo product for STALL" in message]
    assert why in said
    assert [fault for fault in example_faults(playbook) if why in fault]
