"""How a test waits for what happens by itself: until it has, and so long that only what never happens fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

WAIT_MAX_S = 60.0  # on a machine that is busy with something else


async def until(true: Callable[[], Any], *, every_s: float = 0.01) -> None:
    """Wait until `true()`, or what it is to be waited for, holds. Raises AssertionError after WAIT_MAX_S."""
    give_up = time.monotonic() + WAIT_MAX_S
    while True:
        found = true()
        if await found if isawaitable(found) else found:
            return
        if time.monotonic() > give_up:
            raise AssertionError("it did not happen")
        await asyncio.sleep(every_s)


async def eventually(read: Callable[[], Awaitable[Any]], expected: Any) -> None:
    """Read until it is as expected."""
    give_up = time.monotonic() + WAIT_MAX_S
    while (found := await read()) != expected and time.monotonic() < give_up:  # noqa: ASYNC110  # nobody tells us
        await asyncio.sleep(0.05)
    assert found == expected
