"""Rewards: frozen, then granted once; void when the order is paid back, flagged when several people are one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.settings import RewardsSettings, Settings
from engine.rewards.rewards import Rewards
from tests.support.doors import Doors, open_doors
from tests.support.ledger import Ledger, open_ledger

LIST = "SELECT status, reason FROM rewards WHERE source = $1"


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def fate(ledger: Ledger, source: str) -> tuple[str, str | None]:
    """(status, reason) of a reward."""
    row = await ledger.pool.fetchrow(LIST, source)
    assert row is not None
    return row["status"], row["reason"]


async def settled(ledger: Ledger, *sources: str) -> list[tuple[str, str | None]]:
    """What becomes of rewards that are due."""
    await ledger.rewards.settle_due(1000)
    return [await fate(ledger, source) for source in sources]


# When ---------------------------------------------------------------------------------------------------


async def test_a_reward_is_granted_when_its_time_has_come(ledger: Ledger) -> None:
    """Not a moment earlier."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    due = await ledger.reward(config, "referrer", order_id, due_s=0)
    frozen = await ledger.reward(config, "referrer", order_id, due_s=-60)
    assert await settled(ledger, due, frozen) == [("GRANTED", None), ("FROZEN", None)]


async def test_a_reward_without_an_order_is_granted_when_due(ledger: Ledger) -> None:
    config = await ledger.config()
    due, frozen = await ledger.reward(config, "u1"), await ledger.reward(config, "u1", due_s=-60)
    assert await settled(ledger, due, frozen) == [("GRANTED", None), ("FROZEN", None)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("REFUNDING", ("VOID", "ORDER_REFUNDED")),
        ("REFUNDED", ("VOID", "ORDER_REFUNDED")),
        ("EXPIRED", ("VOID", "ORDER_NOT_PAID")),
        ("CANCELLED", ("VOID", "ORDER_NOT_PAID")),
        ("HELD", ("FROZEN", None)),
    ],
)
async def test_no_reward_for_an_order_that_is_not_paid(
    ledger: Ledger, status: str, expected: tuple[str, str | None]
) -> None:
    """Paid back or never paid: void. Who may still pay has not decided yet."""
    config = await ledger.config()
    order_id = await ledger.order(config, status=status)
    assert await settled(ledger, await ledger.reward(config, "u1", order_id)) == [expected]


async def test_what_was_decided_stays_decided(ledger: Ledger) -> None:
    """A reward that was granted is granted, whatever becomes of its order; settling again finds nothing."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    source = await ledger.reward(config, "u1", order_id)
    assert await ledger.rewards.settle_due(10) == 1
    await ledger.take_back(order_id)
    assert await ledger.rewards.settle_due(10) == 0
    assert await fate(ledger, source) == ("GRANTED", None)


# To whom ------------------------------------------------------------------------------------------------


async def test_people_behind_one_device_get_nothing(ledger: Ledger) -> None:
    """Neither the buyer nor who brought them; a person with a device of their own does."""
    config = await ledger.config()
    for user, device in (("u1", "d1"), ("u2", "d1"), ("u3", "d3")):
        await ledger.person(config, user, device=device)
    orders = [await ledger.paid(config, user) for user in ("u1", "u3")]
    rewards = [await ledger.reward(config, user, order) for order in orders for user in ("referrer", "buyer")]
    assert await settled(ledger, *rewards) == [("FLAGGED", "SHARED_DEVICE")] * 2 + [("GRANTED", None)] * 2


async def test_three_may_share_an_address_four_may_not(ledger: Ledger) -> None:
    """A household, or a shop that invites itself."""
    config = await ledger.config()
    for number in range(3):
        await ledger.person(config, f"u{number}", address="a1", device=f"d{number}")
    first = await ledger.reward(config, "referrer", await ledger.paid(config, "u0"))
    assert await settled(ledger, first) == [("GRANTED", None)]
    await ledger.person(config, "u3", address="a1")
    second = await ledger.reward(config, "referrer", await ledger.paid(config, "u1"))
    assert await settled(ledger, second) == [("FLAGGED", "SHARED_ADDRESS")]


async def test_one_payer_for_several_people_is_one_person(ledger: Ledger) -> None:
    """Somebody may pay for themselves as often as they like; the buyer's own name is the default payer."""
    config = await ledger.config()
    bought = {
        "u1": await ledger.paid(config, "u1", payer="mallory"),
        "u2": await ledger.paid(config, "u2", payer="mallory"),
        "u3": await ledger.paid(config, "u3"),
    }
    await ledger.paid(config, "u3")
    rewards = [await ledger.reward(config, "referrer", order_id) for order_id in bought.values()]
    assert await settled(ledger, *rewards) == [("FLAGGED", "SHARED_PAYER")] * 2 + [("GRANTED", None)]


async def test_a_referrer_who_pays_for_their_guest_is_found_out(ledger: Ledger) -> None:
    """They have bought nothing themselves, but a payer is named by the openid they log in with."""
    config = await ledger.config()
    for user in ("referrer", "guest", "buyer"):
        await ledger.pool.execute("INSERT INTO users (id, openid) VALUES ($1, $2)", user, f"wx-{user}")
        await ledger.person(config, user, device=f"d-{user}")
    bought = [
        await ledger.paid(config, "guest", payer="wx-referrer"),
        await ledger.paid(config, "buyer", payer="wx-buyer"),
    ]
    rewards = [await ledger.reward(config, "referrer", order_id) for order_id in bought]
    assert await settled(ledger, *rewards) == [("FLAGGED", "SHARED_PAYER"), ("GRANTED", None)]


async def test_only_what_happened_on_the_same_config_counts(ledger: Ledger) -> None:
    """Two people who share a device elsewhere are two people here."""
    here, elsewhere = await ledger.config(), await ledger.config()
    await ledger.person(here, "u1", device="d1", address="a1")
    for number in range(2, 9):
        await ledger.person(elsewhere, f"u{number}", device="d1", address="a1")
        await ledger.paid(elsewhere, f"u{number}", payer="mallory")
    source = await ledger.reward(here, "referrer", await ledger.paid(here, "u1", payer="mallory"))
    assert await settled(ledger, source) == [("GRANTED", None)]


@pytest.mark.parametrize("cells", [{}, {"device": "", "address": ""}, {"device": None}])
async def test_a_client_that_says_nothing_shares_nothing(ledger: Ledger, cells: dict[str, Any]) -> None:
    """Unknown devices are no common device."""
    config = await ledger.config()
    for number in range(9):
        await ledger.person(config, f"u{number}", **cells)
    source = await ledger.reward(config, "referrer", await ledger.paid(config, "u1"))
    assert await settled(ledger, source) == [("GRANTED", None)]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ((2, 2, 2), ("GRANTED", None)),
        ((1, 2, 2), ("FLAGGED", "SHARED_DEVICE")),
        ((2, 1, 2), ("FLAGGED", "SHARED_ADDRESS")),
        ((2, 2, 1), ("FLAGGED", "SHARED_PAYER")),
    ],
)
async def test_how_many_may_share_is_a_setting(
    ledger: Ledger, allowed: tuple[int, int, int], expected: tuple[str, str | None]
) -> None:
    """Each of the three for itself; the first that is broken is the reason."""
    config = await ledger.config()
    for user in ("u1", "u2"):
        await ledger.person(config, user, device="d", address="a")
    orders = [await ledger.paid(config, user, payer="p") for user in ("u1", "u2")]
    source = await ledger.reward(config, "referrer", orders[0])
    device, address, payer = allowed
    limits = RewardsSettings(device_people_max=device, address_people_max=address, payer_people_max=payer)
    await Rewards(ledger.pool, limits).settle_due(10)
    assert await fate(ledger, source) == expected


# At once ------------------------------------------------------------------------------------------------


async def test_workers_settle_each_reward_once(ledger: Ledger, settings: Settings) -> None:
    """Four processes, two hundred rewards, fifty at a time: their counts add up."""
    config = await ledger.config()
    for number in range(50):
        order_id = await ledger.paid(config, f"u{number}")
        for _ in range(3):
            await ledger.reward(config, "referrer", order_id)
        await ledger.reward(config, "referrer")
    workers = [Rewards(ledger.pool, settings.rewards) for _ in range(4)]
    total = 0
    while found := sum(await asyncio.gather(*(worker.settle_due(25) for worker in workers))):
        total += found
    assert total == 200
    assert await ledger.pool.fetchval("SELECT count(*) FROM rewards WHERE status = 'GRANTED'") == 200


async def test_an_order_that_is_just_being_paid_back_waits(ledger: Ledger) -> None:
    """While somebody has it locked nothing is decided, and nobody waits; afterwards it is void."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    source = await ledger.reward(config, "referrer", order_id)
    async with ledger.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE orders SET status = 'REFUNDING' WHERE id = $1", order_id)
        assert await ledger.rewards.settle_due(10) == 0
        await transaction.commit()
    assert await settled(ledger, source) == [("VOID", "ORDER_REFUNDED")]


# Who sees them ------------------------------------------------------------------------------------------


async def test_a_user_pages_through_their_own_rewards(ledger: Ledger) -> None:
    """Newest first, each once, though many were made in one moment; nobody else's; ids tell nothing."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    for number in range(1, 8):
        await ledger.reward(config, "u1", order_id, amount=number)
    await ledger.pool.execute("UPDATE rewards SET created_at = '2026-12-01'::date + amount::int / 3")
    await ledger.reward(config, "u2", order_id)
    seen, cursor = [], None
    for _ in range(4):
        page = await ledger.rewards.for_user("u1", cursor, 2)
        seen += page.items
        cursor = page.next_cursor
    assert cursor is None
    assert len({reward.id for reward in seen}) == 7
    amounts = [reward.amount for reward in seen]
    assert [set(amounts[:2]), set(amounts[2:5]), set(amounts[5:])] == [{6, 7}, {3, 4, 5}, {1, 2}]
    assert not any(order_id[:8] in reward.id for reward in seen)


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


ADD = """
INSERT INTO rewards (source, number, config_id, instance_id, user_id, kind, amount, status, reason, unfreezes_at)
VALUES ($1, 1, 'c1', 'c1.s1', $2, 'CASH', 500, $3, $4, '2026-12-01T00:00:00Z')
"""


async def test_the_routes_of_rewards(doors: Doors) -> None:
    """A consumer sees their own; headquarters those of one status, the flagged ones unless they say otherwise."""
    await doors.market.pool.execute(ADD, "a", "uconsumer", "FLAGGED", "SHARED_DEVICE")
    await doors.market.pool.execute(ADD, "b", "somebody", "FROZEN", None)
    mine = (await doors.send("CONSUMER", "GET", "/v1/me/rewards")).json()
    (item,) = mine["items"]
    assert mine["nextCursor"] is None
    assert item | {"id": "", "createdAt": ""} == {
        "id": "",
        "sourceInstanceId": "c1.s1",
        "kind": "CASH",
        "amount": 500,
        "status": "FLAGGED",
        "reason": "SHARED_DEVICE",
        "unfreezesAt": "2026-12-01T00:00:00Z",
        "createdAt": "",
    }
    flagged = (await doors.send("HQ", "GET", "/v1/hq/rewards")).json()["items"]
    assert [(one["userId"], one["orderId"], one["id"]) for one in flagged] == [("uconsumer", None, item["id"])]
    frozen = (await doors.send("FINANCE", "GET", "/v1/hq/rewards?status=FROZEN")).json()["items"]
    assert [one["userId"] for one in frozen] == ["somebody"]


async def test_what_the_routes_refuse(doors: Doors) -> None:
    """A status there is not, and what every list refuses."""
    queries = {"status=LOST": "VALIDATION_FAILED", "cursor=x": "CURSOR_INVALID", "limit=0": "VALIDATION_FAILED"}
    answers = {query: await doors.send("HQ", "GET", f"/v1/hq/rewards?{query}") for query in queries}
    assert {query: answer.json()["code"] for query, answer in answers.items()} == queries
