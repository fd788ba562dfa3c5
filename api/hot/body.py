"""Reading request bodies: bounded in size and in time.

A timer for each click would cost as much as finding its route, so bodies under way stand in a dict, oldest
first, and one task looks once a second for those that take too long.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol

from engine.core.errors import BodyTooLarge, BodyTooSlow
from engine.core.tasks import end_tasks

LOOK_S = 1.0


class RequestHeaders(Protocol):
    """What a request's headers can be asked."""

    def get(self, name: str, default: Any = None, /) -> str | None:
        """The header of that lower-case name."""

    def get_all(self, name: str, /) -> list[str]:
        """Every line of the header of that lower-case name, in order."""


class BodyStream(Protocol):
    """A request's body: whole when called, in chunks when iterated."""

    def __call__(self) -> Awaitable[bytes]:
        """All of it."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunk by chunk."""


class ClientGone(Exception):
    """The client hung up in the middle of its request: nobody waits for an answer."""


class Bodies:
    """The bodies one process is reading. `gone` is what the server raises when a client has hung up."""

    def __init__(self, *, bytes_max: int, timeout_s: float, gone: tuple[type[Exception], ...] = ()) -> None:
        self._gone = gone
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to give up on slow bodies."""
        self._watch = asyncio.create_task(self._give_up())

    async def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            await end_tasks([self._watch])

    async def read(self, headers: RequestHeaders, body: BodyStream) -> bytes:
        """The whole body. Raises BodyTooLarge as soon as that is known, or BodyTooSlow."""
        announced = self._announced(headers)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("bodies are read in tasks")
        began = self._reading[task] = time.monotonic()
        try:
            return await body() if announced else await self._bounded(body)
        except asyncio.CancelledError:
            if time.monotonic() - began < self._timeout_s:
                raise  # somebody else's
            task.uncancel()
            raise BodyTooSlow from None
        except self._gone as error:
            raise ClientGone from error
        finally:
            del self._reading[task]

    def _announced(self, headers: RequestHeaders) -> bool:
        """Whether a length is announced, and one within bounds. Raises BodyTooLarge beyond them."""
        length = headers.get("content-length")
        if length is None or not length.isdecimal():
            return False
        if len(length) > 9 or int(length) > self._bytes_max:
            raise BodyTooLarge
        return True

    async def _bounded(self, body: BodyStream) -> bytes:
        read = bytearray()
        async for chunk in body:
            read += chunk
            if len(read) > self._bytes_max:
                raise BodyTooLarge
        return bytes(read)

    async def _give_up(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            late = time.monotonic() - self._timeout_s
            for task, began in list(self._reading.items()):
                if began > late:
                    break  # the rest is younger
                task.cancel()
