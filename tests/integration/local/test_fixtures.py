"""The servers that tests get are real, fresh and durable."""

import asyncpg
import redis

from engine.core.settings import Settings
from engine.local.running import Running
from tests.conftest import OwnPostgres, OwnValkey


async def test_database_is_migrated_and_empty(database: str) -> None:
    """A test's database has every table and no row."""
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT count(*) FROM orders") == 0
    await connection.execute("INSERT INTO stores (id, name, city) VALUES ('1', 'one', 'BJ')")
    await connection.close()


async def test_databases_do_not_share_rows(database: str) -> None:
    """What another test wrote is not seen."""
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT count(*) FROM stores") == 0
    await connection.close()


def test_valkey_is_empty_and_durable(valkey: Running, settings: Settings) -> None:
    """A test's Valkey has no key, and acknowledges only what is on disk."""
    with redis.Redis.from_url(settings.redis.hot_url) as client:
        assert client.dbsize() == 0
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        client.set("a", 1)


async def test_own_valkey_keeps_data_over_a_crash(own_valkey: OwnValkey) -> None:
    """What it acknowledged is there after SIGKILL."""
    running = await own_valkey(password="secret")
    async with redis.asyncio.Redis.from_url(running.url) as client:
        await client.set("a", 1)
    await running.restart()
    async with redis.asyncio.Redis.from_url(running.url) as client:
        assert await client.get("a") == b"1"


async def test_own_valkey_can_be_a_cluster(own_valkey: OwnValkey) -> None:
    """One node that serves every slot."""
    running = await own_valkey(cluster=True)
    cluster = redis.asyncio.RedisCluster.from_url(running.url)
    assert await cluster.set("a", 1) is True
    assert await cluster.set("b", 1) is True
    await cluster.aclose()


async def test_own_postgres_keeps_data_over_a_crash(own_postgres: OwnPostgres) -> None:
    """What it committed is there after SIGKILL."""
    running = await own_postgres()
    connection = await asyncpg.connect(running.url)
    await connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    connection.terminate()
    await running.restart()
    connection = await asyncpg.connect(running.url)
    assert await connection.fetchval("SELECT a FROM t") == 1
    await connection.close()
