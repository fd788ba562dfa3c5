"""Redis' side of a recovery: close a shard, fill it from records, open it in a new epoch.

Closed means: no epoch key. Every script compares the epoch first, so whatever happens between
`close_shard` and `open_shard`, a crash included, nobody is answered from half a state.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine.gate import keys

T = TypeVar("T")

CHUNK = 2000  # fields in one HSET
EPOCH_STRIDE = 1 << 32  # change numbers of a later epoch are above all of an earlier one
EPOCH_END = 1 << 20  # of what is believed of Redis: change numbers stay whole, and no shard is rebuilt so often


async def close_shard(redis: Redis, shard: int) -> None:
    """From here on every script call on the shard is FENCED."""
    await redis.delete(keys.epoch(shard))


async def opened_in(redis: Redis, shard: int) -> bytes:
    """What the epoch key holds; empty when the shard is closed, or the key is none of ours."""
    try:
        found: bytes | None = await redis.get(keys.epoch(shard))
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return b""
    return found or b""


def as_epoch(words: bytes) -> int:
    """The epoch that the key held; 0 when it was damaged, so that it stops no recovery."""
    epoch = int(words) if words.isdigit() and len(words) < 20 else 0
    return epoch if epoch < EPOCH_END else 0


async def load_config(
    redis: Redis,
    shard: int,
    config_id: str,
    head: bytes,
    left: int,
    instances: Mapping[str, bytes],
    people: Mapping[str, bytes],
) -> None:
    """Replace all that Redis holds of one config."""
    cells_key, people_key = keys.cells(shard, config_id), keys.people(shard, config_id)
    await redis.unlink(cells_key, people_key)
    await redis.execute_command("HSET", cells_key, "head", head, "left", left)
    await _fill(redis, cells_key, instances)
    await _fill(redis, people_key, people)


async def drop_others(redis: Redis, shard: int, config_ids: Iterable[str]) -> None:
    """Of a closed shard: take away every config but these, whatever an older copy of Redis' data has brought back."""
    kept = {name.encode() for one in config_ids for name in (keys.cells(shard, one), keys.people(shard, one))}
    for pattern in (keys.cells(shard, "*"), keys.people(shard, "*")):
        others = [name async for name in redis.scan_iter(match=pattern, count=CHUNK) if name not in kept]
        for some in chunks(others):
            await redis.unlink(*some)


async def open_shard(redis: Redis, shard: int, epoch: int, changed_ids: Iterable[str], *, settle_ms: int) -> None:
    """Announce every config and instance as changed, then open the shard in `epoch`.

    In between lie `settle_ms`, for every API process to hear of units that the rebuild gave back.
    """
    changed = keys.changed(shard)
    number = epoch * EPOCH_STRIDE
    await redis.unlink(changed, keys.gone(shard))
    await redis.zadd(changed, {"!": number})
    for ids in chunks(changed_ids):
        number += 1  # each chunk its own: whoever reads in between has read all of what is below
        await redis.zadd(changed, dict.fromkeys(["!", *ids], number))
    await asyncio.sleep(settle_ms / 1000)
    await redis.set(keys.epoch(shard), epoch)


async def _fill(redis: Redis, key: str, fields: Mapping[str, bytes]) -> None:
    for chunk in chunks(fields.items()):
        await redis.execute_command("HSET", key, *(word for field in chunk for word in field))


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """So many that one command with them keeps nobody waiting."""
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
