"""Who is new: one question for many who ask, remembered for a moment, and never guessed."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.admission import newcomers as module
from engine.admission.newcomers import Newcomers
from engine.core.errors import Overloaded, Unavailable
from engine.core.ids import click_id

INSERT = """
INSERT INTO orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, gate_state,
                    fingerprint, receipt, pay_before, created_at)
VALUES ($1::uuid, $2, $2 || '.s1', $3, 'r', 1, 990, $4, 1, 1, '{1,0,0}', now(), now())
"""


class Counting:
    """A pool that counts what it is asked."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.asked: list[int] = []

    async def fetch(self, query: str, users: list[str]) -> list[asyncpg.Record]:
        """As asyncpg's."""
        self.asked.append(len(users))
        found: list[asyncpg.Record] = await self._pool.fetch(query, users)
        return found


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as opened:
        yield opened


@pytest.fixture
async def counting(pool: asyncpg.Pool) -> Counting:
    return Counting(pool)


@pytest.fixture
async def newcomers(counting: Counting) -> AsyncIterator[Newcomers]:
    opened = Newcomers(counting)  # type: ignore[arg-type]  # it is asked for one method
    yield opened
    await opened.close()


async def order(pool: asyncpg.Pool, user: str, status: str, config: str = "c1") -> None:
    await pool.execute(INSERT, click_id(config, user, status), config, user, status)


async def test_only_a_paid_order_makes_a_veteran(pool: asyncpg.Pool, newcomers: Newcomers) -> None:
    """In any store; held, given back and paid back do not count, nor do other people's."""
    for status in ("HELD", "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED"):
        await order(pool, "u1", status)
    await order(pool, "u2", "REFUNDED", "c1")
    await order(pool, "u2", "PAID", "c2")

    assert await newcomers.is_newcomer("u0") is True
    assert await newcomers.is_newcomer("u1") is True
    assert await newcomers.is_newcomer("u2") is False


async def test_many_who_ask_at_once_are_one_question(newcomers: Newcomers, counting: Counting) -> None:
    """A thousand people, each several times: at most so many a query, nobody twice, one query at a time."""
    answers = await asyncio.gather(*(newcomers.is_newcomer(f"u{i % 1000}") for i in range(3000)))

    assert set(answers) == {True}
    assert counting.asked == [500, 500]


async def test_answers_are_remembered_for_a_moment(
    pool: asyncpg.Pool, newcomers: Newcomers, counting: Counting
) -> None:
    """Whoever clicks again and again costs one query."""
    await order(pool, "u2", "PAID")
    for _ in range(20):
        assert (await newcomers.is_newcomer("u1"), await newcomers.is_newcomer("u2")) == (True, False)
    assert len(counting.asked) == 2


async def test_a_first_payment_is_noticed_and_a_veteran_stays_one(
    pool: asyncpg.Pool, newcomers: Newcomers, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newcomers are asked about anew when their moment is over, veterans are not."""
    assert module.NEWCOMER_S < module.VETERAN_S
    monkeypatch.setattr(module, "NEWCOMER_S", 0)
    await order(pool, "u2", "PAID")
    assert (await newcomers.is_newcomer("u1"), await newcomers.is_newcomer("u2")) == (True, False)
    await order(pool, "u1", "PAID")
    assert (await newcomers.is_newcomer("u1"), await newcomers.is_newcomer("u2")) == (False, False)
    assert len(counting.asked) == 3


async def test_what_is_remembered_does_not_pile_up(newcomers: Newcomers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_MAX", 50)
    for i in range(200):
        await newcomers.is_newcomer(f"u{i}")
    assert len(newcomers._known) <= 50


async def test_a_crowd_too_large_to_wait_is_told_so(newcomers: Newcomers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 10)
    answers = await asyncio.gather(*(newcomers.is_newcomer(f"u{i}") for i in range(15)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [bool] * 10 + [Overloaded] * 5
    assert await newcomers.is_newcomer("u14") is True


async def test_nobody_is_guessed_while_postgres_is_away(pool: asyncpg.Pool, newcomers: Newcomers) -> None:
    """Everyone who waits is told so, and can ask again; the last known answer still holds while it is fresh."""
    await order(pool, "u1", "PAID")
    assert await newcomers.is_newcomer("u1") is False
    await pool.close()

    answers = await asyncio.gather(*(newcomers.is_newcomer(f"u{i}") for i in range(4)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Unavailable, bool, Unavailable, Unavailable]
    with pytest.raises(Unavailable):
        await newcomers.is_newcomer("u0")


async def test_a_slow_postgres_is_as_good_as_none(
    pool: asyncpg.Pool, newcomers: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click does not wait for a table that somebody has locked."""
    monkeypatch.setattr(module, "QUERY_TIMEOUT_S", 0.1)
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            await newcomers.is_newcomer("u1")
    assert await newcomers.is_newcomer("u1") is True


async def test_one_who_gives_up_takes_no_answer_from_the_others(newcomers: Newcomers) -> None:
    """Two wait for the same person; one hangs up."""
    one, two = (asyncio.create_task(newcomers.is_newcomer("u1")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    assert await two is True


async def test_closing_leaves_nobody_waiting(newcomers: Newcomers) -> None:
    waiting = [asyncio.create_task(newcomers.is_newcomer(f"u{i}")) for i in range(600)]
    await asyncio.sleep(0)
    await newcomers.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
