"""A shard that cannot decide: nobody is answered from half a state, nobody waits for ever, and it opens by itself."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from engine.core.errors import Paused
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState
from engine.local.running import Running
from tests.conftest import OwnValkey
from tests.gate.stage import Stage, open_stage
from tests.support.gate import SHARD
from tests.support.waiting import WAIT_S, until

Change = Callable[[Stage], Awaitable[object]]


async def test_an_unknown_script_is_never_loaded_by_the_gate(valkey: Running) -> None:
    """The missing script is the sign of a restart: clicks wait and hear PAUSED, and it stays missing."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.click("u1")
        await stage.redis.script_flush()
        stage.wait_shortly()
        before = await stage.everything()

        assert await asyncio.gather(*(stage.told(f"u{i}") for i in range(20))) == ["PAUSED"] * 20
        assert await stage.told("u1") == "PAUSED"
        assert not await stage.gate.knows_script()
        assert await stage.everything() == before


async def test_clicks_that_wait_for_a_recovery_are_decided_by_it(valkey: Running) -> None:
    """A recovery within the timeout costs the waiting crowd nothing but time."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.redis.script_flush()
        crowd = [asyncio.create_task(stage.told(f"u{i}")) for i in range(20)]
        await until(lambda: not stage.lane.open)
        assert not any(task.done() for task in crowd)

        await stage.recover()

        replies = await asyncio.gather(*crowd)
        assert [reply if isinstance(reply, str) else reply.outcome for reply in replies] == [0] * 10 + [10] * 10


async def test_a_script_without_a_new_epoch_does_not_open_a_closed_shard(valkey: Running) -> None:
    """A recovery that died half way left the script but no epoch key."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.redis.delete(keys.epoch(SHARD))
        stage.wait_shortly()
        before = await stage.everything()

        assert await stage.told("u1") == "PAUSED"
        assert await stage.everything() == before


async def test_an_epoch_redis_has_lost_is_not_believed(valkey: Running) -> None:
    """A replica with a lost tail is in an old epoch, whatever it says."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.recover()
        await stage.insist("u1")
        await stage.redis.set(keys.epoch(SHARD), 1)
        stage.wait_shortly()

        assert await stage.told("u2") == "PAUSED"
        await stage.recover()
        assert (await stage.insist("u2")).outcome == Outcome.RESERVED


@pytest.mark.parametrize("failure", [None, ConnectionRefusedError(), asyncpg.InterfaceError("closed")], ids=repr)
async def test_a_silent_postgres_does_not_hold_clicks(valkey: Running, failure: Exception | None) -> None:
    """Redis is restarted while Postgres hangs or is away: PAUSED after the timeout all the same, then at once."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.click("u1")
        await stage.redis.script_flush()
        stage.postgres = "hangs" if failure is None else failure

        stage.wait_shortly()
        async with asyncio.timeout(WAIT_S / 2):
            assert await stage.told("u2") == "PAUSED"
        with pytest.raises(Paused):
            stage.click("u3").send(None)  # without a turn of the loop

        stage.postgres = None
        await stage.recover()
        assert (await stage.insist("u2")).outcome == Outcome.RESERVED


async def out_of_memory(stage: Stage) -> None:
    """No byte more."""
    await stage.redis.config_set("maxmemory", 1)


async def replica(stage: Stage) -> None:
    """A server that somebody made a replica."""
    await stage.redis.execute_command("REPLICAOF", "127.0.0.1", 1)


async def too_few_replicas(stage: Stage) -> None:
    """A primary that may not write without a replica."""
    await stage.redis.config_set("min-replicas-to-write", 1)


async def memory_again(stage: Stage) -> None:
    """As before."""
    await stage.redis.config_set("maxmemory", 0)


async def primary_again(stage: Stage) -> None:
    """As before."""
    await stage.redis.execute_command("REPLICAOF", "NO", "ONE")


async def alone_again(stage: Stage) -> None:
    """As before."""
    await stage.redis.config_set("min-replicas-to-write", 0)


@pytest.mark.parametrize(
    ("breaks", "repairs"),
    [(out_of_memory, memory_again), (replica, primary_again), (too_few_replicas, alone_again)],
    ids=["out of memory", "a replica", "too few replicas"],
)
async def test_a_valkey_that_may_not_write_sells_nothing(
    own_valkey: OwnValkey, breaks: Change, repairs: Change
) -> None:
    """PAUSED without any effect, and open again by itself when it may: no click needed, no restart."""
    valkey = await own_valkey()
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=100)
        await stage.click("u1")
        await breaks(stage)
        stage.wait_shortly()
        before = await stage.everything()

        assert await asyncio.gather(*(stage.told(f"u{i}") for i in range(2, 22))) == ["PAUSED"] * 20
        assert await stage.everything() == before

        stage.wait_long()
        await repairs(stage)
        await until(lambda: stage.lane.open)
        assert (await stage.click("u2")).outcome == Outcome.RESERVED
        assert await stage.left() == 98


async def test_a_repeat_is_not_answered_while_the_shard_is_closed(valkey: Running) -> None:
    """Not even the first answer: what a closed shard remembers may be about to be rebuilt."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        first = await stage.click("u1")
        await stage.redis.delete(keys.epoch(SHARD))
        stage.wait_shortly()

        assert await stage.told("u1") == "PAUSED"
        await stage.recover()
        assert await stage.insist("u1") == first._replace(state=EffectState.HELD)


async def test_warming_a_closed_shard_changes_nothing(valkey: Running) -> None:
    """A publication waits for the recovery as well."""
    async with open_stage(valkey.url) as stage:
        await stage.redis.delete(keys.epoch(SHARD))
        stage.wait_shortly()
        before = await stage.everything()

        with pytest.raises(Exception, match="暂停"):
            await stage.publish()
        assert await stage.everything() == before
