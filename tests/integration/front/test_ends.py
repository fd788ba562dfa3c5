"""What ends well: a server that is told to stop, a client that goes away, an office that dies."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.core.settings import Settings
from tests.support.waiting import WAIT_S, eventually, until
from tests.support.wire import Wire, descendants, open_wire, read_answer

OK = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
MINE = b"GET /v1/me/orders HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
async def wire(settings: Settings, tmp_path: Path) -> AsyncIterator[Wire]:
    async with open_wire(settings, tmp_path) as opened:
        yield opened


async def test_a_server_that_is_told_to_stop_answers_what_is_under_way(wire: Wire) -> None:
    """A click that waits for Redis is answered, with a word that it is the last; who is idle is hung up on."""
    flash = await wire.market.publish(stock=100)
    body = b'{"requestId":"r1"}'
    head = wire.post(f"/v1/instances/{flash}.s1/join", b"content-length: %d" % len(body))

    async def joined() -> int:
        return (await wire.say(head, body))[0]

    await eventually(joined, 201)
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", wire.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(OK)
    await read_answer(reader)
    await wire.market.redis.execute_command("CLIENT", "PAUSE", 2000, "WRITE")

    async def held_back() -> bool:
        """The click is with Redis, which lets it wait."""
        return bool((await wire.market.redis.info("clients"))["blocked_clients"])

    other = b'{"requestId":"r2"}'
    writer.write(wire.post(f"/v1/instances/{flash}.s1/join", b"content-length: %d" % len(other), user="u2") + other)
    await eventually(held_back, True)

    wire.process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(WAIT_S):
        status, headers, _ = await read_answer(reader)
        assert (status, headers["connection"]) == (201, "close")
        assert await reader.read() == b""
        assert await idle.read() == b""
        await wire.process.wait()
    writer.close()
    idle_writer.close()


async def test_without_its_office_a_server_sells_on(wire: Wire) -> None:
    """One that is frozen or dead: /readyz says so, and it is replaced by itself."""
    flash = await wire.market.publish(stock=100)
    (office,) = [pid for pid in descendants(wire.process.pid) if os.getsid(pid) == pid]  # its first process
    body = b'{"requestId":"r1"}'
    head = wire.post(f"/v1/instances/{flash}.s1/join", b"content-length: %d" % len(body))

    async def status_of(*request: bytes) -> int:
        return (await wire.say(*request))[0]

    async def told() -> bool:
        _, _, ready = await wire.say(b"GET /readyz HTTP/1.1\r\nhost: x\r\naccept-language: en\r\n\r\n")
        return b"The office process does not answer" in ready

    await eventually(lambda: status_of(head, body), 201)
    assert not await told()
    everybody = [office, *descendants(office)]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    assert await told()
    assert await status_of(head, body) == 201
    assert await status_of(b"GET /v1/instances HTTP/1.1\r\nhost: x\r\n\r\n") == 200

    for pid in everybody:
        os.kill(pid, signal.SIGKILL)
    assert await status_of(MINE) == 503
    assert await status_of(head, body) == 201
    await eventually(lambda: status_of(MINE), 401)
    assert not await told()


async def test_a_client_that_goes_away_leaves_nothing_behind(wire: Wire) -> None:
    """In a head, a body, a click, a relayed answer, before the first byte: the server's files are as many as before."""
    assert (await wire.say(MINE))[0] == 401
    whole = wire.post("/v1/instances/c000000000000.s1/join", b"content-length: 5") + b"hello"
    for number in range(200):
        _reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write((b"", whole[:20], whole[:-2], whole, b"GET /schema HTTP/1.1\r\nhost: x\r\n\r\n")[number % 5])
        if number % 2:
            await writer.drain()
        writer.transport.abort()
    await until(lambda: wire.connections() == 0)
    assert (await wire.say(OK))[0] == 200
