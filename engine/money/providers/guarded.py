"""A provider whose every call ends in time: with an answer that can be used, or with an error of ours."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from engine.core.errors import WanfaError
from engine.money.providers.port import (
    PaymentProvider,
    Prepay,
    ProviderFailed,
    RefundState,
    Trade,
    TradeState,
    can_be_kept,
)

log = logging.getLogger("wanfa.money")

T = TypeVar("T")

CALL_TIMEOUT_S = 5.0
SHUT = frozenset({TradeState.CLOSED, TradeState.PAID, TradeState.REFUNDED})


class Guarded:
    """A PaymentProvider around another one, for whoever decides by its answers.

    What is neither yes nor no becomes ProviderFailed, the outcome is unknown: a call that hangs, an exception of
    whatever kind, an answer that the port does not allow. Errors of ours are the provider's words and pass.
    """

    def __init__(self, provider: PaymentProvider, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self.name = provider.name
        self._provider = provider
        self._timeout_s = timeout_s

    async def prepay(self, order_id: str, amount_fen: int, pay_before: datetime) -> Prepay:
        """Open the trade."""
        ask = self._provider.prepay
        return await self._answer(
            "prepay", order_id, lambda: ask(order_id, amount_fen, pay_before), lambda one: isinstance(one, Prepay)
        )

    async def query(self, order_id: str) -> Trade:
        """The trade as the ledger has it."""
        ask = self._provider.query
        return await self._answer("query", order_id, lambda: ask(order_id), _is_trade)

    async def close(self, order_id: str, amount_fen: int) -> Trade:
        """Let nobody pay any more."""
        ask = self._provider.close
        return await self._answer(
            "close", order_id, lambda: ask(order_id, amount_fen), lambda one: _is_trade(one) and one.state in SHUT
        )

    async def refund(self, order_id: str, refund_no: str, amount_fen: int) -> RefundState:
        """Pay back."""
        ask = self._provider.refund
        return await self._answer(
            "refund", order_id, lambda: ask(order_id, refund_no, amount_fen), lambda one: isinstance(one, RefundState)
        )

    async def _answer(self, what: str, order_id: str, ask: Callable[[], Awaitable[T]], fits: Callable[[T], bool]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await ask()
        except WanfaError:
            raise
        except TimeoutError as error:
            log.warning("order %s: %s says nothing to %s", order_id, self.name, what)
            raise ProviderFailed from error
        except Exception as error:
            log.warning("order %s: %s fails to %s", order_id, self.name, what, exc_info=True)
            raise ProviderFailed from error
        if not fits(answer):
            log.error("order %s: %s answers %.200r to %s, which cannot be", order_id, self.name, answer, what)
            raise ProviderFailed
        return answer


def _is_trade(answer: object) -> bool:
    """A Trade in a known state; once it is paid it says by which transaction and how much, as our books can hold it."""
    if not isinstance(answer, Trade) or not isinstance(answer.state, TradeState):
        return False
    return answer.state is not TradeState.PAID or (can_be_kept(answer) and answer.amount_fen > 0)
