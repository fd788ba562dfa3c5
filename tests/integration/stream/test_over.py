"""A product is over: what nobody can complete any more ends at once, and who has paid for it is paid back."""

from collections.abc import AsyncIterator

import pytest

from engine.core import ids
from engine.core.settings import Settings
from tests.support.market import STORE, Market, open_market


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def opened(market: Market, config_id: str, user: str) -> str:
    """The id of the instance that a person opens, whose cells are rows."""
    reply = await market.click(config_id, user, verb="open")
    await market.drain_all()
    return ids.instance_id(config_id, reply.suffix)


async def wake(market: Market) -> int:
    """What a worker does at its next sweep."""
    woken = await market.waker.wake_due()
    await market.settle()
    return woken


async def test_a_group_of_a_product_that_is_ended_fails_at_once(market: Market) -> None:
    """Not a day later; its only member is paid back."""
    group = await market.publish("GROUP_BUY")
    order_id = await market.hold(group, "u1", verb="open")
    instance_id = ids.instance_id(group, ids.opened_suffix(order_id))
    await market.drain_all()
    await market.pay(order_id, "u1")
    await market.settle()
    assert await wake(market) == 0
    await market.engine.catalog.life.pause(STORE, group)
    assert await wake(market) == 0

    await market.engine.catalog.life.end(STORE, group)

    assert await wake(market) == 1
    assert (await market.instance(instance_id))[0] == "FAILED"
    assert (await market.order(order_id))[:2] == ("REFUNDING", "INSTANCE_FAILED")


async def test_who_is_about_to_pay_is_waited_for(market: Market) -> None:
    """A group of two whose second member has a hold: paid, it succeeds though its product is over."""
    group = await market.publish("GROUP_BUY")
    first = await market.hold(group, "u1", verb="open")
    suffix = ids.opened_suffix(first)
    second = await market.hold(group, "u2", suffix=suffix)
    await market.drain_all()
    await market.pay(first, "u1")
    await market.settle()
    await market.engine.catalog.life.end(STORE, group)
    assert await wake(market) == 0

    await market.pay(second, "u2")
    await market.settle()

    assert (await market.instance(ids.instance_id(group, suffix)))[0] == "SUCCESS"
    assert await market.statuses() == {"PAID": 2}


@pytest.mark.parametrize("code", ["BARGAIN", "REFERRAL", "FLASH_SALE"])
async def test_whatever_is_open_ends_with_its_product(market: Market, code: str) -> None:
    """A bargain, invitations, a session: nobody waits for their time."""
    rules = {"BARGAIN": {"helpers": 2, "floorPriceFen": 500}, "REFERRAL": {"target": 2}}.get(code, {})
    config_id = await market.publish(code, **rules)
    instance_id = f"{config_id}.s1" if code == "FLASH_SALE" else await opened(market, config_id, "u1")
    await market.drain_all()
    assert (await market.instance(instance_id))[0] == "PENDING"

    await market.engine.catalog.life.end(STORE, config_id)

    assert await wake(market) == 1
    assert (await market.instance(instance_id))[0] == "FAILED"
    assert await wake(market) == 0
