"""An example on sale: rules decoded and completed, the window, the sessions, and the bytes Redis holds of them."""

from datetime import timedelta
from typing import Any

import msgspec

from engine.core.errors import PlaybookFailed, RulesInvalid
from engine.gate import records
from engine.gate.records import HeadStatus, ms
from engine.playbooks.consult import asks_of, check_offer, sessions_of
from engine.sdk import Example, Offer, Playbook, Rules, Session, Window

CONFIG_ID = "c000000000001"
START_MS = 1_893_463_200_000  # 2030-01-01 10:00 in Beijing; any moment would do, the same one makes runs repeatable


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """What a store has published."""

    config_id: str
    playbook: Playbook
    rules: Rules
    price_fen: int
    stock: int
    window: Window
    sessions: tuple[Session, ...]
    asks: tuple[str, ...]

    @classmethod
    def of(cls, playbook: Playbook, example: Example, starts_ms: int, config_id: str = CONFIG_ID) -> "Sale":
        """An example that goes on sale at `starts_ms`.

        Raises msgspec.ValidationError or RulesInvalid for wrong rules, PlaybookFailed where its functions fail.
        """
        rules = msgspec.convert(dict(example.rules), playbook.rules)
        window = window_from(starts_ms, example.hours)
        return cls(
            config_id=config_id,
            playbook=playbook,
            rules=rules,
            price_fen=example.price_fen,
            stock=example.stock,
            window=window,
            sessions=tuple(sessions_of(playbook, rules, window, example.stock)),
            asks=tuple(asks_of(playbook, rules)),
        )

    @property
    def offer(self) -> Offer:
        """What the rules are checked against."""
        return Offer(price_fen=self.price_fen, stock=self.stock, window=self.window)

    @property
    def ends_ms(self) -> int:
        """When it goes off sale."""
        return ms(self.window.ends_at)

    def filled(self) -> dict[str, Any]:
        """The rules as steps see them: camelCase, defaults filled in."""
        filled: dict[str, Any] = msgspec.to_builtins(self.rules, str_keys=True)
        return filled


def config_head(sale: Sale, status: HeadStatus = HeadStatus.PUBLISHED) -> bytes:
    """The `head` field."""
    return records.head(
        code=sale.playbook.code,
        status=status,
        starts_at=sale.window.starts_at,
        ends_at=sale.window.ends_at,
        price_fen=sale.price_fen,
        limit=sale.rules.limit_per_person,
        rules=sale.filled(),
    )


def session_cells(session: Session) -> bytes:
    """A session's field."""
    return records.cells(
        status=session.status,
        current=0,
        target=session.target,
        wake_at_ms=ms(session.wake_at) if session.wake_at else 0,
        rev=0,
        own=session.cells if session.stock is None else {**session.cells, "left": session.stock},
    )


def window_from(starts_ms: int, hours: int) -> Window:
    """On sale for so long from a virtual moment on."""
    starts_at = records.UNIX_EPOCH + timedelta(milliseconds=starts_ms)
    return Window(starts_at, starts_at + timedelta(hours=hours))


def can_be_published(playbook: Playbook, example: Example) -> bool:
    """Whether the rules are right and the playbook finds no problem with them."""
    try:
        sale = Sale.of(playbook, example, START_MS)
        check_offer(playbook, sale.rules, sale.offer)
    except (msgspec.ValidationError, RulesInvalid, PlaybookFailed):
        return False
    return True
