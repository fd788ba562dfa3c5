"""Payments, refunds and the provider they go through, as one object."""

from collections.abc import Mapping

import asyncpg

from engine.core.settings import MoneySettings
from engine.money.payments import Payments
from engine.money.providers.sandbox import Sandbox
from engine.money.refunds import Refunds
from engine.orders.moves import Moves
from engine.sdk import Playbook


class Money:
    """One attribute a noun."""

    def __init__(
        self, pool: asyncpg.Pool, moves: Moves, playbooks: Mapping[str, Playbook], settings: MoneySettings
    ) -> None:
        self.provider = Sandbox(pool)
        self.payments = Payments(pool, moves, self.provider, playbooks)
        self.refunds = Refunds(pool, moves, self.provider, settings)
        self.provider.connect(self.payments.apply_notification)

    async def close(self) -> None:
        """Forget notifications that are still to come."""
        await self.provider.aclose()
