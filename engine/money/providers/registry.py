"""The providers there are, by the name that `money.provider` chooses one with."""

from collections.abc import Callable, Mapping

import asyncpg

from engine.core.errors import SettingsInvalid
from engine.money.providers.port import NotifyingProvider
from engine.money.providers.sandbox import Sandbox

PROVIDERS: Mapping[str, Callable[[asyncpg.Pool], NotifyingProvider]] = {Sandbox.name: Sandbox}


def open_provider(name: str, pool: asyncpg.Pool) -> NotifyingProvider:
    """The provider called `name`. Raises SettingsInvalid, which lists those there are."""
    if name not in PROVIDERS:
        raise SettingsInvalid(f"money.provider is {name!r}, and there is no such provider; one of: {_named()}")
    return PROVIDERS[name](pool)


def _named() -> str:
    return ", ".join(sorted(PROVIDERS))
