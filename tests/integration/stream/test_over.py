"""A product is over: what nobody can complete any more ends at once, and who has paid for it is paid back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.core.errors import PaymentClosed
from engine.core.settings import Settings
from engine.stream import wake as waking
from plugins.flash_sale.rules import CHINA
from tests.support.club import paid
from tests.support.market import STORE, Market, open_market

OVER_NOW = "UPDATE play_configs SET ends_at = now() - interval '2 s', warm_pending = true WHERE id = $1"
MANY = """
INSERT INTO instances (id, config_id, suffix, status, current, target, wake_at, cells, rev)
SELECT $1 || '.i' || n, $1, 'i' || n, 'ACTIVE', 0, 2, now() + interval '1 h', '{}', 1 FROM generate_series(1, $2) n
"""
READS = "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF, FORMAT JSON) "

End = Callable[[Market, str], Awaitable[Any]]


async def end(market: Market, config_id: str) -> None:
    """The store ends the product."""
    await market.engine.catalog.life.end(STORE, config_id)


async def run_out(market: Market, config_id: str) -> None:
    """The product's time is over, and the gate has heard of that end."""
    await market.pool.execute(OVER_NOW, config_id)
    assert await market.engine.catalog.warm_pending_configs(10) == 1


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


async def half_a_group(market: Market) -> tuple[str, str]:
    """(config, suffix) of a group of two whose leader has paid."""
    config_id = await market.publish("GROUP_BUY")
    return config_id, ids.opened_suffix(await paid(market, config_id, "u1", verb="open"))


@pytest.mark.parametrize("over", [end, run_out])
async def test_who_does_not_pay_after_all_is_waited_for_no_longer(market: Market, over: End) -> None:
    config_id, suffix = await half_a_group(market)
    second = await market.hold(config_id, "u2", suffix=suffix)
    await market.settle()
    await over(market, config_id)
    assert await wake(market) == 0

    await market.engine.orders.cancel(second, "u2")
    await market.settle()

    assert await wake(market) == 1
    assert (await market.instance(ids.instance_id(config_id, suffix)))[0] == "FAILED"
    assert await market.statuses() == {"REFUNDING": 1, "CANCELLED": 1}


async def test_a_seat_that_is_no_row_yet_cannot_be_paid_for(market: Market) -> None:
    """Redis holds it when the group is woken, Postgres does not know: as at the end of the group's own time."""
    config_id, suffix = await half_a_group(market)
    second = await market.hold(config_id, "u2", suffix=suffix)
    await end(market, config_id)

    assert await wake(market) == 1
    with pytest.raises(PaymentClosed):
        await market.pay(second, "u2")
    await market.age(second)
    await market.holds.expire_unpaid()
    await market.settle()

    assert (await market.instance(ids.instance_id(config_id, suffix)))[0] == "FAILED"
    assert await market.statuses() == {"REFUNDING": 1, "EXPIRED": 1}
    assert await market.stock(config_id) == (0, 10)


async def test_an_end_that_the_gate_has_not_heard_of_wakes_nobody_yet(market: Market) -> None:
    """It would find the product on sale, change nothing, and not be told again for a minute."""
    config_id, suffix = await half_a_group(market)
    await market.pool.execute("UPDATE play_configs SET status = 'ENDED', warm_pending = true WHERE id = $1", config_id)
    assert await wake(market) == 0

    await market.engine.catalog.warm_pending_configs(10)

    assert await wake(market) == 1
    assert (await market.instance(ids.instance_id(config_id, suffix)))[0] == "FAILED"


async def test_what_the_gate_has_forgotten_wakes_nobody(market: Market) -> None:
    """An archived product stays as it is."""
    config_id, _ = await half_a_group(market)
    await end(market, config_id)
    await market.pool.execute("UPDATE play_configs SET archived_at = now()")
    assert await wake(market) == 0


async def test_a_bargain_that_is_being_bought_is_decided_by_its_payment(market: Market) -> None:
    """Its owner's order is held when the product ends; it is not paid, and then the bargain has failed."""
    config_id = await market.publish("BARGAIN", floorPriceFen=500, helpers=2, buyBeforeFloor=True)
    opened = await market.click(config_id, "u1", verb="open")
    order_id = await market.hold(config_id, "u1", verb="buy", suffix=opened.suffix, request="r2")
    await market.settle()
    await end(market, config_id)
    assert await wake(market) == 0

    await market.engine.orders.cancel(order_id, "u1")
    await market.settle()

    assert await wake(market) == 1
    assert (await market.instance(ids.instance_id(config_id, opened.suffix)))[0] == "FAILED"


@pytest.mark.parametrize("over", [end, run_out])
@pytest.mark.parametrize("opens_in_s", [0, 3600])
async def test_every_session_of_a_flash_sale_ends_with_it(market: Market, over: End, opens_in_s: int) -> None:
    """One that is on, with its sales; and one that has not opened yet, which nobody has bought in."""
    opens = datetime.now(CHINA) + timedelta(seconds=opens_in_s)
    config_id = await market.publish(times=[f"{opens:%H:%M}"] if opens_in_s else [])
    if not opens_in_s:
        await paid(market, config_id, "u1")
    await over(market, config_id)

    await wake(market)

    rows = await market.pool.fetch("SELECT status, wake_at FROM instances WHERE config_id = $1", config_id)
    assert [tuple(row) for row in rows] == [("FAILED" if opens_in_s else "SUCCESS", None)]


async def test_what_goes_on_is_not_read_for_what_is_over(market: Market) -> None:
    """Of all the instances that wait, those of products that are over are looked at."""
    over, goes_on = [await market.publish("GROUP_BUY") for _ in range(2)], await market.publish("GROUP_BUY")
    for config_id, number in ((goes_on, 2000), (over[0], 3), (over[1], 4)):
        await market.pool.execute(MANY, config_id, number)
    for config_id in over:
        await end(market, config_id)
    await market.pool.execute("ANALYZE instances, play_configs, orders")

    (plan,) = msgspec.json.decode(await market.pool.fetchval(READS + waking.OVER, [], waking.WAKE_MAX))

    assert plan["Plan"]["Actual Rows"] == 7
    assert rows_read(plan["Plan"], "instances") == 7


@pytest.mark.parametrize("over", [end, run_out])
@pytest.mark.parametrize("code", ["BARGAIN", "REFERRAL", "FLASH_SALE"])
async def test_whatever_is_open_ends_with_its_product(market: Market, code: str, over: End) -> None:
    """A bargain, invitations, a session: nobody waits for their time."""
    rules = {"BARGAIN": {"helpers": 2, "floorPriceFen": 500}, "REFERRAL": {"target": 2}}.get(code, {})
    config_id = await market.publish(code, **rules)
    instance_id = f"{config_id}.s1" if code == "FLASH_SALE" else await opened(market, config_id, "u1")
    await market.drain_all()
    assert (await market.instance(instance_id))[0] == "PENDING"

    await over(market, config_id)

    assert await wake(market) == 1
    assert (await market.instance(instance_id))[0] == "FAILED"
    assert await wake(market) == 0


def rows_read(plan: dict[str, Any], table: str) -> int:
    """Rows of a table that a plan has looked at, those it left out included."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if plan.get("Relation Name") == table else 0
    return int(own * plan["Actual Loops"] + sum(rows_read(part, table) for part in plan.get("Plans", ())))
