"""The look that every market takes at its histories at the end: each way in which one may be wrong is found."""

from collections.abc import AsyncIterator

import pytest

from engine.core.settings import Settings
from tests.support.history import broken_histories
from tests.support.ledger import Ledger, open_ledger

TELL = """
INSERT INTO order_events (order_id, from_status, to_status, why, by_whom, at)
VALUES ($1, $2, $3, $4, $5, now() + interval '1 s' * $6)
"""
PAY = ("HELD", "PAID", "PAID_IN_TIME", "sandbox", 1)
OWE = ("PAID", "REFUNDING", "PAYMENT_REFUSED", "gate", 2)
REFUND = ("REFUNDING", "REFUNDED", "PAID_BACK", "sandbox", 3)

Event = tuple[str, str, str, str, int]


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def looked_at(ledger: Ledger, status: str, reason: str | None, *events: Event) -> list[str]:
    """What the look finds wrong with one order and its history."""
    order_id = await ledger.order(await ledger.config(), status=status, reason=reason)
    for event in events:
        await ledger.pool.execute(TELL, order_id, *event)
    return await broken_histories(ledger.pool)


@pytest.mark.parametrize(
    ("status", "reason", "events"),
    [
        ("HELD", None, ()),
        ("CANCELLED", "FENCED", ()),
        ("PAID", None, (PAY,)),
        ("REFUNDED", "PAYMENT_REFUSED", (PAY, OWE, REFUND)),
    ],
)
async def test_a_history_that_leads_to_its_row_is_whole(
    ledger: Ledger, status: str, reason: str | None, events: tuple[Event, ...]
) -> None:
    assert await looked_at(ledger, status, reason, *events) == []


@pytest.mark.parametrize(
    ("status", "reason", "events"),
    [
        ("PAID", None, ()),
        ("REFUNDING", "PAYMENT_REFUSED", (OWE,)),
        ("REFUNDED", None, (PAY, REFUND)),
        ("PAID", None, (("HELD", "PAID", "BY_CONSUMER", "sandbox", 1),)),
        ("PAID", None, ((*PAY[:3], "", 1),)),
        ("REFUNDED", "PAYMENT_REFUSED", (PAY, OWE)),
        ("REFUNDING", "INSTANCE_FAILED", (PAY, OWE)),
        ("REFUNDED", "PAYMENT_REFUSED", (PAY, (*OWE[:4], 9), REFUND)),
    ],
    ids=[
        "no birth",
        "not born so",
        "a hole",
        "no such move",
        "by nobody",
        "another end",
        "another reason",
        "backwards",
    ],
)
async def test_any_other_is_found(ledger: Ledger, status: str, reason: str | None, events: tuple[Event, ...]) -> None:
    assert len(await looked_at(ledger, status, reason, *events)) == 1


async def test_a_history_of_no_order_is_found(ledger: Ledger) -> None:
    await ledger.pool.execute(TELL, "0" * 32, *PAY)
    assert len(await broken_histories(ledger.pool)) == 1
