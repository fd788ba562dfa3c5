"""The hot routes over ASGI instead of RSGI, all else equal: what the choice of interface is worth.

`python -m loadtests.bench.asgi_hot` serves them; the bench starts that beside wanfa's own API.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.log import LogLevels
from granian.server import Server

from api.hot.clicks import answered
from api.rsgi import Application
from engine.core.settings import load_settings
from engine.local.programs import free_port
from loadtests.bench.cpu import SERVER_CORE
from loadtests.bench.joins import JOINS, check_count
from loadtests.bench.measure import Measurement, Plan, Row, Sample, compare, interleave, load
from loadtests.bench.processes import Program, http_status
from loadtests.bench.stack import Stack

CONNECTIONS = 256

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Headers:
    """ASGI's list of pairs, asked by name."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._found = dict(pairs)

    def get(self, name: str, default: str | None = None, /) -> str | None:
        """The header's value."""
        value = self._found.get(name.encode())
        return default if value is None else value.decode("latin-1")

    def get_all(self, name: str, /) -> list[str]:
        """The header's last value; the bench sends no header twice."""
        value = self.get(name)
        return [] if value is None else [value]


class BodyStream:
    """ASGI's messages as one body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def __call__(self) -> bytes:
        """All of it."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await self._receive()
            body += message.get("body", b"")
        return body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield await self()


class Scope:
    """What RSGI's scope tells of a request, from ASGI's."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.query_string: str = scope["query_string"].decode("latin-1")
        host, port = scope.get("client") or ("", 0)
        self.client = f"{host}:{port}"


class Asgi:
    """The ASGI application: opens the engine when the server starts, then answers hot routes only."""

    def __init__(self) -> None:
        self._application = Application()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        handler = self._application.find(scope["method"], scope["path"])
        if handler is None:
            raise RuntimeError(f"{scope['path']} is no hot route")
        status, headers, body = await answered(handler, Headers(scope["headers"]), BodyStream(receive), Scope(scope))
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        pairs.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._application.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._application.close()
        await send({"type": "lifespan.shutdown.complete"})


app = Asgi()


def against_asgi(stack: Stack, plan: Plan) -> list[Row]:
    """Joins over RSGI, as wanfa serves them, against the same over ASGI."""
    subject = stack.subject
    with ExitStack() as opened:
        port = free_port()
        env = subject.env | {"WANFA_API_PORT": str(port), "PYTHONPATH": str(Path.cwd())}
        argv = [sys.executable, "-m", "loadtests.bench.asgi_hot"]
        other = opened.enter_context(Program("ASGI", argv, env, SERVER_CORE, stack.folder / "asgi.log"))
        other.wait_until(lambda: http_status(f"http://127.0.0.1:{port}/v1/instances") == 200, "it listened")
        sides: dict[str, Measurement] = {
            "RSGI": partial(_joins, stack, stack.api, subject.port, plan.seconds),
            "ASGI": partial(_joins, stack, other, port, plan.seconds),
        }
        for once in sides.values():
            once()
        samples = interleave("interface", sides, plan)
    return [compare("joins over RSGI, against ASGI", JOINS, samples, None)]


def _joins(stack: Stack, program: Program, port: int, seconds: float) -> Sample:
    subject, stock = stack.subject, 5_000_000
    (config,) = subject.publish(stock=stock)
    subject.wait_visible(config)
    stack.worker.freeze()
    try:
        target = subject.target(config)._replace(port=port)
        run, sample = load(target, CONNECTIONS, seconds, [program.pid], {"valkey": [stack.valkey.pid]})
        check_count(run.good, run.not2xx, stock - subject.left(config), CONNECTIONS)
    finally:
        subject.drop_intents()
        stack.worker.thaw()
    return sample


def main() -> None:
    """Serve `app` with the options wanfa serves its API with, over the other interface."""
    settings = load_settings()
    Server(
        "loadtests.bench.asgi_hot:app",
        address=settings.api.host,
        port=settings.api.port,
        interface=Interfaces.ASGI,
        runtime_threads=1,
        runtime_mode=RuntimeModes.st,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=settings.api.backlog,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
