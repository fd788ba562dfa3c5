"""How an archived product leaves Redis and every process, whatever dies, sleeps or comes back meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.core.settings import Settings
from engine.gate import gate as gate_module
from engine.gate import keys
from engine.live import live as live_module
from tests.support.hot import Room, open_room
from tests.support.market import STORE
from tests.support.over import archive, keys_of, over
from tests.support.waiting import eventually


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


async def test_nothing_is_forgotten_of_a_shard_that_is_being_rebuilt(room: Room) -> None:
    """Whoever rebuilds it reads what is on sale and writes it into Redis: between the two nothing may be taken away."""
    config_id, _ = await over(room)
    waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0)"
    async with room.market.pool.acquire() as rebuilder, rebuilder.transaction():
        await rebuilder.execute("SELECT FROM shards WHERE id = 0 FOR UPDATE")
        archiving = asyncio.create_task(room.engine.catalog.archive_ended(10))

        async def decided() -> bool:
            return archiving.done() or bool(await rebuilder.fetchval(waits))

        await eventually(decided, True)
        assert not archiving.done()
        assert len(await keys_of(room, config_id)) >= 3
    await archiving
    assert await keys_of(room, config_id) == []


async def forgotten(room: Room) -> bool:
    """Whether Redis has let go of all that is archived, as far as Postgres knows; the job looks again."""
    await room.engine.catalog.archive_ended(10)
    waiting = "SELECT count(*) FROM play_configs WHERE archived_at IS NOT NULL AND forgotten_at IS NULL"
    return bool(await room.market.pool.fetchval(waiting) == 0)


async def test_what_a_closed_shard_could_not_forget_is_forgotten_later(room: Room) -> None:
    """The job died between Postgres and Redis, or the shard was being rebuilt."""
    config_id, _ = await over(room)
    await room.market.pool.execute("UPDATE play_configs SET archived_at = now()")
    await room.market.redis.rename(keys.epoch(0), "away")
    assert not await forgotten(room)
    assert len(await keys_of(room, config_id)) >= 3
    await room.market.redis.rename("away", keys.epoch(0))

    assert await forgotten(room)

    assert await keys_of(room, config_id) == []


async def test_while_redis_has_still_to_forget_a_repeat_gets_its_first_answer(room: Room) -> None:
    """And neither an end by its store nor a rebuild brings it back."""
    config_id, order_id = await over(room)
    await room.live.close()  # this process hears of nothing any more
    assert await room.engine.catalog.archive_ended(10) == 1
    ended = await room.engine.catalog.life.end(STORE, config_id)
    assert (ended.status, ended.warm_pending) == ("ENDED", False)

    again = await room.join(f"{config_id}.s1")

    assert (again.status, again.json()["orderId"]) == (201, order_id)
    assert (await room.join(f"{config_id}.s1", user="u2")).code == "ENDED"
    assert await keys_of(room, config_id) == []


async def test_a_process_that_was_frozen_drops_what_went_meanwhile(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long: nothing speaks of it any more, so it looks at all that it has."""
    config_id, _ = await over(room)
    await room.live.close()
    assert await room.engine.catalog.archive_ended(10) == 1
    await room.market.redis.zrem(keys.changed(0), config_id)
    await room.live.refresh(0)
    assert config_id in room.live.configs
    monkeypatch.setattr(live_module, "AGAIN_MS", -1)

    await room.live.refresh(0)

    assert config_id not in room.live.configs


async def test_a_rebuild_drops_what_went_before_it(room: Room) -> None:
    """Of a process that was frozen while it was archived and while the shard was rebuilt."""
    config_id, _ = await over(room)
    await room.live.close()
    assert await room.engine.catalog.archive_ended(10) == 1
    await room.market.recover()
    await room.live.refresh(0)
    assert config_id not in room.live.configs


async def test_an_older_copy_of_redis_brings_nothing_back(room: Room) -> None:
    """What was archived since is taken away again by the rebuild that follows; what is on sale stays."""
    config_id, _ = await over(room)
    there = {name: await room.market.redis.dump(name) for name in await room.market.redis.keys(f"*{config_id}*")}
    other = await room.publish()
    assert await archive(room) == 1
    for name, dumped in there.items():
        await room.market.redis.restore(name, 0, dumped)

    await room.market.recover()

    assert len(there) == 2
    assert await keys_of(room, config_id) == []
    assert await room.market.redis.exists(keys.cells(0, other))


async def test_that_a_product_has_gone_is_not_announced_for_ever(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = keys.changed(0)
    first, _ = await over(room)
    assert await archive(room) == 1
    second, _ = await over(room)
    assert await archive(room) == 1
    assert None not in {await room.market.redis.zscore(changed, one) for one in (first, second)}
    third, _ = await over(room)
    monkeypatch.setattr(gate_module, "GONE_KEPT_MS", 0)
    assert await archive(room) == 1
    assert {await room.market.redis.zscore(changed, one) for one in (first, second)} == {None}
    assert await room.market.redis.zscore(changed, third) is not None


async def test_a_shard_that_is_being_rebuilt_drops_nothing(room: Room) -> None:
    """What is not there just now comes back."""
    config_id = await room.publish()
    await room.caught_up()
    await room.market.redis.delete(keys.epoch(0), keys.cells(0, config_id))
    await room.market.redis.zadd(keys.changed(0), {config_id: 1 << 50, "!": 1 << 50})
    await room.caught_up()
    assert config_id in room.live.configs
    assert (await room.get(f"/v1/instances/{config_id}.s1")).status == 200
