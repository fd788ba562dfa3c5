"""Whoever owns a shard goes on, whatever happens to it there."""

import asyncio
from typing import Any, cast

import pytest

from engine.core.settings import load_settings
from engine.core.tasks import end_tasks
from engine.stream import ownership
from engine.stream.ownership import ShardOwner
from tests.support.waiting import until


class Recoveries:
    """A recovery that meets something that nobody expected, each time."""

    def __init__(self) -> None:
        self.looked = 0

    async def is_open(self, _shard: int) -> bool:
        self.looked += 1
        raise ValueError("nobody expected this")


async def test_an_error_that_nobody_expected_does_not_end_an_owner(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It holds the lock, so nobody else would go on: it says what happened and tries again."""
    monkeypatch.setattr(ownership, "BACK_OFF_S", 0.0)
    recoveries, nothing = Recoveries(), cast("Any", None)
    settings = load_settings("default", environ={})
    owner = ShardOwner(
        pool=nothing, redis=nothing, recovery=cast("Any", recoveries), applier=nothing, settings=settings
    )
    serving = asyncio.create_task(owner._serve(0))
    await until(lambda: recoveries.looked > 2)
    await end_tasks([serving])
    assert "nobody expected this" in caplog.text


class Session:
    """A session with Postgres that counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def fetchval(self, _query: str) -> int:
        self.asked += 1
        return 1


async def test_who_has_every_shard_still_speaks_to_postgres() -> None:
    """The session that holds the locks ends when it is silent: that is how a frozen worker loses them."""
    settings, nothing, session = load_settings("default", environ={}), cast("Any", None), Session()
    owner = ShardOwner(pool=nothing, redis=nothing, recovery=nothing, applier=nothing, settings=settings)
    owner._owned = dict.fromkeys(range(settings.gate.shards), nothing)
    assert not await owner._take_one(cast("Any", session))
    assert session.asked == 1
