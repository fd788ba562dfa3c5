"""The providers there are, by the name that `money.provider` chooses one with."""

from collections.abc import Callable, Mapping

import asyncpg

from engine.core.errors import SettingsInvalid
from engine.money.providers.port import NotifyingProvider
from engine.money.providers.sandbox import Sandbox

PROVIDERS: Mapping[str, Callable[[asyncpg.Pool], NotifyingProvider]] = {Sandbox.name: Sandbox}


def open_provider(name: str, pool: asyncpg.Pool) -> NotifyingProvider:
    """The provider called `name`. Raises what `check_provider` raises."""
    check_provider(name)
    return PROVIDERS[name](pool)


def check_provider(name: str) -> None:
    """Raises SettingsInvalid unless there is a provider called `name`; it lists those there are."""
    if name not in PROVIDERS:
        there = ", ".join(sorted(PROVIDERS))
        raise SettingsInvalid(f"money.provider is {name!r}, and there is no such provider; one of: {there}")
