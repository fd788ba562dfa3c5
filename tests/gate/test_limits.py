"""What bounds a lane: how many wait, how many go together, and what happens to those who wait when it ends."""

import asyncio
from math import ceil

import pytest

from engine.core import ids
from engine.core.errors import Overloaded, Paused
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.local.running import Running
from tests.gate.stage import Proxy, open_stage, turns
from tests.support.gate import SHARD
from tests.support.waiting import WAIT_S, until


async def test_more_than_may_wait_are_told_at_once(valkey: Running) -> None:
    """Ten at once where five may wait: five are served, five hear OVERLOADED, and the next one is served again."""
    async with open_stage(valkey.url, inflight_max=5) as stage:
        await stage.publish(stock=100)

        told = await asyncio.gather(*(stage.told(f"u{i}") for i in range(10)))

        assert [one if isinstance(one, str) else one.outcome for one in told] == [0] * 5 + ["OVERLOADED"] * 5
        assert await stage.left() == 95
        assert (await stage.click("u9")).outcome == Outcome.RESERVED


async def test_a_closed_shard_does_not_gather_a_queue_without_end(valkey: Running) -> None:
    """While the shard is closed no more than `inflight_max` wait, and none of them has an effect."""
    async with open_stage(valkey.url, inflight_max=5) as stage:
        await stage.publish(stock=100)
        await stage.click("nobody")
        await stage.redis.delete(keys.epoch(SHARD))
        first = await stage.asking("u0")
        await until(lambda: not stage.lane.open)  # it is the batch that is being retried; from now on clicks wait
        crowd = [asyncio.create_task(stage.told(f"u{i}")) for i in range(1, 10)]
        await turns()

        assert [task.result() for task in crowd if task.done()] == ["OVERLOADED"] * 4
        await stage.recover()
        await asyncio.gather(first, *crowd)
        assert await stage.left() == 93


@pytest.mark.parametrize("batch_max", [1, 7, 256])
async def test_a_batch_is_no_larger_than_it_may_be(valkey: Running, batch_max: int) -> None:
    """Fifty clicks at once go in as few script calls as allowed; each hears of its own group and no other's."""
    async with open_stage(valkey.url, batch_max=batch_max) as stage:
        await stage.publish("GROUP_BUY", stock=100)
        users = [f"u{i}" for i in range(50)]

        replies = await asyncio.gather(*(stage.click(user, verb="open") for user in users))

        assert [reply.suffix for reply in replies] == [
            ids.opened_suffix(ids.click_id(stage.config_id, user, "r1")) for user in users
        ]
        sizes = [len(payload[1]) for payload in await stage.intents()]
        assert len(sizes) == ceil(50 / batch_max)
        assert max(sizes) <= batch_max


async def test_a_batch_of_many_configs_keeps_them_apart(valkey: Running) -> None:
    """Sixty configs in one call, one unit each: everyone's click counts on the config it was made on."""
    async with open_stage(valkey.url) as stage:
        sales = [stage.beside(f"c{i:012x}") for i in range(60)]
        for i, sale in enumerate(sales):
            await sale.publish(stock=1, price_fen=100 + i)

        first = await asyncio.gather(*(sale.click("u1") for sale in sales))
        second = await asyncio.gather(*(sale.click("u2") for sale in reversed(sales)))

        assert {reply.outcome for reply in first} == {Outcome.RESERVED}
        assert {reply.outcome for reply in second} == {Outcome.SOLD_OUT}
        orders = [order for payload in await stage.intents() for order in payload[1]]
        assert sorted((order[1], order[6]) for order in orders) == [(f"c{i:012x}", 100 + i) for i in range(60)]


async def test_clicks_are_decided_in_the_order_they_came(valkey: Running) -> None:
    """First come, first served: of a hundred for ten units, over several batches, the first ten win."""
    async with open_stage(valkey.url, batch_max=8) as stage:
        await stage.publish(stock=10)

        replies = await asyncio.gather(*(stage.click(f"u{i:02}") for i in range(100)))

        assert [reply.outcome for reply in replies] == [Outcome.RESERVED] * 10 + [Outcome.SOLD_OUT] * 90


STRANGE = [
    "head",
    "left",
    "reopens",
    "bad",
    "u1",
    "",
    "S1",
    "s1 ",
    "s1\n",
    "s1\0",
    "!",
    "秒杀",
    "x" * 4000,
    "s1.s1",
    "*",
    "{s0}",
]


@pytest.mark.parametrize("suffix", STRANGE, ids=lambda text: repr(text[:10]))
async def test_an_instance_that_is_none_hurts_nobody(valkey: Running, suffix: str) -> None:
    """Whatever stands where an instance's name should: it is not found, and its neighbours are served."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=5)
        (_, before), *_ = [(key, dump) for key, dump in (await stage.everything()).items() if b"cells" in key]

        bad = await stage.told("bad", suffix=suffix)
        assert bad == (Outcome.INSTANCE_NOT_FOUND, False, "", 0, 0, 0, 0)
        assert (await stage.redis.dump(keys.cells(SHARD, stage.config_id))) == before

        replies = await asyncio.gather(
            stage.told("u1"),
            stage.told("bad", suffix=suffix),
            stage.told("bad", suffix=suffix, verb="paid"),
            stage.told("u2"),
        )
        assert [one if isinstance(one, str) else one.outcome for one in replies][::3] == [Outcome.RESERVED] * 2
        assert await stage.left() == 3


async def test_who_waits_behind_a_batch_without_an_answer_hears_with_it(valkey: Running) -> None:
    """Nobody is kept for a time-out of their own: what Redis does not answer now it does not answer next, either."""
    async with Proxy(valkey.port) as proxy, open_stage(valkey.url, through=proxy.url) as stage:
        await stage.publish(stock=10)
        await stage.click("first")
        proxy.through.clear()
        stage.wait_shortly()
        in_flight = await stage.asking("u1")
        behind = asyncio.create_task(stage.told("u2"))

        assert await in_flight == "PAUSED"
        await turns()
        assert behind.done()
        assert behind.result() == "PAUSED"
        proxy.through.set()


async def test_an_answer_that_is_none_ends_no_lane(valkey: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was in that batch is told, and the next one is decided."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.click("first")
        with monkeypatch.context() as broken:
            broken.setattr("engine.gate.lane.unpack", lambda _: 1 // 0)
            assert await asyncio.gather(*(stage.told(f"u{i}") for i in range(3))) == ["PAUSED"] * 3

        assert (await stage.click("u1")).replayed  # it had been decided; nobody could say so
        assert (await stage.click("u3")).outcome == Outcome.RESERVED


async def test_no_two_batches_draw_alike(valkey: Running) -> None:
    """Who opens a bargain with cuts by chance, alone in a batch, has other cuts than whoever did before."""
    rules = {"helpers": 50, "floorPriceFen": 1, "shape": "random", "durationMinutes": 60, "bargainsPerPerson": 1}
    async with open_stage(valkey.url) as stage:
        await stage.publish("BARGAIN", rules=rules, price_fen=1_000_000)

        suffixes = [(await stage.click(f"u{i}", verb="open")).suffix for i in range(5)]

        assert len({(await stage.cells(suffix))["cuts"] for suffix in suffixes}) == 5


async def test_closing_tells_everyone_who_waits(valkey: Running) -> None:
    """The batch in flight and those behind it hear PAUSED; so does whoever comes too late. Nobody hangs."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=100)
        await stage.click("first")  # the lane is open: what comes next is in flight, and waits for the epoch there
        await stage.redis.delete(keys.epoch(SHARD))
        crowd = [asyncio.create_task(stage.told(f"u{i}")) for i in range(4)] + [await stage.asking("u4")]
        crowd += [asyncio.create_task(stage.told(f"v{i}")) for i in range(5)]
        await turns()

        await asyncio.wait_for(stage.gate.close(), WAIT_S / 2)

        assert await asyncio.gather(*crowd) == ["PAUSED"] * 10
        with pytest.raises(Paused):
            await asyncio.wait_for(stage.click("late"), WAIT_S / 2)


async def test_closing_ends_a_lane_whatever_it_is_doing(valkey: Running) -> None:
    """Idle, asking, waiting for an answer or for a closed shard, in a loop that stands still at times."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=100)
    for turn in range(25):
        async with open_stage(valkey.url) as stage:
            await stage.redis.delete(keys.epoch(0))
            crowd = asyncio.gather(*(stage.told(f"u{turn}") for _ in range(3)))
            for _ in range(turn):
                await asyncio.sleep(0)
            await asyncio.wait_for(stage.gate.close(), WAIT_S / 2)
            await crowd


async def test_an_overloaded_lane_raises_rather_than_queues(valkey: Running) -> None:
    """With nothing allowed to wait, every click is refused at once."""
    async with open_stage(valkey.url, inflight_max=0) as stage:
        with pytest.raises(Overloaded):
            await stage.click("u1")
