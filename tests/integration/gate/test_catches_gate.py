"""The promises of the gate, one test each: what tests/mutants switches off, one of these must notice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from engine.core import ids
from engine.core.errors import Paused
from engine.core.settings import load_settings
from engine.gate import keys, records
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.gate.rebuild import load_config, open_shard
from engine.gate.records import EffectState, HeadStatus
from engine.gate.wire import Reply
from engine.local.running import Running
from engine.playbooks.registry import load_playbooks
from engine.playbooks.script import compose_gate
from tests.support.waiting import WAIT_S

CONFIG = "c0000000000aa"
Opened = Callable[..., Awaitable[None]]


class Counter:
    """A gate over one flash sale, and what is left of its stock."""

    def __init__(self, redis: Redis, gate: Gate) -> None:
        self.redis = redis
        self.gate = gate

    async def sell(self, *, stock: int = 10, limit: int = 0) -> None:
        """Put the sale into Redis and open the shard in epoch 1."""
        now = datetime.now(UTC)
        start, end = now - timedelta(hours=1), now + timedelta(hours=1)
        rules = {"limitPerPerson": limit, "sessionMinutes": 0}
        head = records.head(
            code="FLASH_SALE",
            status=HeadStatus.PUBLISHED,
            starts_at=start,
            ends_at=end,
            price_fen=990,
            limit=limit,
            rules=rules,
        )
        own = {"opensAt": records.ms(start), "endsAt": records.ms(end)}
        session = records.cells(status=2, current=0, target=0, wake_at_ms=records.ms(end), rev=1, own=own)
        await load_config(self.redis, 0, CONFIG, head, stock, {"s1": session}, {})
        await self.gate.load_script()
        await open_shard(self.redis, 0, 1, [CONFIG], settle_ms=0)

    async def join(self, user: str, request: str = "r1", quantity: int = 1) -> Reply:
        """A click on the session."""
        order_id = ids.click_id(CONFIG, user, request)
        fingerprint = ids.fingerprint("join", "s1", quantity)
        return await self.gate.click(0, CONFIG, "join", "s1", user, order_id, fingerprint, quantity, request)

    async def release(self, user: str, request: str = "r1") -> Reply:
        """Postgres has decided that the hold is over."""
        return await self.gate.event(0, CONFIG, "released", "s1", user, ids.click_id(CONFIG, user, request), 1)

    def wait_shortly(self) -> None:
        """From here on clicks that Redis does not decide at once hear PAUSED."""
        self.gate.lanes[0]._timeout_s = 0.1

    async def left(self) -> int:
        """Units not reserved."""
        return int(await self.redis.hget(keys.cells(0, CONFIG), "left"))  # type: ignore[misc]  # redis-py


@pytest.fixture
async def counter(valkey: Running) -> AsyncIterator[Counter]:
    """A gate with one shard that believes in epoch 1."""
    redis = Redis.from_url(valkey.url)
    settings = load_settings("test", environ={}).gate
    settings = msgspec.structs.replace(settings, shards=1, click_timeout_ms=round(WAIT_S * 1000))

    async def epoch_of(shard: int) -> int:
        return 1

    playbooks = load_playbooks().loaded.values()
    gate = Gate(url=valkey.url, redis=redis, script=compose_gate(playbooks), settings=settings, epoch_of=epoch_of)
    gate.start()
    yield Counter(redis, gate)
    await gate.close()
    await redis.aclose()


async def test_a_repeated_request_takes_nothing_and_hears_the_first_answer(counter: Counter) -> None:
    """Only `replayed` differs, and one unit is gone."""
    await counter.sell(stock=10)
    first = await counter.join("ua")
    again = await counter.join("ua")
    assert (again, await counter.left()) == (first._replace(state=EffectState.HELD), 9)


async def test_the_same_request_with_another_body_is_refused(counter: Counter) -> None:
    """One requestId means one wish."""
    await counter.sell(stock=10)
    await counter.join("ua")
    again = await counter.join("ua", quantity=2)
    assert (again.outcome, await counter.left()) == (Outcome.REQUEST_ID_REUSED, 9)


async def test_a_person_gets_no_more_than_the_limit(counter: Counter) -> None:
    """Three requests at once, a limit of two."""
    await counter.sell(stock=10, limit=2)
    replies = await asyncio.gather(*(counter.join("ua", f"r{number}") for number in range(3)))
    outcomes = [Outcome.RESERVED, Outcome.RESERVED, Outcome.LIMIT_REACHED]
    assert (sorted(reply.outcome for reply in replies), await counter.left()) == (outcomes, 8)


async def test_the_last_unit_goes_to_one(counter: Counter) -> None:
    """Fifty people click at once on the last unit."""
    await counter.sell(stock=1)
    replies = await asyncio.gather(*(counter.join(f"u{number}") for number in range(50)))
    won = [reply for reply in replies if reply.outcome == Outcome.RESERVED]
    assert (len(won), await counter.left()) == (1, 0)


async def test_a_hold_released_twice_gives_its_units_back_once(counter: Counter) -> None:
    """The second event changes nothing."""
    await counter.sell(stock=10)
    await counter.join("ua")
    await counter.join("ub")
    outcomes = [(await counter.release("ua")).outcome for _ in range(2)]
    assert (outcomes, await counter.left()) == ([Outcome.DONE, Outcome.UNCHANGED], 9)


async def test_a_writer_of_an_earlier_epoch_changes_nothing(counter: Counter) -> None:
    """The shard was recovered into epoch 2, this process has not heard of it."""
    await counter.sell(stock=10)
    await counter.join("ua")
    await counter.redis.set(keys.epoch(0), 2)
    counter.wait_shortly()
    with pytest.raises(Paused):
        await counter.join("ub")
    assert await counter.left() == 9


async def test_a_restarted_redis_decides_nothing_before_it_is_recovered(counter: Counter) -> None:
    """It has lost its scripts; the epoch key is still there, and that is not enough."""
    await counter.sell(stock=10)
    await counter.join("ua")
    await counter.redis.script_flush()
    counter.wait_shortly()
    with pytest.raises(Paused):
        await counter.join("ub")
    assert await counter.left() == 9
