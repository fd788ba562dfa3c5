"""A transaction that Postgres undid is tried again, a few times; what else may go wrong is its caller's to hear."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import pytest

from engine.core import transact as module
from engine.core.transact import ATTEMPTS_MAX, transact


class Pool:
    """Connections that do nothing, each in a transaction."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Pool"]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


class Work:
    """Fails so often, then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.done = 0

    async def __call__(self, _connection: object) -> int:
        self.done += 1
        if self.done <= self.failures:
            raise self.error
        return self.done


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_S", 0)


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError("undone"), asyncpg.SerializationError("undone")])
async def test_what_was_undone_is_tried_again(error: Exception) -> None:
    """To the last attempt, and not once more."""
    assert await transact(cast("Any", Pool()), Work(ATTEMPTS_MAX - 1, error)) == ATTEMPTS_MAX
    work = Work(10 * ATTEMPTS_MAX, error)
    with pytest.raises(type(error)):
        await transact(cast("Any", Pool()), work)
    assert work.done == ATTEMPTS_MAX


@pytest.mark.parametrize("error", [asyncpg.UniqueViolationError("twice"), ConnectionResetError(), KeyError("x")])
async def test_anything_else_is_told_at_once(error: Exception) -> None:
    work = Work(1, error)
    with pytest.raises(type(error)):
        await transact(cast("Any", Pool()), work)
    assert work.done == 1
