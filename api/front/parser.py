"""Requests out of bytes: the only place that knows which HTTP parser there is (httptools, which is Node's llhttp).

What llhttp lets through and a server must not is refused here: more than one Host, codings other than `chunked`,
heads and bodies without end.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserInvalidURLError, HttpParserUpgrade, HttpRequestParser

from engine.core.errors import BodyTooLarge, HeadTooLarge, MalformedQuery, MalformedRequest, WanfaError

HEAD_BYTES_MAX = 32_768
HEADERS_MAX = 100
FRAMING = 4  # so many times its size a chunked body may be on the wire, chunks and extensions counted
CHUNKED = [b"chunked"]
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
VERSIONS = frozenset({"1.0", "1.1"})
LENGTH_DIGITS_MAX = 12
NAMES = {len(name): name for name in (b"host", b"authorization", b"content-length", b"expect", b"transfer-encoding")}


class Headers:
    """A request's headers as they came: (name, value) in bytes."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[tuple[bytes, bytes]] = []

    def get(self, name: str, default: Any = None, /) -> Any:
        """The first header of that lower-case name, as text."""
        wanted, length = name.encode(), len(name)
        for found, value in self.lines:
            if len(found) == length and found.lower() == wanted:
                return value.decode("latin-1")
        return default

    def get_all(self, name: str, /) -> list[str]:
        """Every line of the header of that lower-case name, in order."""
        return [value.decode("latin-1") for value in self.values(name.encode())]

    def values(self, name: bytes) -> list[bytes]:
        """Likewise, in bytes."""
        return [value for found, value in self.lines if len(found) == len(name) and found.lower() == name]


class Request:
    """One request. `client` is the peer, `host:port`; `expects` what it wants to hear before it sends its body."""

    __slots__ = ("authorization", "body", "client", "expects", "headers", "keep_alive", "method", "target", "version")

    def __init__(self, client: str) -> None:
        self.client = client
        self.method = ""
        self.target = b""
        self.version = "1.1"
        self.headers = Headers()
        self.authorization: bytes | None = None
        self.expects: bytes | None = None
        self.body = b""
        self.keep_alive = True

    @property
    def path(self) -> str:
        """Where it goes, its escapes read; what is not UTF-8 is no path of ours."""
        path = self.target.partition(b"?")[0]
        return (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8", "replace")

    @property
    def query_string(self) -> str:
        """What stands after the `?`, as it came."""
        return self.target.partition(b"?")[2].decode("latin-1")


class Parser:
    """The requests of one connection, each handed to `ready` once it is whole.

    `in_head`: a head has begun and is not whole. `begun`: the request whose head has come and whose body has not.
    """

    __slots__ = (
        "_body_max",
        "_chunks",
        "_completed",
        "_fault",
        "_http",
        "_last",
        "_raw",
        "_read",
        "_ready",
        "_request",
        "_size",
        "begun",
        "in_head",
    )

    def __init__(self, client: str, body_max: int, ready: Callable[[Request], None]) -> None:
        self.begun: Request | None = None
        self.in_head = False
        self._ready = ready
        self._body_max = body_max
        self._http = HttpRequestParser(self)
        self._request = Request(client)
        self._fault: WanfaError | None = None
        self._last = False  # the request that was handed over ends the connection
        self._completed = False  # a request became whole by the bytes that were fed last
        self._raw = 0  # bytes of the request that is under way
        self._read = 0
        self._size = 0
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take what the connection brought.

        Raises MalformedRequest, MalformedQuery, HeadTooLarge or BodyTooLarge; nothing may be fed after that.
        """
        self._completed = False
        self._read = self._raw + len(data)
        try:
            self._http.feed_data(data)
        except HttpParserUpgrade:
            self._last = True
        except HttpParserInvalidURLError:
            raise MalformedQuery() if b"?" in data.partition(b"\r\n")[0] else MalformedRequest() from None
        except HttpParserError:
            if not self._last:
                raise self._fault or MalformedRequest() from None
        if self._last:
            return  # whatever follows the last request, nobody reads it
        if self._fault:
            raise self._fault
        if self.in_head or self.begun:
            self._measure(len(data))

    def _measure(self, length: int) -> None:
        self._raw = 0 if self._completed else self._raw + length  # bytes of the one before are not this one's
        if self.in_head and self._raw > HEAD_BYTES_MAX:
            raise HeadTooLarge
        if self._raw > HEAD_BYTES_MAX + FRAMING * self._body_max:
            raise BodyTooLarge

    # What llhttp calls.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.in_head = True

    def on_url(self, part: bytes) -> None:
        """The target, in one piece or several."""
        self._request.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody wants."""
        if self.in_head:
            self._request.headers.lines.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        request, http = self._request, self._http
        self.in_head = False
        self.begun = request
        request.method = http.get_method().decode("ascii")
        request.version = http.get_http_version()
        self._fault = self._fault or self._fault_of(request)

    def on_body(self, chunk: bytes) -> None:
        """A part of the body, without its framing."""
        self._size += len(chunk)
        if self._size > self._body_max:
            self._fault = self._fault or BodyTooLarge()
        else:
            self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._fault or self._last:
            return
        request, chunks = self._request, self._chunks
        if chunks:
            request.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._chunks = []
        http = self._http
        request.keep_alive = http.should_keep_alive() and request.version != "1.0" and not http.should_upgrade()
        self._last = not request.keep_alive
        self.begun = None
        self._completed = True
        self._size = self._raw = 0
        self._request = Request(request.client)
        self._ready(request)

    def _fault_of(self, request: Request) -> WanfaError | None:
        """What llhttp does not mind about a head."""
        lines, http = request.headers.lines, self._http
        if len(lines) > HEADERS_MAX or (self._read > HEAD_BYTES_MAX and _bytes_of(request) > HEAD_BYTES_MAX):
            return HeadTooLarge()
        hosts, codings, length = self._framing(request)
        old = request.version == "1.0"
        if (
            request.method not in METHODS  # llhttp knows RTSP and CONNECT as well
            or request.version not in VERSIONS
            or not _placed(request)
            or hosts > 1
            or (hosts == 0 and not old)
            or (codings and (codings != CHUNKED or old))
            # llhttp takes the body for what comes after the upgrade; others do not.
            or ((codings or length != b"0") and http.should_upgrade())
        ):
            return MalformedRequest()
        if len(length) > LENGTH_DIGITS_MAX or int(length) > self._body_max:
            return BodyTooLarge()
        return None

    @staticmethod
    def _framing(request: Request) -> tuple[int, list[bytes], bytes]:
        """How many hosts there are, the codings, the length; by the lengths of names, since most are neither."""
        hosts, codings, length = 0, [], b"0"
        for name, value in request.headers.lines:
            wanted = NAMES.get(len(name))
            if wanted is None or name.lower() != wanted:
                continue
            if wanted == b"host":
                hosts += 1
            elif wanted == b"authorization":
                request.authorization = request.authorization or value
            elif wanted == b"content-length":
                length = value
            elif wanted == b"expect":
                request.expects = value
            else:
                codings.append(value.lower())
        return hosts, codings, length


def _placed(request: Request) -> bool:
    """Whether the target is a path, or the `*` of OPTIONS; an absolute one becomes its path."""
    target = request.target
    if target[:7].lower() == b"http://":
        request.target = target = b"/" + target[7:].partition(b"/")[2]
    return target.startswith(b"/") or (target == b"*" and request.method == "OPTIONS")


def _bytes_of(request: Request) -> int:
    return len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers.lines)
