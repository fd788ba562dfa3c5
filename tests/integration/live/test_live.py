"""The snapshot that reads and refusals come from: it misses nothing, however changes and refreshes interleave."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.core.settings import Settings
from engine.gate import keys, rebuild, records
from engine.gate.rebuild import load_config, open_shard
from engine.live import live as live_module
from engine.live.live import Live
from engine.local.running import Running
from engine.sdk import Status
from tests.conftest import OwnValkey
from tests.support.market import STORE, Market, open_market
from tests.support.waiting import WAIT_S, until


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as opened:
        yield opened
        await opened.engine.live.close()


class Interleaved:
    """A Redis client after each of whose commands a snapshot refreshes: the worst moment, every time."""

    def __init__(self, redis: Any, live: Live) -> None:
        self._redis = redis
        self._live = live

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._redis, name)

        async def command(*words: Any, **options: Any) -> Any:
            answer = await real(*words, **options)
            await self._live.refresh(0)
            return answer

        return command


def groups(count: int, *, current: int = 0) -> dict[str, bytes]:
    """Suffix -> cells of so many open groups."""
    own = {"seatsLeft": 1, "endsAt": 1 << 45}
    cells = records.cells(status=Status.ACTIVE, current=current, target=2, wake_at_ms=0, rev=1, own=own)
    return {f"g{i:015x}": cells for i in range(count)}


async def rebuild_with(market: Market, redis: Any, config_id: str, instances: dict[str, bytes], epoch: int) -> None:
    """What a recovery does to Redis."""
    head = await market.redis.hget(keys.cells(0, config_id), "head")
    await load_config(redis, 0, config_id, head, 100, instances, {})
    changed = [config_id, *(ids.instance_id(config_id, suffix) for suffix in instances)]
    await open_shard(redis, 0, epoch, changed, settle_ms=0)


async def until_seen(live: Live, count: int) -> None:
    """Until the snapshot has so many instances."""
    await until(lambda: len(live.instances) >= count)
    assert len(live.instances) == count


async def test_a_rebuild_of_many_instances_becomes_visible_whole(market: Market) -> None:
    """Twelve thousand groups announced at once are more than one refresh reads."""
    config_id = await market.publish("GROUP_BUY")
    await market.engine.live.start()

    await rebuild_with(market, market.redis, config_id, groups(12_000), 7)

    await until_seen(market.engine.live, 12_000)


async def test_a_refresh_in_the_middle_of_a_rebuild_misses_nothing(market: Market) -> None:
    """Whoever reads between any two commands of a recovery sees all of it afterwards, and all that follows."""
    live = market.engine.live
    config_id = await market.publish("GROUP_BUY", stock=100)
    await rebuild_with(market, Interleaved(market.redis, live), config_id, groups(5000), 7)
    await live.refresh(0)
    assert len(live.instances) == 5000

    await rebuild_with(market, Interleaved(market.redis, live), config_id, groups(5000, current=1), 8)
    await live.refresh(0)
    assert {instance.state.current for instance in live.instances.values()} == {1}


async def test_every_change_is_seen_whatever_a_refresh_reads_at_once(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refreshes that read four changes at a time, in a stream of changes that share numbers by twos and threes."""
    monkeypatch.setattr(live_module, "PAGE", 4)
    monkeypatch.setattr(rebuild, "CHUNK", 2)
    live, rng = market.engine.live, random.Random(7)
    configs = [await market.publish(stock=1000) for _ in range(6)]
    await market.recover()
    for turn in range(40):
        await asyncio.gather(*(market.click(config, f"u{turn}-{i}") for i, config in enumerate(rng.sample(configs, 3))))
        if rng.random() < 0.5:
            await live.refresh(0)
    for _ in range(40):
        await live.refresh(0)

    for config in configs:
        assert live.configs[config].left == (await market.stock(config))[1]
        assert live.instances[f"{config}.s1"].state.status == Status.ACTIVE


async def test_a_config_announced_before_its_row_can_be_seen_appears_with_it(settings: Settings) -> None:
    """Redis hears of it first; every shard is refreshed meanwhile, and still it comes with its session."""
    async with open_market(settings) as market:
        config_id = await market.publish()
        await market.pool.execute("UPDATE play_configs SET status = 'DRAFT' WHERE id = $1", config_id)
        live = Live(
            pool=market.pool,
            redis=market.redis,
            playbooks=market.engine.playbooks.loaded,
            shards=4,
            refresh_ms=10,
        )
        for shard in (0, 1, 2, 3):
            await live.refresh(shard)
        assert live.instances == {}

        await market.pool.execute("UPDATE play_configs SET status = 'PUBLISHED' WHERE id = $1", config_id)
        for shard in (1, 2, 3, 0):
            await live.refresh(shard)

        assert live.configs[config_id].left == 10
        assert list(live.instances) == [f"{config_id}.s1"]


async def test_a_snapshot_outlives_its_valkey(settings: Settings, own_valkey: OwnValkey) -> None:
    """While Redis is away reads go on from memory, refusals do not; afterwards everything is new again."""
    valkey: Running = await own_valkey()
    replace = msgspec.structs.replace
    settings = replace(settings, redis=replace(settings.redis, hot_url=valkey.url, queue_url=valkey.url))
    async with open_market(settings) as market:
        live = market.engine.live
        config_id = await market.publish(stock=5)
        await live.start()
        await until_seen(live, 1)
        valkey.kill()
        await until(lambda: not live.fresh(0))
        assert live.instances[f"{config_id}.s1"].config.left == 5

        await valkey.start()
        await market.recover()
        await market.hold(config_id, "u1")
        await until(lambda: live.configs[config_id].left == 4 and live.fresh(0))
        await live.close()


async def test_a_redis_that_lost_everything_is_believed_after_its_recovery(market: Market) -> None:
    """FLUSHALL: change numbers begin anew, in a later epoch and so above all that was ever read."""
    live = market.engine.live
    config_id = await market.publish(stock=5)
    await market.hold(config_id, "u1")
    await market.drain_all()
    await live.refresh(0)
    await live.refresh(0)
    await market.redis.flushall()
    await live.refresh(0)
    assert live.configs[config_id].left == 4

    await market.recover()
    await market.hold(config_id, "u2")
    await live.refresh(0)
    assert live.configs[config_id].left == 3


async def test_refreshing_survives_what_it_cannot_read(market: Market) -> None:
    """A config that has no row, and an id that is none, hide nothing else."""
    live = market.engine.live
    config_id = await market.publish()
    await market.redis.zadd(keys.changed(0), {"c000000000000": 1 << 50, "c000000000000.s1": 1 << 50, "odd": 1 << 50})
    for _ in range(3):
        await live.refresh(0)

    assert list(live.configs) == [config_id]
    assert list(live.instances) == [f"{config_id}.s1"]


async def test_a_config_without_its_playbook_stands_there_paused(market: Market) -> None:
    """With all it has left and its instances, and it can be ended; nothing that is PUBLISHED shows as such."""
    config_id = await market.publish(stock=5)
    live = Live(pool=market.pool, redis=market.redis, playbooks={}, shards=1, refresh_ms=10)
    await live.refresh(0)
    stands = live.configs[config_id]
    assert (stands.missing, stands.head_status, stands.left) == (True, records.HeadStatus.PAUSED, 5)
    assert (stands.playbook.code, stands.playbook.actions) == ("FLASH_SALE", ())
    assert list(live.instances) == [f"{config_id}.s1"]

    await market.engine.catalog.life.end(STORE, config_id)
    await live.refresh(0)
    assert stands.head_status == records.HeadStatus.ENDED


async def test_closing_ends_refreshing_at_once(market: Market) -> None:
    """However long a refresh would still take."""
    await market.engine.live.start()
    await asyncio.sleep(0.05)

    await asyncio.wait_for(market.engine.live.close(), WAIT_S)


@pytest.mark.parametrize("wrong_by_s", [-86_400, 0, 86_400])
async def test_the_clock_is_redis_not_this_hosts(
    market: Market, monkeypatch: pytest.MonkeyPatch, wrong_by_s: int
) -> None:
    """Whatever time it is on this host: between two times that Redis told, to the millisecond."""

    async def redis_ms() -> int:
        seconds, microseconds = await market.redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    clock = SimpleNamespace(time=lambda: time.time() + wrong_by_s, monotonic=lambda: time.monotonic() + 12_345)
    monkeypatch.setattr("engine.live.live.time", clock)
    before = await redis_ms()
    await market.engine.live.refresh(0)
    assert before <= market.engine.live.now_ms() <= await redis_ms()
