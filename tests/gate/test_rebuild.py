"""A recovery's side of Redis: what was there is gone, and nobody is let in before everyone has heard."""

import asyncio

from redis.asyncio import Redis

from engine.gate import keys
from engine.gate.rebuild import CHUNK, close_shard, load_config, open_shard
from engine.local.running import Running
from tests.support.gate import CONFIG, SHARD
from tests.support.waiting import eventually

LONG_MS = 3_600_000


async def numbers(redis: Redis) -> dict[bytes, float]:
    return dict(await redis.zrange(keys.changed(SHARD), 0, -1, withscores=True))


async def count(redis: Redis) -> int:
    return len(await numbers(redis))


async def test_nothing_of_before_is_left(valkey: Running) -> None:
    """Neither an instance nor a person that the rows know nothing of."""
    async with Redis.from_url(valkey.url) as redis:
        await load_config(redis, SHARD, CONFIG, b"head", 3, {"old": b"x", "s1": b"x"}, {"u0": b"x", "u1": b"x"})
        await load_config(redis, SHARD, CONFIG, b"newer", 2, {"s1": b"y"}, {"u1": b"y"})
        assert await redis.hgetall(keys.cells(SHARD, CONFIG)) == {b"head": b"newer", b"left": b"2", b"s1": b"y"}
        assert await redis.hgetall(keys.people(SHARD, CONFIG)) == {b"u1": b"y"}


async def test_every_field_arrives_however_many_there_are(valkey: Running) -> None:
    people = {f"u{number}": b"x" for number in range(2 * CHUNK + 1)}
    async with Redis.from_url(valkey.url) as redis:
        await load_config(redis, SHARD, CONFIG, b"head", 3, {}, people)
        assert await redis.hlen(keys.people(SHARD, CONFIG)) == len(people)


async def test_a_closed_shard_has_no_epoch(valkey: Running) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.set(keys.epoch(SHARD), 3)
        await close_shard(redis, SHARD)
        assert await redis.get(keys.epoch(SHARD)) is None


async def test_a_shard_opens_when_everyone_has_had_time_to_hear(valkey: Running) -> None:
    """All that it holds is announced first; while others are to hear of it, it stays closed."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.zadd(keys.changed(SHARD), {"gone": 1})
        opening = asyncio.create_task(open_shard(redis, SHARD, 2, ["a", "b"], settle_ms=LONG_MS))
        await eventually(lambda: count(redis), 3)
        assert set(await numbers(redis)) == {b"!", b"a", b"b"}
        assert await redis.get(keys.epoch(SHARD)) is None
        opening.cancel()

        await open_shard(redis, SHARD, 2, ["a"], settle_ms=0)
        assert await redis.get(keys.epoch(SHARD)) == b"2"


async def test_changes_of_a_later_epoch_are_news(valkey: Running) -> None:
    """Whoever has read all of the epoch before reads on: each number is above all of those."""
    async with Redis.from_url(valkey.url) as redis:
        await open_shard(redis, SHARD, 1, ["a"], settle_ms=0)
        highest = await redis.zincrby(keys.changed(SHARD), 1_000_000, "!")
        await open_shard(redis, SHARD, 2, ["a"], settle_ms=0)
        assert (await numbers(redis))[b"a"] > highest
