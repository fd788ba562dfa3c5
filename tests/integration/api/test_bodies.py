"""Bodies that don't come, come too large, or belong to a client that has gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.hot.body import Bodies, ClientGone
from engine.core.errors import BodyTooLarge, BodyTooSlow
from tests.support.hot import Headers
from tests.support.waiting import WAIT_S


class Hangup(Exception):
    """What this test's server raises when its client has gone."""


class Slow:
    """A body that takes its time, then breaks off."""

    def __init__(self, wait_s: float, error: Exception | None = None) -> None:
        self._wait_s = wait_s
        self._error = error

    async def __call__(self) -> bytes:
        await asyncio.sleep(self._wait_s)
        if self._error:
            raise self._error
        return b"{}"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10


@pytest.fixture
async def bodies() -> AsyncIterator[Bodies]:
    """Up to 64 bytes, for as long as a busy machine takes."""
    async with reading(WAIT_S) as opened:
        yield opened


@asynccontextmanager
async def reading(timeout_s: float) -> AsyncIterator[Bodies]:
    """Bodies of up to 64 bytes that must have come by then."""
    opened = Bodies(bytes_max=64, timeout_s=timeout_s, gone=(Hangup,))
    opened.start()
    yield opened
    await opened.close()


async def test_a_body_that_does_not_come_is_given_up() -> None:
    """The watch finds it; the task that read it goes on and can answer."""
    async with reading(0.05) as bodies:
        with pytest.raises(BodyTooSlow):
            await bodies.read(Headers({"content-length": "2"}), Slow(WAIT_S))

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_who_is_told_to_stop_while_a_body_comes_stops(bodies: Bodies) -> None:
    """It is the server that ends then: that is no slow body."""
    reader = asyncio.create_task(bodies.read(Headers({"content-length": "2"}), Slow(3600)))
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled()


async def test_a_body_in_time_is_read(bodies: Bodies) -> None:
    """With a length announced or without one."""
    assert await bodies.read(Headers({"content-length": "2"}), Slow(0)) == b"{}"


@pytest.mark.parametrize("headers", [{"content-length": "65"}, {"content-length": "9" * 30}, {}])
async def test_a_body_too_large_is_refused(bodies: Bodies, headers: dict[str, str]) -> None:
    """At once when it says so itself, otherwise as soon as it is."""
    with pytest.raises(BodyTooLarge):
        await bodies.read(Headers(headers), Slow(0))


async def test_a_client_that_has_gone_is_no_error_of_ours(bodies: Bodies) -> None:
    """The server's own word for it becomes ours."""
    with pytest.raises(ClientGone):
        await bodies.read(Headers({"content-length": "2"}), Slow(0, Hangup()))
