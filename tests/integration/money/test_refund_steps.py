"""A refund step by step: when it is tried, what each answer of a provider means, and when a person must look."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from engine.core.errors import BadInput
from engine.core.settings import Settings
from engine.core.transact import transact
from engine.money.providers.guarded import Guarded
from engine.money.providers.port import PaymentProvider, ProviderFailed, RefundState
from engine.money.refunds import Refunds
from tests.support.ledger import Ledger, open_ledger

WAITS_S = (0, 60, 600, 3600)
ROW = """
SELECT status, attempts, last_error, next_attempt_at - attempted_at AS wait FROM refunds WHERE order_id = $1
"""
SOON = "UPDATE refunds SET next_attempt_at = now(), attempted_at = now() - interval '1 h'"

Answer = RefundState | Exception


class Provider:
    """Answers as it was told to, one answer after the other."""

    name = "scripted"

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)

    async def refund(self, _order_id: str, _refund_no: str, _amount_fen: int) -> RefundState:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


class Owed:
    """One order that is owed all of its money, and who pays it back."""

    def __init__(self, ledger: Ledger, settings: Settings, order_id: str, answers: Sequence[Answer]) -> None:
        self.ledger = ledger
        self.order_id = order_id
        provider = Guarded(cast("PaymentProvider", Provider(answers)))
        money = replace(settings.money, refund_retry_s=WAITS_S)
        self.refunds = Refunds(ledger.pool, ledger.moves, provider, money)

    async def try_now(self) -> int:
        """Let all waiting be over, and make the attempts that are due."""
        await self.ledger.pool.execute(SOON)
        return await self.refunds.pay_due(10)

    async def row(self) -> dict[str, Any]:
        return dict(await self.ledger.pool.fetchrow(ROW, self.order_id) or {})


async def owed(ledger: Ledger, settings: Settings, *answers: Answer) -> Owed:
    order_id = await ledger.paid(await ledger.config())
    await ledger.take_back(order_id)
    return Owed(ledger, settings, order_id, answers)


async def test_each_failure_waits_longer(ledger: Ledger, settings: Settings) -> None:
    """As the settings say, to the second; and says why it failed."""
    one = await owed(ledger, settings, *(ProviderFailed(cause=str(n)) for n in range(3)))
    for number, wait_s in enumerate(WAITS_S[1:], 1):
        assert await one.try_now() == 1
        row = await one.row()
        assert (row["status"], row["attempts"], row["wait"]) == ("PENDING", number, timedelta(seconds=wait_s))
        assert row["last_error"]


@pytest.mark.parametrize(
    "error",
    [ProviderFailed(), BadInput(), BadInput("no\0\ud800"), ConnectionResetError("cut"), TimeoutError()],
    ids=ascii,
)
async def test_whatever_goes_wrong_is_tried_again(ledger: Ledger, settings: Settings, error: Exception) -> None:
    one = await owed(ledger, settings, error, RefundState.DONE)
    await one.try_now()
    assert (await one.row())["status"] == "PENDING"
    await one.try_now()
    assert ((await one.row())["status"], (await ledger.status(one.order_id))[0]) == ("DONE", "REFUNDED")


async def test_after_the_last_failure_a_person_is_asked(ledger: Ledger, settings: Settings) -> None:
    """Not while the last attempt is under way; none is made after it, and once a person says so, it begins anew."""
    one = await owed(ledger, settings, *[ProviderFailed()] * len(WAITS_S), RefundState.DONE)
    for _ in range(len(WAITS_S) - 1):
        await one.try_now()
    await ledger.pool.execute(SOON)
    await transact(ledger.pool, lambda connection: one.refunds._claim(connection, 10))  # and its worker dies
    assert await one.refunds.pay_due(10) == 0
    assert (await one.row())["status"] == "PENDING"
    assert await one.try_now() == 0
    assert ((await one.row())["status"], (await one.row())["attempts"]) == ("STUCK", len(WAITS_S))

    await one.refunds.retry(one.order_id)
    assert [await one.try_now(), (await one.row())["attempts"]] == [1, 1]  # the answer that the dead worker has left
    assert [await one.try_now(), (await one.row())["status"]] == [1, "DONE"]


async def test_being_processed_is_neither_done_nor_failed(ledger: Ledger, settings: Settings) -> None:
    """However often that is the answer, it is asked again, and the order is paid back only when it is."""
    one = await owed(ledger, settings, *[RefundState.PROCESSING] * (len(WAITS_S) + 2), RefundState.DONE)
    for _ in range(len(WAITS_S) + 2):
        assert await one.try_now() == 1
        assert ((await one.row())["status"], (await one.row())["attempts"]) == ("PENDING", 0)
        assert (await ledger.status(one.order_id))[0] == "REFUNDING"
    await one.try_now()
    assert ((await one.row())["status"], (await ledger.status(one.order_id))[0]) == ("DONE", "REFUNDED")


async def test_an_attempt_under_way_is_nobody_elses(ledger: Ledger, settings: Settings) -> None:
    """Its worker may be slow: only when it must be dead is the attempt made again."""
    one = await owed(ledger, settings, RefundState.DONE)
    await ledger.pool.execute(SOON)
    claimed = await transact(ledger.pool, lambda connection: one.refunds._claim(connection, 10))
    await ledger.pool.execute("UPDATE refunds SET attempted_at = now() - interval '61 s'")  # two may be a minute apart
    assert (len(claimed), await one.refunds.pay_due(10)) == (1, 0)
    assert await one.try_now() == 1


async def test_an_order_is_refunded_by_the_whole_only(ledger: Ledger, settings: Settings) -> None:
    """Its rebate comes first, and says nothing of the rest."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.instance(config, status="SUCCESS", rebateFen=90)
    await ledger.rebate(f"{config}.s1")
    await ledger.take_back(order_id)
    one = Owed(ledger, settings, order_id, [RefundState.DONE] * 2)
    await ledger.pool.execute("UPDATE refunds SET next_attempt_at = now() - interval '1 h' WHERE kind = 'REBATE'")
    await ledger.pool.execute("UPDATE refunds SET next_attempt_at = now() + interval '1 h' WHERE kind = 'WHOLE'")

    assert await one.refunds.pay_due(10) == 1
    assert await ledger.owed(order_id) == {"REBATE": (90, "DONE"), "WHOLE": (900, "PENDING")}
    assert (await ledger.status(order_id))[0] == "REFUNDING"
    await one.try_now()
    assert (await ledger.status(order_id))[0] == "REFUNDED"
