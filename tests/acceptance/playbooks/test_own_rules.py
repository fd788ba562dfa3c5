"""What stores fill in, from publication to Postgres: bargains sold at their floor, sessions with units of their own."""

from collections.abc import AsyncIterator

import pytest

from engine.core.errors import RulesInvalid
from engine.core.settings import Settings
from engine.gate.outcome import Outcome
from tests.support.market import PRICE_FEN, Market, open_market

FLOOR = 500

SESSIONS = """
SELECT suffix, total, wake_at FROM instances i JOIN session_stock s ON s.instance_id = i.id ORDER BY wake_at
"""


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as opened:
        yield opened


async def test_a_bargain_is_sold_at_its_floor(market: Market) -> None:
    """No stock is held before the owner buys; what is paid is what the friends have left of the price."""
    config = await market.publish("BARGAIN", stock=3, helpers=2, floorPriceFen=FLOOR)
    bargain = (await market.click(config, "owner", verb="open")).suffix
    for friend in ("ann", "bob"):
        reply = await market.click(config, friend, verb="cut", suffix=bargain)
        assert reply.outcome == Outcome.DONE
    await market.settle()
    assert await market.stock(config) == (0, 3)

    order = await market.hold(config, "owner", verb="buy", suffix=bargain, request="buy")
    await market.drain_all()
    await market.pay(order, "owner")
    await market.settle()

    assert await market.pool.fetchval("SELECT amount_fen FROM orders") == FLOOR
    assert await market.order(order) == ("PAID", None, 2)
    assert await market.instance(f"{config}.{bargain}") == ("SUCCESS", 2, 2)
    assert await market.stock(config) == (1, 2)


async def test_a_floor_above_the_price_is_not_published(market: Market) -> None:
    """The field is named, so that the store's form can show it."""
    with pytest.raises(RulesInvalid) as refused:
        await market.publish("BARGAIN", helpers=2, floorPriceFen=PRICE_FEN)

    assert [error.pointer for error in refused.value.extra["errors"]] == ["/rules/floorPriceFen"]


async def test_every_session_is_there_when_it_is_published(market: Market) -> None:
    """Tomorrow's as well, with its own stock; who asks to be reminded of one has a notice in the queue."""
    config = await market.publish("FLASH_SALE", stock=30, times=["09:00", "21:00"], stockPerSession=5, remindMinutes=0)

    sessions = await market.pool.fetch(SESSIONS)
    assert {(row["suffix"][-5:], row["total"]) for row in sessions} == {("t0900", 5), ("t2100", 5)}
    last = sessions[-1]
    await market.click(config, "ann", verb="remind", suffix=last["suffix"])
    await market.settle()
    notice = await market.pool.fetchrow("SELECT user_id, topic, due_at, status FROM notices")
    assert notice is not None
    assert tuple(notice) == ("ann", "SALE_OPENS", last["wake_at"], "QUEUED")
