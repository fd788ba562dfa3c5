"""Whoever waits for whether they are new hears something, whatever the database does."""

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from engine.admission.newcomers import Newcomers
from engine.core.errors import Unavailable


class Failing:
    """A pool whose every query fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def fetch(self, *_: object) -> list[Any]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "heard"),
    [(ConnectionRefusedError(), Unavailable), (TimeoutError(), Unavailable), (KeyError("unforeseen"), KeyError)],
)
async def test_an_error_is_told_to_everybody_who_waits(error: Exception, heard: type[Exception]) -> None:
    newcomers = Newcomers(cast("asyncpg.Pool", Failing(error)))
    asking = asyncio.gather(*(newcomers.is_newcomer(f"u{n}") for n in range(3)), return_exceptions=True)
    assert {type(answer) for answer in await asyncio.wait_for(asking, 10)} == {heard}
    await newcomers.close()
