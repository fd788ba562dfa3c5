"""The negative control: the stampede that the gate survives must sink a shop without atomicity.

A test of a race is worth something only if it can see one. So the same crowd, on the same Valkey, through the
same kind of connections, asks a shop that reads the stock first and takes a unit afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from engine.gate.outcome import Outcome
from engine.local.running import Running
from tests.gate.stage import open_stage

CROWD = 50
UNITS = 3


async def stampede(click: Callable[[str], Awaitable[bool]]) -> int:
    """Everybody clicks at once; how many were told that they have a unit."""
    return sum(await asyncio.gather(*(click(f"u{i}") for i in range(CROWD))))


async def test_the_gate_sells_what_there_is(valkey: Running) -> None:
    """Several processes, each with lanes of its own, sell the same three units: to three people."""
    async with open_stage(valkey.url) as one, open_stage(valkey.url) as two:
        await one.publish(stock=UNITS)

        async def click(user: str) -> bool:
            stage = one if int(user[1:]) % 2 else two
            return (await stage.click(user)).outcome == Outcome.RESERVED

        assert await stampede(click) == UNITS
        assert await one.left() == 0


async def test_a_shop_that_reads_first_and_takes_later_oversells(valkey: Running) -> None:
    """GET, look, DECR: the same stampede is told yes far more often, and the stock goes below zero."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.set("left", UNITS)

        async def click(_user: str) -> bool:
            if int(await redis.get("left") or 0) < 1:
                return False
            await redis.decr("left")
            return True

        assert await stampede(click) > UNITS
        assert int(await redis.get("left") or 0) < 0
