"""A group on a real Valkey, and what its people do."""

from typing import Any

from engine.gate.outcome import Outcome
from engine.sdk import Status
from tests.plugins.clock import run_out
from tests.support.gate import Sale

TARGET = 3


class Group:
    """An open group; `open_group` makes it, its leader is `leader`."""

    def __init__(self, sale: Sale, suffix: str) -> None:
        self.sale = sale
        self.suffix = suffix

    async def join(
        self, user: str, request_id: str = "r1", *, quantity: int = 1, facts: dict[str, Any] | None = None
    ) -> Outcome:
        """A friend's click."""
        reply = await self.sale.click(user, request_id, suffix=self.suffix, quantity=quantity, facts=facts)
        return Outcome(reply.outcome)

    async def paid(self, *users: str) -> Outcome:
        """Their payments, one after another; the last one's outcome."""
        replies = [await self.sale.event("paid", user, suffix=self.suffix) for user in users]
        return Outcome(replies[-1].outcome)

    async def released(self, *users: str) -> None:
        """Their orders given back."""
        for user in users:
            await self.sale.event("released", user, suffix=self.suffix)

    async def deadline(self) -> Outcome:
        """Somebody thinks that the time has come."""
        return Outcome((await self.sale.event("deadline", "", suffix=self.suffix)).outcome)

    async def over(self) -> None:
        """The group's time runs out."""
        await run_out(self.sale, self.suffix)

    async def cells(self) -> dict[str, Any]:
        """Its cells."""
        return await self.sale.cells(self.suffix)

    async def state(self) -> tuple[Status, int, int]:
        """Status, paid people, free seats."""
        cells = await self.cells()
        return Status(cells["status"]), cells["current"], cells["seatsLeft"]


async def open_group(sale: Sale, leader: str = "leader", *, stock: int = 100, limit: int = 0, **rules: Any) -> Group:
    """A group of TARGET, its leader's seat held."""
    await sale.publish("GROUP_BUY", stock=stock, limit=limit, rules={"target": TARGET} | rules)
    reply = await sale.click(leader, verb="open")
    assert reply.outcome == Outcome.RESERVED
    return Group(sale, reply.suffix)
