"""Recovery of one shard: Redis filled from Postgres and opened in a new epoch (engine/gate/README.md, The fence).

It runs when Redis was restarted (it does not know the script), when the epochs disagree, when the script
has changed, and on the very first start. A crash at any point leaves the shard closed: it runs again.
"""

import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from engine.catalog.configs import gate_head, load_play_configs
from engine.core.ids import instance_id, split_instance_id
from engine.gate import keys, records
from engine.gate.gate import Gate
from engine.gate.rebuild import as_epoch, close_shard, drop_others, load_config, open_shard, opened_in
from engine.gate.records import EffectState
from engine.sdk import Status
from engine.stream.drain import Drain

log = logging.getLogger("wanfa.stream")

CONFIGS_AT_ONCE = 200
PEOPLE_AT_ONCE = 10_000  # records on their way to Redis
ROWS_AT_ONCE = 5000
NODE_OPTIONS = ("host", "port", "db", "username", "password", "socket_connect_timeout", "socket_timeout")

MAKE_SHARDS = "INSERT INTO shards (id) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING"
GET_EPOCH = "SELECT epoch FROM shards WHERE id = $1"
GET_EPOCHS = "SELECT id, epoch FROM shards"
# Drains take the row FOR SHARE: none of them changes what Redis knows while it is being read here.
LOCK_EPOCH = "SELECT epoch FROM shards WHERE id = $1 FOR UPDATE"
RAISE_EPOCH = "UPDATE shards SET epoch = $2 WHERE id = $1"
CONFIG_IDS = """
SELECT id FROM play_configs WHERE shard = $1 AND status <> 'DRAFT' AND archived_at IS NULL ORDER BY id
"""
LEFT = """
SELECT s.config_id, s.total - coalesce(sum(o.quantity) FILTER (WHERE o.gate_state IN (1, 2)), 0) AS units
  FROM stock s LEFT JOIN orders o ON o.config_id = s.config_id
 WHERE s.config_id = ANY($1::text[]) GROUP BY s.config_id
"""
INSTANCES = """
SELECT i.config_id, suffix, status, current, target, rev, cells,
       coalesce(floor(extract(epoch FROM wake_at) * 1000)::bigint, 0) AS wake_at_ms,
       CASE WHEN s.total IS NOT NULL THEN s.total - (
            SELECT coalesce(sum(o.quantity), 0) FROM orders o
             WHERE o.config_id = i.config_id AND o.instance_id = i.id AND o.gate_state IN (1, 2)) END AS units
  FROM instances i LEFT JOIN session_stock s ON s.instance_id = i.id WHERE i.config_id = ANY($1::text[])
"""
# Each person's own cells first, then their effects, oldest first. Without orders that a fenced-off writer answered:
# they never held anything, so their repeat is decided anew (moves.REVIVE books it) instead of told a success.
PEOPLE = """
SELECT config_id, user_id, id, instance_id, fingerprint, gate_state AS state, quantity, receipt,
       (extract(epoch FROM pay_before) * 1000)::bigint AS pay_before_ms, created_at, NULL::jsonb AS cells, 0 AS rev
  FROM orders WHERE config_id = ANY($1::text[]) AND reason IS DISTINCT FROM 'FENCED'
 UNION ALL
SELECT config_id, user_id, id, instance_id, fingerprint, 3, 0, receipt, 0, created_at, NULL, 0
  FROM actions WHERE config_id = ANY($1::text[])
 UNION ALL
SELECT config_id, user_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '-infinity', cells, rev
  FROM people WHERE config_id = ANY($1::text[])
 ORDER BY config_id, user_id, created_at, id
"""


async def make_shards(pool: asyncpg.Pool, shards: int) -> None:
    """A row for each shard; those that are there stay as they are."""
    await pool.execute(MAKE_SHARDS, shards)


async def epoch_of(pool: asyncpg.Pool, shard: int) -> int:
    """The epoch a worker has opened the shard in; 0 when none has yet."""
    return await pool.fetchval(GET_EPOCH, shard) or 0


async def epochs_of(pool: asyncpg.Pool) -> dict[int, int]:
    """The same of all shards that have ever been there."""
    return {row["id"]: row["epoch"] for row in await pool.fetch(GET_EPOCHS)}


class Recovery:
    """Checks shards and recovers them. The caller sees to it that nobody else recovers the same shard."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis, gate: Gate, shards: int) -> None:
        self._pool = pool
        self._redis = redis
        self._gate = gate
        self._shards = shards
        self._seen_open: set[int] = set()

    async def is_open(self, shard: int) -> bool:
        """Whether the shard is open in the epoch Postgres says, on a Redis that knows the script."""
        epoch = await self._pool.fetchval(GET_EPOCH, shard)
        opened = await opened_in(self._redis, shard)
        found = opened == str(epoch).encode() and await self._gate.knows_script()
        if found:
            self._seen_open.add(shard)
        return found

    async def recover(self, shard: int, drain: Drain) -> int:
        """Close the shard, persist its whole stream through `drain`, rebuild it, open it; its new epoch.

        It is closed and opened over one and the same connection: when Redis is restarted meanwhile, that
        breaks, this raises RedisError, and the shard stays closed.
        """
        started = time.monotonic()
        async with self._node(shard, single_connection_client=True) as redis:
            await redis.ping()
            seen = as_epoch(await opened_in(redis, shard))
            await close_shard(redis, shard)
            if not await self._script_known(redis):
                await self._reload(redis)
            await _drain_all(drain)
            async with self._pool.acquire() as connection, connection.transaction():
                epoch: int = max(await connection.fetchval(LOCK_EPOCH, shard), seen) + 1
                changed = await self._fill(connection, shard)
                await connection.execute(RAISE_EPOCH, shard, epoch)
            await redis.xtrim(keys.intents(shard), maxlen=0, approximate=False)
            await open_shard(redis, shard, epoch, changed, settle_ms=self._gate.reopen_ms if changed else 0)
        took_s = time.monotonic() - started
        # An event only where it was open to this process: one that has just started may have brought another script.
        level = logging.WARNING if shard in self._seen_open else logging.INFO
        log.log(level, "shard %d recovered: epoch %d, %d ids, %.2f s", shard, epoch, len(changed), took_s)
        return epoch

    async def _script_known(self, redis: Redis) -> bool:
        known: list[bool] = await redis.script_exists(self._gate.sha)
        return all(known)

    async def _reload(self, redis: Redis) -> None:
        """Let this server know the script, which takes the fence away: so first close every shard it has."""
        for shard in range(self._shards):
            try:
                await close_shard(redis, shard)
            except ResponseError as error:
                if not str(error).startswith("MOVED"):  # another node of the cluster has it, and its own scripts
                    raise
        await redis.script_load(self._gate.source)

    async def _fill(self, connection: PoolConnectionProxy, shard: int) -> list[str]:
        """Load every config of the shard; the ids of all configs and instances loaded."""
        changed: list[str] = []
        ids = [row["id"] for row in await connection.fetch(CONFIG_IDS, shard)]
        async with self._node(shard) as redis:
            for start in range(0, len(ids), CONFIGS_AT_ONCE):
                chunk = ids[start : start + CONFIGS_AT_ONCE]
                async with redis.pipeline(transaction=False) as pipe:
                    changed += await _load(connection, pipe, shard, chunk)
            await drop_others(redis, shard, ids)
        return changed

    @asynccontextmanager
    async def _node(self, shard: int, **options: Any) -> AsyncIterator[Redis]:
        """A client of the server that has the shard."""
        client: Any = self._redis
        if isinstance(client, RedisCluster):
            known: dict[str, Any] = client.get_node_from_key(keys.epoch(shard)).connection_kwargs
        else:
            known = client.connection_pool.connection_kwargs
        node = Redis(**{name: value for name, value in known.items() if name in NODE_OPTIONS}, **options)
        try:
            yield node
        finally:
            await node.aclose()


async def _drain_all(drain: Drain) -> None:
    """Nobody can write to the stream any more: what is in it becomes rows now."""
    await drain.join()
    await drain.take_over(0)
    while await drain.step():
        pass


async def _load(connection: PoolConnectionProxy, pipe: Pipeline, shard: int, config_ids: list[str]) -> list[str]:
    """Load some configs; the ids of them and their instances."""
    heads = {one.id: gate_head(one) for one in await load_play_configs(connection, config_ids, live_only=True)}
    left = {row["config_id"]: row["units"] for row in await connection.fetch(LEFT, config_ids)}
    instances = await _instances(connection, config_ids)
    waiting = 0
    async for config_id, people in _people(connection, config_ids):
        cells = instances.get(config_id, {})
        await load_config(pipe, shard, config_id, heads.pop(config_id), left[config_id], cells, people)
        waiting += len(people)
        if waiting > PEOPLE_AT_ONCE:
            await pipe.execute()
            waiting = 0
    for config_id, head in heads.items():  # nobody has clicked on these yet
        await load_config(pipe, shard, config_id, head, left[config_id], instances.get(config_id, {}), {})
    await pipe.execute()
    instance_ids = [instance_id(config_id, suffix) for config_id, cells in instances.items() for suffix in cells]
    return config_ids + instance_ids


async def _instances(connection: PoolConnectionProxy, config_ids: list[str]) -> dict[str, dict[str, bytes]]:
    """Config id -> suffix -> cells."""
    found: dict[str, dict[str, bytes]] = {}
    for row in await connection.fetch(INSTANCES, config_ids):
        found.setdefault(row["config_id"], {})[row["suffix"]] = records.cells(
            status=Status[row["status"]],
            current=row["current"],
            target=row["target"],
            wake_at_ms=row["wake_at_ms"],
            rev=row["rev"],
            own=row["cells"],
            left=row["units"],
        )
    return found


async def _people(
    connection: PoolConnectionProxy, config_ids: list[str]
) -> AsyncIterator[tuple[str, Mapping[str, bytes]]]:
    """Config id and user -> record, for each config anybody has clicked on."""
    config_id, user, effects, me = "", "", list[records.Effect](), dict[str, Any]()
    people: dict[str, bytes] = {}
    async for row in connection.cursor(PEOPLE, config_ids, prefetch=ROWS_AT_ONCE):
        if row["user_id"] != user or row["config_id"] != config_id:
            if effects or me:
                people[user] = records.person(effects, me)
            if row["config_id"] != config_id:
                if people:
                    yield config_id, people
                config_id, people = row["config_id"], {}
            user, effects, me = row["user_id"], [], {}
        if row["id"] is None:
            me = {**row["cells"], "rev": row["rev"]}
        else:
            effects.append(_effect(row))
    if effects or me:
        people[user] = records.person(effects, me)
        yield config_id, people


def _effect(row: asyncpg.Record) -> records.Effect:
    return records.effect(
        order_id=row["id"].hex,
        fingerprint=row["fingerprint"],
        state=EffectState(row["state"]),
        quantity=row["quantity"],
        suffix=split_instance_id(row["instance_id"])[1],
        pay_before_ms=row["pay_before_ms"],
        receipt=row["receipt"],
    )
