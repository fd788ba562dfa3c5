"""What memory does not have is looked for once, by few at a time, and not kept without end."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.core.errors import Overloaded
from engine.live import missed as module
from engine.live.missed import Missed
from tests.unit.live.test_view import make_config

ID = "c0000000000{:02}.s1"


class Rows:
    """A Postgres that has every instance, archived; it answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.more: dict[str, Any] = {}  # that the rows say besides

    async def fetchrow(self, _query: str, instance_id: str) -> dict[str, Any]:
        """FIND in engine/live/missed.py."""
        self.asked.append(instance_id)
        await self.may_answer.wait()
        row = {"status": "FAILED", "current": 1, "target": 3, "cells": {}, "archived": True, "left": 2, "own": None}
        return row | self.more


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    async def load(*_: object, **__: object) -> list[Any]:
        return [make_config()]

    monkeypatch.setattr(module, "load_play_configs", load)
    return Rows()


def missed(rows: Rows) -> Missed:
    live: Any = SimpleNamespace(configs={}, instances={})
    return Missed(cast("Any", rows), live, {})


async def test_a_crowd_asks_once(rows: Rows) -> None:
    """Whoever asks while somebody is asking gets the same answer; later it comes from memory."""
    one = missed(rows)
    crowd = [asyncio.create_task(one.instance(ID.format(1))) for _ in range(100)]
    await asyncio.sleep(0)
    rows.may_answer.set()
    found = await asyncio.gather(*crowd)
    assert (len({id(instance) for instance in found}), rows.asked) == (1, [ID.format(1)])
    assert await one.instance(ID.format(1)) is found[0]
    assert len(rows.asked) == 1


async def test_who_goes_away_takes_nobody_along(rows: Rows) -> None:
    one = missed(rows)
    first, second = (asyncio.create_task(one.instance(ID.format(1))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    rows.may_answer.set()
    assert (await second) is not None


async def test_more_than_can_be_answered_are_told_so(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of those that wait only some are asked for at a time."""
    monkeypatch.setattr(module, "WAITING_MAX", 20)
    one = missed(rows)
    many = 20 + module.LOOKS_AT_ONCE
    crowd = [asyncio.create_task(one.instance(ID.format(number))) for number in range(many)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(rows.asked) == module.LOOKS_AT_ONCE
    with pytest.raises(Overloaded):
        await asyncio.wait_for(one.instance(ID.format(99)), 5)  # at once: nobody answers
    rows.may_answer.set()
    assert all(await asyncio.gather(*crowd))
    assert await one.instance(ID.format(99))


async def test_what_was_looked_at_does_not_pile_up(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at first is forgotten first."""
    monkeypatch.setattr(module, "KEPT_MAX", 3)
    rows.may_answer.set()
    one = missed(rows)
    for number in range(5):
        await one.instance(ID.format(number))
    assert list(one._archived) == [ID.format(number) for number in (2, 3, 4)]


async def test_only_what_never_changes_is_kept(rows: Rows) -> None:
    """What this process has still to hear of goes on: it is looked for anew each time."""
    rows.more = {"archived": False}
    rows.may_answer.set()
    one = missed(rows)
    for _ in range(2):
        await one.instance(ID.format(1))
    assert rows.asked == [ID.format(1)] * 2


@pytest.mark.parametrize(("own", "left"), [(None, 2), (0, 0), (1, 1)])
async def test_a_session_with_stock_of_its_own_shows_that(rows: Rows, own: int | None, left: int) -> None:
    """In Postgres it is counted beside the cells."""
    rows.more = {"own": own}
    rows.may_answer.set()
    found = await missed(rows).instance(ID.format(1))
    assert found is not None
    assert (found.config.left, found.state.cells.get("left", found.config.left)) == (2, left)


@pytest.mark.parametrize("name", ["", "c", "c00000000001.s1", "c000000000001", "c000000000001.", "c000000000001.head"])
async def test_what_is_no_id_is_not_looked_for(rows: Rows, name: str) -> None:
    assert await missed(rows).instance(name) is None
    assert rows.asked == []
