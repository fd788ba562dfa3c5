"""When a refund is tried: each wait is the one that the settings say, whatever the attempt before has come to."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from engine.core.settings import Settings
from engine.money import asking
from engine.money.providers import guarded
from engine.money.providers.port import ProviderFailed, RefundState
from engine.money.refunds import APART, LEASE, PROCESSING_WAIT, Refunds
from tests.support.ledger import PRICE_FEN, Ledger, open_ledger

WAITS = (7200, 180, 3600, 10800)  # none like another, and no growing order: a step behind is seen
FIRST = timedelta(seconds=WAITS[0])
HOUR = timedelta(hours=1)  # longer than any machine takes between two statements


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    money = msgspec.structs.replace(settings.money, refund_retry_s=WAITS)
    async with open_ledger(msgspec.structs.replace(settings, money=money)) as ledger:
        yield ledger


async def owed(ledger: Ledger) -> str:
    """The id of an order that is owed its money."""
    order_id = await ledger.paid(await ledger.config())
    await ledger.take_back(order_id)
    return order_id


async def pass_time(ledger: Ledger, time: timedelta) -> None:
    """For everything that a refund counts from."""
    await ledger.pool.execute(
        "UPDATE refunds SET next_attempt_at = next_attempt_at - $1::interval, created_at = created_at - $1::interval,"
        " attempted_at = attempted_at - $1::interval",
        time,
    )


def answering(answer: Any) -> Any:
    async def refund(_order: str, _number: str, _fen: int) -> RefundState:
        if isinstance(answer, BaseException):
            raise answer
        state: RefundState = answer
        return state

    return refund


async def first_try(ledger: Ledger) -> None:
    """It waits from when the money was owed."""
    await pass_time(ledger, FIRST - HOUR)
    assert await ledger.refunds.pay_due(10) == 0, "tried too early"
    await pass_time(ledger, HOUR)
    assert await ledger.refunds.pay_due(10) == 1, "not tried in time"


async def tried_only_after(ledger: Ledger, wait: timedelta) -> None:
    """The next attempt is planned for exactly then, nothing is tried now, and it is made when the time has come."""
    planned = "SELECT next_attempt_at - attempted_at FROM refunds"
    assert await ledger.pool.fetchval(planned) == wait
    assert await ledger.refunds.pay_due(10) == 0
    await pass_time(ledger, wait)
    assert await ledger.refunds.pay_due(10) == 1


async def row(ledger: Ledger) -> tuple[str, int]:
    found = await ledger.pool.fetchrow("SELECT status, attempts FROM refunds")
    assert found is not None
    return tuple(found)


async def test_each_attempt_waits_for_its_own_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first from when the money was owed, the next ones from the attempt before; then it is STUCK at once."""
    await owed(ledger)
    monkeypatch.setattr(ledger.sandbox, "refund", answering(ProviderFailed()))
    await first_try(ledger)
    for number, wait in enumerate(WAITS[1:], start=2):
        await tried_only_after(ledger, timedelta(seconds=wait))
        assert await row(ledger) == ("PENDING", number)
    assert await ledger.refunds.pay_due(10) == 0
    assert await row(ledger) == ("STUCK", len(WAITS))


async def test_what_a_person_has_tried_again_begins_at_once_and_then_waits_as_before(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt after that waits as the second one of all did, the third as the third."""
    order_id = await owed(ledger)
    await ledger.pool.execute("UPDATE refunds SET status = 'STUCK', attempts = 4, created_at = now() - interval '1 d'")
    monkeypatch.setattr(ledger.sandbox, "refund", answering(ProviderFailed()))
    await ledger.refunds.retry(order_id)
    assert await ledger.refunds.pay_due(10) == 1
    for wait in WAITS[1:]:
        await tried_only_after(ledger, timedelta(seconds=wait))
    await ledger.refunds.pay_due(10)
    assert await row(ledger) == ("STUCK", len(WAITS))


async def test_one_that_is_processing_is_asked_for_every_minute_and_never_stuck(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted is no failure: after it, a failure waits for as long as if nothing had been in between."""
    await owed(ledger)
    monkeypatch.setattr(ledger.sandbox, "refund", answering(RefundState.PROCESSING))
    await first_try(ledger)
    for _ in range(len(WAITS) * 2):
        assert await row(ledger) == ("PENDING", 0)
        await tried_only_after(ledger, PROCESSING_WAIT)
    monkeypatch.setattr(ledger.sandbox, "refund", answering(ProviderFailed()))
    await tried_only_after(ledger, PROCESSING_WAIT)
    assert await row(ledger) == ("PENDING", 1)
    await tried_only_after(ledger, timedelta(seconds=WAITS[1]))


async def test_an_attempt_nobody_reported_on_is_made_again_after_its_lease(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker died; another worker has the same number paid, once the first one can no longer be at it."""
    order_id = await owed(ledger)
    await pass_time(ledger, FIRST)
    monkeypatch.setattr(ledger.sandbox, "refund", answering(asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await ledger.refunds.pay_due(10)
    monkeypatch.undo()
    other = Refunds(ledger.pool, ledger.moves, ledger.sandbox, settings.money)
    assert await other.pay_due(10) == 0
    assert await ledger.pool.fetchval("SELECT next_attempt_at - attempted_at FROM refunds") == LEASE
    await pass_time(ledger, LEASE)
    assert await other.pay_due(10) == 1
    assert await ledger.paid_back(order_id) == {f"r{order_id}": PRICE_FEN}


@pytest.mark.parametrize("lease", [LEASE, asking.LEASE], ids=["refunds", "questions"])
def test_a_worker_that_died_keeps_nobody_waiting_for_long(lease: timedelta) -> None:
    """Longer than a call may take, or two would be at it; but nobody waits for minutes for what they are owed."""
    assert timedelta(seconds=2 * guarded.CALL_TIMEOUT_S) < lease <= timedelta(minutes=2)


async def test_the_last_attempt_is_not_given_up_while_somebody_is_at_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is over first."""
    await owed(ledger)
    await ledger.pool.execute("UPDATE refunds SET attempts = 3, next_attempt_at = now()")
    monkeypatch.setattr(ledger.sandbox, "refund", answering(asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await ledger.refunds.pay_due(10)
    await ledger.refunds.pay_due(10)
    assert await row(ledger) == ("PENDING", 4)
    await pass_time(ledger, LEASE)
    await ledger.refunds.pay_due(10)
    assert await row(ledger) == ("STUCK", 4)


async def test_two_refunds_of_one_order_are_apart(ledger: Ledger, settings: Settings) -> None:
    """The rest follows the rebate after WeChat's minute, not before."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    refunds = Refunds(ledger.pool, ledger.moves, ledger.sandbox, settings.money)
    assert await refunds.pay_due(10) == 1
    await ledger.take_back(order_id)
    assert await refunds.pay_due(10) == 0
    await pass_time(ledger, APART)
    assert await refunds.pay_due(10) == 1
    assert len(await ledger.paid_back(order_id)) == 2
