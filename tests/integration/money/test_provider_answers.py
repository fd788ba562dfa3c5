"""What a provider answers that is neither yes nor no: nothing is decided by it, and it is asked again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from engine.core.errors import BadInput, NotFound, PaymentClosed, SettingsInvalid, WanfaError
from engine.core.settings import Settings
from engine.money.asking import ASKS_AT_ONCE
from engine.money.money import Money
from engine.money.providers import guarded
from engine.money.providers.guarded import Guarded
from engine.money.providers.port import TEXT_MAX, Prepay, ProviderFailed, RefundState, Trade, TradeState
from engine.money.refunds import PAYS_AT_ONCE
from engine.runtime.jobs import ASKS_MAX, REFUNDS_MAX
from engine.runtime.worker import JOB_TIMEOUT_S
from tests.support.ledger import PRICE_FEN, Ledger, open_ledger

CALLS: dict[str, Callable[[Guarded], Awaitable[object]]] = {
    "prepay": lambda provider: provider.prepay("o", 1, datetime.now(UTC)),
    "query": lambda provider: provider.query("o"),
    "close": lambda provider: provider.close("o", 1),
    "refund": lambda provider: provider.refund("o", "r", 1),
}
every_call = pytest.mark.parametrize("call", CALLS)
NO_ANSWERS: list[Any] = [None, "PAID", {}, True, 0, [], object, TradeState.PAID, b"<html>"]


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


class Odd:
    """A provider whose every call does the same."""

    name = "odd"

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.prepay = self.query = self.close = self.refund = self._say

    async def _say(self, *_asked: object) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        if isinstance(self._answer, asyncio.Event):
            await self._answer.wait()
        return self._answer


async def said(answer: Any, call: str, **how: Any) -> object:
    """What comes through the guard of a provider that answers this."""
    return await CALLS[call](Guarded(Odd(answer), **how))


@every_call
@pytest.mark.parametrize(
    "error",
    [OSError("reset"), TimeoutError(), ValueError("no JSON"), KeyError("trade_state"), RuntimeError(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
async def test_an_exception_of_any_kind_says_that_nothing_is_known(call: str, error: Exception) -> None:
    with pytest.raises(ProviderFailed):
        await said(error, call)


@every_call
@pytest.mark.parametrize("error", [ProviderFailed(), NotFound(), BadInput(), PaymentClosed(), WanfaError()])
async def test_an_error_of_ours_is_what_the_provider_says(call: str, error: WanfaError) -> None:
    with pytest.raises(type(error)) as caught:
        await said(error, call)
    assert caught.value is error


@every_call
async def test_a_call_that_hangs_ends(call: str) -> None:
    """It would hold up all that waits behind it."""
    with pytest.raises(ProviderFailed):
        await asyncio.wait_for(said(asyncio.Event(), call, timeout_s=0.01), 30)


@every_call
async def test_who_is_told_to_stop_stops(call: str) -> None:
    """A worker that ends is no provider that fails."""
    with pytest.raises(asyncio.CancelledError):
        await said(asyncio.CancelledError(), call)


@every_call
@pytest.mark.parametrize("answer", NO_ANSWERS, ids=repr)
async def test_an_answer_that_the_port_does_not_know(call: str, answer: Any) -> None:
    with pytest.raises(ProviderFailed):
        await said(answer, call)


@pytest.mark.parametrize("call", ["query", "close"])
@pytest.mark.parametrize(
    "trade",
    [
        Trade("PAID", 1, "t1"),  # type: ignore[arg-type]
        Trade(TradeState.PAID, 1, None),
        Trade(TradeState.PAID, 1, ""),
        Trade(TradeState.PAID, 1.0, "t1"),  # type: ignore[arg-type]
        Trade(TradeState.PAID, "1", "t1"),  # type: ignore[arg-type]
        Trade(TradeState.PAID, True, "t1"),
        Trade(TradeState.PAID, 0, "t1"),
        Trade(TradeState.PAID, -1, "t1"),
    ],
    ids=repr,
)
async def test_a_paid_trade_that_does_not_say_by_what_or_how_much(call: str, trade: Trade) -> None:
    """Taken for "not paid" it would lose the money."""
    with pytest.raises(ProviderFailed):
        await said(trade, call)


TOO_MUCH_FOR_A_TABLE = {
    "amount": {"amount_fen": 2**63},
    "zero byte": {"transaction_id": "t\0"},
    "half a pair": {"transaction_id": "t\ud800"},
    "long": {"transaction_id": "t" * (TEXT_MAX + 1)},
    "bytes": {"transaction_id": b"t"},
    "payer": {"payer": "p\0"},
    "long payer": {"payer": "p" * (TEXT_MAX + 1)},
    "currency": {"currency": "\ud800"},
    "no currency": {"currency": None},
}
for_no_table = pytest.mark.parametrize("wrong", TOO_MUCH_FOR_A_TABLE.values(), ids=TOO_MUCH_FOR_A_TABLE)


def paid_trade(**fields: Any) -> Trade:
    return Trade(**{"state": TradeState.PAID, "amount_fen": PRICE_FEN, "transaction_id": "t1", **fields})


@for_no_table
@pytest.mark.parametrize("call", ["query", "close"])
async def test_a_paid_trade_that_no_table_can_hold(call: str, wrong: dict[str, Any]) -> None:
    """It would be an error of Postgres where nobody expects one."""
    with pytest.raises(ProviderFailed):
        await said(paid_trade(**wrong), call)


@for_no_table
async def test_a_notification_that_no_table_can_hold(ledger: Ledger, wrong: dict[str, Any]) -> None:
    """The order can still be paid for."""
    order_id = await ledger.order(await ledger.config())
    facts: dict[str, Any] = {"amount_fen": PRICE_FEN, "transaction_id": "t1", **wrong}
    with pytest.raises(ProviderFailed):
        await ledger.payments.apply_notification(order_id, **facts)
    assert await ledger.payments.apply_notification(order_id, PRICE_FEN, "t2") == "PAID"


async def test_a_notification_of_an_order_whose_name_no_table_can_hold(ledger: Ledger) -> None:
    with pytest.raises(ProviderFailed):
        await ledger.payments.apply_notification("o\0", PRICE_FEN, "t1")


async def test_the_most_that_a_table_can_hold_is_kept(ledger: Ledger) -> None:
    trade = paid_trade(amount_fen=2**63 - 1, transaction_id="😀" * TEXT_MAX, payer="😀" * TEXT_MAX)
    assert await said(trade, "query") == trade
    facts = trade.amount_fen, "😀" * TEXT_MAX, trade.payer
    assert await ledger.payments.apply_notification("😀" * TEXT_MAX, *facts) is None
    assert await ledger.money.strays.waiting() == 1


@pytest.mark.parametrize("state", TradeState)
async def test_after_a_close_a_trade_is_shut_or_the_close_has_failed(state: TradeState) -> None:
    """One that may still be paid keeps its hold."""
    trade = Trade(state, 1, "t1" if state is TradeState.PAID else None)
    assert await said(trade, "query") == trade
    if state in (TradeState.OPEN, TradeState.UNKNOWN):
        with pytest.raises(ProviderFailed):
            await said(trade, "close")
    else:
        assert await said(trade, "close") == trade


async def test_good_answers_pass_as_they_are() -> None:
    prepay = Prepay("odd", "o", 1, datetime.now(UTC))
    assert await said(prepay, "prepay") is prepay
    assert [await said(state, "refund") for state in RefundState] == list(RefundState)


def test_a_job_ends_in_time_though_every_call_hangs() -> None:
    """arq gives up a job that lasts: what it has taken would be lost for the length of a lease, again and again."""
    for most, at_once in ((ASKS_MAX, ASKS_AT_ONCE), (REFUNDS_MAX, PAYS_AT_ONCE)):
        assert most / at_once * guarded.CALL_TIMEOUT_S < JOB_TIMEOUT_S


# What becomes of orders and refunds ---------------------------------------------------------------------

UNKNOWN: list[Any] = [
    ProviderFailed(),
    OSError("reset"),
    ValueError("no JSON"),
    None,
    Trade(TradeState.PAID, PRICE_FEN),
]


@pytest.mark.parametrize("answer", [*UNKNOWN, Trade(TradeState.OPEN), Trade(TradeState.UNKNOWN)], ids=repr)
async def test_a_hold_stays_until_its_close_is_certain(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """The payment stays open in our books, too."""
    order_id = await ledger.order(await ledger.config())
    await ledger.payments.prepay(order_id, "u1")
    monkeypatch.setattr(ledger.sandbox, "close", Odd(answer).close)
    with pytest.raises(ProviderFailed):
        await ledger.payments.close(order_id, PRICE_FEN)
    assert await ledger.pool.fetchval("SELECT status FROM payments") == "OPEN"
    monkeypatch.undo()
    assert await ledger.payments.close(order_id, PRICE_FEN) is True


@pytest.mark.parametrize("answer", [*UNKNOWN[:4], "DONE", True, TradeState.REFUNDED], ids=repr)
async def test_a_refund_is_done_when_the_provider_says_so_and_not_before(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """And what one of them answers keeps no other waiting."""
    config = await ledger.config()
    one, other = [await ledger.paid(config, user) for user in ("u1", "u2")]
    await ledger.take_back(one, other)
    pay = ledger.sandbox.refund

    async def odd(order_id: str, refund_no: str, amount_fen: int) -> RefundState:
        state: RefundState = await (Odd(answer).refund() if order_id == one else pay(order_id, refund_no, amount_fen))
        return state

    monkeypatch.setattr(ledger.sandbox, "refund", odd)
    assert await ledger.refunds.pay_due(10) == 2
    assert (await ledger.status(one))[0] == "REFUNDING"
    assert (await ledger.status(other))[0] == "REFUNDED"
    assert await ledger.owed(one) == {"WHOLE": (PRICE_FEN, "PENDING")}
    monkeypatch.undo()
    await ledger.wait()
    assert await ledger.refunds.pay_due(10) == 1
    assert (await ledger.status(one))[0] == "REFUNDED"


# Which provider -----------------------------------------------------------------------------------------


async def test_the_provider_is_the_one_that_is_set(ledger: Ledger, settings: Settings) -> None:
    """A name nobody has is refused when the engine opens, with the names there are."""
    assert ledger.money.provider.name == settings.money.provider == "sandbox"
    for name in ("wechat", "", "Sandbox"):
        other = msgspec.structs.replace(settings.money, provider=name)
        with pytest.raises(SettingsInvalid, match=rf"money\.provider is '{name}'.*one of: sandbox"):
            Money(ledger.pool, ledger.moves, {}, other)
