"""A small asyncio HTTP/1.1 client for load, and the journal in which a client writes what it did.

Imports nothing of wanfa: what it claims to have seen is evidence (loadtests/auditor), so it must come from outside.
One click is two lines of JSON: what was sent, written before sending, and what came back. A click whose second
line has `status` null was sent, and nobody knows what became of it.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TextIO, cast
from urllib.parse import urlsplit

CRLF2 = b"\r\n\r\n"
LEFT_OUT_S = 0.2  # an address that failed, before it is tried again


class Unknown(Exception):
    """The connection failed or the answer did not come in time: the request may or may not have been done."""


class Answer(NamedTuple):
    """One HTTP response; header names are lower-case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        """The body, decoded; None when it is empty or no JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request in flight."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self.usable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this when the connection is up."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its ancestry

    def data_received(self, data: bytes) -> None:
        """Asyncio calls this with what came; one answer may come in pieces."""
        self._buffer += data
        try:
            answer = self._parse()
        except ValueError as error:
            self._fail(f"not an HTTP answer: {error}")
            return
        if answer is not None and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio calls this once, at the end."""
        self._fail(str(exc or "connection closed"))

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Write the request now; the future brings the answer or Unknown."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        if self.usable:
            self._transport.write(request)
        else:
            self._waiting.set_exception(Unknown("connection closed"))
        return self._waiting

    def close(self) -> None:
        """Drop the connection; whatever was in flight stays unknown."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, why: str) -> None:
        self.usable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Unknown(why))

    def _parse(self) -> Answer | None:
        end = self._buffer.find(CRLF2)
        if end < 0:
            return None
        head, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status = int(head.split(b" ", 2)[1])
        size = 0 if status in (204, 304) else int(headers.get(b"content-length", b"0"))
        if b"transfer-encoding" in headers:
            raise ValueError("the client does not read chunked answers")
        if len(self._buffer) < end + 4 + size:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        if headers.get(b"connection", b"").lower() == b"close":
            self.usable = False
        return Answer(status, headers, body)


class Sender(Protocol):
    """Sends a request and brings its answer."""

    async def request(self, method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        """Raises Unknown when no answer came."""


class Client:
    """At most `connections` keep-alive connections to one address; a broken one is replaced at its next use."""

    def __init__(self, url: str, connections: int = 256, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._timeout_s = timeout_s
        self.connections = connections
        self._free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
        self._open: set[Connection] = set()
        for _ in range(connections):
            self._free.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for connection in self._open:
            connection.close()

    async def connect_all(self) -> None:
        """Open every connection now, so that a burst does not measure accept()."""
        slots = [self._free.get_nowait() for _ in range(self._free.qsize())]
        for slot in slots:
            self._free.put_nowait(slot or await self._connect())

    async def request(self, method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        """Send one request on the next free connection. Raises Unknown when no answer came."""
        raw = encode_request(method, path, self._host, body, token)
        connection = await self._free.get()
        try:
            if connection is None or not connection.usable:
                connection = await self._replace(connection)
            return await asyncio.wait_for(connection.send(raw), self._timeout_s)
        except (OSError, TimeoutError, Unknown) as error:
            if connection is not None:
                connection.close()
            raise Unknown(str(error) or type(error).__name__) from None
        finally:
            self._free.put_nowait(connection)

    async def _replace(self, broken: Connection | None) -> Connection:
        if broken is not None:
            broken.close()
            self._open.discard(broken)
        return await self._connect()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(Connection, self._host, self._port)
        _, connection = await asyncio.wait_for(opening, self._timeout_s)
        self._open.add(connection)
        return connection


class Spread:
    """Several addresses of one service: each request goes to the next one, one that failed is left out for a moment."""

    def __init__(self, urls: Sequence[str], connections: int = 256, timeout_s: float = 10.0) -> None:
        self._clients = [Client(url, connections, timeout_s) for url in urls]
        self._left_out_until = [0.0] * len(urls)
        self._last = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for client in self._clients:
            await client.__aexit__(*exc)

    async def request(self, method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        """Send one request to the address whose turn it is. Raises Unknown when no answer came."""
        self._last = turn = self._next()
        try:
            return await self._clients[turn].request(method, path, body, token)
        except Unknown:
            self._left_out_until[turn] = time.monotonic() + LEFT_OUT_S
            raise

    def _next(self) -> int:
        turns = [(self._last + step) % len(self._clients) for step in range(1, len(self._clients) + 1)]
        now = time.monotonic()
        return next((turn for turn in turns if self._left_out_until[turn] <= now), turns[0])


def encode_request(method: str, path: str, host: str, body: object = None, token: str | None = None) -> bytes:
    """The bytes of one HTTP/1.1 request with a JSON body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    content = b""
    if body is not None:
        content = json.dumps(body, separators=(",", ":")).encode()
        lines.append("Content-Type: application/json")
    if method != "GET":
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode() + CRLF2 + content


class Person(NamedTuple):
    """A logged-in consumer."""

    user: str
    token: str


async def log_in(client: Sender, name: str) -> Person:
    """The demo consumer `name` (the server must allow demo logins)."""
    answer = await client.request("POST", "/v1/auth/wechat", {"code": f"demo-{name}"})
    if answer.status not in (200, 201):
        raise RuntimeError(f"login of demo-{name}: {answer.status} {answer.body[:200]!r}")
    reply = answer.json()
    user = reply["user"]
    return Person(user["id"] if isinstance(user, dict) else user, reply["token"])


class Click(NamedTuple):
    """What a person asks for. `instance` is empty when the verb is `open`."""

    person: Person
    config: str
    instance: str
    verb: str
    request_id: str
    quantity: int = 1

    @property
    def path(self) -> str:
        """The route of the verb."""
        if self.verb == "open":
            return f"/v1/play-configs/{self.config}/instances"
        if self.verb == "join":
            return f"/v1/instances/{self.instance}/join"
        return f"/v1/instances/{self.instance}/actions/{self.verb}"

    @property
    def body(self) -> dict[str, object]:
        """The request's body."""
        if self.verb in ("open", "join"):
            return {"requestId": self.request_id, "quantity": self.quantity}
        return {"requestId": self.request_id}


class Seen(NamedTuple):
    """What came back. `status` None: nobody knows. `outcome` is RESERVED or the refusal's code."""

    status: int | None
    outcome: str | None
    order_id: str | None
    instance: str | None
    replayed: bool


class Journal:
    """JSON lines: each click before it is sent and after it was answered. Without a path nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file:
            self._file.close()

    def write(self, line: dict[str, object]) -> None:
        """Append one line."""
        if self._file:
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")


async def send_click(client: Sender, journal: Journal, click: Click) -> Seen:
    """One attempt, in the journal before and after."""
    line: dict[str, object] = {
        "user": click.person.user,
        "configId": click.config,
        "instanceId": click.instance or None,
        "verb": click.verb,
        "requestId": click.request_id,
        "quantity": click.quantity,
        "sentAt": _now_ms(),
    }
    journal.write(line)
    try:
        answer = await client.request("POST", click.path, click.body, click.person.token)
    except Unknown:
        journal.write(line | {"status": None, "outcome": None, "receivedAt": _now_ms()})
        return Seen(None, None, None, None, False)
    reply = answer.json() or {}
    seen = Seen(
        answer.status,
        reply.get("outcome") or reply.get("code"),
        reply.get("orderId"),
        reply.get("instanceId"),
        answer.headers.get(b"idempotent-replayed") == b"true",
    )
    journal.write(
        line
        | {
            "status": seen.status,
            "outcome": seen.outcome,
            "orderId": seen.order_id,
            "wonInstanceId": seen.instance,
            "payBefore": reply.get("payBefore"),
            "replayed": seen.replayed,
            "receivedAt": _now_ms(),
        }
    )
    return seen


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
