"""A gate whose Valkey, connection and epoch a test can break: what the tests of lanes stand on."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

from redis.asyncio import Redis

from engine.core import ids
from engine.core.errors import Overloaded, Paused
from engine.gate import keys
from engine.gate.gate import Gate
from engine.gate.lane import Lane
from engine.gate.wire import Reply
from engine.playbooks.registry import load_playbooks
from engine.playbooks.script import compose_gate
from tests.support.gate import CONFIG, SHARD, Sale, gate_settings
from tests.support.waiting import WAIT_S, until

SHORT_S = 0.1  # how long clicks wait where all of them are to hear PAUSED


async def turns() -> None:
    """Let everything that can go on do so: turns of the loop, no time."""
    for _ in range(20):
        await asyncio.sleep(0)


class Stage(Sale):
    """A sale on one shard; `epoch` is what Postgres would say, `postgres` how it fails to say it."""

    def __init__(self, gate_url: str, redis: Redis, config_id: str = CONFIG, **settings: Any) -> None:
        self.epoch = 1
        self.postgres: Exception | Literal["hangs"] | None = None
        gate = Gate(
            url=gate_url,
            redis=redis,
            script=compose_gate(load_playbooks().loaded.values()),
            settings=gate_settings(**{"click_timeout_ms": round(WAIT_S * 1000), "shards": SHARD + 1} | settings),
            epoch_of=self._epoch_of,
        )
        super().__init__(gate, redis, config_id)

    @property
    def lane(self) -> Lane:
        """The lane of the shard."""
        return self.gate.lanes[SHARD]

    def beside(self, config_id: str) -> Sale:
        """Another config on the same shard."""
        return Sale(self.gate, self.redis, config_id)

    def wait_shortly(self) -> None:
        """From here on a click that Redis does not decide at once hears PAUSED; until a recovery, or `wait_long`."""
        self.lane._timeout_s = SHORT_S
        self.lane._connection._home["socket_timeout"] = SHORT_S
        if connection := self.lane._connection._connection:
            connection.socket_timeout = SHORT_S

    def wait_long(self) -> None:
        """Clicks wait again for however long a busy machine takes."""
        self.lane._timeout_s = WAIT_S
        self.lane._connection._home["socket_timeout"] = WAIT_S
        if connection := self.lane._connection._connection:
            connection.socket_timeout = WAIT_S

    async def age(self, by_ms: int) -> None:
        """Units that wait to be sold again have waited for so much longer."""
        await self.redis.execute_command("HINCRBY", keys.cells(SHARD, self.config_id), "reopens", -by_ms)

    async def asking(self, user: str) -> "asyncio.Task[Reply | str]":
        """A click that is with Redis, or waits for a closed shard: behind it others wait."""
        task = asyncio.create_task(self.told(user))
        await turns()
        await until(lambda: not self.lane._waiting)
        return task

    async def recover(self) -> None:
        """What a worker does once it has rebuilt a shard whose data is all there."""
        self.wait_long()
        await self.gate.load_script()
        self.epoch += 1
        await self.redis.set(keys.epoch(SHARD), self.epoch)

    async def told(self, user: str, request_id: str = "r1", **how: Any) -> Reply | str:
        """The reply to a click, or the code of what was raised."""
        try:
            return await asyncio.wait_for(self.click(user, request_id, **how), WAIT_S)
        except (Paused, Overloaded) as error:
            return error.code

    async def insist(self, user: str, request_id: str = "r1", **how: Any) -> Reply:
        """Click as a client does: again with the same requestId for as long as it hears PAUSED."""
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    return await self.click(user, request_id, **how)
                except Paused:
                    await asyncio.sleep(0.02)

    async def order_ids(self) -> list[str]:
        """Every order in the stream."""
        return [order[0] for payload in await self.intents() for order in payload[1]]

    def ids_of(self, users: Iterable[str], request_id: str = "r1") -> list[str]:
        """The ids of the users' orders, sorted."""
        return sorted(ids.click_id(self.config_id, user, request_id) for user in users)

    async def _epoch_of(self, _shard: int) -> int:
        if isinstance(self.postgres, Exception):
            raise self.postgres
        if self.postgres == "hangs":
            await asyncio.Event().wait()
        return self.epoch


@asynccontextmanager
async def open_stage(
    url: str, *, through: str = "", client: Redis | None = None, **settings: Any
) -> AsyncIterator[Stage]:
    """An open stage on the Valkey at `url`; the gate goes `through` another address when one is given."""
    redis = client or Redis.from_url(url)
    stage = Stage(through or url, redis, **settings)
    await stage.gate.load_script()
    for shard in range(SHARD + 1):
        await redis.set(keys.epoch(shard), stage.epoch)
    stage.gate.start()
    try:
        yield stage
    finally:
        await asyncio.wait_for(stage.gate.close(), WAIT_S)
        await redis.aclose()


class Proxy:
    """A wire between the gate and Valkey that can lose what comes back, or hold it."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self.swallow = 0  # so many next replies are lost together with their connection
        self.through = asyncio.Event()  # replies pass only while it is set
        self.through.set()

    @property
    def url(self) -> str:
        """Where the gate connects."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._upstream)
        for work in (self._ask(reader, forth), self._answer(back, writer)):
            task = asyncio.create_task(work)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _ask(self, client: asyncio.StreamReader, valkey: asyncio.StreamWriter) -> None:
        try:
            while chunk := await client.read(65536):
                valkey.write(chunk)
        except OSError:
            pass  # the client is gone: so is its connection
        finally:
            valkey.close()

    async def _answer(self, valkey: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            while chunk := await valkey.read(65536):
                await self.through.wait()
                if self.swallow and b"+OK" not in chunk:  # a handshake's replies are no click's
                    self.swallow -= 1
                    return
                client.write(chunk)
        except OSError:
            pass  # Valkey is gone: so is the connection
        finally:
            client.close()
