"""Each test of a Lua command runs twice: on a standalone Valkey and on a cluster of one node."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from engine.local.embedded import ValkeyServer
from engine.local.running import Running
from tests.support.gate import Sale, open_sale


@pytest.fixture(scope="session")
def worker_cluster(state_folder: Path) -> Iterator[Running]:
    """A Valkey in cluster mode: one node, all slots."""
    running = Running(ValkeyServer(state_folder / "cluster", cluster=True), state_folder / "cluster.log")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(running.start())
    loop.close()
    yield running
    running.kill()


@pytest.fixture(params=["standalone", "cluster"])
def hot_url(request: pytest.FixtureRequest) -> str:
    """An empty Valkey; in cluster mode a key without its shard's hash tag is refused."""
    running: Running = request.getfixturevalue("worker_valkey" if request.param == "standalone" else "worker_cluster")
    with redis.Redis.from_url(running.url) as client:
        client.flushall()
        client.script_flush()
    return running.url


@pytest.fixture
async def sale(hot_url: str) -> AsyncIterator[Sale]:
    """A gate with open shards."""
    async with open_sale(hot_url) as opened:
        yield opened
