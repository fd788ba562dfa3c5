"""Money: every fen that was paid is kept for an order, or paid back."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import msgspec
import pytest

from engine.core.errors import NotFound, PaymentClosed, StateConflict
from engine.core.settings import Settings
from engine.money.providers import sandbox
from engine.money.providers.port import ProviderFailed, RefundState, TradeState
from engine.money.refunds import Refunds
from tests.support.ledger import PLAIN, RESEATING, Ledger, open_ledger
from tests.support.market import PRICE_FEN, Market, open_market
from tests.support.waiting import eventually, until


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def held(market: Market) -> tuple[str, str]:
    """(config, order) of one hold of a flash sale by u1."""
    config = await market.publish()
    order_id = await market.hold(config, "u1")
    await market.drain_all()
    return config, order_id


async def let_an_hour_pass(market: Market) -> None:
    """For the refunds there are."""
    ago = "now() - interval '1 h'"
    await market.pool.execute(f"UPDATE refunds SET next_attempt_at = {ago}, attempted_at = {ago}")


async def test_open_to_paid(market: Market) -> None:
    """The whole way of one order; Redis and Postgres agree at its end."""
    config, order_id = await held(market)
    await market.pay(order_id, "u1")
    assert await market.order(order_id) == ("PAID", None, 1)
    await market.settle()
    assert await market.order(order_id) == ("PAID", None, 2)
    assert await market.instance(f"{config}.s1") == ("ACTIVE", 1, 0)
    assert await market.stock(config) == (1, 9)
    assert await market.count("gate_events") == 0


async def test_notifications_come_as_they_like(market: Market) -> None:
    """A hundred copies at once are one payment."""
    config, order_id = await held(market)
    await market.pay(order_id, "u1", notify=False)
    await asyncio.gather(*(market.sandbox.notify(order_id) for _ in range(100)))
    await market.settle()
    await market.sandbox.notify(order_id)
    assert await market.order(order_id) == ("PAID", None, 2)
    assert await market.instance(f"{config}.s1") == ("ACTIVE", 1, 0)
    assert await market.count("stray_payments") == 0


async def test_prepay_is_for_the_owner_of_a_hold_in_time(market: Market) -> None:
    """Not for others, not twice differently, not when it is over."""
    _, order_id = await held(market)
    prepay = market.engine.money.payments.prepay
    with pytest.raises(NotFound):
        await prepay(order_id, "somebody else")
    assert await prepay(order_id, "u1") == await prepay(order_id, "u1")
    await market.age(order_id)
    with pytest.raises(PaymentClosed):
        await prepay(order_id, "u1")
    await market.holds.expire_prepaid()
    with pytest.raises(StateConflict):
        await prepay(order_id, "u1")


@pytest.mark.parametrize("how", ["expired", "cancelled"])
async def test_a_payment_after_the_end_is_paid_back(market: Market, how: str) -> None:
    """It landed in spite of the close: the money goes back, the stock stays given back."""
    config, order_id = await held(market)
    await market.engine.money.payments.prepay(order_id, "u1")
    if how == "expired":
        await market.age(order_id)
        await market.holds.expire_prepaid()
    else:
        await market.engine.orders.cancel(order_id, "u1")
    await market.settle()
    await market.sandbox.pay(order_id, late=True)
    await market.sandbox.notify(order_id)
    assert await market.order(order_id) == ("REFUNDING", "LATE_PAYMENT", 0)
    assert await market.refunds.pay_due(10) == 1
    assert await market.refunds.pay_due(10) == 0
    await market.settle()
    assert (await market.order(order_id))[0] == "REFUNDED"
    assert (await market.sandbox.query(order_id)).state is TradeState.REFUNDED
    assert await market.stock(config) == (0, 10)


async def test_a_refund_is_tried_again_with_the_same_number(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider paid but its answer was lost: the second attempt pays nothing more."""
    _, order_id = await held(market)
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.engine.orders.cancel(order_id, "u1")
    await market.sandbox.pay(order_id, late=True)
    refund, numbers = market.sandbox.refund, []

    async def lossy(order: str, refund_no: str, amount_fen: int) -> RefundState:
        numbers.append(refund_no)
        state = await refund(order, refund_no, amount_fen)
        if len(numbers) == 1:
            raise ProviderFailed
        return state

    monkeypatch.setattr(market.sandbox, "refund", lossy)
    await market.refunds.pay_due(10)
    assert (await market.order(order_id))[0] == "REFUNDING"
    assert await market.refunds.pay_due(10) == 0, "the next attempt is a minute away"
    await let_an_hour_pass(market)
    assert await market.refunds.pay_due(10) == 1
    assert numbers == [f"r{order_id}"] * 2
    assert (await market.order(order_id))[0] == "REFUNDED"


async def test_a_refund_nobody_will_make(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last attempt it is STUCK for a person, who may have it tried again."""
    _, order_id = await held(market)
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.engine.orders.cancel(order_id, "u1")
    await market.sandbox.pay(order_id, late=True)

    async def broken(order: str, refund_no: str, amount_fen: int) -> RefundState:
        raise ProviderFailed

    monkeypatch.setattr(market.sandbox, "refund", broken)
    for _ in range(4):
        await market.refunds.pay_due(10)
        await let_an_hour_pass(market)
    row = await market.pool.fetchrow("SELECT status, attempts FROM refunds")
    assert row is not None
    assert tuple(row) == ("STUCK", 3)
    monkeypatch.undo()
    await market.refunds.retry(order_id)
    with pytest.raises(NotFound):
        await market.refunds.retry(order_id)
    await let_an_hour_pass(market)
    assert await market.refunds.pay_due(10) == 1
    assert (await market.order(order_id))[0] == "REFUNDED"


async def test_refunds_race_each_other(market: Market, settings: Settings) -> None:
    """Two workers never make the same attempt."""
    config = await market.publish(stock=20)
    for number in range(20):
        order_id = await market.hold(config, f"u{number}")
        await market.drain_all()
        await market.engine.money.payments.prepay(order_id, f"u{number}")
        await market.engine.orders.cancel(order_id, f"u{number}")
        await market.sandbox.pay(order_id, late=True)
    others = [Refunds(market.pool, market.engine.orders.moves, market.sandbox, settings.money) for _ in range(3)]
    assert sum(await asyncio.gather(*(refunds.pay_due(20) for refunds in others))) == 20
    assert await market.statuses() == {"REFUNDED": 20}


async def test_a_group_that_fills_succeeds(market: Market) -> None:
    """Two pay, the group is a SUCCESS, nobody is paid back."""
    config = await market.publish("GROUP_BUY")
    leader = await market.hold(config, "u1", verb="open")
    joiner = await market.hold(config, "u2", suffix=leader[:16])
    await market.drain_all()
    await market.pay(leader, "u1")
    await market.settle()
    assert await market.instance(f"{config}.{leader[:16]}") == ("ACTIVE", 1, 2)
    await market.pay(joiner, "u2")
    await market.settle()
    assert await market.instance(f"{config}.{leader[:16]}") == ("SUCCESS", 2, 2)
    assert await market.count("refunds") == 0
    assert await market.statuses() == {"PAID": 2}


async def test_a_group_that_fails_pays_everyone_back(market: Market) -> None:
    """To the fen; the stock comes back, and who has not paid yet cannot any more."""
    config = await market.publish("GROUP_BUY", target=4)
    leader = await market.hold(config, "u1", verb="open")
    instance = f"{config}.{leader[:16]}"
    second = await market.hold(config, "u2", suffix=leader[:16])
    waiting = await market.hold(config, "u3", suffix=leader[:16])
    await market.drain_all()
    await market.pay(leader, "u1")
    await market.pay(second, "u2")
    await market.settle()
    await market.end_group(instance)
    await market.settle()
    assert (await market.instance(instance))[0] == "FAILED"
    assert [await market.order(id_) for id_ in (leader, second)] == [("REFUNDING", "INSTANCE_FAILED", 0)] * 2
    with pytest.raises(PaymentClosed):
        await market.engine.money.payments.prepay(waiting, "u3")
    assert await market.refunds.pay_due(10) == 2
    await market.age(waiting)
    await market.holds.expire_unpaid()
    await market.settle()
    assert await market.statuses() == {"REFUNDED": 2, "EXPIRED": 1}
    assert await market.stock(config) == (0, 10)
    owed = await market.pool.fetchval("SELECT sum(amount_fen) FROM sandbox_trades WHERE status = 'PAID'")
    assert owed is None


async def test_a_payment_for_a_group_that_has_failed_meanwhile(market: Market) -> None:
    """The payment was begun in time and landed too late: the gate refuses it, and it is paid back."""
    config = await market.publish("GROUP_BUY")
    leader = await market.hold(config, "u1", verb="open")
    await market.drain_all()
    await market.engine.money.payments.prepay(leader, "u1")
    await market.end_group(f"{config}.{leader[:16]}")
    await market.drain_all()
    await market.sandbox.pay(leader)
    assert (await market.order(leader))[0] == "PAID"
    await market.settle()
    assert await market.order(leader) == ("REFUNDING", "PAYMENT_REFUSED", 0)
    await market.refunds.pay_due(10)
    await market.settle()
    assert (await market.order(leader))[0] == "REFUNDED"
    assert await market.stock(config) == (0, 10)


async def test_a_group_fails_before_its_last_payment_is_told(market: Market) -> None:
    """Paid in Postgres, not yet in Redis, when the group failed: Redis is told both, in order; the money goes back."""
    config = await market.publish("GROUP_BUY")
    leader = await market.hold(config, "u1", verb="open")
    await market.drain_all()
    await market.pay(leader, "u1")
    await market.end_group(f"{config}.{leader[:16]}")
    await market.settle()
    assert await market.order(leader) == ("REFUNDING", "INSTANCE_FAILED", 0)
    assert await market.count("gate_events") == 0
    assert await market.stock(config) == (0, 10)
    assert await market.count("refunds") == 1


async def test_a_group_that_reaches_a_cheaper_tier_pays_everyone_the_difference(market: Market) -> None:
    """All paid the first tier's price; the leader, who paid less, gets back as much. They stay paid."""
    tiers = [{"people": 3, "priceFen": PRICE_FEN - 300}]
    config = await market.publish("GROUP_BUY", target=2, tiers=tiers, leaderOffFen=100)
    leader = await market.hold(config, "u1", verb="open")
    others = [await market.hold(config, user, suffix=leader[:16]) for user in ("u2", "u3")]
    await market.drain_all()
    for user, order_id in zip(("u1", "u2", "u3"), (leader, *others), strict=True):
        await market.pay(order_id, user)
    await market.settle()
    assert await market.refunds.pay_due(10) == 3
    assert await market.statuses() == {"PAID": 3}
    back = "SELECT t.amount_fen, r.amount_fen FROM sandbox_trades t JOIN sandbox_refunds r USING (out_trade_no)"
    paid = sorted(tuple(row) for row in await market.pool.fetch(back))
    assert paid == [(PRICE_FEN - 100, 300), (PRICE_FEN, 300), (PRICE_FEN, 300)]


async def test_a_late_payer_whose_seat_is_gone_gets_another(market: Market) -> None:
    """Their group has filled meanwhile: they lead one of their own."""
    config = await market.publish("GROUP_BUY", stock=3)
    leader = await market.hold(config, "u1", verb="open")
    late = await market.hold(config, "u2", suffix=leader[:16])
    await market.drain_all()
    await market.engine.money.payments.prepay(late, "u2")
    await market.age(late)
    await market.holds.expire_prepaid()
    await market.settle()
    await market.hold(config, "u3", suffix=leader[:16])
    await market.sandbox.pay(late, late=True)
    await market.settle()
    assert await market.order(late) == ("PAID", "RESEATED", 2)
    assert await market.instance(f"{config}.{late[16:]}") == ("ACTIVE", 1, 2)
    assert await market.stock(config) == (3, 0)
    assert await market.count("refunds") == 0


async def test_a_delayed_notification(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The payer has paid, the news comes as much later as was asked for."""
    asked, over = [], asyncio.Event()

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        await over.wait()

    _, order_id = await held(market)
    monkeypatch.setattr(sandbox, "asyncio", SimpleNamespace(sleep=sleep, create_task=asyncio.create_task))
    await market.pay(order_id, "u1", notify_after_ms=50)
    assert (await market.order(order_id))[0] == "HELD"
    await until(lambda: asked == [0.05])
    over.set()
    await eventually(lambda: market.order(order_id), ("PAID", None, 1))


async def test_refund_waits_are_the_settings(market: Market, settings: Settings) -> None:
    """With a first wait of an hour nothing is tried at once."""
    _, order_id = await held(market)
    await market.engine.money.payments.prepay(order_id, "u1")
    await market.engine.orders.cancel(order_id, "u1")
    await market.sandbox.pay(order_id, late=True)
    patient = msgspec.structs.replace(settings.money, refund_retry_s=(3600,))
    assert await Refunds(market.pool, market.engine.orders.moves, market.sandbox, patient).pay_due(10) == 0


# Without a gate: what Postgres writes down -------------------------------------------------------------


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def told_the_gate(ledger: Ledger, order_id: str) -> list[str]:
    """The kinds of events that wait for Redis."""
    rows = await ledger.pool.fetch("SELECT kind FROM gate_events WHERE order_id = $1 ORDER BY id", order_id)
    return [row["kind"] for row in rows]


async def test_a_late_payer_may_be_taken_in_elsewhere(ledger: Ledger) -> None:
    """The playbook seats them anew: Redis is asked, and no money is owed until it has refused."""
    order_id = await ledger.order(await ledger.config(RESEATING), status="EXPIRED")
    for _ in range(2):  # the provider repeats itself
        assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1", "p1") == "REFUNDING"
    assert await ledger.status(order_id) == ("REFUNDING", "LATE_PAYMENT")
    assert (await told_the_gate(ledger, order_id), await ledger.owed(order_id)) == (["late"], {})


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (PLAIN, "EXPIRED", None),
        ("UNINSTALLED", "EXPIRED", None),
        (RESEATING, "CANCELLED", "BY_CONSUMER"),
        (RESEATING, "CANCELLED", "FENCED"),
        (RESEATING, "CANCELLED", "OVERSOLD"),
    ],
)
async def test_a_late_payment_goes_back_where_nobody_can_be_taken_in(
    ledger: Ledger, code: str, status: str, reason: str | None
) -> None:
    """The playbook does not, they have cancelled, or Redis has no record of the order: the money is owed at once."""
    order_id = await ledger.order(await ledger.config(code), status=status, reason=reason)
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1") == "REFUNDING"
    assert await told_the_gate(ledger, order_id) == []
    assert await ledger.owed(order_id) == {"WHOLE": (PRICE_FEN, "PENDING")}


async def payers(ledger: Ledger) -> list[str | None]:
    """Who paid, as the provider named them."""
    return [row["payer"] for row in await ledger.pool.fetch("SELECT payer FROM payments ORDER BY payer")]


async def test_the_payment_says_who_paid(ledger: Ledger) -> None:
    """As the provider told: by default the sandbox plays the buyer, whose name is always the same."""
    config = await ledger.config()
    for user, payer in (("u1", None), ("u1", None), ("u2", None), ("u2", "mother")):
        await ledger.paid(config, user, payer=payer)
    assert await payers(ledger) == ["mother", "payer-u1", "payer-u1", "payer-u2"]


async def test_who_paid_is_known_without_a_notification(ledger: Ledger) -> None:
    """It was lost: the hold is over, the provider is asked, and names the payer."""
    order_id = await ledger.order(await ledger.config(), "u1")
    await ledger.payments.prepay(order_id, "u1")
    await ledger.sandbox.pay(order_id, payer="mother", notify=False)
    assert await ledger.payments.close(order_id, PRICE_FEN) is False
    assert (await ledger.status(order_id), await payers(ledger)) == (("PAID", None), ["mother"])


async def test_a_payment_of_nobody_in_particular(ledger: Ledger) -> None:
    """A provider need not say."""
    order_id = await ledger.order(await ledger.config())
    await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1")
    assert await payers(ledger) == [None]
