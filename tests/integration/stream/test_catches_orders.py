"""The promises of the way into Postgres, one test each: what tests/mutants switches off, one of these must notice."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from engine.core import ids
from engine.core.connections import open_pool
from engine.core.settings import load_settings
from engine.gate import keys
from engine.local.running import Running
from engine.orders.moves import EXPIRE, Moves
from engine.playbooks.registry import load_playbooks
from engine.runtime.consequences import OF_MOVES
from engine.stream.apply import Applier
from engine.stream.drain import GROUP, Drain
from engine.stream.intents import Entry, EventIntent, InstanceIntent, OrderIntent, Payload

CONFIG = "c0000000000aa"
NOW = datetime.now(UTC)
NOW_MS = int(NOW.timestamp() * 1000)
EPOCH = 3


def order(user: str, quantity: int = 1) -> OrderIntent:
    """An order of the config, as the gate tells it."""
    order_id = ids.click_id(CONFIG, user, "r1")
    return OrderIntent(order_id, CONFIG, "s1", user, "r1", quantity, 990 * quantity, NOW_MS + 60_000, 5, 2, 0, 0)


def entry(*orders: OrderIntent, epoch: int = EPOCH) -> Entry:
    """A stream entry with these orders."""
    events: list[EventIntent] = []
    instances: list[InstanceIntent] = []
    return Entry("1-0", epoch, Payload(NOW_MS, list(orders), [], events, instances))


class Books:
    """The rows of one config with a stock of 2."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.moves = Moves(OF_MOVES)
        self.applier = Applier(pool, self.moves, load_playbooks().loaded)

    async def prepare(self) -> None:
        """What must be there before the first order."""
        await self.pool.execute("INSERT INTO shards (id, epoch) VALUES (0, $1)", EPOCH)
        await self.pool.execute("INSERT INTO stores (id, name, city) VALUES ('9', 'n', 'BJ')")
        service = "INSERT INTO services VALUES ('v1', '9', 'n', 'COURSE', 'u', 1)"
        await self.pool.execute(service)
        config = """
        INSERT INTO play_configs (id, store_id, service_id, template_code, title, price_fen, stock, rules,
                                  rules_version, starts_at, ends_at, status, shard)
        VALUES ($1, '9', 'v1', 'FLASH_SALE', 't', 990, 2, '{}', '1', $2, $3, 'PUBLISHED', 0)
        """
        await self.pool.execute(config, CONFIG, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
        await self.pool.execute("INSERT INTO stock (config_id, total) VALUES ($1, 2)", CONFIG)

    async def orders(self) -> list[tuple[Any, ...]]:
        """(user, status, reason, gate_state) of every order."""
        rows = await self.pool.fetch("SELECT user_id, status, reason, gate_state FROM orders ORDER BY user_id")
        return [tuple(row) for row in rows]

    async def reserved(self) -> int:
        """Units of the stock row."""
        return int(await self.pool.fetchval("SELECT reserved FROM stock WHERE config_id = $1", CONFIG))


@pytest.fixture
async def books(database: str) -> AsyncIterator[Books]:
    """A pool on a fresh database with the config in it."""
    pool = await open_pool(database, size_max=2)
    books = Books(pool)
    await books.prepare()
    yield books
    await pool.close()


async def test_an_order_beyond_the_stock_is_cancelled_by_the_last_line(books: Books) -> None:
    """Redis was wrong and sold three of two: the CHECK lets two in, the third is told off."""
    await books.applier.apply(0, [entry(order("ua"), order("ub")), entry(order("uc"))])
    told = [("ua", "HELD", None, 1), ("ub", "HELD", None, 1), ("uc", "CANCELLED", "OVERSOLD", 0)]
    assert (await books.orders(), await books.reserved()) == (told, 2)


async def test_an_order_of_a_fenced_off_writer_takes_no_stock(books: Books) -> None:
    """It was written in an epoch that is over; what it did to Redis is forgotten there."""
    await books.applier.apply(0, [entry(order("ua"), epoch=EPOCH - 1), entry(order("ub"))])
    told = [("ua", "CANCELLED", "FENCED", 0), ("ub", "HELD", None, 1)]
    assert (await books.orders(), await books.reserved()) == (told, 1)


async def test_entries_applied_twice_take_stock_once(books: Books) -> None:
    """A worker died between commit and acknowledge."""
    for _ in range(2):
        await books.applier.apply(0, [entry(order("ua"), order("ub"))])
    assert await books.reserved() == 2


async def test_a_hold_that_ended_meanwhile_is_not_released_again(books: Books) -> None:
    """The order row is the arbiter: two sweeps that both saw it HELD give its unit back once."""
    await books.applier.apply(0, [entry(order("ua"), order("ub"))])
    overdue = [ids.click_id(CONFIG, "ua", "r1")]
    for _ in range(2):
        async with books.pool.acquire() as connection, connection.transaction():
            await books.moves.make(connection, EXPIRE, overdue, by="test")
    assert await books.reserved() == 1


class CrashingApplier(Applier):
    """The worker dies before it commits."""

    async def apply(self, shard: int, entries: Sequence[Entry]) -> None:
        raise KeyboardInterrupt


async def test_an_entry_is_acknowledged_only_after_its_commit(books: Books, valkey: Running) -> None:
    """A worker that dies in between leaves the entry to the next one."""
    redis = Redis.from_url(valkey.url)
    packed = msgspec.msgpack.encode([NOW_MS, [order("ua")], [], [], []])
    await redis.xadd(keys.intents(0), {"e": str(EPOCH), "p": packed})
    crashing = CrashingApplier(books.pool, books.moves, {})
    parts = {"shard": 0, "redis": redis, "pool": books.pool, "settings": load_settings("test", environ={}).orders}
    drain = Drain(**parts, applier=crashing, consumer="dies")
    await drain.join()
    with pytest.raises(KeyboardInterrupt):
        await drain.step()
    pending = await redis.xpending(keys.intents(0), GROUP)
    assert (pending["pending"], await redis.xlen(keys.intents(0))) == (1, 1)
    assert await Drain(**parts, applier=books.applier, consumer="next").take_over(0) == 1
    assert await books.orders() == [("ua", "HELD", None, 1)]
    await redis.aclose()
