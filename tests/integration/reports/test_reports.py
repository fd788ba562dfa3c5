"""What a config has brought, counted from rows, and the playbook's own numbers made of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.settings import Settings
from engine.orders.moves import OWE
from engine.reports.reports import counters
from engine.sdk import Counters
from tests.support.doors import Doors, open_doors
from tests.support.market import PRICE_FEN, STORE
from tests.support.stall import installed, make_stall

PATH = "/v1/store/play-configs"
HAGGLE: dict[str, Any] = {"verb": "haggle"}


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    with installed(make_stall()):
        async with open_doors(settings) as opened:
            yield opened


async def report(doors: Doors, config_id: str, caller: str = "STORE") -> dict[str, Any]:
    answer = await doors.send(caller, "GET", f"{PATH}/{config_id}/report")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_draft_has_brought_nothing(doors: Doors) -> None:
    """All zeros, and a number that needs something to divide by is a dash."""
    document = await report(doors, await doors.draft(templateCode="STALL", rules={}))
    assert document["counters"].pop("totals") == {"cuts": 0, "never": 0}
    assert set(document["counters"].values()) == {0}
    assert [metric["value"] for metric in document["metrics"]] == [None, None, None]


async def test_every_counter_counts_what_it_says(doors: Doors) -> None:
    """Held, paid, expired, paid back and cancelled orders of several units; a group that filled, one that failed."""
    market = doors.market
    config = await market.publish("GROUP_BUY", stock=50)
    other = await market.publish("GROUP_BUY", stock=50)
    await market.pay(await held(doors, other, "x1"), "x1")
    full = [await held(doors, config, "u1", quantity=2), await held(doors, config, "u2", leader="u1", quantity=3)]
    alone = await held(doors, config, "u3")
    idle, cancelled, waiting = [await held(doors, config, user) for user in ("u4", "u5", "u6")]
    for order, user in ((full[0], "u1"), (full[1], "u2"), (alone, "u3")):
        await market.pay(order, user)
    await market.age(idle)
    await market.holds.expire_unpaid()
    await doors.engine.orders.cancel(cancelled, "u5")
    await market.settle()
    await market.end_group(f"{config}.{alone[:16]}")
    await market.settle()

    counted = await counters(market.pool, config, ())

    assert counted == Counters(
        instances_opened=5,
        instances_succeeded=1,
        instances_failed=3,
        orders_held=1,
        orders_paid=2,
        orders_expired=1,
        orders_refunded=1,
        units_stock=50,
        units_sold=5,
        gmv_fen=5 * PRICE_FEN,
        net_fen=5 * PRICE_FEN,
    )
    assert (await market.order(waiting))[0] == "HELD"


async def test_what_goes_back_is_told_apart_to_the_fen(doors: Doors) -> None:
    """A cheaper tier was reached: owed or paid already, of orders that stay paid; not of one that went back whole."""
    market = doors.market
    rules: dict[str, Any] = {"target": 2, "tiers": [{"people": 3, "priceFen": PRICE_FEN - 300}]}
    config, other = [await market.publish("GROUP_BUY", stock=50, **rules) for _ in range(2)]
    for one in (config, other):
        leader = await held(doors, one, "u1", quantity=2)
        orders = [leader, *[await held(doors, one, user, leader="u1") for user in ("u2", "u3")]]
        for order, user in zip(orders, ("u1", "u2", "u3"), strict=True):
            await market.pay(order, user)
        await market.settle()
    await market.refunds.pay_due(2)
    async with market.pool.acquire() as connection, connection.transaction():
        await doors.engine.orders.moves.make(connection, OWE, [orders[0]], why="INSTANCE_FAILED", by="test")

    told = [(await report(doors, one))["counters"] for one in (config, other)]

    money = [(one["gmvFen"], one["rebateFen"], one["netFen"]) for one in told]
    assert money == [(4 * PRICE_FEN, 1200, 4 * PRICE_FEN - 1200), (2 * PRICE_FEN, 600, 2 * PRICE_FEN - 600)]


async def held(doors: Doors, config: str, user: str, *, leader: str = "", quantity: int = 1) -> str:
    """The id of an order that is a row: a group of one's own, or the leader's."""
    if not leader:
        order = await doors.market.hold(config, user, verb="open", quantity=quantity)
    else:
        suffix = await doors.market.pool.fetchval("SELECT suffix FROM instances i WHERE config_id = $1 LIMIT 1", config)
        order = await doors.market.hold(config, user, suffix=suffix, quantity=quantity)
    await doors.market.drain_all()
    return order


async def test_cells_are_summed_and_metrics_computed(doors: Doors) -> None:
    """Over both sessions; one that fails and one that is infinite are null, and only the failure is logged."""
    config = await doors.market.publish("STALL")
    for number, suffix in enumerate(("s1", "s1", "s2")):
        await doors.market.click(config, f"u{number}", suffix=suffix, **HAGGLE)
    await doors.market.drain_all()

    document = await report(doors, config, "CLERK")

    assert document["configId"] == config
    assert document["counters"]["totals"] == {"cuts": 3, "never": 0}
    assert document["counters"]["instancesOpened"] == 2
    assert document["metrics"] == [
        {"key": "cuts", "label": "平均还价", "unit": "次", "value": 1.5},
        {"key": "broken", "label": "坏", "unit": "%", "value": None},
        {"key": "endless", "label": "无穷", "unit": "%", "value": None},
    ]


async def test_no_number_is_none_to_python_as_well(doors: Doors) -> None:
    """JSON has no infinity; whoever calls the engine should not meet one either."""
    config = await doors.engine.catalog.drafts.get(STORE, await doors.market.publish("STALL"))
    values = {metric.key: metric.value for metric in (await doors.engine.reports.report(config)).metrics}
    assert values == {"cuts": 0.0, "broken": None, "endless": None}


async def test_a_failing_metric_is_logged(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    await report(doors, await doors.market.publish("STALL"))
    assert "metric broken of STALL cannot be computed" in caplog.text
    assert "endless" not in caplog.text


async def test_a_simulated_instance_is_not_counted_but_its_orders_are(doors: Doors) -> None:
    """Nobody really completed it; the money is real."""
    config = await doors.market.publish("STALL")
    order = await doors.market.hold(config, "u1", suffix="s1")
    for suffix in ("s1", "s2"):
        await doors.market.click(config, "u2", suffix=suffix, request=suffix, **HAGGLE)
    await doors.market.drain_all()
    await doors.market.pay(order, "u1")
    await doors.market.settle()
    for value, counted in (("true", 1), ("false", 2), ('"true"', 2), ("1", 2), ("null", 2)):
        await doors.market.pool.execute(
            "UPDATE instances SET status = 'SUCCESS', cells = cells || ('{\"simulated\": ' || $2 || '}')::jsonb"
            " WHERE id = $1",
            f"{config}.s1",
            value,
        )
        found = await counters(doors.market.pool, config, ("cuts",))
        assert (found.instances_opened, found.total("cuts")) == (counted, counted), value
        assert found.instances_succeeded == counted - 1
        assert (found.orders_paid, found.gmv_fen) == (1, PRICE_FEN)


async def test_odd_cells_do_not_break_a_sum(doors: Doors) -> None:
    """Text, truth and absence count nothing."""
    config = await doors.market.publish("STALL")
    for value, total in (("7", 7), ("-7", -7), ('"7"', 0), ("true", 0), ("null", 0), ("9007199254740991", 2**53 - 1)):
        await doors.market.pool.execute(
            "UPDATE instances SET cells = ('{\"cuts\": ' || $2 || '}')::jsonb WHERE id = $1", f"{config}.s1", value
        )
        found = await counters(doors.market.pool, config, ("cuts", "o'clock"))
        assert found.totals == {"cuts": total, "o'clock": 0}
