"""What /readyz says when things are well, and when one of them is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest

from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.rebuild import close_shard
from engine.local.running import Running
from engine.stream.ownership import LOCK_SPACE
from tests.conftest import OwnValkey
from tests.support.doors import NOBODY, Doors, open_doors
from tests.support.waiting import until

BARGIN = "playbooks.disabled 中的 BARGIN 不是任何玩法的代码"


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened, owned(settings):
        await lane_open(opened)
        yield opened


@asynccontextmanager
async def owned(settings: Settings) -> AsyncIterator[None]:
    """As if a worker had the shard."""
    connection = await asyncpg.connect(settings.postgres.url)
    await connection.fetchval("SELECT pg_advisory_lock($1, 0)", LOCK_SPACE)
    yield
    await connection.close()


async def lane_open(doors: Doors) -> None:
    """A lane notices on its own that its shard has been opened."""
    await until(lambda: doors.engine.gate.lanes[0].open)


async def ready(doors: Doors) -> tuple[int, dict[str, Any]]:
    answer = await doors.send(NOBODY, "GET", "/readyz")
    return answer.status_code, answer.json()


async def test_all_is_well(doors: Doors) -> None:
    status, told = await ready(doors)
    assert (status, told["status"], told["durability"], told["warnings"]) == (200, "ready", "always", [])
    assert (told["postgres"], told["redis"], told["shardsOpen"], told["shardsClosed"]) == (True, True, [0], [])
    assert (await doors.send(NOBODY, "GET", "/livez")).json() == {"status": "alive"}


async def test_without_an_open_shard_nothing_can_be_sold(doors: Doors) -> None:
    await close_shard(doors.engine.hot, 0)
    status, told = await ready(doors)
    assert (status, told["status"], told["shardsClosed"]) == (503, "unavailable", [0])


@pytest.mark.parametrize("value", ["\0", "one", "2", "01", "", "9" * 30])
async def test_a_shard_with_an_epoch_that_is_not_that_of_postgres_is_closed(doors: Doors, value: str) -> None:
    """A lane that nobody clicks on believes that it is open."""
    assert await doors.engine.pool.fetchval("SELECT epoch FROM shards") == 1
    await doors.engine.hot.set(keys.epoch(0), value)
    status, told = await ready(doors)
    assert (status, told["status"], told["shardsClosed"]) == (503, "unavailable", [0])


async def test_a_shard_whose_epoch_is_no_text_is_closed(doors: Doors) -> None:
    await doors.engine.hot.delete(keys.epoch(0))
    await doors.engine.hot.rpush(keys.epoch(0), "1")  # type: ignore[misc]
    status, told = await ready(doors)
    assert (status, told["redis"], told["shardsClosed"]) == (503, True, [0])


async def test_a_redis_that_was_restarted_is_not_open_before_it_is_recovered(doors: Doors) -> None:
    """Its file brings the epoch back; that it does not know the script tells."""
    await doors.engine.hot.script_flush()
    status, told = await ready(doors)
    assert (status, told["shardsClosed"]) == (503, [0])
    await doors.market.recover()
    await lane_open(doors)
    assert (await ready(doors))[0] == 200


@pytest.mark.parametrize(("value", "status"), [("1", 200), ("\0", 503)])
async def test_without_postgres_what_redis_says_counts(doors: Doors, value: str, status: int) -> None:
    await doors.engine.hot.set(keys.epoch(0), value)
    await doors.engine.pool.close()
    assert (await ready(doors))[0] == status


async def test_without_postgres_clicks_are_still_taken(doors: Doors) -> None:
    await doors.engine.pool.close()
    status, told = await ready(doors)
    assert (status, told["status"], told["postgres"]) == (200, "degraded", False)
    answer = await doors.send("STORE", "GET", "/v1/store/services")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


async def test_what_waits_for_a_person_is_told(doors: Doors) -> None:
    """Dead letters and stuck refunds, in the language of whoever asks."""
    pool = doors.engine.pool
    await pool.execute("INSERT INTO dead_intents (shard, entry_id, payload, error) VALUES (0, '1-1', 'x', 'broken')")
    order = await doors.market.hold(await doors.market.publish(), "u1")
    await doors.market.drain_all()
    await pool.execute(
        "INSERT INTO refunds (order_id, refund_no, amount_fen, status) VALUES ($1, 'r1', 1, 'STUCK')", order
    )
    status, told = await ready(doors)
    assert (status, told["status"]) == (200, "degraded")
    assert told["warnings"] == ["1 条下单记录无法入库，见表 dead_intents", "1 笔退款多次失败，需人工处理"]
    english = await doors.send(NOBODY, "GET", "/readyz", headers={"Accept-Language": "en"})
    assert english.headers["content-language"] == "en"
    assert english.json()["warnings"] == [
        "1 stream entries could not be made rows: see the table dead_intents",
        "1 refunds have failed too often: a person must look",
    ]


async def test_a_quarantined_playbook_is_named(doors: Doors) -> None:
    doors.engine.playbooks.quarantined["lottery"] = "ModuleNotFoundError: No module named 'dice'"
    status, told = await ready(doors)
    assert (status, told["status"]) == (200, "degraded")
    assert told["quarantined"] == {"lottery": "ModuleNotFoundError: No module named 'dice'"}
    listed = (await doors.send("HQ", "GET", "/v1/hq/templates")).json()
    assert listed["quarantined"] == [{"name": "lottery", "error": "ModuleNotFoundError: No module named 'dice'"}]


async def test_a_disabled_code_that_is_none_is_named(doors: Doors) -> None:
    """It may be a misspelt one, whose playbook is still on sale."""
    doors.engine.playbooks.disabled_unknown = ("BARGIN",)
    status, told = await ready(doors)
    assert (status, told["status"], told["warnings"]) == (200, "degraded", [BARGIN])


@pytest.fixture
async def server(own_valkey: OwnValkey) -> Running:
    """A Valkey that may be reconfigured and killed."""
    return await own_valkey()


@pytest.fixture
async def frail(settings: Settings, server: Running) -> AsyncIterator[Doors]:
    """Doors before that Valkey."""
    redis = msgspec.structs.replace(settings.redis, hot_url=server.url, queue_url=server.url)
    async with open_doors(msgspec.structs.replace(settings, redis=redis)) as opened, owned(settings):
        await lane_open(opened)
        yield opened


async def test_a_less_durable_redis_is_told(frail: Doors) -> None:
    await frail.engine.hot.config_set("appendfsync", "everysec")
    status, told = await ready(frail)
    assert (status, told["status"], told["durability"]) == (200, "degraded", "degraded")
    assert "appendfsync always" in told["warnings"][0]


async def test_a_redis_that_does_not_show_its_configuration_is_unknown(frail: Doors) -> None:
    await frail.engine.hot.execute_command("ACL", "SETUSER", "default", "-config")
    status, told = await ready(frail)
    assert (status, told["durability"]) == (200, "unknown")


async def test_without_redis_nothing_can_be_sold(frail: Doors, server: Running) -> None:
    assert await frail.engine.hot.get(keys.epoch(0)) is not None
    server.kill()
    status, told = await ready(frail)
    assert (status, told["status"], told["redis"]) == (503, "unavailable", False)
    assert (await frail.send(NOBODY, "GET", "/livez")).status_code == 200
    config = await frail.send("STORE", "GET", "/v1/store/play-configs")
    assert config.status_code == 200
