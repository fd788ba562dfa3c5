"""So much at once, and so many who wait for it: whoever comes then is told at once that it is too much."""

import asyncio

from engine.core.errors import Overloaded


class Bounded:
    """`async with` it around what strangers can ask for as often as they like. Raises Overloaded on entry."""

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._inside_max = at_once + waiting_max
        self._inside = 0

    async def __aenter__(self) -> None:
        """Wait for one's turn."""
        if self._inside >= self._inside_max:
            raise Overloaded
        self._inside += 1
        try:
            await self._free.acquire()
        except BaseException:  # who is cancelled while waiting makes room as well
            self._inside -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        """Let the next one in."""
        self._free.release()
        self._inside -= 1
