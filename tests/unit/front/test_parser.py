"""Requests out of bytes: the same however they arrive, bounded, and never more of them than a strict reader sees."""

from collections.abc import Iterator
from typing import NamedTuple

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.front.parser import HEAD_BYTES_MAX, HEADERS_MAX, Parser, Request
from engine.core.errors import BodyTooLarge, HeadTooLarge, MalformedRequest, WanfaError
from tests.integration.front.corpus import CASES

BODY_MAX = 1000
HEAD = b"POST /v1/x?a=b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t\r\n"


class Seen(NamedTuple):
    """What was understood of a request."""

    method: str
    target: bytes
    body: bytes


def read(*parts: bytes) -> tuple[list[Request], type[WanfaError] | None]:
    """The requests in these bytes, and how reading ended."""
    found: list[Request] = []
    parser = Parser("192.0.2.1:1", BODY_MAX, found.append)
    try:
        for part in parts:
            parser.feed(part)
    except WanfaError as error:
        return found, type(error)
    return found, None


def seen(found: list[Request]) -> list[Seen]:
    return [Seen(one.method, one.target, one.body) for one in found]


def test_a_request_is_read() -> None:
    """Its method, place, query, headers in any case, peer and body."""
    found, error = read(HEAD + b"X-Device-Id: d\r\nx-device-id: e\r\ncontent-length: 3\r\n\r\nabc")
    (one,) = found
    assert error is None
    assert (one.method, one.path, one.query_string, one.body, one.client) == (
        "POST",
        "/v1/x",
        "a=b",
        b"abc",
        "192.0.2.1:1",
    )
    assert (one.authorization, one.headers.get("x-device-id"), one.headers.get("x-none")) == (b"Bearer t", "d", None)
    assert (one.headers.get_all("x-device-id"), one.keep_alive) == (["d", "e"], True)


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 5\r\n\r\nhello",
        b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\na: b\r\n\r\n",
    ],
)
def test_it_does_not_matter_where_the_bytes_are_cut(framing: bytes) -> None:
    """At any one place, at every place, and with another request behind."""
    both = (HEAD + framing) * 2
    whole = seen(read(both)[0])
    assert [one.body for one in whole] == [b"hello"] * 2
    for cut in range(1, len(both)):
        assert seen(read(both[:cut], both[cut:])[0]) == whole, cut
    assert seen(read(*(both[place : place + 1] for place in range(len(both))))[0]) == whole


def test_a_trailer_is_no_header() -> None:
    (one,), _ = read(
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nauthorization: Bearer t\r\n\r\n"
    )
    assert (one.authorization, one.headers.get("authorization")) == (None, None)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"GET /" + b"x" * HEAD_BYTES_MAX, HeadTooLarge),
        (HEAD + b"a: " + b"x" * HEAD_BYTES_MAX, HeadTooLarge),
        (HEAD + b"a: b\r\n" * HEADERS_MAX + b"\r\n", HeadTooLarge),
        (HEAD + b"content-length: %d\r\n\r\n" % (BODY_MAX + 1), BodyTooLarge),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, BodyTooLarge),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1;%b\r\nx\r\n" % (b"y" * 1000) * 50, BodyTooLarge),
    ],
)  # fmt: skip
def test_everything_has_an_end(sent: bytes, error: type[WanfaError]) -> None:
    """Whether it comes at once or in pieces; what is as large as it may be is read."""
    assert read(sent)[1] is error
    assert read(*(sent[place : place + 500] for place in range(0, len(sent), 500)))[1] is error


def test_as_large_as_allowed_is_allowed() -> None:
    most = HEAD_BYTES_MAX - len(HEAD) - len(b"cookie: \r\n\r\n")
    (one,), _ = read(HEAD + b"cookie: " + b"x" * most + b"\r\n\r\n")
    assert len(one.headers.get("cookie")) == most
    (one,), _ = read(HEAD + b"content-length: %d\r\n\r\n" % BODY_MAX + b"x" * BODY_MAX)
    assert len(one.body) == BODY_MAX


def test_many_requests_in_one_read_are_no_large_head() -> None:
    found, error = read((HEAD + b"\r\n") * 1000 + HEAD)
    assert (len(found), error) == (1000, None)


def test_nothing_is_read_behind_the_last_request() -> None:
    """Of a client that closes, or that would speak something else."""
    for last in (b"connection: close\r\n\r\n", b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"):
        found, error = read(HEAD + last + HEAD + b"\r\n", b"\xff\xff")
        assert (len(found), error, found[0].keep_alive) == (1, None, False)


# Against a strict reader of another house.

NAMES = [
    b"host",
    b"content-length",
    b"Content-Length",
    b"transfer-encoding",
    b"connection",
    b"expect",
    b"a",
    b"a ",
    b"",
    b"upgrade",
]
VALUES = [
    b"x",
    b"0",
    b"3",
    b"+3",
    b"3, 3",
    b"03",
    b"chunked",
    b"Chunked",
    b"gzip, chunked",
    b"close",
    b"keep-alive",
    b"100-continue",
    b"",
    b" x",
    b"x\0",
    b"\xff",
    b"h2c",
    b"upgrade",
]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "]
LINES = [
    b"GET / HTTP/1.1",
    b"POST /x HTTP/1.1",
    b"POST /x HTTP/1.0",
    b"HEAD / HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"GET / HTTP/1.2",
    b"GET /",
    b"G@T / HTTP/1.1",
    b"get / HTTP/1.1",
]
BODIES = [
    b"",
    b"",
    b"abc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"3;a=b\r\nabc\r\n0\r\nt: u\r\n\r\n",
    b"ZZZ\r\n",
    b"3\nabc\n0\n\n",
    b"GET /s HTTP/1.1\r\nhost: x\r\n\r\n",
]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request that is nearly one."""
    out = draw(st.sampled_from(LINES)) + draw(st.sampled_from(ENDS))
    headers = [(b"host", b"x"), *draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3))]
    for name, value in headers:
        out += name + draw(st.sampled_from([b": ", b":", b" : "] if draw(st.booleans()) else [b": "])) + value
        out += draw(st.sampled_from(ENDS))
    return out + draw(st.sampled_from(ENDS)) + draw(st.sampled_from(BODIES))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Some of those, one behind the other, with a few bytes spoilt."""
    out = bytearray(b"".join(draw(st.lists(requests(), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(out) - 1))
        out[place : place + draw(st.integers(0, 1))] = draw(st.binary(max_size=1))
    return bytes(out)


def strictly(sent: bytes) -> Iterator[Seen]:
    """The requests that h11 sees."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
    reader.receive_data(sent)
    try:
        while True:
            head = reader.next_event()
            if not isinstance(head, h11.Request):
                return
            body = b""
            while isinstance(event := reader.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                return
            yield Seen(head.method.decode(), head.target, body)
            reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            reader.send(h11.EndOfMessage())
            reader.start_next_cycle()
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        return


def differs(sent: bytes) -> str:
    """What we understand that a strict reader does not."""
    ours, theirs = seen(read(sent)[0]), list(strictly(sent))
    if ours == theirs[: len(ours)]:
        return ""
    return f"{sent!r}: we see {ours}, h11 sees {theirs}"


@settings(max_examples=500)
@given(streams())
def test_we_never_understand_what_a_strict_reader_does_not(sent: bytes) -> None:
    """Not one request more, none with another body: whoever stands in front of us may read it as h11 does."""
    assert not differs(sent)


def test_nor_anything_of_the_corpus() -> None:
    # What we understand besides; where a request ends is the same. Spaces and empty lines RFC 9112 allows us to skip,
    # an absolute target is read as its path.
    known = {
        "line: two spaces",
        "line: absolute",
        "line: absolute, capitals",
        "line: absolute, with a port",
        "line: absolute, no path",
        "empty lines before",
        "two, an empty line between",
    }
    assert {case.name for case in CASES if differs(case.sent)} == known


def test_a_head_that_came_and_a_body_that_did_not_are_told_apart() -> None:
    found: list[Request] = []
    parser = Parser("", BODY_MAX, found.append)
    parser.feed(HEAD)
    assert (parser.in_head, parser.begun) == (True, None)
    parser.feed(b"content-length: 3\r\nexpect: 100-continue\r\n\r\n")
    assert parser.begun is not None
    assert (parser.in_head, parser.begun.expects) == (False, b"100-continue")
    parser.feed(b"abc")
    now: Request | None = parser.begun
    assert (parser.in_head, now, len(found)) == (False, None, 1)
    with pytest.raises(MalformedRequest):
        parser.feed(b"\x00")
