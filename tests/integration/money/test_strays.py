"""Payments that no order takes: each is kept once, for a person, and whatever the order was it stays."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.core import ids
from engine.core.errors import CursorInvalid, NotFound
from engine.core.settings import Settings
from engine.money.providers.port import Trade, TradeState
from tests.support.ledger import PRICE_FEN, Ledger, open_ledger

NOBODYS = "0" * 32


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def kept(ledger: Ledger) -> list[tuple[str, str, int, str]]:
    """(transaction, order, fen, why) of every stray payment."""
    rows = await ledger.pool.fetch("SELECT * FROM stray_payments ORDER BY created_at, transaction_id, order_id")
    return [(row["transaction_id"], row["order_id"], row["amount_fen"], row["why"]) for row in rows]


@pytest.mark.parametrize("fen", [PRICE_FEN - 1, PRICE_FEN + 1, PRICE_FEN * 100, 1, 0, -PRICE_FEN])
async def test_another_amount_pays_for_nothing(ledger: Ledger, fen: int) -> None:
    """Less or more, by a fen or by a factor: the order is as it was, and may still be paid rightly."""
    order_id = await ledger.order(await ledger.config())
    assert await ledger.payments.apply_notification(order_id, fen, "t1", "p1") is None
    assert await ledger.status(order_id) == ("HELD", None)
    assert await kept(ledger) == [("t1", order_id, fen, "OTHER_AMOUNT")]
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t2") == "PAID"


async def test_another_currency_pays_for_nothing(ledger: Ledger) -> None:
    order_id = await ledger.order(await ledger.config())
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1", currency="USD") is None
    assert await ledger.status(order_id) == ("HELD", None)
    row = await ledger.pool.fetchrow("SELECT currency, why, provider FROM stray_payments")
    assert row is not None
    assert tuple(row) == ("USD", "OTHER_CURRENCY", "sandbox")


@pytest.mark.parametrize("status", ["PAID", "REFUNDING"])
@pytest.mark.parametrize("fen", [PRICE_FEN, PRICE_FEN + 1])
async def test_a_second_transaction_of_one_order(ledger: Ledger, status: str, fen: int) -> None:
    """The first one counts, also when its money is on its way back already."""
    order_id = await ledger.order(await ledger.config(), status="HELD" if status == "PAID" else "CANCELLED")
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1") == status
    assert await ledger.payments.apply_notification(order_id, fen, "t2") is None
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1") == status
    assert (await ledger.status(order_id))[0] == status
    assert await kept(ledger) == [("t2", order_id, fen, "PAID_ALREADY")]


async def test_a_transaction_that_has_paid_for_another_order(ledger: Ledger) -> None:
    config = await ledger.config()
    first, second = await ledger.order(config, "u1"), await ledger.order(config, "u2")
    assert await ledger.payments.apply_notification(first, PRICE_FEN, "t1") == "PAID"
    assert await ledger.payments.apply_notification(second, PRICE_FEN, "t1") is None
    assert (await ledger.status(first), await ledger.status(second)) == (("PAID", None), ("HELD", None))
    assert await kept(ledger) == [("t1", second, PRICE_FEN, "TRANSACTION_OF_ANOTHER")]


@pytest.mark.parametrize("order_id", [NOBODYS, "", "somebody else's", "A" * 32, NOBODYS + "\n"])
async def test_an_order_that_is_none_of_ours(ledger: Ledger, order_id: str) -> None:
    """Whatever it is called: an id like ours, or like nothing we know."""
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1") is None
    assert await kept(ledger) == [("t1", order_id, PRICE_FEN, "UNKNOWN_ORDER")]


async def test_a_stray_payment_is_kept_once(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """However often the provider says so, also at once; and it is logged once."""
    order_id = await ledger.order(await ledger.config())
    tell = ledger.payments.apply_notification
    await asyncio.gather(*(tell(one, PRICE_FEN + 1, "t1") for one in (order_id, NOBODYS) for _ in range(20)))
    assert len(await kept(ledger)) == 2
    assert len([record for record in caplog.records if "no payment of it" in record.message]) == 2


async def test_a_hold_ends_though_a_wrong_amount_was_paid_for_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can pay that trade any more, so the units need not wait for the person."""
    order_id = await ledger.order(await ledger.config())
    await ledger.payments.prepay(order_id, "u1")

    async def wrong(_order: str) -> Trade:
        return Trade(TradeState.PAID, PRICE_FEN + 1, "t1")

    monkeypatch.setattr(ledger.sandbox, "query", wrong)
    assert await ledger.payments.close(order_id, PRICE_FEN) is True
    assert await kept(ledger) == [("t1", order_id, PRICE_FEN + 1, "OTHER_AMOUNT")]


async def test_those_that_wait_are_listed_the_oldest_first(ledger: Ledger) -> None:
    """Page by page; one that somebody has dealt with waits no more."""
    for number in range(5):
        await ledger.payments.apply_notification(NOBODYS, PRICE_FEN + number, f"t{9 - number}")
    await ledger.money.strays.settle("t8", "f1")
    assert await ledger.money.strays.waiting() == 4
    found, cursor = [], None
    while True:
        page = await ledger.money.strays.page(cursor, 3)
        found += [(one.transaction_id, one.amount_fen) for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found == [("t9", PRICE_FEN), ("t7", PRICE_FEN + 2), ("t6", PRICE_FEN + 3), ("t5", PRICE_FEN + 4)]
    with pytest.raises(CursorInvalid):
        await ledger.money.strays.page("x", 3)


async def test_those_of_one_moment_come_once_each(ledger: Ledger) -> None:
    """Also one transaction for several orders, whichever of them a page ends with."""
    for order_id in ("a", "b", "c"):
        for transaction in ("t1", "t2"):
            await ledger.payments.apply_notification(order_id, PRICE_FEN, transaction)
    await ledger.pool.execute("UPDATE stray_payments SET created_at = now()")
    found: list[tuple[str, str]] = []
    cursor = None
    while len(found) <= 6:
        page = await ledger.money.strays.page(cursor, 1)
        found += [(one.transaction_id, one.order_id) for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found == [(transaction, order_id) for transaction in ("t1", "t2") for order_id in ("a", "b", "c")]


async def test_who_dealt_with_it_and_when_is_known(ledger: Ledger) -> None:
    """Once: the second one is told that nothing waits. The provider's repeat does not bring it back."""
    await ledger.payments.apply_notification(NOBODYS, PRICE_FEN, "t1")
    await ledger.money.strays.settle("t1", "f1")
    with pytest.raises(NotFound):
        await ledger.money.strays.settle("t1", "f2")
    await ledger.payments.apply_notification(NOBODYS, PRICE_FEN, "t1")
    assert await ledger.money.strays.waiting() == 0
    row = await ledger.pool.fetchrow("SELECT settled_by, settled_at <= now() FROM stray_payments")
    assert row is not None
    assert tuple(row) == ("f1", True)


async def test_a_stray_payment_whose_order_turns_up_waits_for_nobody(ledger: Ledger) -> None:
    """The provider says it again, and it is booked: whoever paid it back now would pay it back twice."""
    config = await ledger.config()
    order_id = ids.click_id(config, "u1", "r0")
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1") is None
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t2") is None
    assert await ledger.order(config, "u1") == order_id
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1") == "PAID"
    assert [one.transaction_id for one in (await ledger.money.strays.page(None, 9)).items] == ["t2"]


async def test_nothing_is_kept_when_postgres_says_no(ledger: Ledger) -> None:
    """Only the rule that a transaction pays once makes a stray; whatever else is broken is an error to be repeated."""
    config = await ledger.config()
    await ledger.paid(config, "u1")
    order_id = await ledger.order(config, "u2")
    await ledger.pool.execute("CREATE UNIQUE INDEX odd ON payments (amount_fen)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await ledger.payments.apply_notification(order_id, PRICE_FEN, "t1")
    assert await kept(ledger) == []
