"""The load client: what it believes to have seen is evidence, so it must neither guess nor lose anything."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from loadtests.burst import Result, plan_clicks
from loadtests.client import Click, Client, Journal, Person, Spread, Unknown, send_click

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PERSON = Person("u1", "token")
CLICK = Click(PERSON, "c1", "c1.s1", "join", "r1")
WON = b'{"outcome":"RESERVED","orderId":"o1","instanceId":"c1.s1","payBefore":"2026-01-01T00:00:00Z"}'


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def answer(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return head + await reader.readexactly(size)


def lines_of(journal: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


async def test_an_answer_in_pieces_is_one_answer(tmp_path: Path) -> None:
    """Each byte on its own makes the same answer, and the journal has what was sent and what came."""

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read_request(reader)
        assert asked.startswith(b"POST /v1/instances/c1.s1/join HTTP/1.1\r\n")
        assert b"Authorization: Bearer token" in asked
        assert json.loads(asked.partition(b"\r\n\r\n")[2]) == {"requestId": "r1", "quantity": 1}
        for byte in answer(201, WON, "Idempotent-Replayed: true\r\n"):
            writer.write(bytes([byte]))
            await writer.drain()
        writer.close()

    path = tmp_path / "j.jsonl"
    async with serving(dribble) as url, Client(url, connections=1) as client:
        with Journal(path) as journal:
            seen = await send_click(client, journal, CLICK)
    assert seen == (201, "RESERVED", "o1", "c1.s1", True)
    before, after = lines_of(path)
    assert "receivedAt" not in before
    assert {key: after[key] for key in before} == before
    assert (after["status"], after["outcome"], after["orderId"], after["replayed"]) == (201, "RESERVED", "o1", True)


async def test_a_lost_connection_is_unknown_and_the_next_click_gets_a_new_one(tmp_path: Path) -> None:
    """Nobody knows what became of a click whose connection broke; the journal says so."""
    calls = 0

    async def fail_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await read_request(reader)
        if calls > 1:
            writer.write(answer(409, b'{"code":"SOLD_OUT"}'))
        writer.close()

    path = tmp_path / "j.jsonl"
    async with serving(fail_once) as url, Client(url, connections=1) as client:
        with Journal(path) as journal:
            lost = await send_click(client, journal, CLICK)
            found = await send_click(client, journal, CLICK)
    assert lost == (None, None, None, None, False)
    assert found == (409, "SOLD_OUT", None, None, False)
    assert [line.get("status", "sent") for line in lines_of(path)] == ["sent", None, "sent", 409]


async def test_silence_is_unknown() -> None:
    """A server that never answers costs one timeout, not the run."""

    async def sleep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.transport.abort()

    async with serving(sleep) as url, Client(url, connections=1, timeout_s=0.05) as client:
        with pytest.raises(Unknown):
            await client.request("GET", "/")
        await asyncio.sleep(0.05)  # the server notices


async def test_who_asks_an_address_that_is_down_asks_the_other_one_next() -> None:
    """Requests go to both in turn; after a failure all go where somebody answers."""

    def named(name: bytes) -> Handler:
        async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(answer(200, name, "Connection: close\r\n"))
            writer.close()

        return answer_once

    async with serving(named(b"a")) as first:
        async with serving(named(b"b")) as second, Spread([first, second], connections=1) as spread:
            assert sorted([(await spread.request("GET", "/")).body for _ in range(4)]) == [b"a", b"a", b"b", b"b"]
        async with Spread([first, second], connections=1) as spread:
            with pytest.raises(Unknown):
                await spread.request("GET", "/")
            assert [(await spread.request("GET", "/")).body for _ in range(3)] == [b"a"] * 3


def test_a_repeat_is_the_same_request_of_the_same_person() -> None:
    """A third of the clicks repeat earlier ones to the letter; the others are all different."""
    people = [Person(f"u{number}", "t") for number in range(100)]
    clicks = plan_clicks(people, "c1.s1", clicks=150, repeats=1 / 3)
    assert len(clicks) == 150
    assert len(set(clicks)) == 100
    assert {click.config for click in clicks} == {"c1"}


def test_percentiles_count_every_answer() -> None:
    """The hundredth percentile is the slowest answer."""
    result = Result(latencies_ms=[float(number) for number in range(1, 1001)])
    assert result.percentiles() == {"p50": 501.0, "p90": 901.0, "p99": 991.0, "p99.9": 1000.0, "p100": 1000.0}
    assert Result().percentiles() == {}
