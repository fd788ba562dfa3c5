"""What is not hot goes to the office: granian in a process of its own, on a unix socket.

A connection a request: a socket on this machine costs less than deciding whether an old one is still good, and no
request of one client can ever stand behind another's. What a client sends is understood here first and written anew, so
nothing of it can mean something else behind.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpResponseParser

from api.errors import Answer
from api.front.frames import LINES
from api.front.parser import Request
from engine.core.errors import Overloaded, Unavailable
from engine.core.logs import SELDOM

if TYPE_CHECKING:
    from api.front.connection import Connection

log = logging.getLogger("wanfa.api")

STATUSES = frozenset(HTTPStatus)
AT_ONCE_MAX = 512
REACH_S = 1.0
HEAD_WAIT_S = 30.0  # until an answer begins; how long it then takes is the client's affair
# Of this connection, or said anew.
OURS = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Relay:
    """Carries requests to the office that listens on `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._under_way = 0
        self.seen = False  # it has answered since this process began

    async def carry(self, request: Request, connection: "Connection") -> Answer | None:
        """The office's answer, written to `connection`; raises Unavailable while there is none."""
        if self._under_way >= AT_ONCE_MAX:
            raise Overloaded
        self._under_way += 1
        office = None
        try:
            office = await self._ask(request, connection)
            async with asyncio.timeout(HEAD_WAIT_S):
                await office.begun
            self.seen = True
        except (OSError, TimeoutError) as error:
            log.warning("the office does not answer: %r", error, extra=SELDOM)
            raise Unavailable from None
        else:
            if not await office.ended:
                connection.transport.abort()  # in the middle: whoever reads must not take it for whole
            return None
        finally:
            self._under_way -= 1
            if office is not None:
                connection.source = None
                office.transport.abort()

    async def reached(self) -> bool:
        """Whether the office answers."""
        try:
            async with asyncio.timeout(REACH_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(b"GET /livez HTTP/1.1\r\nhost: office\r\nconnection: close\r\n\r\n")
                    alive = (await reader.readline()).startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        self.seen = self.seen or alive
        return alive

    async def _ask(self, request: Request, connection: "Connection") -> "_Office":
        loop = asyncio.get_running_loop()
        _transport, office = await loop.create_unix_connection(lambda: _Office(request, connection), self._path)
        office.transport.write(written_anew(request))
        connection.source = office.transport
        return office


class _Office(asyncio.Protocol):
    """One answer of the office, on its way to a client."""

    def __init__(self, request: Request, connection: "Connection") -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[bool] = loop.create_future()
        self._to = connection.transport
        self._request = request
        self._connection = connection
        self._http = HttpResponseParser(self)
        self._lines: list[bytes] = []
        self._length = False
        self._chunked = False
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._http.feed_data(data)
        except HttpParserError:
            self.transport.abort()
        if self._out:
            self._to.write(b"".join(self._out))
            self._out.clear()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(error or ConnectionResetError("the office hung up"))
        if not self.ended.done():
            self.ended.set_result(False)

    # What llhttp calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        low = name.lower()
        self._length = self._length or low == b"content-length"
        if low == b"content-length" or low not in OURS:
            self._lines.append(b"%b: %b\r\n" % (low, value))

    def on_headers_complete(self) -> None:
        request = self._request
        status = self._http.get_status_code()
        bodiless = request.method == "HEAD" or status in {204, 304}
        self._chunked = not self._length and not bodiless
        if self._chunked and request.version == "1.0":
            self._chunked = False  # it ends with the connection
        last = self._connection.ends_after(request)
        self._out = [_line(status), *self._lines]
        if self._chunked:
            self._out.append(b"transfer-encoding: chunked\r\n")
        if last:
            self._out.append(b"connection: close\r\n")
        self._out.append(b"\r\n")
        if not self.begun.done():
            self.begun.set_result(None)
        if bodiless:
            self._end()

    def on_body(self, chunk: bytes) -> None:
        self._out += (b"%x\r\n" % len(chunk), chunk, b"\r\n") if self._chunked else (chunk,)

    def on_message_complete(self) -> None:
        if self._chunked:
            self._out.append(b"0\r\n\r\n")
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(True)


def _line(status: int) -> bytes:
    return LINES[HTTPStatus(status)] if status in STATUSES else b"HTTP/1.1 %d \r\n" % status


def written_anew(request: Request) -> bytes:
    """A request as the office reads it: what was understood of it, and nothing else."""
    named = {name.strip().lower() for value in request.headers.values(b"connection") for name in value.split(b",")}
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.target)]
    for name, value in request.headers.lines:
        low = name.lower()
        if low not in OURS and low not in named:
            lines.append(b"%b: %b\r\n" % (low, value))
    lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(request.body))
    lines.append(request.body)
    return b"".join(lines)
