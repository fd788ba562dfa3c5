"""Group buys on a whole engine: what tiers pay back, what a leader pays, and where a late payer sits."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core import ids
from engine.core.errors import RulesInvalid
from engine.core.settings import Settings
from tests.support.market import PRICE_FEN, Market, open_market

TIERS = [{"people": 3, "priceFen": 900}, {"people": 5, "priceFen": 700}]
LEADER_OFF = 90


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as opened:
        yield opened


async def group_of(market: Market, config: str, *users: str) -> tuple[str, dict[str, str]]:
    """A group's suffix and the orders of its members; the first one leads it. Nobody has paid."""
    leader, *others = users
    orders = {leader: await market.hold(config, leader, verb="open")}
    suffix = ids.opened_suffix(orders[leader])
    for user in others:
        orders[user] = await market.hold(config, user, suffix=suffix)
    await market.drain_all()
    return suffix, orders


async def pay(market: Market, orders: dict[str, str], *users: str) -> None:
    """These pay, one after another."""
    for user in users:
        await market.pay(orders[user], user)
        await market.settle()


async def money(market: Market) -> dict[str, tuple[int, int]]:
    """What each person has paid, and what is owed to them of it."""
    rows = await market.pool.fetch(
        "SELECT user_id, o.amount_fen AS paid, coalesce(sum(r.amount_fen), 0)::int AS back"
        "  FROM orders o LEFT JOIN refunds r ON r.order_id = o.id GROUP BY o.id"
    )
    return {row["user_id"]: (row["paid"], row["back"]) for row in rows}


async def test_everyone_gets_the_difference_back_when_a_tier_is_reached(market: Market) -> None:
    """Also who pays last of all, after the end; the leader's benefit stays the leader's."""
    config = await market.publish("GROUP_BUY", target=2, tiers=TIERS, leaderOffFen=LEADER_OFF)
    suffix, orders = await group_of(market, config, "leader", "b", "c", "slow")
    await pay(market, orders, "leader", "b", "c")
    instance = ids.instance_id(config, suffix)
    assert await market.instance(instance) == ("ACTIVE", 3, 2)

    await market.end_group(instance)
    await market.settle()
    await pay(market, orders, "slow")

    back = PRICE_FEN - 900
    assert await market.instance(instance) == ("SUCCESS", 4, 2)
    assert await money(market) == {
        "leader": (PRICE_FEN - LEADER_OFF, back),
        "b": (PRICE_FEN, back),
        "c": (PRICE_FEN, back),
        "slow": (PRICE_FEN, back),
    }


async def test_a_tiered_group_that_is_too_small_pays_everything_back(market: Market) -> None:
    config = await market.publish("GROUP_BUY", target=3, tiers=[{"people": 4, "priceFen": 900}])
    suffix, orders = await group_of(market, config, "leader", "b")
    await pay(market, orders, "leader", "b")
    await market.end_group(ids.instance_id(config, suffix))
    await market.settle()

    assert await money(market) == {"leader": (PRICE_FEN, PRICE_FEN), "b": (PRICE_FEN, PRICE_FEN)}
    assert await market.stock(config) == (0, 10)


async def test_a_simulated_group_keeps_its_orders(market: Market) -> None:
    """It is a success for those who are in it, flagged as what it is."""
    config = await market.publish("GROUP_BUY", target=4, simulatedPercent=50)
    suffix, orders = await group_of(market, config, "leader", "b")
    await pay(market, orders, "leader", "b")
    instance = ids.instance_id(config, suffix)
    await market.end_group(instance)
    await market.settle()

    assert await market.instance(instance) == ("SUCCESS", 2, 4)
    assert await market.statuses() == {"PAID": 2}
    cells = await market.pool.fetchval("SELECT cells FROM instances")
    assert (cells["simulated"], cells["simulatedSeats"]) == (True, 2)


async def test_a_member_who_pays_when_the_group_has_just_filled_leads_a_new_one(market: Market) -> None:
    """The seat was given away; the money finds a group of its own, and that group fills like any other."""
    config = await market.publish("GROUP_BUY", target=2)
    suffix, orders = await group_of(market, config, "leader", "late")
    await market.engine.money.payments.prepay(orders["late"], "late")
    await market.age(orders["late"])
    await market.holds.expire_prepaid()
    await market.settle()
    orders["b"] = await market.hold(config, "b", suffix=suffix)
    await market.drain_all()
    await pay(market, orders, "leader", "b")

    await market.sandbox.pay(orders["late"], late=True)
    await market.settle()

    assert await market.order(orders["late"]) == ("PAID", "RESEATED", 2)
    own = orders["late"][16:]
    assert await market.instance(ids.instance_id(config, own)) == ("ACTIVE", 1, 2)
    orders["c"] = await market.hold(config, "c", suffix=own)
    await market.drain_all()
    await pay(market, orders, "c")
    assert await market.instance(ids.instance_id(config, own)) == ("SUCCESS", 2, 2)
    assert await market.statuses() == {"PAID": 4}
    assert await market.stock(config) == (4, 6)


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ({"tiers": [{"people": 3, "priceFen": PRICE_FEN}]}, "/rules/tiers"),
        ({"leaderOffFen": PRICE_FEN}, "/rules/leaderOffFen"),
        ({"simulatedPercent": 30}, "/rules/simulatedPercent"),
    ],
)
async def test_rules_that_cannot_work_are_not_published(market: Market, rules: dict[str, Any], pointer: str) -> None:
    """The field is named, so that the store's form can show it."""
    with pytest.raises(RulesInvalid) as refused:
        await market.publish("GROUP_BUY", **rules)

    assert [error.pointer for error in refused.value.extra["errors"]] == [pointer]
