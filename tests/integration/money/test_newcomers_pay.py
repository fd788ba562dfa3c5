"""Several orders held at once as a newcomer: the first that is paid is kept, the others are paid back."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from engine.admission.newcomers import is_still_newcomer
from engine.core import ids
from engine.core.settings import Settings
from engine.gate.outcome import Outcome
from tests.support.ledger import PLAIN, PRICE_FEN, RESEATING, Ledger, open_ledger
from tests.support.market import Market, open_market

NEW = {"newcomer": True}
KEPT, REFUSED = ("PAID", None), ("REFUNDING", "NOT_NEWCOMER")


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def for_newcomers(ledger: Ledger, code: str = PLAIN, *verbs: str) -> str:
    """The id of a config on sale whose joins, or those verbs, are for newcomers only."""
    config = await ledger.config(code)
    await ledger.pool.execute("UPDATE play_configs SET newcomer_verbs = $2 WHERE id = $1", config, verbs or ["join"])
    return config


async def lands(ledger: Ledger, order_id: str) -> tuple[str, str | None]:
    """A payment lands; what the order is then."""
    await ledger.payments.apply_notification(order_id, PRICE_FEN, f"t-{order_id}")
    return await ledger.status(order_id)


# From the click on -------------------------------------------------------------------------------------


async def joined(market: Market, config: str, user: str) -> str:
    """The id of an order in somebody else's group, let in as a newcomer's."""
    leader = await market.hold(config, f"leader of {config}", verb="open")
    order_id, suffix = ids.click_id(config, user, "r"), leader[:16]
    print_ = ids.fingerprint("join", suffix, 1)
    reply = await market.engine.gate.click(0, config, "join", suffix, user, order_id, print_, 1, "r", NEW)
    assert reply.outcome == Outcome.RESERVED
    await market.drain_all()
    return order_id


async def test_three_groups_for_newcomers_and_one_newcomer(market: Market) -> None:
    """Held at once, paid one after the other: two are paid back whole, and their units and seats are free again."""
    configs = [await market.publish("GROUP_BUY", newcomersOnly=True) for _ in range(3)]
    orders = [await joined(market, config, "u1") for config in configs]
    for order_id in orders:
        await market.pay(order_id, "u1")
    await market.settle()
    assert [await market.order(order_id) for order_id in orders] == [("PAID", None, 2), *[(*REFUSED, 0)] * 2]
    assert [await market.stock(config) for config in configs] == [(2, 8), (1, 9), (1, 9)]
    for config, order_id, count in zip(configs, orders, (1, 0, 0), strict=True):
        suffix = ids.opened_suffix(ids.click_id(config, f"leader of {config}", "r"))
        assert await market.instance(f"{config}.{suffix}") == ("ACTIVE" if count else "PENDING", count, 2)
        assert await market.pool.fetchval("SELECT count(*) FROM refunds WHERE order_id = $1", order_id) == 1 - count
    assert await market.count("gate_events") == 0
    assert await market.refunds.pay_due(10) == 2
    assert await market.statuses() == {"HELD": 3, "PAID": 1, "REFUNDED": 2}


async def test_the_group_never_hears_that_they_paid(market: Market) -> None:
    """Who leads has paid already: with the refused one the group would be complete, if only for a moment."""
    one, other = [await market.publish("GROUP_BUY", newcomersOnly=True) for _ in range(2)]
    await market.pay(await joined(market, one, "u1"), "u1")
    order_id = await joined(market, other, "u1")
    leader = ids.click_id(other, f"leader of {other}", "r")
    await market.pay(leader, f"leader of {other}")
    await market.pay(order_id, "u1")
    kinds = await market.pool.fetch("SELECT kind FROM gate_events WHERE order_id = $1", order_id)
    assert [row["kind"] for row in kinds] == ["released"]
    await market.settle()
    assert await market.instance(f"{other}.{leader[:16]}") == ("ACTIVE", 1, 2)


async def test_who_opens_a_group_may_be_anybody(market: Market) -> None:
    """And what was published without the rule asks nobody."""
    strict, plain = await market.publish("GROUP_BUY", newcomersOnly=True), await market.publish("GROUP_BUY")
    orders = [await market.hold(strict, "u1", verb="open"), await market.hold(plain, "u1", verb="open")]
    orders.append(await joined(market, await market.publish("GROUP_BUY"), "u1"))
    await market.drain_all()
    for order_id in reversed(orders):  # a veteran pays for the strict one
        await market.pay(order_id, "u1")
    assert {(await market.order(order_id))[0] for order_id in orders} == {"PAID"}


# What Postgres decides ----------------------------------------------------------------------------------


async def test_payments_that_land_at_once(ledger: Ledger) -> None:
    """Twenty people with three orders each, all paid at the same moment: everybody keeps exactly one."""
    configs = [await for_newcomers(ledger) for _ in range(3)]
    users = [f"u{number}" for number in range(20)]
    orders = {user: [await ledger.order(config, user) for config in configs] for user in users}
    await ledger.pool.execute("INSERT INTO stock (config_id, total, reserved) SELECT id, 1000, 20 FROM play_configs")
    await asyncio.gather(*(lands(ledger, order_id) for three in orders.values() for order_id in three))
    for three in orders.values():
        assert sorted([await ledger.status(order_id) for order_id in three]) == [KEPT, REFUSED, REFUSED]
    assert await ledger.pool.fetchval("SELECT sum(reserved) FROM stock") == 20
    assert await ledger.pool.fetchval("SELECT count(*) FROM refunds") == 40


async def test_nobody_waits_for_somebody_elses_payment(ledger: Ledger) -> None:
    """While one person's payment is judged, another's is; a second one of the first waits."""
    pool, order_id = ledger.pool, UUID(await ledger.order(await for_newcomers(ledger)))
    async with pool.acquire() as judging, judging.transaction():
        assert await is_still_newcomer(judging, "u1", order_id)
        async with pool.acquire() as other, other.transaction():
            await other.execute("SET LOCAL lock_timeout = '10s'")
            assert await is_still_newcomer(other, "u2", order_id)
            await other.execute("SET LOCAL lock_timeout = '10ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await is_still_newcomer(other, "u1", order_id)


@pytest.mark.parametrize(
    ("status", "kept"),
    [("HELD", True), ("PAID", False), ("EXPIRED", True), ("CANCELLED", True), ("REFUNDING", True), ("REFUNDED", True)],
)
async def test_only_another_paid_order_makes_a_veteran(ledger: Ledger, status: str, kept: bool) -> None:
    """Of whatever product: as at the click."""
    await ledger.order(await ledger.config(), status=status)
    order_id = await ledger.order(await for_newcomers(ledger))
    assert await lands(ledger, order_id) == (KEPT if kept else REFUSED)


async def test_somebody_elses_paid_order_makes_nobody_a_veteran(ledger: Ledger) -> None:
    await ledger.order(await ledger.config(), "u2", status="PAID")
    assert await lands(ledger, await ledger.order(await for_newcomers(ledger), "u1")) == KEPT


async def test_the_history_says_why(ledger: Ledger) -> None:
    await ledger.order(await ledger.config(), status="PAID")
    order_id = await ledger.order(await for_newcomers(ledger))
    await lands(ledger, order_id)
    (event,) = await ledger.pool.fetch("SELECT * FROM order_events WHERE order_id = $1", order_id)
    assert (event["from_status"], event["to_status"], event["why"]) == ("HELD", "REFUNDING", "NOT_NEWCOMER")
    assert await ledger.owed(order_id) == {"WHOLE": (PRICE_FEN, "PENDING")}
    assert await lands(ledger, order_id) == REFUSED, "the notification comes again"


async def test_the_rewards_of_a_refused_order_are_void(ledger: Ledger) -> None:
    """They were promised for an order that is paid back."""
    await ledger.order(await ledger.config(), status="PAID")
    config = await for_newcomers(ledger)
    order_id = await ledger.order(config)
    await ledger.reward(config, "u2", order_id)
    assert await lands(ledger, order_id) == REFUSED
    rows = await ledger.pool.fetch("SELECT status, reason FROM rewards")
    assert [tuple(row) for row in rows] == [("VOID", "ORDER_REFUNDED")]


async def test_a_late_payer_who_is_no_newcomer_any_more_gets_no_new_seat(ledger: Ledger) -> None:
    """The money is owed at once; a newcomer is asked a seat for."""
    config = await for_newcomers(ledger, RESEATING)
    veteran, newcomer = [await ledger.order(config, user, status="EXPIRED") for user in ("u1", "u2")]
    await ledger.order(await ledger.config(), "u1", status="PAID")
    for order_id, owed in ((veteran, {"WHOLE": (PRICE_FEN, "PENDING")}), (newcomer, {})):
        assert await lands(ledger, order_id) == ("REFUNDING", "LATE_PAYMENT")
        assert await ledger.owed(order_id) == owed


async def test_who_is_paid_for_and_waits_for_a_seat_has_used_their_right(ledger: Ledger) -> None:
    """The gate may take them in any moment, and asks nobody then."""
    config = await for_newcomers(ledger, RESEATING)
    waiting, second = await ledger.order(config, status="EXPIRED"), await ledger.order(await for_newcomers(ledger))
    assert await lands(ledger, waiting) == ("REFUNDING", "LATE_PAYMENT")
    assert await lands(ledger, second) == REFUSED


@pytest.mark.parametrize(
    ("verbs", "verb", "suffix", "refused"),
    [
        (("join",), "join", "s1", True),
        (("join",), "join", "placed", True),
        (("join",), "open", "", False),
        (("open",), "open", "", True),
        (("open",), "join", "s1", False),
        (("claim",), "claim", "s1", True),
        (("claim",), "join", "s1", False),
        (("join",), "claim", "s1", False),
        (("join", "claim", "open"), "open", "", True),
    ],
)
async def test_the_rule_is_about_verbs(
    ledger: Ledger, verbs: tuple[str, ...], verb: str, suffix: str, refused: bool
) -> None:
    """`placed`: a join that was clicked on one instance and sits in another."""
    await ledger.order(await ledger.config(), status="PAID")
    order_id = await ledger.order(await for_newcomers(ledger, PLAIN, *verbs))
    clicked = "s1" if suffix == "placed" else suffix
    await ledger.pool.execute(
        "UPDATE orders SET fingerprint = $2, instance_id = config_id || '.' || $3::text WHERE id = $1",
        order_id,
        ids.fingerprint(verb, clicked, 1),
        suffix or ids.opened_suffix(order_id),
    )
    assert await lands(ledger, order_id) == (REFUSED if refused else KEPT)
