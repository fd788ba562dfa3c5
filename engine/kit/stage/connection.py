"""A connection that sends now and reads later, so that two stages can work at the same time."""

from typing import Any

from redis.connection import ConnectionPool, parse_url
from redis.exceptions import RedisError, ResponseError

REPLY_TIMEOUT_S = 20.0

Command = tuple[Any, ...]


class PipelinedConnection:
    """One database of a Valkey; replies are bytes, numbers and lists as they come."""

    def __init__(self, url: str, database: int) -> None:
        pool = ConnectionPool(**{**parse_url(url), "db": database, "socket_timeout": REPLY_TIMEOUT_S})
        self._connection: Any = pool.make_connection()  # typed in part only
        self._waiting = 0

    def close(self) -> None:
        """Hang up."""
        self._connection.disconnect()

    def send(self, *commands: Command) -> None:
        """Send commands; their replies are read with `receive`."""
        self._connection.send_packed_command(self._connection.pack_commands(commands))
        self._waiting += len(commands)

    def receive(self) -> list[Any]:
        """The replies to all that was sent since this was last called. Raises the first error among them."""
        waiting, self._waiting = self._waiting, 0
        replies: list[Any] = []
        error: ResponseError | None = None
        for _ in range(waiting):
            try:
                replies.append(self._connection.read_response())
            except ResponseError as answer:
                error = error or answer
            except RedisError:
                self._connection.disconnect()  # the other replies may still come: never take them for later ones
                raise
        if error is not None:
            raise error
        return replies

    def ask(self, *commands: Command) -> list[Any]:
        """Send and receive."""
        self.send(*commands)
        return self.receive()
