"""The four states of an instance, and which of them a playbook lets follow which."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal

import msgspec


class Status(IntEnum):
    """An instance's status; the number is what Redis and Lua see, the name what clients see."""

    PENDING = 1
    ACTIVE = 2
    SUCCESS = 3
    FAILED = 4


class States(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook's transition table.

    `moves` maps a status to those that may follow it; a step that makes another move fails, and its
    click changes nothing. A status nothing follows is final. `orders` says what becomes of the paid
    orders of an instance that reaches a status: "refund" pays everyone back and returns the stock,
    "keep" (the default) leaves them.
    """

    moves: Mapping[Status, tuple[Status, ...]]
    orders: Mapping[Status, Literal["keep", "refund"]] = {}

    def refunds(self) -> tuple[Status, ...]:
        """The statuses on which everyone is paid back."""
        return tuple(status for status, policy in self.orders.items() if policy == "refund")

    def final(self) -> tuple[Status, ...]:
        """The statuses that nothing follows."""
        return tuple(status for status in Status if not self.moves.get(status))
