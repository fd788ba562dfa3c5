"""Request lines as they come over the wire: queries that cannot be read, and methods that a path does not take."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from api.app import create_app
from api.errors import PROBLEM_TYPE, STATUS
from api.schema.operations import operations_of
from engine.access.tokens import Role
from engine.core.settings import Settings
from tests.support.market import STORE
from tests.support.waiting import eventually
from tests.support.wire import Wire, open_wire

REST = b" HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n"
TRIED = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO")

# What stands behind the `?`, and the code that a list answers; a route without parameters knows none of these.
QUERIES: list[tuple[bytes, str]] = [
    ("中".encode(), "MALFORMED_QUERY"),
    ("city=北京".encode(), "MALFORMED_QUERY"),
    (b"cursor=\xc3\xa9", "MALFORMED_QUERY"),
    ("limit=５".encode(), "MALFORMED_QUERY"),
    (b"cursor=%ff", "MALFORMED_QUERY"),
    (b"cursor=%ed%a0%80", "MALFORMED_QUERY"),
    (b"%c3=1", "MALFORMED_QUERY"),
    (b"&".join(b"a%d=1" % i for i in range(30)), "MALFORMED_QUERY"),
    (b"limit=1&limit=2", "VALIDATION_FAILED"),
    (b"limit=1&limit=1", "VALIDATION_FAILED"),
    (b"cursor=%00", "CURSOR_INVALID"),
    (b"cursor=%", "CURSOR_INVALID"),
    (b"cursor=%zz", "CURSOR_INVALID"),
    (b"cursor=" + b"x" * 20_000, "CURSOR_INVALID"),
    (b"cursor=", "CURSOR_INVALID"),
    (b"limit=" + b"9" * 5000, "VALIDATION_FAILED"),
    (b"limit=5;cursor=x", "VALIDATION_FAILED"),
    (b"limit=null", "VALIDATION_FAILED"),
    (b"limit=", "VALIDATION_FAILED"),
    (b"limit=%D9%A5", "VALIDATION_FAILED"),
    (b"limit=true", "VALIDATION_FAILED"),
    (b"limit=-1", "VALIDATION_FAILED"),
    (b"limit=1_0", "VALIDATION_FAILED"),
]
# Lists, and routes without parameters.
READING = ("/v1/instances", "/v1/play-configs", "/v1/me/orders", "/v1/me/rewards")
DEAF = ("/livez", "/schema", "/v1/play-configs/{}")


@pytest.fixture(params=["direct", "granian"])
async def wire(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    async with open_wire(settings, tmp_path, request.param) as opened:
        yield opened


async def ask(wire: Wire, line: bytes) -> tuple[int, dict[str, str], bytes]:
    """The answer to a request line of a consumer."""
    token = wire.post("/").partition(b"authorization")[2]
    return await wire.say(line + REST + b"authorization" + token)


async def test_a_query_that_cannot_be_read_is_a_problem_document(wire: Wire) -> None:
    flash = await wire.market.publish(stock=10)
    wrong = []
    for query, read in QUERIES:
        deaf = read if read == "MALFORMED_QUERY" else "VALIDATION_FAILED"
        for path, code in [*((path, read) for path in READING), *((path, deaf) for path in DEAF)]:
            status, headers, body = await ask(wire, f"GET {path.format(flash)}?".encode() + query)
            told = msgspec.json.decode(body).get("code") if headers.get("content-type") == PROBLEM_TYPE else None
            if (told, status) != (code, STATUS[code]):
                wrong.append((path, query[:40], status, body[:200]))
    assert wrong == []
    for line in (f"GET /v1/instances/{flash}.s1?中", f"POST /v1/instances/{flash}.s1/join?中"):  # nobody reads it there
        status, _, body = await ask(wire, line.encode())
        assert (status, msgspec.json.decode(body)["code"]) == (400, "MALFORMED_QUERY")


async def test_a_parameter_that_is_there_twice_is_named_shortly(wire: Wire) -> None:
    """As a JSON Pointer to it, whatever its name is, and no more of that than one can read."""
    for name, pointer in ((b"a/~b", "/a~1~0b"), (b"x" * 5000, "/" + "x" * 64)):
        status, _, body = await ask(wire, b"GET /v1/instances?%b=1&%b=2" % (name, name))
        (error,) = msgspec.json.decode(body)["errors"]
        assert (status, error["pointer"], name[:64].decode() in error["message"]) == (422, pointer, True)
        assert len(error["message"]) < 200


async def test_a_parameter_that_a_route_does_not_have_is_refused_on_every_route(wire: Wire) -> None:
    """Each named, with those there are; so nobody takes everything for what they have filtered."""
    tokens = wire.market.engine.access.tokens
    for operation in operations_of(create_app(wire.market.engine)):
        token = tokens.issue("u1", (operation.roles or (Role.HQ,))[0], 600, STORE)[0]
        line = f"{operation.method.upper()} {re.sub(r'{.*?}', 'x', operation.path)}?pages=2&Limit=5"
        status, _, body = await wire.say(
            f"{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n".encode()
        )
        wrong = msgspec.json.decode(body).get("errors", [])
        assert (status, [error["pointer"] for error in wrong]) == (422, ["/pages", "/Limit"]), line
        there = [parameter["name"] for parameter in operation.query]
        assert all(("、".join(there) or "此地址没有参数") in error["message"] for error in wrong), body.decode()


async def test_what_a_parameter_may_be_is_said(wire: Wire) -> None:
    """The same of a hot list and of one that Litestar answers."""
    many = "参数 limit 必须是 1 至 100 的整数"
    states = "参数 status 必须是 PENDING、ACTIVE、SUCCESS、FAILED 之一"
    for path in ("/v1/instances", "/v1/me/instances"):
        for query, said in (
            ("limit=0", [many]),
            ("limit=007", [many]),
            ("limit=101&status=DRAFT", [many, states]),
            ("status=a&status=b", ["参数 status 只能出现一次"]),
        ):
            _, _, body = await ask(wire, f"GET {path}?{query}".encode())
            assert [error["message"] for error in msgspec.json.decode(body)["errors"]] == said
        for query in ("limit=1", "limit=100", "limit=7&status=FAILED"):
            assert (await ask(wire, f"GET {path}?{query}".encode()))[0] == 200


async def test_a_status_that_is_none_is_told_so(wire: Wire) -> None:
    """Also the text `null`, which means nothing in a query, and nothing at all."""
    token = wire.market.engine.access.tokens.issue("u1", Role.HQ, 600)[0].encode()
    for value in (b"null", b"", b"None", b"active", b"%00", b"ACTIVE%20", b"1"):
        for path in (b"/v1/instances", b"/v1/hq/rewards"):
            line = b"GET %b?status=%b" % (path, value)
            status, _, body = await wire.say(line + REST + b"authorization: Bearer " + token + b"\r\n\r\n")
            document = msgspec.json.decode(body)
            assert (status, document["code"]) == (422, "VALIDATION_FAILED"), line
            assert [error["pointer"] for error in document["errors"]] == ["/status"]


async def test_bytes_that_are_no_text_never_reach_a_route(wire: Wire) -> None:
    """The server itself answers them, or hangs up."""
    for raw in (b"\xff", b"\xe4\xb8", b"\x00", b"a\x01b", b"\x7f"):
        for line in (b"GET /livez?" + raw, b"GET /v1/instances/" + raw, b"GET /v1/orders/" + raw):
            assert (await ask(wire, line))[0] in {0, 400}, line


async def test_a_path_of_any_characters_is_no_route(wire: Wire) -> None:
    """Raw or escaped, no UTF-8, NUL, very long."""
    for text in ("中".encode(), b"%E4%B8%AD", b"%ff", b"%00", b"%", b"%zz", b"x" * 20_000, b";a=b", b"a;b"):
        for path in (b"/%b", b"/livez/%b", b"/v1/instances/%b", b"/v1/orders/%b", b"/v1/play-configs/%b"):
            status, headers, body = await ask(wire, b"GET " + path % text)
            # Raw bytes beyond ASCII: granian takes them, llhttp does not.
            assert status == 404 or (not text.isascii() and status == 400), (path, text[:20], body)
            assert headers["content-type"] == PROBLEM_TYPE


async def test_every_path_tells_its_methods(wire: Wire) -> None:
    """By OPTIONS, and in the `Allow` of each 405: those it has, HEAD beside GET, and no others."""
    served: dict[str, set[str]] = {"/schema": {"GET"}, "/schema/docs": {"GET"}}
    for operation in operations_of(create_app(wire.market.engine)):
        served.setdefault(re.sub(r"\{\w+\}", "x", operation.path), set()).add(operation.method.upper())
    assert len(served) > 30
    for path, methods in served.items():
        there = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        for method in TRIED:
            status, headers, body = await ask(wire, f"{method} {path}".encode())
            if method == "OPTIONS":
                assert (status, body) == (204, b"")
            if method == "FOO" and status == 400:  # llhttp knows the methods that there are
                continue
            assert (status == 405) == (method not in there), (method, path, status)
            assert ("allow" in headers) == (status in {204, 405} and method not in methods), (method, path)
            if "allow" in headers:
                assert set(headers["allow"].split(", ")) == there, (method, path)


async def test_head_says_what_get_would(wire: Wire) -> None:
    flash = await wire.market.publish(stock=10)

    async def listed() -> bool:
        return flash.encode() in (await ask(wire, b"GET /v1/instances"))[2]

    await eventually(listed, True)
    for path in (*READING, *DEAF):
        _, there, body = await ask(wire, f"GET {path.format(flash)}".encode())
        status, headers, _ = await ask(wire, f"HEAD {path.format(flash)}".encode())
        assert (status, headers["content-type"]) == (200, there["content-type"])
        assert headers.get("content-length") == str(len(body)), path
