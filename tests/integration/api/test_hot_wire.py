"""The hot routes behind the real server, byte by byte: what a polite client library would never send."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.errors import STATUS
from engine.core.settings import Settings
from engine.sdk import Fact
from tests.support.waiting import WAIT_S, eventually
from tests.support.wire import Wire, open_wire, read_answer

HELD = b',"order":{"status":"HELD"}}'  # what the repeat of a click says besides
NOWHERE = "/v1/instances/c000000000000.s1/join"


@pytest.fixture(params=["direct", "granian"])
async def wire(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    async with open_wire(settings, tmp_path, request.param) as opened:
        yield opened


async def until_joined(wire: Wire, path: str, body: bytes, user: str = "u1") -> bytes:
    """The first answer of a won click, once the server has heard of the config."""
    head = wire.post(path, b"content-length: %d" % len(body), user=user)
    answer = b""

    async def joined() -> int:
        nonlocal answer
        status, _headers, answer = await wire.say(head, body)
        return status

    await eventually(joined, 201)
    return answer


async def test_whatever_the_wire_brings_is_answered(wire: Wire) -> None:
    """Raw bytes in paths, headers and bodies, broken lengths, pipelines: an answer of ours, or a closed connection."""
    flash = await wire.market.publish(stock=100)
    join = f"/v1/instances/{flash}.s1/join"
    click = b'{"requestId":"r1"}'
    first = await until_joined(wire, join, click)
    left = (await wire.market.stock(flash))[1]
    length = b"content-length: %d" % len(click)
    get = f"GET /v1/instances/{flash}.s1 HTTP/1.1\r\nhost: x\r\n".encode()

    odd: dict[str, tuple[tuple[bytes, ...], set[int]]] = {
        "no length": ((wire.post(join, b"transfer-encoding: chunked"), b"12\r\n" + click + b"\r\n0\r\n\r\n"), {201}),
        "slow": ((wire.post(join, length), click[:5], click[5:]), {201}),
        "expecting": ((wire.post(join, length, b"expect: 100-continue"), click), {201, 100}),
        "twice the header": ((wire.post(join, length, b"authorization: Bearer x"), click), {201, 401}),
        "odd token": ((wire.post(join, length, b"authorization: Bearer \xff\xfe", user=""), click), {400, 401}),
        "odd header": ((wire.post(join, length, b"x-odd: \xff\x80"), click), {201, 400}),
        "odd language": ((wire.post(NOWHERE, length, b"accept-language: \xff\x80"), click), {400, 404}),
        "two languages": ((wire.post(NOWHERE, length, b"accept-language: en", b"accept-language: zh"), click), {404}),
        "odd etag": ((get + b"if-none-match: \xff\r\n\r\n",), {200}),
        "many etags": ((get + b'if-none-match: "a", "b"\r\n\r\n',), {200}),
        "odd path": ((b"GET /v1/instances/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",), {400, 404}),
        "escaped path": ((b"GET /v1/instances/%ff%fe%00%0a HTTP/1.1\r\nhost: x\r\n\r\n",), {404}),
        "escaped join": ((wire.post(f"/v1/instances/{flash}.%ff/join", length, user="u2"), click), {404}),
        "surrogate": ((wire.post(f"/v1/instances/{flash}.%ed%a0%80/join", length, user="u2"), click), {404}),
        "odd query": ((b"GET /v1/instances?city=\xff&storeId=%ff HTTP/1.1\r\nhost: x\r\n\r\n",), {400}),
        "long path": ((b"GET /v1/instances/" + b"x" * 60_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",), {404, 414, 431}),
        "no body": ((wire.post(join),), {400}),
        "empty body": ((wire.post(join, b"content-length: 0"),), {400}),
        "negative length": ((wire.post(join, b"content-length: -1"),), {400}),
        "no number": ((wire.post(join, b"content-length: abc"),), {400}),
        "two lengths": ((wire.post(join, length, b"content-length: 3"), click), {400}),
        "too long": ((wire.post(join, b"content-length: 1000000"), b"x" * 50_000), {413}),
        "absurdly long": ((wire.post(join, b"content-length: 99999999999999999999999"),), {400, 413}),
        "too long, chunked": ((wire.post(join, b"transfer-encoding: chunked"), b"8000\r\n" + b"x" * 0x8000), {413}),
        "broken chunk": ((wire.post(join, b"transfer-encoding: chunked"), b"zz\r\n" + click), {0, 400}),
        "not http": ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9 + b"\r\n\r\n",), {0, 400}),
        "head": ((f"HEAD /v1/instances/{flash}.s1 HTTP/1.0\r\n\r\n".encode(),), {200}),
        "other method": ((f"PUT {join} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode(),), {405}),
    }  # fmt: skip
    for what, (parts, allowed) in odd.items():
        status, headers, body = await wire.say(*parts)
        assert status in {*allowed, 0} if 400 in allowed else status in allowed, (what, status, body)
        if headers.get("content-type") == "application/problem+json" and body:
            assert STATUS[msgspec.json.decode(body)["code"]] == status
        if status == 405:
            assert headers["allow"] == "POST, OPTIONS"
        if status == 201:
            assert (body, headers["idempotent-replayed"]) == (first[:-1] + HELD, "true"), what
    assert (await wire.market.stock(flash))[1] == left


async def test_characters_that_nobody_escaped_are_answered_by_every_route(wire: Wire) -> None:
    """In the query, the path and a header, behind Litestar as well: never a 500."""
    there = ["/livez", "/readyz", "/schema", "/v1/play-configs/x", "/v1/me/orders", "/v1/store/services"]
    for path in (*there, "/v1/instances", "/v1/play-configs"):
        for odd in ("中".encode(), b"\xff\xfe", b"%ff", b"a=%00"):
            get = b"GET %s?%s HTTP/1.1\r\nhost: x\r\n\r\n" % (path.encode(), odd)
            assert (await wire.say(get))[0] not in (0, 500), get
    for odd in ("/中".encode(), "/v1/orders/中".encode(), "/v1/play-configs/中".encode(), b"/v1/store/\xff"):
        get = b"GET %s HTTP/1.1\r\nhost: x\r\nx-odd: %s\r\n\r\n" % (odd, "中".encode())
        assert (await wire.say(get))[0] in (400, 401, 404), get


async def test_facts_are_read_off_the_real_wire(wire: Wire) -> None:
    """The server's own headers and peer: whatever a client calls its device, its click is decided."""
    loaded = wire.market.engine.playbooks.loaded
    asking = msgspec.structs.replace(loaded["FLASH_SALE"], asks=lambda _rules: tuple(Fact))
    loaded["FLASH_SALE"] = asking
    flash = await wire.market.publish(stock=100)
    assert await wire.market.pool.fetchval("SELECT asks FROM play_configs") == [fact.value for fact in Fact]
    join = f"/v1/instances/{flash}.s1/join"
    await until_joined(wire, join, b'{"requestId":"r0"}')
    devices = (b"x-device-id: phone", b"x-device-id: \xff\x80", b"x-device-id:", b"x-device-id: a\r\nx-device-id: b")
    for number, device in enumerate(devices):
        body = b'{"requestId":"d%d"}' % number
        status, _headers, answer = await wire.say(wire.post(join, b"content-length: %d" % len(body), device), body)
        assert status in {201, 400} if b"\xff" in device else status == 201, (device, status, answer)


async def test_a_client_that_goes_away_hurts_nobody(wire: Wire) -> None:
    """Hundreds hang up within the head, the body, or before the answer; the server serves on and holds nothing back."""
    flash = await wire.market.publish(stock=1000)
    join = f"/v1/instances/{flash}.s1/join"
    await until_joined(wire, join, b'{"requestId":"r1"}')

    async def leave(number: int) -> None:
        body = b'{"requestId":"x%d"}' % number
        path = join if number % 5 else "/v1/auth/wechat"
        whole = wire.post(path, b"content-length: %d" % len(body), user=f"x{number}") + body
        _reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(whole[: len(whole) - (number * 7) % 300 if number % 3 else len(whole)])
        await asyncio.sleep(0.001 * (number % 5))
        writer.transport.abort()

    await asyncio.gather(*(leave(number) for number in range(300)))

    answers = await asyncio.gather(*(until_joined(wire, join, b'{"requestId":"y"}', f"y{i}") for i in range(20)))
    assert len(set(answers)) == 20
    entries: list[Any] = await wire.market.redis.xrange("{s0}:intents")
    orders = [order for _id, fields in entries for order in msgspec.msgpack.decode(fields[b"p"])[1]]
    assert len({order[0] for order in orders}) == len(orders) == 1000 - (await wire.market.stock(flash))[1]


async def test_many_requests_on_one_connection_are_answered_in_order(wire: Wire) -> None:
    """Pipelined clicks and reads: each answer belongs to its request."""
    flash = await wire.market.publish(stock=100)
    join = f"/v1/instances/{flash}.s1/join"
    await until_joined(wire, join, b'{"requestId":"r0"}')
    requests = []
    for i in range(1, 21):
        body = b'{"requestId":"r%d"}' % i
        requests.append(wire.post(join, b"content-length: %d" % len(body)) + body)
        requests.append(f"GET /v1/instances/{flash}.s{i} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"".join(requests))
    async with asyncio.timeout(WAIT_S):
        answers = [await read_answer(reader) for _ in requests]
    writer.close()

    assert [status for status, _headers, _body in answers[::2]] == [201] * 20
    assert [status for status, _headers, _body in answers[1::2]] == [200] + [404] * 19
    assert len({msgspec.json.decode(body)["orderId"] for _status, _headers, body in answers[::2]}) == 20
