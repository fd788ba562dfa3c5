"""A payment that lands after its hold was given back: the payer sits somewhere, or has the money back; never both."""

from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import pytest

from engine.core.ids import instance_id
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.orders.moves import TURN_AWAY
from engine.stream.dispatch import LATE_WAIT_MAX_S
from engine.stream.intents import decode
from tests.support.club import CODE, REBATE_FEN, expired, fail_club, open_club, paid, pay_late
from tests.support.market import PRICE_FEN, Market, open_market
from tests.support.tail import Tail, redis_state

RESEATED = ("PAID", "RESEATED", 2)
TURNED_AWAY = ("REFUNDING", "LATE_PAYMENT", 0)


@pytest.fixture
async def market(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    async with open_club(settings, monkeypatch) as market:
        yield market


async def seat_of(market: Market, order_id: str) -> str:
    """The suffix of the instance that the order is in."""
    where: str = await market.pool.fetchval("SELECT instance_id FROM orders WHERE id = $1", order_id)
    return where.partition(".")[2]


async def refunds(market: Market) -> list[tuple[str, str, int]]:
    """(order id, kind, fen) of every refund."""
    rows = await market.pool.fetch("SELECT order_id, kind, amount_fen FROM refunds ORDER BY kind, order_id")
    return [(row["order_id"].hex, row["kind"], row["amount_fen"]) for row in rows]


async def open_club_of(market: Market, config: str, *users: str) -> str:
    """The suffix of a club with these people holding seats in it."""
    leader, *others = users
    suffix = (await market.hold(config, leader, verb="open"))[:16]
    for user in others:
        await market.hold(config, user, suffix=suffix)
    await market.drain_all()
    return suffix


async def test_the_seat_they_meant_is_free_again(market: Market) -> None:
    """The order is PAID where it was, its unit is taken once more, nothing is owed and nothing left to tell."""
    config = await market.publish(CODE, stock=3, sessionStock=2)
    order_id = await expired(market, config, "u1")
    assert await pay_late(market, order_id) == "REFUNDING"
    assert (await market.count("refunds"), await market.count("gate_events")) == (0, 1)
    await market.settle()
    assert await market.order(order_id) == RESEATED
    assert await market.instance(instance_id(config, "s1")) == ("PENDING", 1, 0)
    assert await market.stock(config) == (1, 2)
    assert await market.pool.fetchval("SELECT reserved FROM session_stock") == 1
    assert (await market.count("refunds"), await market.count("gate_events")) == (0, 0)


async def test_who_cancelled_has_the_money_back(market: Market) -> None:
    """They have said that they do not want it; a payment that was under way is returned."""
    config = await market.publish(CODE, stock=3)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.engine.orders.cancel(order_id, "u1")
    await market.settle()
    assert await pay_late(market, order_id) == "REFUNDING"
    await market.settle()
    assert await market.order(order_id) == TURNED_AWAY
    assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]


async def test_the_oldest_open_instance_comes_next(market: Market) -> None:
    """The order moves with its payer, in Redis, in Postgres and after a recovery."""
    config = await market.publish(CODE, sessionStock=1)
    await market.hold(config, "x")  # the session is sold out
    full = await open_club_of(market, config, "a")
    order_id = await expired(market, config, "u1", suffix=full)
    await market.hold(config, "b", suffix=full)
    older = await open_club_of(market, config, "c")
    await open_club_of(market, config, "d")
    await pay_late(market, order_id)
    await market.settle()
    assert await market.order(order_id) == RESEATED
    assert await seat_of(market, order_id) == older
    assert await market.instance(instance_id(config, older)) == ("PENDING", 1, 2)
    before = await redis_state(market.redis)
    await market.redis.flushall()
    await market.recover()
    assert await redis_state(market.redis) == before


async def test_where_all_is_full_they_lead_a_new_one(market: Market) -> None:
    config = await market.publish(CODE, sessionStock=1)
    await market.hold(config, "x")
    order_id = await expired(market, config, "u1", verb="open")
    await market.hold(config, "a", suffix=order_id[:16])
    await market.hold(config, "b", suffix=order_id[:16])
    await pay_late(market, order_id)
    await market.settle()
    assert await market.order(order_id) == RESEATED
    assert await seat_of(market, order_id) == order_id[16:]
    assert await market.instance(instance_id(config, order_id[16:])) == ("PENDING", 1, 2)


async def test_at_most_seven_instances_are_asked(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own, the five oldest open ones, and one that does not exist yet."""
    config = await market.publish(CODE)
    order_id = await expired(market, config, "u1")
    clubs = [await open_club_of(market, config, f"c{number}") for number in range(7)]
    await pay_late(market, order_id)
    asked: list[object] = []
    event = market.engine.gate.event

    async def listen(*arguments: Any) -> object:
        asked.append(arguments[-1])
        return await event(*arguments)

    monkeypatch.setattr(market.engine.gate, "event", listen)
    await market.settle()
    assert asked == [["s1", *clubs[:5], order_id[16:]]]


async def test_nobody_takes_them_in(market: Market) -> None:
    """The money goes back, once, and nothing is taken for it."""
    config = await market.publish(CODE, stock=3, sessionStock=1, strict=True)
    order_id = await expired(market, config, "u1")
    await market.hold(config, "x")
    await pay_late(market, order_id)
    await market.settle()
    assert await market.order(order_id) == TURNED_AWAY
    assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]
    assert await market.stock(config) == (1, 2)
    assert await market.count("gate_events") == 0


async def test_the_second_payer_completes_a_club_late(market: Market) -> None:
    """Then everybody in it gets back a part of the price, the late one too."""
    config = await market.publish(CODE, sessionStock=1)
    leader = await paid(market, config, "a", verb="open")
    order_id = await expired(market, config, "u1", suffix=leader[:16])
    await pay_late(market, order_id)
    await market.settle()
    assert await market.instance(instance_id(config, leader[:16])) == ("SUCCESS", 2, 2)
    assert await refunds(market) == [(id_, "REBATE", REBATE_FEN) for id_ in sorted([leader, order_id])]


async def test_a_club_that_fails_pays_late_payers_back_like_everyone(market: Market) -> None:
    config = await market.publish(CODE, stock=5, sessionStock=1)
    await market.hold(config, "x")
    order_id = await expired(market, config, "u1", verb="open")
    await pay_late(market, order_id)
    await market.settle()
    await fail_club(market, config, order_id[:16])
    assert await market.order(order_id) == ("REFUNDING", "INSTANCE_FAILED", 0)
    assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]
    assert await market.stock(config) == (1, 4)


async def test_a_club_that_fails_before_anybody_has_heard_of_the_seat(market: Market) -> None:
    """The seat and the end of its club are drained in one transaction."""
    config = await market.publish(CODE, stock=5, sessionStock=1)
    await market.hold(config, "x")
    order_id = await expired(market, config, "u1", verb="open")
    await pay_late(market, order_id)
    await market.dispatcher.send_new()
    await market.end_group(instance_id(config, order_id[:16]))
    assert await market.redis.xlen(keys.intents(0)) == 2
    await market.settle()
    assert await market.order(order_id) == ("REFUNDING", "INSTANCE_FAILED", 0)
    assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]
    assert await market.stock(config) == (1, 4)


async def test_an_answer_that_comes_twice_takes_one_seat(market: Market) -> None:
    config = await market.publish(CODE, stock=3)
    order_id = await expired(market, config, "u1")
    await pay_late(market, order_id)
    for _ in range(3):
        await market.dispatcher.send_new()
        await market.pool.execute("UPDATE gate_events SET sent_at = now() - interval '1 h'")
        await market.dispatcher.send_again()
    await market.settle()
    assert await market.order(order_id) == RESEATED
    assert await market.stock(config) == (1, 2)
    assert await market.instance(instance_id(config, "s1")) == ("PENDING", 1, 0)


async def test_a_seat_that_redis_forgot_is_asked_for_again(market: Market) -> None:
    """Redis took them in and lost it before anybody heard: after the recovery they sit once."""
    config = await market.publish(CODE, stock=3)
    order_id = await expired(market, config, "u1")
    await pay_late(market, order_id)
    tail = Tail()
    await tail.mark(market.redis)
    await market.dispatcher.send_new()
    await tail.lose(market.redis)
    await market.recover()
    assert await market.order(order_id) == TURNED_AWAY
    await market.pool.execute("UPDATE gate_events SET sent_at = NULL")
    await market.settle()
    assert await market.order(order_id) == RESEATED
    assert await market.stock(config) == (1, 2)


async def test_entries_of_a_late_payment_read_again_in_any_order(market: Market) -> None:
    """A worker that was frozen applies what it had read long ago: the seat stays, and so does what followed."""
    config = await market.publish(CODE, stock=5, sessionStock=1)
    await market.hold(config, "x")
    order_id = await expired(market, config, "u1", verb="open")
    await market.redis.xtrim(keys.intents(0), maxlen=0)
    raws = []
    await market.pool.execute("UPDATE gate_events SET sent_at = NULL")
    await pay_late(market, order_id)
    while await market.dispatcher.send_new():
        raws += await market.redis.xrange(keys.intents(0))
        await market.drain_all()

    async def facts() -> tuple[int, int, int]:
        reserved, _left = await market.stock(config)
        return reserved, await market.count("rewards"), await market.count("gate_events")

    assert await facts() == (2, 1, 0)
    for order in permutations(raws):
        await market.applier.apply(0, [decode(*raw) for raw in order])
    assert await facts() == (2, 1, 0)
    assert await market.order(order_id) == RESEATED
    await fail_club(market, config, order_id[:16])
    for order in permutations(raws):
        await market.applier.apply(0, [decode(*raw) for raw in order])
    assert await market.order(order_id) == ("REFUNDING", "INSTANCE_FAILED", 0)
    assert await market.stock(config) == (1, 4)


async def test_an_old_release_says_nothing_of_the_new_seat(market: Market) -> None:
    """Nor does it pass for the answer to the release that follows."""
    config = await market.publish(CODE, stock=5)
    order_id = await market.hold(config, "u1", verb="open")
    await market.drain_all()
    await market.age(order_id)
    await market.holds.expire_unpaid()
    await market.dispatcher.send_new()
    (old,) = await market.redis.xrange(keys.intents(0))
    await market.drain_all()
    await pay_late(market, order_id)
    await market.settle()
    await market.applier.apply(0, [decode(*old)])
    assert await market.order(order_id) == RESEATED
    await market.drain_all()
    await market.end_group(instance_id(config, order_id[:16]))
    await market.drain_all()
    await market.applier.apply(0, [decode(*old)])
    assert await market.order(order_id) == ("REFUNDING", "INSTANCE_FAILED", 2)
    assert await market.count("gate_events") == 1
    await market.settle()
    assert await market.stock(config) == (0, 5)


async def test_a_release_sent_twice_does_not_empty_the_new_seat(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that slept between reading the row and telling the gate wakes up after the payer has sat down."""
    config = await market.publish(CODE, stock=3, sessionStock=2)
    sent: list[Any] = []
    event = market.engine.gate.event

    async def note(*arguments: Any) -> object:
        sent.append(arguments)
        return await event(*arguments)

    monkeypatch.setattr(market.engine.gate, "event", note)
    order_id = await expired(market, config, "u1")
    await pay_late(market, order_id)
    await market.settle()
    assert [one[2] for one in sent] == ["released", "late"]
    assert (await event(*sent[0])).outcome == Outcome.UNCHANGED
    await market.settle()
    assert await market.order(order_id) == RESEATED
    assert await market.stock(config) == (1, 2)


async def test_a_seat_for_somebody_whose_money_is_on_its_way_back(market: Market) -> None:
    """The refund stands, and the seat is given back."""
    config = await market.publish(CODE, stock=3)
    order_id = await expired(market, config, "u1")
    await pay_late(market, order_id)
    async with market.pool.acquire() as connection, connection.transaction():
        await market.engine.orders.moves.make(connection, TURN_AWAY, [order_id], by="test")
    delayed = await market.engine.gate.event(0, config, "late", "s1", "u1", order_id, 1, ["s1"])
    assert delayed.outcome == Outcome.DONE
    await market.settle()
    assert await market.order(order_id) == TURNED_AWAY
    assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]
    assert await market.stock(config) == (0, 3)
    assert await market.instance(instance_id(config, "s1")) == ("PENDING", 0, 0)
    assert await market.pool.fetchval("SELECT status FROM rewards") == "VOID"


async def test_a_playbook_that_keeps_failing_does_not_keep_the_money(market: Market) -> None:
    """It is asked again for a while; then the payer is paid back."""
    config = await market.publish(CODE, stock=3, lateFails=True)
    order_id = await expired(market, config, "u1")
    await pay_late(market, order_id)
    await market.settle()
    assert (await market.count("gate_events"), await market.count("refunds")) == (1, 0)
    long_ago = "UPDATE gate_events SET sent_at = now() - interval '1 h', created_at = now() - $1 * interval '1 s'"
    await market.pool.execute(long_ago, LATE_WAIT_MAX_S + 1)
    await market.dispatcher.send_again()
    assert await market.order(order_id) == TURNED_AWAY
    assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]
    assert await market.count("gate_events") == 0


async def test_a_playbook_that_is_gone_before_the_release_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its release waits until it is back; the late payer's money does not."""
    with monkeypatch.context() as installed:
        async with open_club(settings, installed) as market:
            config = await market.publish(CODE, stock=3)
            order_id = await market.hold(config, "u1")
            await market.drain_all()
            await market.age(order_id)
            await market.holds.expire_unpaid()
            assert await pay_late(market, order_id) == "REFUNDING"
    async with open_market(settings) as market:
        await market.settle()
        long_ago = "UPDATE gate_events SET sent_at = now() - interval '1 h', created_at = now() - $1 * interval '1 s'"
        await market.pool.execute(long_ago, LATE_WAIT_MAX_S - 1)
        await market.dispatcher.send_again()
        assert await market.count("refunds") == 0
        await market.pool.execute(long_ago, LATE_WAIT_MAX_S + 1)
        await market.dispatcher.send_again()
        assert caplog.text.count(f"playbook {CODE} is missing or fails: 1 events of its orders wait") == 1
        assert await refunds(market) == [(order_id, "WHOLE", PRICE_FEN)]
        assert await market.pool.fetchval("SELECT string_agg(kind, ',') FROM gate_events") == "released"
    async with open_club(settings, monkeypatch) as market:
        await market.dispatcher.send_again()
        await market.pool.execute("UPDATE gate_events SET sent_at = NULL")
        await market.settle()
        assert await market.order(order_id) == TURNED_AWAY
        assert (await market.stock(config), await market.count("gate_events")) == ((0, 3), 0)


async def test_a_late_seat_beyond_the_stock(market: Market) -> None:
    """Redis believed in a unit that Postgres does not have: of two late payers one sits, one is paid back."""
    config = await market.publish(CODE, stock=2, sessionStock=1)
    orders = [await expired(market, config, user) for user in ("u1", "u2")]
    await market.redis.hset(keys.cells(0, config), "left", 5)
    await market.hold(config, "x", verb="open")
    for order_id in orders:
        await pay_late(market, order_id)
    await market.settle()
    assert sorted([(await market.order(order_id))[:2] for order_id in orders]) == [
        ("PAID", "RESEATED"),
        ("REFUNDING", "LATE_PAYMENT"),
    ]
    assert (await market.stock(config))[0] == 2
    assert len(await refunds(market)) == 1
    assert await market.count("gate_events") == 0
