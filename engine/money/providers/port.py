"""The port to whoever moves money. A provider keeps its own ledger and is the one who knows what was paid."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum
from typing import Protocol

import msgspec

from engine.core.errors import Unavailable
from engine.core.texts import Text

CURRENCY = "CNY"  # what our prices are in
FEN_END = 2**63  # an amount has 8 bytes in Postgres
TEXT_MAX = 256  # characters of what a provider names; Postgres has indexes on it

# Takes order id, amount in fen, transaction id and payer: what a provider's notification says.
Deliver = Callable[[str, int, str, str | None], Awaitable[object]]


class ProviderFailed(Unavailable):
    """Whoever moves the money does not answer, or answers something unusable."""

    code = "PROVIDER_FAILED"
    text = Text("支付渠道暂时不可用，请稍后重试", "The payment provider is away just now, please try again later")


class TradeState(Enum):
    """What the provider knows of a trade."""

    UNKNOWN = "UNKNOWN"  # never opened
    OPEN = "OPEN"  # may still be paid
    PAID = "PAID"
    CLOSED = "CLOSED"  # can no longer be paid
    REFUNDED = "REFUNDED"  # all of it; one that was paid back in part is PAID


class Trade(msgspec.Struct, frozen=True):
    """A trade in the provider's ledger; `transaction_id` and `payer`, as the provider names them, once it is paid.

    `currency` is ISO 4217's; `amount_fen` is in its hundredths.
    """

    state: TradeState
    amount_fen: int = 0
    transaction_id: str | None = None
    payer: str | None = None
    currency: str = CURRENCY


def can_be_kept(trade: Trade) -> bool:
    """Whether our books can hold a paid trade: it says by which transaction and how many fen, as Postgres takes it."""
    texts = [trade.transaction_id, trade.currency] + ([] if trade.payer is None else [trade.payer])
    has_amount = type(trade.amount_fen) is int and abs(trade.amount_fen) < FEN_END
    return bool(trade.transaction_id) and has_amount and all(map(is_text, texts))


def is_text(text: object) -> bool:
    """Whether it is a text that Postgres can hold, and an index on it."""
    if not isinstance(text, str) or len(text) > TEXT_MAX or "\0" in text:
        return False
    return not any("\ud800" <= char <= "\udfff" for char in text)


def keepable(words: str) -> str:
    """What a provider says, as Postgres can hold it."""
    return words.encode(errors="replace").decode().replace("\0", "\ufffd")


class Prepay(msgspec.Struct, frozen=True, rename="camel"):
    """What a client hands to the provider's own payment screen."""

    provider: str
    order_id: str
    amount_fen: int
    pay_before: datetime
    params: dict[str, str] = {}


class RefundState(Enum):
    """Where a refund stands with the provider."""

    DONE = "DONE"
    PROCESSING = "PROCESSING"  # accepted; ask again later with the same number


class PaymentProvider(Protocol):
    """Four calls, each safe to repeat. All raise ProviderFailed when the outcome is unknown: repeat them.

    - prepay: opens the trade `order_id`; again: the same trade. Raises PaymentClosed once it is closed.
    - query: the trade as the ledger has it.
    - close: after it, nobody can pay; a trade never opened is closed as well. The answer is the trade's
      state afterwards: CLOSED, or PAID when the payer was faster, or REFUNDED.
    - refund: pays `amount_fen` of the trade back under `refund_no`; the same number never pays twice, and is
      refused with another amount. All refunds of a trade together never exceed what was paid.
    """

    name: str

    async def prepay(self, order_id: str, amount_fen: int, pay_before: datetime) -> Prepay:
        """Open the trade."""
        ...

    async def query(self, order_id: str) -> Trade:
        """The trade as the ledger has it."""
        ...

    async def close(self, order_id: str, amount_fen: int) -> Trade:
        """Let nobody pay any more."""
        ...

    async def refund(self, order_id: str, refund_no: str, amount_fen: int) -> RefundState:
        """Pay back."""
        ...


class NotifyingProvider(PaymentProvider, Protocol):
    """A provider that also speaks of its own accord, as long as it is open."""

    def connect(self, deliver: Deliver) -> None:
        """Whom to tell of payments: `Payments.apply_notification`."""
        ...

    async def aclose(self) -> None:
        """Tell nobody any more; `query` tells what was still to come."""
        ...
