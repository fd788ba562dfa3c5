"""`wanfa serve`: granian runs one process for clicks per `api.workers`, and one for everything else.

In a process for clicks `api.front.app:app` listens on the public port itself; what is not hot it relays to the other
one, where granian serves `api.rsgi:app` on a unix socket. With `api.front = "granian"` granian serves all of it on the
public port.

A worker process ends with its parent, whatever killed that: otherwise it would go on holding the port.
"""

import asyncio
import errno
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.log import LogLevels
from granian.server import Server

from engine.access.tokens import Tokens
from engine.core.connections import close_pool, open_hot, open_pool
from engine.core.errors import ServerUnreachable
from engine.core.logs import configure_logs
from engine.core.settings import Settings, environment
from engine.money.providers.registry import check_provider
from engine.runtime.end_with_parent import end_with_parent

EVERYTHING = "api.rsgi:app"
CLICKS = "api.front.app:app"
DRAIN_TIMEOUT_S = 5
OFFICE_LOOK_S = 0.2
OFFICE_AGAIN_S = 0.5


def check_port(host: str, port: int) -> None:
    """ServerUnreachable when something listens there already, or the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerUnreachable(
                f"port {port} of {host} is taken; end what listens there or set WANFA_API_PORT to another"
            ) from None
        raise ServerUnreachable(f"cannot listen on {host} port {port}: {error.strerror or error}") from None


def check_choices(settings: Settings) -> None:
    """SettingsInvalid for what a worker process could say only in a traceback."""
    check_provider(settings.money.provider)
    Tokens(settings.auth.secret)


async def check_servers(settings: Settings) -> None:
    """ServerUnreachable when a configured server does not answer."""
    async with AsyncExitStack() as opened:
        pool = await open_pool(settings.postgres.url, size_max=1)
        opened.push_async_callback(close_pool, pool)
        for url in {settings.redis.hot_url, settings.redis.queue_url}:
            client = await open_hot(url)
            opened.push_async_callback(client.aclose)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; `settings` must be complete."""
    api = settings.api
    check_choices(settings)
    check_port(api.host, api.port)
    asyncio.run(check_servers(settings))
    os.environ |= environment(settings)  # worker processes load the settings again
    if api.front == "granian":
        _granian(EVERYTHING, settings, address=api.host, port=api.port).serve(target_loader=load_tied)
        return
    with TemporaryDirectory(prefix="wanfa-serve-") as folder:
        office = Path(folder) / "office"
        os.environ["WANFA_OFFICE"] = str(office)
        with _Office(office, settings):
            _granian(CLICKS, settings, uds=Path(folder) / "clicks").serve(target_loader=load_tied)


class _Office:
    """The process that answers what is not hot, started again whenever it ends: clicks go on without it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings
        self._ending = Event()
        self._thread = Thread(target=self._keep, name="office", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join(DRAIN_TIMEOUT_S + 1)

    def _keep(self) -> None:
        context = multiprocessing.get_context("spawn")
        while not self._ending.is_set():
            process = context.Process(target=serve_office, args=(self._path, self._settings), name="office")
            process.start()
            while process.is_alive() and not self._ending.wait(OFFICE_LOOK_S):
                pass
            if process.is_alive():  # it is we who end
                process.terminate()
                process.join(DRAIN_TIMEOUT_S)
                process.kill()
            self._ending.wait(OFFICE_AGAIN_S)


def serve_office(path: Path, settings: Settings) -> None:
    """Serve everything on a unix socket, in a process of its own that ends with its parent."""
    os.setsid()  # an interrupt from the terminal is the parent's: it ends this one after the clicks
    _tie(signal.SIGTERM)
    configure_logs(settings.log.level)
    path.unlink(missing_ok=True)
    _granian(EVERYTHING, settings, workers=1, uds=path, uds_permissions=0o600).serve(target_loader=load_tied)


def _granian(target: str, settings: Settings, **where: Any) -> Any:
    workers = where.pop("workers", settings.api.workers)
    return Server(
        target,
        **where,
        interface=Interfaces.RSGI,
        workers=workers,
        runtime_threads=1,
        runtime_mode=RuntimeModes.st,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=settings.api.backlog,
        backpressure=settings.api.connections_max,
        log_level=LogLevels.warning,
        log_access=False,
        # A single worker that died takes its parent along: whoever supervises restarts sooner and cleaner.
        respawn_failed_workers=workers > 1,
        workers_kill_timeout=DRAIN_TIMEOUT_S,
    )


def load_tied(target: str) -> Callable[..., Any]:
    """Granian calls this in each worker process."""
    _tie(signal.SIGKILL)
    module, _, name = target.partition(":")
    loaded: Callable[..., Any] = getattr(import_module(module), name)
    return loaded


def _tie(number: signal.Signals) -> None:
    end_with_parent(number)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it died before we were tied to it
        sys.exit(1)
