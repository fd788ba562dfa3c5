"""Who takes too long, comes too often or does not read is let go; nobody else notices."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.core.settings import Settings
from engine.core.tasks import end_tasks
from tests.support.waiting import WAIT_S, eventually, until
from tests.support.wire import Wire, open_wire, read_answer

OK = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
SHORT = {
    "head_timeout_s": 1,
    "body_timeout_s": 1,
    "idle_timeout_s": 1,
    "write_timeout_s": 1,
    "connections_max": 20,
    "connections_per_address_max": 10,
}
MANY = 40  # answers of 180 KB: more than the sockets on both sides hold


@pytest.fixture
async def wire(settings: Settings, tmp_path: Path) -> AsyncIterator[Wire]:
    async with open_wire(settings, tmp_path, "direct", **SHORT) as opened:
        yield opened


async def end_of(wire: Wire, *parts: bytes) -> bytes:
    """All that the server says until it hangs up by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    try:
        for part in parts:
            writer.write(part)
        async with asyncio.timeout(WAIT_S):
            return await reader.read()
    finally:
        writer.close()


async def test_a_head_that_does_not_come(wire: Wire) -> None:
    said = await end_of(wire, OK, b"GET /livez HTTP/1.1\r\nho")
    assert said.count(b"HTTP/1.1 200") == 1
    assert b"HTTP/1.1 408" in said
    assert b"HEAD_TOO_SLOW" in said
    assert b"connection: close" in said


async def test_a_head_that_comes_byte_by_byte_is_too_slow_all_the_same(wire: Wire) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\na: ")

    async def trickle() -> None:
        while True:
            writer.write(b"a")
            await asyncio.sleep(0.1)

    trickling = asyncio.create_task(trickle())
    async with asyncio.timeout(WAIT_S):
        status, _, _ = await read_answer(reader)
    await end_tasks([trickling])
    writer.close()
    assert status == 408


async def test_a_body_that_does_not_come(wire: Wire) -> None:
    said = await end_of(wire, wire.post("/v1/instances/c000000000000.s1/join", b"content-length: 9"), b"{")
    assert b"HTTP/1.1 408" in said
    assert b"BODY_TOO_SLOW" in said


async def test_who_asks_for_nothing_is_hung_up_on(wire: Wire) -> None:
    """Without a word, whether or not something was asked before."""
    assert await end_of(wire) == b""
    assert (await end_of(wire, OK)).count(b"HTTP/1.1") == 1


async def test_who_does_not_read_is_let_go(wire: Wire) -> None:
    """And meanwhile others are answered."""
    with socket.create_connection(("127.0.0.1", wire.port)) as silent:
        silent.sendall(b"GET /schema HTTP/1.1\r\nhost: x\r\n\r\n" * MANY)
        await until(lambda: wire.connections() == 1)
        assert (await wire.say(OK))[0] == 200
        await until(lambda: wire.connections() == 0)


async def test_one_address_has_so_many_connections(wire: Wire) -> None:
    """One more is told so, and when another has gone there is room again."""
    held = [await asyncio.open_connection("127.0.0.1", wire.port) for _ in range(10)]
    status, headers, body = await wire.say(OK)
    assert (status, headers["connection"]) == (503, "close")
    assert b"OVERLOADED" in body
    for _reader, writer in held:
        writer.close()

    async def told() -> int:
        return (await wire.say(OK))[0]

    await eventually(told, 200)
