"""The public port: who may connect, how long they may take, and how it ends."""

import asyncio
import contextlib
import logging
import time
from collections import Counter

from api.front.connection import Connection
from api.front.doors import Doors
from api.front.frames import Frames
from engine.core.logs import SELDOM
from engine.core.settings import ApiSettings
from engine.core.tasks import end_tasks

log = logging.getLogger("wanfa.api")

LOOK_S = 1.0
REFUSED_MAX = 1000  # connections beyond the limit that are being told so
DRAIN_S = 4.0  # granian ends a worker that takes longer than engine/runtime/serve.py allows


class Listener:
    """The connections of one process. `now_s` is the monotonic clock, as of the last look."""

    def __init__(self, doors: Doors, limits: ApiSettings) -> None:
        self.doors = doors
        self.limits = limits
        self.frames = Frames()
        self.draining = False
        self.now_s = time.monotonic()
        self._connections: set[Connection] = set()
        self._left = asyncio.Event()  # the last one, while it is draining
        self._addresses: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to listen, beside other processes on the same port."""
        self.loop = asyncio.get_running_loop()
        self.frames.tick(time.time())
        limits = self.limits
        self._server = await self.loop.create_server(
            lambda: Connection(self), limits.host, limits.port, backlog=limits.backlog, reuse_port=True
        )
        self._looking = self.loop.create_task(self._look(), name="connections")

    async def close(self) -> None:
        """Stop listening, answer what is under way, and end; who takes longer than DRAIN_S is cut off."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.drain()
        if not self._connections:
            self._left.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._left.wait(), DRAIN_S)
        for connection in list(self._connections):
            connection.transport.abort()
        if self._looking is not None:
            await end_tasks([self._looking])

    def admit(self, connection: Connection) -> bool:
        """Whether one more may come in, and one more from there."""
        limits, address = self.limits, connection.peer.rpartition(":")[0]
        self._connections.add(connection)
        self._addresses[address] += 1
        if len(self._connections) > limits.connections_max + REFUSED_MAX:
            connection.transport.abort()  # not even told
            return True
        if len(self._connections) > limits.connections_max:
            log.warning("more than api.connections_max = %d connections", limits.connections_max, extra=SELDOM)
            return False
        return not limits.connections_per_address_max or self._addresses[address] <= limits.connections_per_address_max

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        address = connection.peer.rpartition(":")[0]
        self._connections.discard(connection)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
        if self.draining and not self._connections:
            self._left.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.now_s = time.monotonic()
            self.frames.tick(time.time())
            for connection in list(self._connections):
                connection.look(self.now_s)
