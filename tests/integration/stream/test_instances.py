"""Instances as rows: as their sessions say at publication, and as Redis has said last."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.catalog.configs import load_play_configs
from engine.core.settings import Settings
from engine.core.transact import transact
from engine.sdk import Session, Status
from engine.stream.instances import follow_snapshots, open_sessions
from tests.support.ledger import Ledger, open_ledger

ROW = "SELECT status, current, target, wake_at, cells, rev, created_at FROM instances WHERE id = $1"


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


class Told:
    """One instance of a config, of which Redis tells again and again."""

    def __init__(self, ledger: Ledger, config: str) -> None:
        self._ledger = ledger
        self._config = config

    async def __call__(
        self, rev: int, now_ms: int, wake_at_ms: int = 0, status: str = "ACTIVE", **numbers: Any
    ) -> bool:
        """Whether this was news."""
        one = [numbers.get("current", 1), numbers.get("target", 3), wake_at_ms, numbers.get("cells", "{}"), rev, now_ms]
        columns = [[self._config], ["i1"], [status], *([value] for value in one)]
        return bool(await transact(self._ledger.pool, lambda connection: follow_snapshots(connection, columns)))

    async def row(self) -> tuple[Any, ...]:
        return tuple(await self._ledger.pool.fetchrow(ROW, f"{self._config}.i1") or ())


async def test_a_new_instance_is_as_old_as_its_click(ledger: Ledger) -> None:
    """And is woken when it says; never, when it says nothing."""
    told = Told(ledger, await ledger.config())
    assert await told(1, 1_900_000_000_000)
    assert await told.row() == ("ACTIVE", 1, 3, None, {}, 1, moment(1_900_000_000_000))


async def test_of_two_states_the_later_counts_wholly(ledger: Ledger) -> None:
    """Status, numbers, cells and when it is woken; but it was born when it was."""
    told = Told(ledger, await ledger.config())
    await told(1, 1_900_000_000_000, wake_at_ms=1_900_000_050_000)
    assert await told(2, 1_900_000_001_000, 1_900_000_060_000, "SUCCESS", current=5, target=6, cells='{"a": 7}')

    after = ("SUCCESS", 5, 6, moment(1_900_000_060_000), {"a": 7}, 2, moment(1_900_000_000_000))
    assert await told.row() == after
    assert not await told(1, 1_900_000_002_000)
    assert await told.row() == after


async def test_what_is_known_is_no_news(ledger: Ledger) -> None:
    """Whoever drains an entry twice pays nobody back twice for it."""
    told = Told(ledger, await ledger.config())
    assert await told(3, 1_900_000_000_000)
    assert not await told(3, 1_900_000_000_000)


async def test_a_session_is_what_its_playbook_says(ledger: Ledger) -> None:
    config_id = await ledger.config()
    (config,) = await load_play_configs(ledger.pool, [config_id], live_only=True)
    opens = moment(1_900_000_000_000)
    sessions = [Session(suffix="d1", status=Status.ACTIVE, target=7, wake_at=opens, cells={"opensAt": 5})]
    await transact(ledger.pool, lambda connection: open_sessions(connection, config, sessions))

    row = tuple(await ledger.pool.fetchrow(ROW, f"{config_id}.d1") or ())
    assert row[:6] == ("ACTIVE", 0, 7, opens, {"opensAt": 5}, 0)
