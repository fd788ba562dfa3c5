"""What strangers can ask for as often as they like is done a little at a time, and not waited for without end."""

import asyncio

import pytest

from engine.core.bounded import Bounded
from engine.core.errors import Overloaded
from tests.support.waiting import WAIT_S


async def inside(bounds: Bounded, go_on: asyncio.Event, seen: list[int]) -> None:
    async with bounds:
        seen.append(len(seen))
        await go_on.wait()


async def test_so_many_at_once_and_so_many_who_wait() -> None:
    """The next one is told; when somebody has gone there is room again."""
    bounds, go_on, seen = Bounded(2, 3), asyncio.Event(), list[int]()
    crowd = [asyncio.create_task(inside(bounds, go_on, seen)) for _ in range(5)]
    await asyncio.sleep(0)
    assert len(seen) == 2
    with pytest.raises(Overloaded):
        await asyncio.wait_for(inside(bounds, go_on, seen), WAIT_S)  # at once: nobody goes
    go_on.set()
    await asyncio.gather(*crowd)
    await inside(bounds, go_on, seen)
    assert len(seen) == 6


async def test_who_gives_up_makes_room() -> None:
    """Whoever went away while waiting or inside, and whoever failed inside."""
    bounds, go_on, seen = Bounded(1, 1), asyncio.Event(), list[int]()
    first, second = (asyncio.create_task(inside(bounds, go_on, seen)) for _ in range(2))
    await asyncio.sleep(0)
    for gone in (second, first):
        gone.cancel()
        await asyncio.wait([gone])
    with pytest.raises(ZeroDivisionError):
        async with bounds:
            raise ZeroDivisionError
    crowd = [asyncio.create_task(inside(bounds, go_on, seen)) for _ in range(2)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*crowd)
