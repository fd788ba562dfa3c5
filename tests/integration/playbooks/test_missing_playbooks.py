"""A playbook is uninstalled while it sells: its configs are paused and say so, nothing is lost, nothing else stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from engine.core.settings import Settings
from engine.gate import keys
from tests.support.doors import NOBODY, Doors, open_doors
from tests.support.hot import Answer, Room
from tests.support.stall import installed, make_stall

PATH = "/v1/store/play-configs"


@asynccontextmanager
async def before(settings: Settings) -> AsyncIterator[Doors]:
    """With the playbook."""
    with installed(make_stall()):
        async with open_doors(settings) as doors:
            yield doors


@asynccontextmanager
async def after(settings: Settings) -> AsyncIterator[Doors]:
    """The same servers, started again without it."""
    async with open_doors(settings) as doors:
        yield doors


async def sell(doors: Doors, code: str = "STALL") -> str:
    """The id of a config on sale."""
    rules = {"STALL": {"limitPerPerson": 0}, "FLASH_SALE": {"limitPerPerson": 0}}[code]
    config_id = await doors.draft(templateCode=code, rules=rules)
    assert (await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")).status_code == 200
    return config_id


async def join(room: Room, config: str, user: str = "u1", request: str = "r1") -> Answer:
    await room.caught_up()
    return await room.join(f"{config}.s1", user, request)


async def head_status(doors: Doors, config: str) -> int:
    packed = await doors.market.redis.hget(keys.cells(0, config), "head")
    status: int = msgspec.msgpack.decode(packed)["status"]
    return status


@pytest.fixture
async def orphaned(settings: Settings) -> str:
    """A stall that has sold one unit, and whose playbook is uninstalled then."""
    async with before(settings) as doors:
        config = await sell(doors)
        assert (await join(Room(doors.market), config)).status == 201
        await doors.market.drain_all()
        return config


async def test_clicks_are_told_paused(settings: Settings, orphaned: str) -> None:
    """Never 404, and never anything else; joins, actions and opening, before the worker has done anything."""
    async with after(settings) as doors:
        room = Room(doors.market)
        await room.caught_up()
        for path in (
            f"/v1/instances/{orphaned}.s1/join",
            f"/v1/instances/{orphaned}.s1/actions/haggle",
            f"/v1/instances/{orphaned}.s1/actions/paid",
            f"/v1/instances/{orphaned}.s1/actions/nothing",
            f"/v1/play-configs/{orphaned}/instances",
        ):
            answer = await room.post(path, {"requestId": "r2"}, "u2")
            assert (answer.status, answer.code) == (503, "PAUSED"), path
            assert answer.headers["retry-after"] == "1"
        room.live.configs[orphaned].ends_ms = 0  # its time is over: nobody is told to come again
        answer = await room.post(f"/v1/instances/{orphaned}.s1/actions/haggle", {"requestId": "r2"}, "u2")
        assert (answer.status, answer.code) == (409, "ENDED")


async def test_reads_say_that_it_is_paused(settings: Settings, orphaned: str) -> None:
    """The instance, the offer and both lists are there, drawn by words that stand in for the playbook's."""
    async with after(settings) as doors:
        room = Room(doors.market)
        await room.caught_up()
        instance = (await room.get(f"/v1/instances/{orphaned}.s1")).json()
        offer = (await doors.send(NOBODY, "GET", f"/v1/play-configs/{orphaned}")).json()
        paused = {"text": "暂停中", "disabled": True, "reason": "PAUSED"}
        assert (instance["button"], instance["actions"]) == (paused, [])
        assert (offer["button"], offer["status"], offer["playName"]) == (paused, "PAUSED", "STALL")
        assert orphaned in [item["id"] for item in await room.items(path="/v1/play-configs")]
        assert f"{orphaned}.s1" in [item["id"] for item in await room.items("playCode=STALL")]


async def test_a_worker_that_starts_pauses_it_and_says_so(
    settings: Settings, orphaned: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Those on sale, not drafts nor what has ended, nor anybody else's; in the log, at /readyz and to HQ."""
    async with after(settings) as doors:
        other = await sell(doors, "FLASH_SALE")
        assert (await doors.send("HQ", "GET", "/v1/hq/templates")).json()["missing"] == []

        assert await doors.engine.catalog.pause_orphans() == 1

        assert "STALL is not loaded: 1 of its configs" in caplog.text
        config = (await doors.send("STORE", "GET", f"{PATH}/{orphaned}")).json()
        assert (config["status"], config["pausedWhy"], config["warmPending"]) == ("PAUSED", "PLAYBOOK_MISSING", True)
        assert await doors.engine.catalog.warm_pending_configs(10) == 1
        assert (await head_status(doors, orphaned), await head_status(doors, other)) == (2, 1)
        listed = (await doors.send("HQ", "GET", "/v1/hq/templates")).json()
        assert listed["missing"] == [{"code": "STALL", "paused": 1}]
        ready = (await doors.send(NOBODY, "GET", "/readyz")).json()
        assert "玩法 STALL 未加载：1 个商品已暂停" in ready["warnings"]
        assert await doors.engine.catalog.pause_orphans() == 0


async def test_it_cannot_be_resumed_while_it_is_missing(settings: Settings, orphaned: str) -> None:
    """Told plainly; ended it can be."""
    async with after(settings) as doors:
        await doors.engine.catalog.pause_orphans()
        answer = await doors.send("STORE", "POST", f"{PATH}/{orphaned}/resume")
        assert (answer.status_code, answer.json()["code"]) == (409, "STATE_CONFLICT")
        assert answer.json()["detail"] == "玩法 STALL 未安装或加载失败，恢复该玩法后才能继续售卖"
        ended = await doors.send("STORE", "POST", f"{PATH}/{orphaned}/end")
        assert (ended.status_code, ended.json()["status"], ended.json()["pausedWhy"]) == (200, "ENDED", None)
        assert (await doors.send("HQ", "GET", "/v1/hq/templates")).json()["missing"] == []


async def test_what_its_store_paused_itself_is_not_ours(settings: Settings, orphaned: str) -> None:
    async with after(settings) as doors:
        await doors.send("STORE", "POST", f"{PATH}/{orphaned}/pause")
        assert await doors.engine.catalog.pause_orphans() == 0
        assert (await doors.send("STORE", "GET", f"{PATH}/{orphaned}")).json()["pausedWhy"] is None
        assert (await doors.send("STORE", "POST", f"{PATH}/{orphaned}/resume")).status_code == 409
    async with before(settings) as doors:
        await doors.engine.catalog.pause_orphans()
        assert (await doors.send("STORE", "GET", f"{PATH}/{orphaned}")).json()["status"] == "PAUSED"


async def test_installed_again_it_goes_on_where_it_stopped(
    settings: Settings, orphaned: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself when a worker starts: the units sold are sold, a repeat gets its first answer."""
    async with after(settings) as doors:
        await doors.engine.catalog.pause_orphans()
        await doors.engine.catalog.warm_pending_configs(10)
    async with before(settings) as doors:
        room = Room(doors.market)
        assert (await join(room, orphaned, "u2")).code == "PAUSED"
        assert await doors.engine.catalog.pause_orphans() == 0
        assert "STALL is loaded again: 1 of its configs" in caplog.text
        assert (await doors.send("HQ", "GET", "/v1/hq/templates")).json()["missing"] == []
        assert await doors.engine.catalog.warm_pending_configs(10) == 1
        resumed = (await doors.send("STORE", "GET", f"{PATH}/{orphaned}")).json()
        assert (resumed["status"], resumed["pausedWhy"]) == ("PUBLISHED", None)
        repeat = await join(room, orphaned, "u1")
        assert (repeat.status, repeat.headers["idempotent-replayed"]) == (201, "true")
        assert (await join(room, orphaned, "u2")).status == 201
        assert (await doors.market.stock(orphaned))[1] == 298


async def test_its_neighbours_sell_on(settings: Settings, orphaned: str) -> None:
    """In the same batch."""
    async with after(settings) as doors:
        other = await sell(doors, "FLASH_SALE")
        room = Room(doors.market)
        assert (await join(room, other)).status == 201
        assert (await join(room, orphaned, "u3")).code == "PAUSED"


async def test_its_report_still_counts(settings: Settings, orphaned: str) -> None:
    """Without the playbook's own numbers."""
    async with after(settings) as doors:
        report: Any = (await doors.send("STORE", "GET", f"{PATH}/{orphaned}/report")).json()
        assert (report["counters"]["ordersHeld"], report["metrics"]) == (1, [])
