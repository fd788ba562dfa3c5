"""The repeat of a click tells the truth: the first answer, and what has become of its order since."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.settings import Settings
from engine.gate import keys
from engine.stream.intents import decode
from tests.support.hot import Answer, Room, open_room


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


async def on_sale(room: Room, code: str = "FLASH_SALE", stock: int = 2, **rules: Any) -> str:
    """The id of a config that the room's process has heard of."""
    config = await room.market.publish(code, stock=stock, **rules)
    await room.caught_up()
    return config


async def won(room: Room, config: str, user: str = "u1") -> Answer:
    """A click that was won, as a row."""
    first = await room.join(f"{config}.s1", user)
    assert (first.status, first.code) == (201, "RESERVED")
    await room.market.drain_all()
    return first


async def repeated(room: Room, config: str, first: Answer) -> str | None:
    """The order's status that the repeat tells; everything else is as it was told first."""
    again = await room.join(f"{config}.s1")
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    document = again.json()
    status: str | None = document.pop("order", {"status": None})["status"]
    assert document == first.json()
    return status


async def test_a_repeat_tells_what_the_order_is_now(room: Room) -> None:
    """While it is held, when it is paid, and when it was paid back."""
    config = await on_sale(room)
    first = await won(room, config)
    order_id = first.json()["orderId"]
    assert "order" not in first.json()
    assert await repeated(room, config, first) == "HELD"
    await room.market.pay(order_id, "u1")
    await room.market.settle()
    assert await repeated(room, config, first) == "PAID"


async def test_a_repeat_of_what_was_given_back_tells_how_it_ended(room: Room) -> None:
    for how in ("EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED"):
        config = await on_sale(room)
        first = await won(room, config)
        order_id = first.json()["orderId"]
        if how == "CANCELLED":
            await room.engine.orders.cancel(order_id, "u1")
        else:
            await room.engine.money.payments.prepay(order_id, "u1")
            await room.market.age(order_id)
            await room.market.holds.expire_prepaid()
        if how.startswith("REFUND"):
            await room.market.sandbox.pay(order_id, late=True)
        if how == "REFUNDED":
            await room.market.refunds.pay_due(10)
        await room.market.settle()
        assert await repeated(room, config, first) == how
        assert await room.market.stock(config) == (0, 2)


async def test_without_postgres_a_repeat_leaves_the_status_out(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it refuses, or never answers: the repeat is answered all the same, and never with an error."""
    config = await on_sale(room)
    first = await won(room, config)
    await room.engine.orders.cancel(first.json()["orderId"], "u1")
    await room.market.settle()

    async def refuses(_order_id: str) -> str:
        raise ConnectionRefusedError

    async def hangs(_order_id: str) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    for away in (refuses, hangs):
        monkeypatch.setattr(room.hot._again, "_status_of", away)
        assert await asyncio.wait_for(repeated(room, config, first), 60) is None


async def test_what_redis_knows_is_not_asked_of_postgres(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd of retries while orders are held must not reach it."""

    async def asked(_order_id: str) -> str:
        raise AssertionError

    monkeypatch.setattr(room.hot._again, "_status_of", asked)
    config = await on_sale(room)
    first = await won(room, config)
    assert await repeated(room, config, first) == "HELD"
    await room.market.pay(first.json()["orderId"], "u1")
    await room.market.settle()
    assert await repeated(room, config, first) == "PAID"


async def test_an_action_has_no_order(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody looks for one."""

    async def asked(_order_id: str) -> str:
        raise AssertionError

    monkeypatch.setattr(room.hot._again, "_status_of", asked)
    config = await on_sale(room, "BARGAIN", floorPriceFen=100, helpers=5)
    opened = await room.open(config)
    path = f"/v1/instances/{opened.json()['instanceId']}/actions/cut"
    first = await room.post(path, {"requestId": "c1"}, "u2")
    again = await room.post(path, {"requestId": "c1"}, "u2")
    assert (again.headers["idempotent-replayed"], again.body) == ("true", first.body)


async def fenced(room: Room, config: str) -> Answer:
    """A click that was answered by a Redis which then forgot it, and whose entry came too late: its order is FENCED."""
    first = await room.join(f"{config}.s1")
    ((entry_id, fields),) = await room.market.redis.xrange(keys.intents(0))
    await room.market.redis.xtrim(keys.intents(0), 0)
    await room.market.recover()
    await room.market.applier.apply(0, [decode(entry_id, fields)])
    assert await room.market.order(first.json()["orderId"]) == ("CANCELLED", "FENCED", 0)
    await room.market.recover()  # from rows among which there is now one of the fenced order
    return first


async def test_the_repeat_of_a_fenced_click_is_reserved_while_there_are_units(room: Room) -> None:
    """It is no repeat to the gate: decided anew, taken off the stock, and the order comes back to life."""
    config = await on_sale(room, stock=1)
    first = await fenced(room, config)
    again = await room.join(f"{config}.s1")
    assert (again.status, again.code) == (201, "RESERVED")
    assert "idempotent-replayed" not in again.headers
    assert again.json()["orderId"] == first.json()["orderId"]
    await room.market.drain_all()
    assert await room.market.order(first.json()["orderId"]) == ("HELD", None, 1)
    assert await room.market.stock(config) == (1, 0)
    await room.market.recover()
    assert await repeated(room, config, again) == "HELD"


async def test_the_repeat_of_a_fenced_click_is_refused_when_its_unit_is_somebody_elses(room: Room) -> None:
    config = await on_sale(room, stock=1)
    await fenced(room, config)
    await won(room, config, "u2")
    again = await room.join(f"{config}.s1")
    assert (again.status, again.code) == (409, "SOLD_OUT")
    assert await room.market.stock(config) == (1, 0)
    statuses = await room.market.statuses()
    assert statuses == {"CANCELLED": 1, "HELD": 1}
