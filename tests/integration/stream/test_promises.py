"""What steps keep of people and promise them becomes rows: each newer, each once, void when its order is."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.ids import instance_id
from engine.core.settings import Settings
from engine.gate import keys, records
from engine.gate.records import EffectState
from engine.stream.intents import Entry, NoticeIntent, Payload, PersonIntent, RewardIntent, decode
from tests.support.club import BONUS_FEN, CODE, REBATE_FEN, expired, fail_club, open_club, paid
from tests.support.market import Market
from tests.support.tail import redis_state


@pytest.fixture
async def market(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    async with open_club(settings, monkeypatch) as market:
        yield market


async def mine(market: Market, config: str, user: str) -> tuple[dict[str, Any], int]:
    """(cells, rev) of a person in Postgres."""
    row = await market.pool.fetchrow(
        "SELECT cells, rev FROM people WHERE config_id = $1 AND user_id = $2", config, user
    )
    assert row is not None
    return row["cells"], row["rev"]


async def rewards(market: Market) -> list[tuple[str, str, str | None]]:
    """(user, status, reason) of every reward."""
    rows = await market.pool.fetch("SELECT user_id, status, reason FROM rewards ORDER BY user_id, source, number")
    return [tuple(row) for row in rows]


async def apply(market: Market, **parts: Any) -> None:
    """An entry of the stream that has only these parts."""
    epoch = await market.pool.fetchval("SELECT epoch FROM shards")
    empty: dict[str, Any] = {part: [] for part in Payload.__struct_fields__[1:]}
    await market.applier.apply(0, [Entry("1-0", epoch, Payload(1000, **(empty | parts)))])


async def test_a_persons_cells_become_a_row(market: Market) -> None:
    """As of their last change, without the revision that is kept beside them."""
    config = await market.publish(CODE)
    await market.hold(config, "u1")
    await market.hold(config, "u1", request="r2")
    await market.hold(config, "u2")
    await market.drain_all()
    assert await mine(market, config, "u1") == ({"clicks": 2}, 2)
    assert await mine(market, config, "u2") == ({"clicks": 1}, 1)


async def test_older_cells_never_win(market: Market) -> None:
    """Whatever order entries are applied in, and how often."""
    config = await market.publish(CODE)
    for number in range(4):
        await market.hold(config, "u1", request=f"r{number}")
    raws = await market.redis.xrange(keys.intents(0))
    assert len(raws) == 4
    for raw in [raws[2], raws[3], raws[0], raws[3], raws[1]]:
        await market.applier.apply(0, [decode(*raw)])
    assert await mine(market, config, "u1") == ({"clicks": 4}, 4)


async def test_people_are_there_again_after_a_loss(market: Market) -> None:
    """Also somebody who has cells and has never had an effect; revisions go on where they were."""
    config = await market.publish(CODE)
    await market.hold(config, "u1")
    await market.click(config, "u2", verb="remind")
    await market.drain_all()
    before = await redis_state(market.redis)
    row = "INSERT INTO people (config_id, user_id, cells, rev) VALUES ($1, $2, $3, 7)"
    await market.pool.execute(row, config, "u0", {"at": "s1"})
    await market.pool.execute(row, config, "u3", {"at": "s1"})
    await market.redis.flushall()
    await market.recover()
    guests: dict[str, Any] = {f"{keys.people(0, config)} {user}": ({"at": "s1", "rev": 7}, []) for user in ("u0", "u3")}
    assert await redis_state(market.redis) == before | guests
    await market.hold(config, "u3")
    await market.drain_all()
    assert await mine(market, config, "u3") == ({"at": "s1", "clicks": 1}, 8)


async def test_somebody_without_cells_has_only_effects(market: Market) -> None:
    """Most playbooks keep nothing of people, and pay nothing for it."""
    sale = await market.publish(stock=5)
    await market.hold(sale, "u1")
    await market.drain_all()
    assert await market.count("people") == 0
    effect = records.Effect("k", 7, EffectState.HELD, 1, "s1", 0, 2, 0, 0)
    assert records.person([effect]) == records.person([effect], {})


async def test_a_paid_order_earns_its_reward_once(market: Market) -> None:
    """However often the entry is drained."""
    config = await market.publish(CODE)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.pay(order_id, "u1")
    await market.dispatcher.send_new()
    raws = await market.redis.xrange(keys.intents(0))
    for raw in raws * 2:
        await market.applier.apply(0, [decode(*raw)])
    row = await market.pool.fetchrow("SELECT * FROM rewards")
    assert row is not None
    told = ("source", "number", "config_id", "instance_id", "user_id", "kind", "amount", "status")
    expected = (f"{order_id}:paid", 0, config, f"{config}.s1", "u1", "CASH", BONUS_FEN, "FROZEN")
    assert tuple(row[column] for column in told) == expected
    assert row["order_id"].hex == order_id
    assert 6 * 86400 < (row["unfreezes_at"] - row["created_at"]).total_seconds() <= 7 * 86400
    assert await market.count("rewards") == 1


async def test_a_reward_is_void_when_its_order_is_paid_back(market: Market) -> None:
    """Those that are still frozen, and those only; drained again it stays void."""
    config = await market.publish(CODE)
    club = await paid(market, config, "u1", verb="open")
    await paid(market, config, "u2")
    await fail_club(market, config, club[:16])
    assert await rewards(market) == [("u1", "VOID", "ORDER_REFUNDED"), ("u2", "FROZEN", None)]


async def test_a_reward_that_was_granted_is_not_taken_back(market: Market) -> None:
    config = await market.publish(CODE)
    club = await paid(market, config, "u1", verb="open")
    await market.pool.execute("UPDATE rewards SET status = 'GRANTED'")
    await fail_club(market, config, club[:16])
    assert await rewards(market) == [("u1", "GRANTED", None)]


@pytest.mark.parametrize(
    ("status", "void"),
    [
        ("HELD", ("FROZEN", None)),
        ("PAID", ("FROZEN", None)),
        ("EXPIRED", ("VOID", "ORDER_NOT_PAID")),
        ("CANCELLED", ("VOID", "ORDER_NOT_PAID")),
        ("REFUNDING", ("VOID", "ORDER_REFUNDED")),
        ("REFUNDED", ("VOID", "ORDER_REFUNDED")),
    ],
)
async def test_a_reward_is_born_as_its_order_is(market: Market, status: str, void: tuple[str, str | None]) -> None:
    """A promise may be drained after what became of its order."""
    config = await market.publish(CODE)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await market.pool.execute("UPDATE orders SET status = $1", status)
    market.moves_orders_by_itself = False
    reward = RewardIntent(f"{order_id}:join", 0, config, "s1", order_id, "u9", "CREDIT", 7, 60_000)
    for _ in range(2):
        await apply(market, rewards=[reward])
    assert await rewards(market) == [("u9", *void)]


async def test_a_reward_for_an_order_that_is_never_paid(market: Market) -> None:
    """Promised when it was held, void when it expires."""
    config = await market.publish(CODE)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    await apply(market, rewards=[RewardIntent(f"{order_id}:join", 0, config, "s1", order_id, "u1", "CASH", 7, 60_000)])
    await market.age(order_id)
    await market.holds.expire_unpaid()
    assert await rewards(market) == [("u1", "VOID", "ORDER_NOT_PAID")]


@pytest.mark.parametrize("order_id", ["", "f" * 32])
async def test_a_reward_that_hangs_on_no_order(market: Market, order_id: str) -> None:
    """Promised by a deadline, or by a click that is no order: nothing can void it."""
    config = await market.publish(CODE)
    reward = RewardIntent(f"{config}.s1:4", 2, config, "s1", order_id, "u1", "ASSET", 1, 60_000)
    await apply(market, rewards=[reward])
    assert await market.pool.fetchval("SELECT order_id FROM rewards") is None
    assert await rewards(market) == [("u1", "FROZEN", None)]


async def test_a_notice_is_queued_once(market: Market) -> None:
    config = await market.publish(CODE)
    await market.click(config, "u1", verb="remind")
    (raw,) = await market.redis.xrange(keys.intents(0))
    for _ in range(2):
        await market.applier.apply(0, [decode(*raw)])
    row = await market.pool.fetchrow("SELECT * FROM notices")
    assert row is not None
    told = ("number", "config_id", "instance_id", "user_id", "topic", "status")
    assert tuple(row[column] for column in told) == (0, config, f"{config}.s1", "u1", "SALE_OPENS", "QUEUED")
    assert await market.count("notices") == 1
    assert await market.count("actions") == 1


async def test_what_concerns_no_config_of_ours_is_left_out(market: Market) -> None:
    """Its neighbours in the same entry become rows."""
    config = await market.publish(CODE)
    await apply(
        market,
        people=[PersonIntent(name, "u1", 1, {}) for name in ("cunknown", config)],
        rewards=[RewardIntent("x", 0, "cunknown", "s1", "", "u1", "CASH", 1, 1)],
        notices=[NoticeIntent("x", 0, "cunknown", "s1", "u1", "SALE_OPENS", 1)],
    )
    assert [await market.count(table) for table in ("people", "rewards", "notices")] == [1, 0, 0]


async def test_everyone_in_a_completed_club_gets_a_part_back(market: Market) -> None:
    """Once, while the orders stay PAID; not those who hold, nor those of another club."""
    config = await market.publish(CODE)
    leader = await paid(market, config, "u1", verb="open")
    other = await paid(market, config, "u3", verb="open")
    assert await market.count("refunds") == 0
    member = await market.hold(config, "u2", suffix=leader[:16])
    await market.drain_all()
    await market.pay(member, "u2")
    await market.dispatcher.send_new()
    raws = await market.redis.xrange(keys.intents(0))
    for raw in raws * 2:
        await market.applier.apply(0, [decode(*raw)])
    assert await market.instance(instance_id(config, leader[:16])) == ("SUCCESS", 2, 2)
    rows = await market.pool.fetch("SELECT order_id, kind, amount_fen FROM refunds ORDER BY order_id")
    expected = [(id_, "REBATE", REBATE_FEN) for id_ in sorted([leader, member])]
    assert [(row["order_id"].hex, row["kind"], row["amount_fen"]) for row in rows] == expected
    assert [(await market.order(id_))[0] for id_ in (leader, member, other)] == ["PAID"] * 3


async def test_who_pays_after_a_club_is_complete_gets_a_part_back_too(market: Market) -> None:
    """Their instance does not change by it, so nothing but the payment tells."""
    config = await market.publish(CODE)
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    complete = "UPDATE instances SET status = 'SUCCESS', cells = cells || $1"
    await market.pool.execute(complete, {"rebateFen": REBATE_FEN})
    await market.pay(order_id, "u1")
    await market.dispatcher.send_new()
    (raw,) = await market.redis.xrange(keys.intents(0))
    await apply(market, events=decode(*raw).payload.events)
    owed = await market.pool.fetch("SELECT order_id, kind FROM refunds")
    assert [(row["order_id"].hex, row["kind"]) for row in owed] == [(order_id, "REBATE")]
    assert (await market.order(order_id))[0] == "PAID"


async def test_an_order_that_expired_earns_nothing(market: Market) -> None:
    config = await market.publish(CODE)
    await expired(market, config, "u1")
    assert await market.count("rewards") == 0
