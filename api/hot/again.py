"""The repeat of a click: the first answer once more, and what its order is now."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from api.errors import AWAY
from engine.gate.records import EffectState

log = logging.getLogger("wanfa.api")

STATUS_WAIT_S = 0.3

# As Redis knows them; what became of an order that was given back stands in Postgres alone.
_STATUS = {EffectState.HELD: "HELD", EffectState.PAID: "PAID"}


class Again:
    """Answers repeats. `status_of(order_id)` reads the status of an order from Postgres; None without a row."""

    def __init__(self, status_of: Callable[[str], Awaitable[str | None]]) -> None:
        self._status_of = status_of

    async def told(self, first: bytes, order_id: str, state: int) -> bytes:
        """The `first` answer with `order.status` as it is now; without it where there is no order, or none is known."""
        if state == EffectState.ACTION:
            return first
        status = _STATUS.get(EffectState(state)) or await self._given_back(order_id)
        return first if status is None else b'%b,"order":{"status":"%b"}}' % (first[:-1], status.encode())

    async def _given_back(self, order_id: str) -> str | None:
        try:
            async with asyncio.timeout(STATUS_WAIT_S):
                return await self._status_of(order_id)
        except AWAY as error:
            log.warning("a repeat is answered without its order's status: %r", error)
            return None
