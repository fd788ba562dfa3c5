"""How long a test waits for what happens by itself: on however busy a machine only what never happens takes so long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

WAIT_S = 60.0
EVERY_S = 0.005


async def until(true: Callable[[], object], what: str = "it") -> None:
    """Look until it is so. Raises AssertionError when it does not come to be."""

    async def read() -> bool:
        return bool(true())

    await eventually(read, True, what)


async def eventually(read: Callable[[], Awaitable[Any]], expected: Any, what: str = "it") -> None:
    """Read until it is as expected. Raises AssertionError with what was read last when it does not come to be."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + WAIT_S
    while (found := await read()) != expected:
        assert loop.time() < ends, f"{what} did not become {expected!r}, but is {found!r}"
        await asyncio.sleep(EVERY_S)


def until_true(true: Callable[[], object]) -> None:
    """Look until it is so, in a test without a loop. Raises AssertionError when it does not come to be."""
    ends = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(EVERY_S)
