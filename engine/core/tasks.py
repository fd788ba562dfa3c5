"""Ending tasks so that they have ended."""

import asyncio
from collections.abc import Collection
from typing import Any

CANCEL_AGAIN_S = 0.2


async def end_tasks(tasks: Collection["asyncio.Task[Any]"], *, again_s: float = CANCEL_AGAIN_S) -> None:
    """Cancel tasks until each has ended; what they raised is nobody's business any more.

    One cancellation is not enough: a client library whose connection breaks at that moment may swallow it, and a loop
    that was told to end goes on. What ends tasks of its own needs a longer `again_s` than those, or it is cancelled
    while it does.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_s)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # it has been looked at: asyncio need not complain that nobody did
