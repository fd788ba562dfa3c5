"""What has ended leaves Redis, memory and rebuilds; what was said of it is said for ever."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import httpx
import pytest

from api.app import create_app
from engine.core.settings import Settings
from engine.gate import keys
from engine.live import live as live_module
from engine.live.live import Live
from engine.orders.first_answers import LOOKS_AT_ONCE
from tests.support.hot import Room, open_room
from tests.support.market import STORE
from tests.support.over import ENDED_AGO, LONG, NOT_LONG, archive, keys_of, over
from tests.support.waiting import eventually, until

OF_NOBODYS_SHARD = """
UPDATE play_configs SET shard = 7, starts_at = now() - interval '3 days', ends_at = now() - interval '2 days'
 WHERE id <> $1
"""


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


async def test_what_has_ended_leaves_redis_memory_and_the_rebuild(room: Room) -> None:
    """And what goes on stays."""
    config_id, _ = await over(room)
    other = await room.publish()
    await room.caught_up()

    assert await archive(room) == 1

    assert await room.engine.catalog.archive_ended(10) == 0, "once"
    assert await keys_of(room, config_id) == []
    assert (config_id in room.live.configs, f"{config_id}.s1" in room.live.instances) == (False, False)
    assert [item["id"] for item in await room.items()] == [f"{other}.s1"]
    assert [item["id"] for item in await room.items(path="/v1/play-configs")] == [other]
    await room.market.recover()
    assert await keys_of(room, config_id) == []
    assert len(await keys_of(room, other)) == 3
    fresh = Live(pool=room.market.pool, redis=room.market.redis, playbooks={}, shards=1, refresh_ms=10)
    await fresh._load_configs(None)
    assert set(fresh.configs) == {other}


async def test_a_detail_stays_for_ever(room: Room) -> None:
    """As it was, with its tag; from Postgres once, then from memory."""
    config_id, _ = await over(room)
    path = f"/v1/instances/{config_id}.s1"
    await archive(room)

    shown = await room.get(path)

    assert shown.status == 200
    view: dict[str, Any] = shown.json()
    assert (view["id"], view["status"], view["button"]["reason"]) == (f"{config_id}.s1", "FAILED", "ENDED")
    assert (await room.get(path, **{"if-none-match": shown.headers["etag"]})).status == 304
    await room.market.pool.execute("UPDATE instances SET current = 7")
    assert (await room.get(path)).body == shown.body
    assert (await room.get(f"/v1/instances/{config_id}.s2")).status == 404


async def test_an_archived_product_is_shown_from_its_rows(room: Room) -> None:
    """As it was: over, with what was left of it; of one that there never was, nothing."""
    config_id, _ = await over(room)
    await archive(room)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", create_app(room.engine))), base_url="http://x"
    ) as client:
        shown = await client.get(f"/v1/play-configs/{config_id}")
        assert (shown.status_code, shown.json()["id"], shown.json()["stockLeft"]) == (200, config_id, 10)
        draft = await room.publish(on_sale=False)
        for none in (draft, "c000000000000", "c%00"):
            assert (await client.get(f"/v1/play-configs/{none}")).status_code == 404


async def test_a_repeat_gets_its_first_answer(room: Room) -> None:
    """With what became of the order; another click is told that it is over, another request of that id is refused."""
    config_id, order_id = await over(room)
    await archive(room)

    again = await room.join(f"{config_id}.s1")

    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert (again.json()["orderId"], again.json()["order"]) == (order_id, {"status": "CANCELLED"})
    assert again.json()["instance"]["status"] == "ACTIVE"
    assert (await room.join(f"{config_id}.s1", quantity=2)).code == "REQUEST_ID_REUSED"
    assert (await room.join(f"{config_id}.s1", request="r2")).code == "ENDED"
    assert (await room.join(f"{config_id}.s1", user="u2")).code == "ENDED"
    assert (await room.open(config_id, request="r3")).code == "ENDED"


async def test_a_repeat_reads_the_same_from_postgres_as_from_redis(room: Room) -> None:
    """Byte for byte: also until when it could be paid for."""
    config_id, _ = await over(room)
    from_redis = await room.join(f"{config_id}.s1")
    await archive(room)
    from_postgres = await room.join(f"{config_id}.s1")
    assert (from_redis.status, from_postgres.status) == (201, 201)
    assert from_postgres.body == from_redis.body


async def test_what_was_sold_is_not_left_in_the_end(room: Room) -> None:
    """Of what is archived Postgres alone knows how much was sold."""
    config_id, order_id = await over(room, cancel=False)
    await room.market.pay(order_id, "u1")
    await room.market.settle()
    await room.market.pool.execute("UPDATE instances SET wake_at = NULL")
    assert await archive(room) == 1
    assert (await room.get(f"/v1/instances/{config_id}.s1")).json()["stockLeft"] == 9


async def test_a_repeated_action_gets_its_first_answer(room: Room) -> None:
    config_id = await room.publish("BARGAIN", rules={"helpers": 2, "floorPriceFen": 500, "limitPerPerson": 0})
    await room.caught_up()
    opened = await room.open(config_id)
    assert opened.status == 201, opened.body
    await room.market.settle()
    await room.market.pool.execute(ENDED_AGO, LONG)
    await room.market.pool.execute("UPDATE instances SET wake_at = NULL")
    assert await archive(room) == 1

    again = await room.open(config_id)

    assert (again.status, again.headers["idempotent-replayed"], again.body) == (201, "true", opened.body)


@pytest.mark.parametrize(
    "open_still",
    [
        "a hold",
        "an event",
        "a deadline",
        "a deadline of what waits",
        "a moment ago",
        "not drained",
        "changed before",
        "not told",
    ],
)
async def test_what_is_not_quite_over_stays(room: Room, open_still: str) -> None:
    """A hold, an event that is on its way, an instance that waits, an end just now, a stream behind."""
    config_id, order_id = await over(room, cancel=open_still != "a hold")
    pool = room.market.pool
    if open_still == "an event":
        await pool.execute(
            "INSERT INTO gate_events (order_id, kind, config_id) VALUES ($1, 'paid', $2)", order_id, config_id
        )
    elif open_still == "a deadline":
        await pool.execute("UPDATE instances SET status = 'ACTIVE', wake_at = now() + interval '1 hour'")
    elif open_still == "a deadline of what waits":
        await pool.execute("UPDATE instances SET status = 'PENDING', wake_at = now() + interval '1 hour'")
    elif open_still == "a moment ago":
        await pool.execute(ENDED_AGO, NOT_LONG)
    elif open_still == "not drained":
        await room.market.redis.delete(keys.intents(0))
        await room.market.redis.xadd(keys.intents(0), {"e": "1"}, id="1-0")
    elif open_still == "changed before":  # its row is older than the entry, its end is not
        await pool.execute("UPDATE play_configs SET updated_at = now() - interval '3 hours'")
        before_ms = int((datetime.now(UTC) - timedelta(hours=2)).timestamp() * 1000)
        await room.market.redis.delete(keys.intents(0))
        await room.market.redis.xadd(keys.intents(0), {"e": "1"}, id=f"{before_ms}-0")
    elif open_still == "not told":
        await pool.execute("UPDATE play_configs SET warm_pending = true")

    assert await archive(room) == 0

    assert len(await keys_of(room, config_id)) >= 3
    assert await pool.fetchval("SELECT count(*) FROM play_configs WHERE archived_at IS NOT NULL") == 0


async def test_a_draft_is_never_archived(room: Room) -> None:
    """Its store may still give it another time."""
    draft = await room.publish(on_sale=False)
    await room.market.pool.execute(ENDED_AGO, LONG)
    assert await archive(room) == 0
    assert await room.market.pool.fetchval("SELECT archived_at FROM play_configs WHERE id = $1", draft) is None


async def test_what_comes_up_while_it_is_looked_at_keeps_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is over is asked again under its lock."""
    config_id, order_id = await over(room)
    drained_to_ms = room.engine.gate.drained_to_ms

    async def meanwhile(shard: int) -> int:
        await room.market.pool.execute(
            "INSERT INTO gate_events (order_id, kind, config_id) VALUES ($1, 'paid', $2)", order_id, config_id
        )
        found: int = await drained_to_ms(shard)
        return found

    monkeypatch.setattr(room.engine.gate, "drained_to_ms", meanwhile)
    assert await room.engine.catalog.archive_ended(10) == 0
    assert len(await keys_of(room, config_id)) >= 3


async def test_what_the_gate_heard_of_late_is_archived_late(room: Room) -> None:
    """It took clicks until then: those must be rows first."""
    config_id, _ = await over(room)
    await room.market.pool.execute("UPDATE play_configs SET ends_at = now() + interval '1 day'")
    await room.engine.catalog.life.end(STORE, config_id)
    await room.market.pool.execute("UPDATE play_configs SET updated_at = now() - $1::interval", LONG)
    heard_ms = await room.market.pool.fetchval("SELECT warmed_ms FROM play_configs")
    await room.market.redis.delete(keys.intents(0))
    await room.market.redis.xadd(keys.intents(0), {"e": "1"}, id=f"{heard_ms - 1}-0")
    assert await archive(room) == 0
    await room.market.redis.delete(keys.intents(0))
    assert await archive(room) == 1


async def test_a_product_that_its_store_ends_after_that_is_not_told_to_redis(room: Room) -> None:
    """Its time was over, so it was archived as it was; that it is ended is a matter of its row."""
    config_id, _ = await over(room)
    await archive(room)

    ended = await room.engine.catalog.life.end(STORE, config_id)

    assert (ended.status, ended.warm_pending) == ("ENDED", False)
    assert await keys_of(room, config_id) == []
    assert await room.engine.catalog.life.pause_orphans([]) == 0


async def test_what_has_just_been_opened_is_there(room: Room) -> None:
    """For whoever opened it, at once, though this process hears of it only with the next refresh."""
    group = await room.publish("GROUP_BUY", stock=20)
    await room.caught_up()
    for number in range(10):
        opened = (await room.open(group, user=f"u{number}")).json()["instanceId"]
        shown = await room.get(f"/v1/instances/{opened}")
        assert (shown.status, shown.json()["id"]) == (200, opened)


async def test_while_nobody_can_know_it_is_not_said_that_there_is_none(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard that is closed, a Redis that does not answer: 503, come again."""
    config_id = await room.publish()
    await room.caught_up()
    await room.market.redis.delete(keys.epoch(0))
    assert (await room.get(f"/v1/instances/{config_id}.s7")).code == "PAUSED"
    await room.live.close()
    monkeypatch.setattr(live_module, "CATCH_UP_S", 0.05)
    assert (await room.get(f"/v1/instances/{config_id}.s7")).code == "PAUSED"
    assert (await room.get(f"/v1/instances/{config_id}.s1")).status == 200


async def test_what_is_final_leaves_memory_after_a_while(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not its product; whoever asks for it is shown it all the same."""
    group = await room.publish("GROUP_BUY")
    await room.caught_up()
    opened = (await room.open(group)).json()["instanceId"]
    await room.market.drain_all()
    await room.market.end_group(opened)
    await room.market.settle()
    await room.caught_up()
    assert room.live.instances[opened].state.status.name == "FAILED"
    assert [item["id"] for item in await room.items("status=FAILED")] == [opened]

    monkeypatch.setattr(live_module, "FINAL_KEPT_S", 0.0)
    await room.seen(lambda: opened not in room.live.instances)

    assert await room.items() == []
    monkeypatch.setattr(live_module, "FINAL_KEPT_S", 600.0)
    shown = (await room.get(f"/v1/instances/{opened}")).json()
    assert (shown["id"], shown["status"]) == (opened, "FAILED")
    assert opened in room.live.instances, "a crowd that asks for it asks Postgres once"
    assert group in room.live.configs


async def test_what_its_store_has_ended_need_not_wait_for_its_time(room: Room) -> None:
    config_id, _ = await over(room)
    await room.market.pool.execute("UPDATE play_configs SET ends_at = now() + interval '1 day'")
    assert await archive(room) == 0
    await room.engine.catalog.life.end(STORE, config_id)
    assert await archive(room) == 0
    await room.market.pool.execute("UPDATE play_configs SET updated_at = now() - $1::interval", LONG)
    assert await archive(room) == 1


async def test_what_is_archived_is_no_product_whose_playbook_is_missing(room: Room) -> None:
    """Nobody has to do anything about it."""
    await over(room)
    await archive(room)
    assert await room.engine.catalog.life.pause_orphans([]) == 0
    assert await room.engine.catalog.life.orphans([]) == {}


async def test_what_a_fence_cancelled_was_never_won(room: Room) -> None:
    config_id, _ = await over(room)
    room.market.moves_orders_by_itself = False
    await room.market.pool.execute("UPDATE orders SET reason = 'FENCED'")
    await archive(room)
    assert (await room.join(f"{config_id}.s1")).code == "ENDED"


async def test_a_product_that_this_process_has_still_to_hear_of_is_paused(room: Room) -> None:
    """Its shard was closed when it was published, say: come again."""
    await room.live.close()
    config_id = await room.publish()
    assert (await room.join(f"{config_id}.s1")).code == "PAUSED"
    assert (await room.open(config_id)).code == "PAUSED"
    assert (await room.get(f"/v1/instances/{config_id}.s1")).status == 200


async def test_what_redis_has_still_to_hear_of_is_paused(room: Room) -> None:
    """This process has: come again. It is not said that there is none."""
    config_id = await room.publish()
    await room.caught_up()
    await room.market.redis.delete(keys.cells(0, config_id))
    assert (await room.join(f"{config_id}.s1")).code == "PAUSED"
    assert (await room.open(config_id)).code == "PAUSED"


async def test_a_crowd_that_comes_after_the_end_takes_few_connections(room: Room) -> None:
    """Of the few that an API has, most stay for those who pay; who cannot be answered soon is told so."""
    config_id, _ = await over(room)
    await archive(room)
    pool = room.market.pool
    blocker = await asyncpg.connect(room.engine.settings.postgres.url)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE play_configs IN ACCESS EXCLUSIVE MODE")
        crowd = [asyncio.create_task(room.join(f"{config_id}.s1", f"v{number}")) for number in range(300)]
        await until(lambda: sum(one.done() for one in crowd) > 0)
        assert pool.get_size() - pool.get_idle_size() == LOOKS_AT_ONCE
    await blocker.close()
    assert {answer.code for answer in await asyncio.gather(*crowd)} == {"OVERLOADED", "ENDED"}


@pytest.mark.parametrize("held_up", ["archived", "forgotten"])
async def test_a_shard_that_is_held_up_holds_no_other_up(room: Room, held_up: str) -> None:
    """Products that ended before all others, of a shard that is not drained, or that nobody has opened."""
    config_id, _ = await over(room)
    for _ in range(3):
        await room.publish()
    await room.market.pool.execute("INSERT INTO shards (id) VALUES (7)")
    await room.market.pool.execute(OF_NOBODYS_SHARD, config_id)
    await room.market.pool.execute("UPDATE instances SET wake_at = NULL")
    if held_up == "archived":
        await room.market.redis.xadd(keys.intents(7), {"e": "1"}, id="1-0")

    async def looked() -> bool:
        await room.engine.catalog.archive_ended(1)
        found = f"SELECT {held_up}_at IS NOT NULL FROM play_configs WHERE id = $1"
        return bool(await room.market.pool.fetchval(found, config_id))

    await eventually(looked, True)
