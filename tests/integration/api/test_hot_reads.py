"""Reads from memory: fresh with the next refresh, whole however the list changes, and free of charge for Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.catalog.drafts import Draft
from engine.core import ids
from engine.core.settings import Settings
from engine.gate import records
from engine.live.live import Live
from tests.support.hot import Room, open_room
from tests.support.market import STORE
from tests.support.stall import installed, make_stall


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


async def detail(room: Room, instance_id: str) -> dict[str, Any]:
    """An instance as a client sees it."""
    answer = await room.get(f"/v1/instances/{instance_id}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def next_seen(room: Room, instance_id: str) -> tuple[int, str | None]:
    """What an instance shows after one refresh: the units left, and why its button cannot be clicked."""
    await room.live.refresh(0)
    shown = await detail(room, instance_id)
    return shown["stockLeft"], shown["button"]["reason"]


async def test_a_detail_shows_all_a_client_draws(room: Room) -> None:
    """Every field, of a group with one seat taken."""
    group = await room.publish("GROUP_BUY", stock=7, title="拼团版舞蹈课")
    await room.caught_up()
    instance_id = (await room.open(group)).json()["instanceId"]
    await room.caught_up()

    shown = await detail(room, instance_id)

    ends_at = datetime.fromisoformat(shown.pop("endsAt"))
    starts_at = datetime.fromisoformat(shown.pop("startsAt"))
    assert timedelta(hours=23) < ends_at - datetime.now(UTC) < timedelta(hours=25)
    assert starts_at.tzinfo is not None
    assert shown == {
        "id": instance_id,
        "configId": group,
        "storeId": STORE,
        "storeName": "一店",
        "city": "BJ",
        "playCode": "GROUP_BUY",
        "title": "拼团版舞蹈课",
        "priceFen": 990,
        "unitName": "节",
        "unitsPerShare": 10,
        "status": "PENDING",
        "progress": {"current": 0, "target": 2},
        "stockLeft": 6,
        "seatsLeft": 1,
        "button": {"text": "立即参团", "disabled": False, "reason": None},
        "actions": [],
        "simulated": False,
        "pollAfterMs": 1000,
    }


async def test_a_detail_shows_what_this_instance_costs_sells_and_takes(settings: Settings) -> None:
    """Its own price, its own stock and the playbook's verbs, as its cells change; a neighbour keeps its own."""
    with installed(make_stall()):
        async with open_room(settings) as room:
            stall = await room.publish("STALL", stock=7, rules={"limitPerPerson": 0, "sessionStock": 2})
            await room.caught_up()
            shown = await detail(room, f"{stall}.s1")
            assert (shown["priceFen"], shown["stockLeft"]) == (990, 2)
            assert shown["actions"] == [{"verb": "haggle", "text": "还价"}, {"verb": "subscribe", "text": "提醒我"}]

            await room.post(f"/v1/instances/{stall}.s1/actions/haggle", {"requestId": "r0"})
            await room.join(f"{stall}.s1", "u1", quantity=2)
            await room.caught_up()

            shown, neighbour = await detail(room, f"{stall}.s1"), await detail(room, f"{stall}.s2")
            assert (shown["priceFen"], shown["stockLeft"]) == (989, 0)
            assert (neighbour["priceFen"], neighbour["stockLeft"], neighbour["button"]["text"]) == (990, 2, "买一份")
            assert (await room.join(f"{stall}.s1", "u2")).code == "SOLD_OUT"
            assert (await room.join(f"{stall}.s2", "u2")).status == 201


async def test_a_change_is_seen_with_the_next_refresh(room: Room) -> None:
    """Publication, a sale, sold out, a pause, a resumption, the end: each shows after one refresh, none needs two."""
    await room.live.close()  # it refreshes when told to
    life = room.engine.catalog.life
    flash = await room.publish(stock=2)
    assert await next_seen(room, f"{flash}.s1") == (2, None)
    await room.join(f"{flash}.s1", "u1")
    assert await next_seen(room, f"{flash}.s1") == (1, None)
    await room.join(f"{flash}.s1", "u2")
    assert await next_seen(room, f"{flash}.s1") == (0, "SOLD_OUT")
    await life.pause(STORE, flash)
    assert await next_seen(room, f"{flash}.s1") == (0, "PAUSED")
    await life.resume(STORE, flash)
    assert await next_seen(room, f"{flash}.s1") == (0, "SOLD_OUT")
    await life.end(STORE, flash)
    assert await next_seen(room, f"{flash}.s1") == (0, "ENDED")
    assert (await room.join(f"{flash}.s1", "u3")).code == "ENDED"


async def test_a_paid_group_shows_its_progress(room: Room) -> None:
    """Open, join, pay twice: PENDING, ACTIVE, SUCCESS; the list filtered by status follows."""
    group = await room.publish("GROUP_BUY")
    await room.caught_up()
    first = (await room.open(group, "u1")).json()["instanceId"]
    assert (await room.join(first, "u2")).status == 201
    assert (await room.join(first, "u3")).code == "INSTANCE_FULL"
    await room.caught_up()
    assert (await detail(room, first))["button"]["reason"] == "INSTANCE_FULL"
    for number, status in ((1, "ACTIVE"), (2, "SUCCESS")):
        order_id = ids.click_id(group, f"u{number}", "r1")
        suffix = first.partition(".")[2]
        await room.engine.gate.event(0, group, "paid", suffix, f"u{number}", order_id, 1)
        await room.caught_up()
        shown = await detail(room, first)
        assert (shown["status"], shown["progress"]) == (status, {"current": number, "target": 2})
        assert [item["id"] for item in await room.items(f"status={status}")] == [first]
        assert await room.items("status=PENDING") == []


async def test_a_client_that_has_the_bytes_gets_none(room: Room) -> None:
    """304 without a body while nothing changes, 200 with another ETag after a change, 200 for any other tag."""
    flash = await room.publish(stock=5)
    await room.caught_up()
    path = f"/v1/instances/{flash}.s1"
    first = await room.get(path)
    etag = first.headers["etag"]
    assert etag[0] == etag[-1] == '"'

    unchanged = await room.get(path, **{"if-none-match": etag})
    assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", etag)
    assert "cache-control" in unchanged.headers
    for other in ('"x"', "x", "", '"', etag + "x"):
        assert (await room.get(path, **{"if-none-match": other})).body == first.body

    await room.join(f"{flash}.s1")
    await room.seen(lambda: room.live.configs[flash].left == 4)
    changed = await room.get(path, **{"if-none-match": etag})
    assert changed.status == 200
    assert changed.headers["etag"] != etag


async def test_time_alone_changes_what_is_shown(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale begins and ends with nobody clicking: detail and list say so at that very millisecond."""
    starts_at = datetime.now(UTC) + timedelta(hours=1)
    ends_at = starts_at + timedelta(hours=1)
    flash = await room.publish(starts_at=starts_at, ends_at=ends_at)
    await room.caught_up()
    before = await room.everything()
    starts_ms, ends_ms = records.ms(starts_at), records.ms(ends_at)
    for now_ms, reason in (
        (starts_ms - 1, "NOT_STARTED"),
        (starts_ms, None),
        (ends_ms - 1, None),
        (ends_ms, "ENDED"),
    ):
        monkeypatch.setattr(Live, "now_ms", lambda _, now_ms=now_ms: now_ms)
        drawn = await detail(room, f"{flash}.s1")
        (item,) = await room.items()
        assert (drawn["button"]["reason"], item["button"]["reason"]) == (reason, reason)
    assert await room.everything() == before


async def test_filters_hold_together(room: Room) -> None:
    """By store, city, playbook and status, alone and together."""
    second = await room.engine.catalog.stores.create("二店", "SH", "1002")
    service = await room.engine.catalog.services.create(
        second.id, name="保洁", asset_type="SERVICE", unit_name="小时", units_per_share=3
    )
    one = await room.publish()
    group = await room.publish("GROUP_BUY")
    now = datetime.now(UTC)
    draft = Draft(
        service_id=service.id,
        template_code="FLASH_SALE",
        title="t",
        price_fen=1,
        stock=1,
        rules={},
        starts_at=now,
        ends_at=now + timedelta(hours=1),
    )
    other = (await room.engine.catalog.drafts.create("1002", draft)).id
    await room.engine.catalog.life.publish("1002", other)
    await room.caught_up()
    mine = (await room.open(group)).json()["instanceId"]
    await room.join(f"{one}.s1")
    await room.caught_up()

    async def found(query: str) -> list[str]:
        return [item["id"] for item in await room.items(query)]

    everything = [f"{other}.s1", mine, f"{one}.s1"]  # the newest config first
    assert await found("") == everything
    assert await found("storeId=1001") == everything[1:]
    assert await found("storeId=1002") == everything[:1]
    assert await found("city=SH") == everything[:1]
    assert await found("city=BJ&playCode=GROUP_BUY") == [mine]
    assert await found("status=ACTIVE") == [f"{one}.s1"]
    assert await found("status=PENDING&city=BJ") == [mine]
    assert await found("storeId=1002&city=BJ") == []
    assert await found("storeId=9999") == []
    offers = [item["id"] for item in await room.items("limit=1", path="/v1/play-configs")]
    assert offers == [other, group, one]


async def test_a_walk_meets_everything_exactly_once_while_things_change(room: Room) -> None:
    """Pages of three; between any two of them groups open, fill, and configs are published."""
    group = await room.publish("GROUP_BUY", stock=1000)
    await room.caught_up()
    there = [(await room.open(group, f"u{i}")).json()["instanceId"] for i in range(25)]
    await room.caught_up()
    seen: list[str] = []
    cursor = ""
    turn = 0
    while cursor is not None:
        page = (await room.get("/v1/instances", f"limit=3{cursor and '&cursor='}{cursor}")).json()
        assert len(page["items"]) <= 3
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        turn += 1
        await room.open(group, f"late{turn}")
        await room.join(there[turn], f"joiner{turn}")
        if turn % 3 == 0:
            await room.publish()
        await room.caught_up()

    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)


async def test_reads_cost_redis_nothing(room: Room) -> None:
    """A thousand details, lists and refusals: not one command but those of the refresh, and one drawing each."""
    configs = [await room.publish() for _ in range(5)]
    await room.caught_up()
    # Its commands, and the greeting of a connection that it may open.
    refresh = {"cmdstat_time", "cmdstat_zrange", "cmdstat_get", "cmdstat_client|setinfo"}

    async def commands() -> dict[str, int]:
        stats: dict[str, Any] = await room.market.redis.info("commandstats")
        return {
            name: int(one["calls"]) for name, one in stats.items() if name != "cmdstat_info" and name not in refresh
        }

    before = await commands()
    for i in range(1000):
        assert (await room.get(f"/v1/instances/{configs[i % 5]}.s1")).status == 200
        assert (await room.get("/v1/instances", f"limit={1 + i % 7}")).status == 200
        assert (await room.get("/v1/play-configs", "limit=x")).status == 422
    strangers = [room.get(f"/v1/instances/{configs[0]}.s{i}9") for i in range(200)]
    assert {answer.status for answer in await asyncio.gather(*strangers)} == {404}
    assert await commands() == before
    instance = room.live.instances[f"{configs[0]}.s1"]
    body = instance.body
    await room.get(f"/v1/instances/{configs[0]}.s1")
    assert instance.body is body


async def test_a_thousand_different_queries_are_not_all_remembered(room: Room) -> None:
    """What strangers ask does not pile up in memory."""
    await room.publish()
    await room.caught_up()
    await room.live.close()
    for i in range(1500):
        await room.get("/v1/instances", f"storeId=x{i}")
    assert len(room.hot._lists._pages) <= 1000
    assert (await room.get("/v1/instances", "storeId=1001")).json()["items"]


async def test_moments_of_answers_do_not_pile_up(room: Room) -> None:
    """The texts of payBefore are kept for a batch, not for ever."""
    for ms in range(5000):
        room.hot._moment(1_700_000_000_000 + ms)
    assert len(room.hot._moments) <= 1001
