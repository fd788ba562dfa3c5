"""One raw connection to the node that owns a shard's slot.

redis-py's clients reload unknown scripts and retry by themselves; the gate must do neither, because an
unknown script is how it learns that Redis was restarted (engine/gate/README.md, The fence). So it speaks through a bare
connection and decides itself what an error means.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError


class HotConnection:
    """Sends one command at a time; reconnects when asked after a failure; follows a cluster's MOVED."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        options: dict[str, Any] = dict(parse_url(url))
        self._kind: type[Connection] = options.pop("connection_class", Connection)
        self._home = options | {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
        }
        self._options = self._home
        self._connection: Connection | None = None

    async def command(self, *words: str | bytes | int) -> Any:
        """The reply. Raises redis.exceptions.RedisError; after any but a ResponseError the outcome is unknown."""
        try:
            return await self._exchange(words)
        except ResponseError as error:
            moved = str(error).split()
            if len(moved) != 3 or moved[0] != "MOVED":
                raise
            await self._follow(moved[2])
            return await self._exchange(words)

    async def close(self) -> None:
        """Drop the connection; the next command opens a new one, to where the URL says: the node may be gone."""
        connection, self._connection = self._connection, None
        self._options = self._home
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _exchange(self, words: Sequence[str | bytes | int]) -> Any:
        connection = self._connection
        if connection is None:
            connection = self._kind(**self._options)
            await connection.connect()
            self._connection = connection
        try:
            await connection.send_packed_command(connection.pack_command(*words), check_health=False)
            return await connection.read_response(disable_decoding=True)
        except ResponseError:
            raise
        except BaseException:
            await self.close()  # a reply may still be under way: never read it as another command's
            raise

    async def _follow(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        await self.close()
        self._options = self._home | {"host": host or self._home.get("host", "localhost"), "port": int(port)}
