"""A cluster whose slots move: a lane follows its shard, and finds back when the node it followed to is gone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.local.running import Running
from tests.conftest import OwnValkey
from tests.gate.stage import open_stage
from tests.support.gate import SHARD
from tests.support.waiting import eventually


class Pair:
    """A cluster of two nodes; the shard's slot is on one of them."""

    def __init__(self, first: Running, second: Running) -> None:
        self.nodes = first, second
        self.clients: list[Any] = [Redis.from_url(node.url) for node in self.nodes]

    async def join(self) -> None:
        """Make them one cluster; the first has every slot."""
        first, second = self.clients
        self.slot = await first.execute_command("CLUSTER", "KEYSLOT", keys.epoch(SHARD))
        await second.execute_command("CLUSTER", "FLUSHSLOTS")
        bus = (await second.config_get("cluster-port"))["cluster-port"]
        await first.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[1].port, bus)
        await self._until("cluster_known_nodes", "2")
        await self._until("cluster_state", "ok")

    async def move(self, to: int) -> None:
        """Give the shard's slot to a node, as an operator would, without its keys."""
        new, old = self.clients[to], self.clients[1 - to]
        for key in await old.execute_command("CLUSTER", "GETKEYSINSLOT", self.slot, 100):
            await old.delete(key)
        await new.execute_command("CLUSTER", "BUMPEPOCH")
        owner = await new.execute_command("CLUSTER", "MYID")
        for client in (new, old):
            await client.execute_command("CLUSTER", "SETSLOT", self.slot, "NODE", owner)
        await self._until("cluster_state", "ok")

    async def _until(self, field: str, value: str) -> None:
        """Until both nodes say so."""
        for client in self.clients:

            async def told(client: Any = client) -> str:
                return str((await client.cluster("INFO"))[field])

            await eventually(told, value, field)

    async def close(self) -> None:
        """Hang up."""
        for client in self.clients:
            await client.aclose()


@pytest.fixture
async def pair(own_valkey: OwnValkey) -> AsyncIterator[Pair]:
    # A node that is slow to answer is not dead, and one that has lost its only slot is no replica.
    options = {"cluster-node-timeout": "2500", "cluster-allow-replica-migration": "no"}
    first, second = [await own_valkey(cluster=True, options=options) for _ in range(2)]
    opened = Pair(first, second)
    await opened.join()
    yield opened
    await opened.close()


async def test_a_lane_follows_its_shard_and_finds_back(pair: Pair) -> None:
    """The shard moves to the second node; then back, and the second node dies."""
    first, second = pair.nodes
    await pair.move(1)
    cluster: Any = RedisCluster.from_url(first.url)
    async with open_stage(first.url, client=cluster) as stage:
        await stage.publish(stock=5)
        assert (await stage.insist("u1")).outcome == Outcome.RESERVED
        assert await pair.clients[1].exists(keys.epoch(SHARD))

        await pair.move(0)
        second.kill()
        home = Redis.from_url(first.url)
        stage.redis = stage.gate._redis = home
        await stage.recover()
        await stage.publish(stock=5)
        assert (await stage.insist("u2")).outcome == Outcome.RESERVED
        assert await stage.left() == 4
        await home.aclose()
