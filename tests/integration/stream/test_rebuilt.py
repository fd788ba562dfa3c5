"""What a rebuild brings back: every kind of thing that Redis keeps, as it was, from rows alone."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.core.ids import opened_suffix
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.gate.records import read_person
from tests.support.market import STORE, Market, open_market
from tests.support.tail import redis_state

OLDEST_FIRST = "SELECT id FROM orders WHERE config_id = $1 ORDER BY created_at"


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def later() -> None:
    """Redis tells clicks apart by their milliseconds, and so do the rows."""
    await asyncio.sleep(0.003)


async def sold(market: Market) -> list[str]:
    """Configs of all kinds: own stock of a session, people with cells, actions, one that is paused, one untouched."""
    sale = await market.publish(stock=20, stockPerSession=10)
    referral = await market.publish("REFERRAL", stock=20, newcomersOnly=False)
    paused = await market.publish(stock=20)
    untouched = await market.publish(stock=7)
    for number in (5, 3, 8, 1):  # one person's clicks, on two configs, whose ids come in any order
        for config in (sale, paused):
            assert (await market.click(config, "u1", request=f"r{number}")).outcome == Outcome.RESERVED
            await later()
    host = opened_suffix((await market.click(referral, "host", verb="open")).suffix)
    for number in range(3):
        assert (await market.click(referral, f"u{number}", verb="visit", suffix=host)).outcome == Outcome.DONE
        await later()
    await market.click(referral, "u0", request="r2", suffix=host)
    await market.drain_all()
    first, second, *_ = [row["id"].hex for row in await market.pool.fetch(OLDEST_FIRST, sale)]
    await market.pay(first, "u1")
    await market.settle()
    await market.engine.orders.cancel(second, "u1")  # Redis has not heard of it: it goes by what Redis knows
    await market.engine.catalog.life.pause(STORE, paused)
    return [sale, referral, paused, untouched]


async def records(market: Market) -> dict[str, list[tuple[str, int]]]:
    """Everybody's clicks, in the order in which Redis keeps them, and until when each may be paid for."""
    found = {}
    for key in await market.redis.keys("*:people"):
        for user, field in (await market.redis.hgetall(key)).items():
            found[f"{key.decode()} {user.decode()}"] = [(e.key, e.pay_before_ms) for e in read_person(field)[1]]
    return found


@pytest.mark.parametrize("lost", [True, False], ids=["all is lost", "nothing is lost"])
async def test_what_is_rebuilt_is_what_was(market: Market, lost: bool) -> None:
    """Records, oldest click first, own cells with their revision, units of configs and sessions, when to be woken."""
    configs = await sold(market)
    before = await redis_state(market.redis), await records(market)
    if lost:
        await market.redis.flushall()
    await market.recover()
    assert (await redis_state(market.redis), await records(market)) == before
    announced = {member.decode() for member in await market.redis.zrange(keys.changed(0), 0, -1)}
    instances = {row["id"] for row in await market.pool.fetch("SELECT id FROM instances")}
    assert announced == {"!", *configs, *instances}


async def test_nothing_of_an_earlier_epoch_is_left_in_the_stream(market: Market) -> None:
    """What a dead worker has read becomes rows first; the rest is what the group has passed long ago."""
    config = await market.publish()
    await market.hold(config, "u1")
    await market.redis.xreadgroup("orders", "dead", {keys.intents(0): ">"})
    await market.hold(config, "u2")
    await market.redis.xadd(keys.intents(0), {"e": 1, "p": b"\xc0"})
    await market.redis.xgroup_setid(keys.intents(0), "orders", "$")
    await market.recover()
    assert await market.redis.xlen(keys.intents(0)) == 0
    assert await market.count("orders") == 1


async def test_a_redis_without_the_script_is_not_open(market: Market) -> None:
    """It was restarted, whatever epoch its file says; nor is one that is in another epoch."""
    assert await market.recovery.is_open(0)
    await market.redis.script_flush()
    assert not await market.recovery.is_open(0)
    await market.recover()
    assert await market.recovery.is_open(0)
    await market.redis.set(keys.epoch(0), 1)
    assert not await market.recovery.is_open(0)


@pytest.mark.parametrize("sold_something", [True, False])
async def test_everyone_has_time_to_hear_of_units_that_come_back(
    market: Market, monkeypatch: pytest.MonkeyPatch, sold_something: bool
) -> None:
    """A rebuild may give back what a lost tail had taken; where there is nothing, nobody waits for it."""
    waited: list[int] = []

    async def opened(*_: object, settle_ms: int) -> None:
        waited.append(settle_ms)

    if sold_something:
        await market.publish()
    monkeypatch.setattr("engine.stream.recovery.open_shard", opened)
    monkeypatch.setattr(market.engine.gate, "reopen_ms", 300)
    await market.recover()
    assert waited == [300 if sold_something else 0]
