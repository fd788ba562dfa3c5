"""Where a request goes: a click to its lane, a read to memory, everything else to the office.

The checks are those of api/hot; nothing here knows more of a click than which method is called next.
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

import msgspec

from api.errors import Answer
from api.front.parser import Request
from api.front.relay import Relay
from api.hot.clicks import Asked, Hot, target_of
from api.languages import language_of
from api.readiness import head_of, readiness_of
from api.requests import METHODS, allow, options
from api.schema.queries import checked
from engine.core.errors import MalformedQuery, Unavailable
from engine.core.texts import Text
from engine.gate.wire import Reply
from engine.runtime.bootstrap import Engine

ALIVE: Answer = (200, [("content-type", "application/json")], b'{"status":"alive"}')
PROBES = frozenset({"/livez", "/readyz"})
OFFICE_AWAY = Text(
    "后台进程没有响应：下单仍可进行，支付、查询与后台暂停，系统会自动重启它",
    "The office process does not answer: clicks are still taken, all else waits until it has been started again",
)

if TYPE_CHECKING:
    from api.front.connection import Connection


class Doors:
    """Those of one process."""

    def __init__(self, engine: Engine, hot: Hot, relay: Relay) -> None:
        self._engine = engine
        self._hot = hot
        self._relay = relay
        self.enter = hot.enter

    def answer(self, request: Request, connection: "Connection") -> Asked | Answer | Awaitable[Answer | None]:
        """What a request is answered; a click that only Redis can decide; or an answer that is still to come.

        What is to come may be None: it has been written to the connection already. Raises WanfaErrors.
        """
        if b"?" in request.target and not request.query_string.isascii():
            raise MalformedQuery
        path, method = request.path, request.method
        if method == "POST":
            target = target_of(path)
            if target is not None:
                hot = self._hot
                user = hot.consumer_of(request.authorization)
                asked = hot.asked(target, user, request.body, request.headers, request.query_string)
                if isinstance(asked, Asked) and asked.live.asks:
                    return hot.with_facts(asked, request.headers, request)
                return asked
        elif method in {"GET", "HEAD"}:
            read = self._hot.read(path, request.headers, request)
            if read is not None:
                return read
            if path in PROBES:
                checked(request.query_string, ())
                return ALIVE if path == "/livez" else self._ready(request)
        if path == "*":
            return options(allow(METHODS))
        return self._hot.other(method, path) or self._relay.carry(request, connection)

    async def _ready(self, request: Request) -> Answer:
        language = language_of(request.headers.get("accept-language"))
        reached = await self._relay.reached()
        if not self._relay.seen:  # just started: send nobody here yet
            raise Unavailable
        away = [] if reached else [OFFICE_AWAY]
        readiness = await readiness_of(self._engine, language, away)
        status, headers = head_of(readiness, language)
        return status, [("content-type", "application/json"), *headers.items()], msgspec.json.encode(readiness)

    def told(self, asked: Asked, reply: int | Reply, request: Request) -> Answer | Awaitable[Answer]:
        """What becomes of the lane's reply."""
        return self._hot.told(asked, reply, request.headers)
