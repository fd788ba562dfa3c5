"""Payments, refunds and the provider they go through, as one object."""

from collections.abc import Mapping

import asyncpg

from engine.core.settings import MoneySettings
from engine.money.asking import Asker
from engine.money.payments import Payments
from engine.money.providers.guarded import Guarded
from engine.money.providers.registry import open_provider
from engine.money.refunds import Refunds
from engine.money.strays import Strays
from engine.orders.moves import Moves
from engine.sdk import Playbook


class Money:
    """One attribute a noun. Raises SettingsInvalid when there is no provider of the name that is set."""

    def __init__(
        self, pool: asyncpg.Pool, moves: Moves, playbooks: Mapping[str, Playbook], settings: MoneySettings
    ) -> None:
        self.provider = open_provider(settings.provider, pool)
        guarded = Guarded(self.provider)
        self.payments = Payments(pool, moves, guarded, playbooks, settings)
        self.refunds = Refunds(pool, moves, guarded, settings)
        self.asker = Asker(pool, self.payments, settings)
        self.strays = Strays(pool)
        self.provider.connect(self.payments.apply_notification)

    async def close(self) -> None:
        """Forget notifications that are still to come."""
        await self.provider.aclose()
