"""`wanfa serve`: granian runs the RSGI callable `api.rsgi:app` in one process per `api.workers`.

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
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.log import LogLevels
from granian.server import Server

from engine.access.tokens import Tokens
from engine.core.connections import close_pool, open_hot, open_pool
from engine.core.errors import ServerUnreachable
from engine.core.settings import Settings, environment
from engine.money.providers.registry import check_provider
from engine.runtime.end_with_parent import end_with_parent

TARGET = "api.rsgi:app"
DRAIN_TIMEOUT_S = 5


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
    check_choices(settings)
    check_port(settings.api.host, settings.api.port)
    asyncio.run(check_servers(settings))
    os.environ |= environment(settings)  # worker processes load the settings again
    Server(
        TARGET,
        address=settings.api.host,
        port=settings.api.port,
        interface=Interfaces.RSGI,
        workers=settings.api.workers,
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
        respawn_failed_workers=settings.api.workers > 1,
        workers_kill_timeout=DRAIN_TIMEOUT_S,
    ).serve(target_loader=load_tied)


def load_tied(target: str) -> Callable[..., Any]:
    """Granian calls this in each worker process."""
    end_with_parent(signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it died before we were tied to it
        sys.exit(1)
    module, _, name = target.partition(":")
    loaded: Callable[..., Any] = getattr(import_module(module), name)
    return loaded
