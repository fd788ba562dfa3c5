"""Carries a request from granian's RSGI to an ASGI application and its answer back: Litestar's seat."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


async def carry(app: Asgi, scope: Any, protocol: Any, body_bytes_max: int) -> None:
    """Answer one RSGI request through `app`. Bodies are whole, on both ways."""
    body = await read_body(scope, protocol, body_bytes_max + 1)
    answer = _Answer()
    await app(_asgi_scope(scope), _receiver(body), answer.send)
    protocol.response_bytes(answer.status, answer.headers, bytes(answer.body))


async def read_body(scope: Any, protocol: Any, bytes_max: int) -> bytes:
    """The request's body, or its first `bytes_max` bytes when it is longer: enough to see that it is too long."""
    if int(scope.headers.get("content-length") or bytes_max) < bytes_max:
        return bytes(await protocol())
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) >= bytes_max:
            break
    return bytes(body[:bytes_max])


class _Answer:
    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _receiver(body: bytes) -> Callable[[], Awaitable[Message]]:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _asgi_scope(scope: Any) -> dict[str, Any]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope.headers.items()]
    if scope.authority and not any(name == b"host" for name, _value in headers):
        headers.append((b"host", scope.authority.encode("latin-1")))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": scope.path,
        "raw_path": scope.path.encode(),
        "query_string": scope.query_string.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": _address(scope.client),
        "server": _address(scope.server),
        "state": {},
    }


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port) if port.isdigit() else 0
