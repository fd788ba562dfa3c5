"""One's own bargain, invitation or group is found again: in a list, and named where a second one is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.settings import Settings
from engine.sdk import View
from tests.support.doors import Doors, open_doors
from tests.support.hot import Room
from tests.support.stall import installed, make_stall

BARGAIN = {"floorPriceFen": 900, "helpers": 5}
MINE = "/v1/me/instances"


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


async def mine(doors: Doors, query: str = "") -> list[dict[str, Any]]:
    """What the doors' consumer is told, page by page of two."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await doors.send("CONSUMER", "GET", f"{MINE}?limit=2{query}{cursor}")
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["nextCursor"] is None:
            return found
        cursor = f"&cursor={answer.json()['nextCursor']}"


async def apart() -> None:
    """Let the next click be of another millisecond: those of one have no order of their own."""
    await asyncio.sleep(0.002)


async def test_what_one_opened_joined_and_acted_in_comes_newest_first(doors: Doors) -> None:
    """Each once, however often one clicked; nobody else's."""
    market, room, me = doors.market, Room(doors.market), "uconsumer"
    bargain, group = await market.publish("BARGAIN", **BARGAIN), await market.publish("GROUP_BUY")
    sales = [await market.publish(stock=5) for _ in range(3)]
    await room.caught_up()
    opened = (await room.open(bargain, me)).json()["instanceId"]
    theirs = (await room.open(bargain, "u2")).json()["instanceId"]
    await apart()
    await room.post(f"/v1/instances/{theirs}/actions/cut", {"requestId": "c1"}, me)
    joined = (await room.open(group, "u2")).json()["instanceId"]
    await apart()
    await room.join(joined, me)
    for sale in sales:
        await apart()
        await room.join(f"{sale}.s1", me)
    await apart()
    await room.join(f"{sales[0]}.s1", me, "r2")
    await market.drain_all()

    items = await mine(doors)
    clicked = [f"{sales[0]}.s1", f"{sales[2]}.s1", f"{sales[1]}.s1", joined, theirs, opened]
    assert [item["id"] for item in items] == clicked
    assert [item["opened"] for item in items] == [False] * 5 + [True]
    assert items[-1] | {"touchedAt": "", "configId": ""} == {
        "id": opened, "configId": "", "storeId": "1001", "playCode": "BARGAIN", "title": "t", "status": "PENDING",
        "progress": {"current": 0, "target": 5}, "opened": True, "touchedAt": "",
    }  # fmt: skip
    assert [item["id"] for item in await mine(doors, f"&configId={bargain}")] == [theirs, opened]
    assert [item["id"] for item in await mine(doors, "&status=SUCCESS")] == []
    assert len(await mine(doors, "&status=PENDING")) + len(await mine(doors, "&status=ACTIVE")) == 6


async def test_what_one_opened_is_ones_own_whatever_one_did_in_it(doors: Doors) -> None:
    """Bought it, and gave it back."""
    market, room, me = doors.market, Room(doors.market), "uconsumer"
    referral = await market.publish("REFERRAL", target=3)
    await room.caught_up()
    opened = (await room.open(referral, me)).json()["instanceId"]
    order_id = (await room.join(opened, me, "r2")).json()["orderId"]
    await market.drain_all()
    assert [(item["id"], item["opened"]) for item in await mine(doors)] == [(opened, True)]
    await doors.engine.orders.cancel(order_id, me)
    assert [(item["id"], item["opened"]) for item in await mine(doors)] == [(opened, True)]


async def test_what_was_given_back_is_ones_own_only_if_one_opened_it(doors: Doors) -> None:
    market, room, me = doors.market, Room(doors.market), "uconsumer"
    sale, group = await market.publish(stock=5), await market.publish("GROUP_BUY")
    await room.caught_up()
    opened = (await room.open(group, me)).json()
    joined = (await room.join(f"{sale}.s1", me)).json()
    await market.drain_all()
    for order in (opened, joined):
        await doors.engine.orders.cancel(order["orderId"], me)
    await market.settle()
    assert [item["id"] for item in await mine(doors)] == [opened["instanceId"]]


async def test_a_filter_or_cursor_that_is_none_is_refused(doors: Doors) -> None:
    for query, status, code in (
        ("status=null", 422, "VALIDATION_FAILED"),
        ("status=", 422, "VALIDATION_FAILED"),
        ("status=active", 422, "VALIDATION_FAILED"),
        ("cursor=x", 400, "CURSOR_INVALID"),
        ("cursor=WyJhIiwiYiJd", 400, "CURSOR_INVALID"),
        ("cursor=WyIiLCIiXQ", 400, "CURSOR_INVALID"),
        ("cursor=WyIyMDI2LTAxLTAxIiwieCJd", 400, "CURSOR_INVALID"),
    ):
        answer = await doors.send("CONSUMER", "GET", f"{MINE}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (status, code), query
    assert (await doors.send("CONSUMER", "GET", f"{MINE}?configId=null")).json()["items"] == []


@pytest.mark.parametrize(
    ("code", "rules"), [("BARGAIN", BARGAIN | {"bargainsPerPerson": 1}), ("REFERRAL", {"target": 3})]
)
async def test_a_second_open_names_ones_own(doors: Doors, code: str, rules: dict[str, Any]) -> None:
    """At once, before anything is a row; to its owner, and to nobody else."""
    room = Room(doors.market)
    config = await doors.market.publish(code, **rules)
    await room.caught_up()
    own = (await room.open(config, "u1")).json()["instanceId"]
    await room.open(config, "u2")
    again = await room.open(config, "u1", "r2")
    assert (again.status, again.code, again.json()["instanceId"]) == (409, "LIMIT_REACHED", own)


async def test_of_several_the_newest_is_named(doors: Doors) -> None:
    room = Room(doors.market)
    config = await doors.market.publish("BARGAIN", **BARGAIN | {"bargainsPerPerson": 2})
    await room.caught_up()
    opened = [(await room.open(config, "u1", request)).json()["instanceId"] for request in ("r1", "r2")]
    assert (await room.open(config, "u1", "r3")).json()["instanceId"] == opened[-1] != opened[0]


@pytest.mark.parametrize("refusal", ["LIMIT_REACHED", "CONFLICT"])
async def test_whatever_a_playbook_calls_the_refusal_ones_own_is_named(settings: Settings, refusal: str) -> None:
    """One may say that somebody has too many, another that they have one already."""
    step = f"return {{ open = function(click, _, _, me) if me.one then return {refusal} end me.one = true end }}"
    with installed(make_stall(step=step, actions=(), early=(), view=View(join="", open="摆摊"))):
        async with open_doors(settings) as doors:
            room = Room(doors.market)
            config = await doors.market.publish("STALL")
            await room.caught_up()
            own = (await room.open(config, "u1")).json()["instanceId"]
            again = await room.open(config, "u1", "r2")
            assert (again.status, again.code, again.json()["instanceId"]) == (409, refusal, own)


async def test_a_refused_open_without_one_of_ones_own_names_none(doors: Doors) -> None:
    """Units of a group somebody else opened fill the limit; what one opened and gave back is none."""
    market, room = doors.market, Room(doors.market)
    group = await market.publish("GROUP_BUY", limit=1)
    await room.caught_up()
    theirs = (await room.open(group, "u2")).json()["instanceId"]
    given_back = (await room.open(group, "u1", "r1")).json()["orderId"]
    await market.drain_all()
    await doors.engine.orders.cancel(given_back, "u1")
    await market.settle()
    await room.join(theirs, "u1", "r2")
    refused = await room.open(group, "u1", "r3")
    assert (refused.status, refused.code) == (409, "LIMIT_REACHED")
    assert "instanceId" not in refused.json()


async def test_an_open_that_is_refused_for_another_reason_names_none(doors: Doors) -> None:
    """Whoever finds it sold out would be no wiser, and Redis is not asked for a crowd."""
    room = Room(doors.market)
    group = await doors.market.publish("GROUP_BUY", stock=2)
    await room.caught_up()
    for user in ("u1", "u2"):
        await room.open(group, user)
    refused = await room.open(group, "u1", "r2")
    assert (refused.status, refused.code, "instanceId" in refused.json()) == (409, "SOLD_OUT", False)


async def test_while_redis_does_not_say_the_refusal_stands_alone(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is away, or never answers."""
    room = Room(doors.market)
    config = await doors.market.publish("BARGAIN", **BARGAIN, bargainsPerPerson=1)
    await room.caught_up()
    await room.open(config, "u1")

    async def away(*_: Any) -> str:
        raise ConnectionResetError

    async def hangs(*_: Any) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    for silent in (away, hangs):
        monkeypatch.setattr(doors.engine.gate, "opened_by", silent)
        again = await asyncio.wait_for(room.open(config, "u1", "r2"), 60)
        assert (again.status, again.code, "instanceId" in again.json()) == (409, "LIMIT_REACHED", False)
