"""What granian runs: hot routes answered here, everything else carried to Litestar."""

import asyncio
import gc
import logging
from contextlib import AsyncExitStack
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # it is exported, if not explicitly

from api.app import create_app
from api.bridge import Asgi, carry
from api.errors import Answer
from api.hot.body import Bodies, BodyStream, ClientGone, RequestHeaders
from api.hot.clicks import Hot, answered
from api.hot.facts import FactReader
from engine.core.logs import configure_logs
from engine.core.settings import load_settings
from engine.runtime.bootstrap import Engine, open_engine


class Application:
    """One API process. granian calls the dunder methods."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the engine before the first request."""
        loop.run_until_complete(self.start())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close it after the last."""
        loop.run_until_complete(self.close())

    async def start(self) -> None:
        """Open everything a request needs."""
        settings = load_settings()
        configure_logs(settings.log.level)
        self._exit = AsyncExitStack()
        engine = await self._exit.enter_async_context(open_engine(settings))
        await engine.live.start()
        self._exit.push_async_callback(engine.live.close)
        limits = settings.api
        self._bodies = Bodies(bytes_max=limits.body_bytes_max, timeout_s=limits.body_timeout_s, gone=(ProtocolClosed,))
        self._bodies.start()
        self._exit.push_async_callback(self._bodies.close)
        facts = FactReader(engine.admission, address_header=limits.address_header)
        self._hot = Hot(
            gate=engine.gate,
            live=engine.live,
            tokens=engine.access.tokens,
            bodies=self._bodies,
            facts=facts,
            missed=engine.missed,
            status_of=engine.orders.status_of,
            first_answer=engine.orders.first_answers.reply,
        )
        await self._open(engine)
        _tune_garbage_collection()
        logging.getLogger("wanfa.api").info("serving")

    async def _open(self, engine: Engine) -> None:
        self._litestar: Asgi = create_app(engine)
        self.find = self._hot.find

    async def close(self) -> None:
        """Close it again."""
        await self._exit.aclose()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        method = scope.method
        handler = self.find("GET" if method == "HEAD" else method, scope.path) or self._carry
        try:
            protocol.response_bytes(*await answered(handler, scope.headers, protocol, scope))
        except (ClientGone, ProtocolClosed):
            return  # the client has gone; a click of its that was decided stays decided, and its repeat is answered

    async def _carry(self, headers: RequestHeaders, body: BodyStream, scope: Any) -> Answer:
        """Litestar's answer."""
        if other := self._hot.other(scope.method, scope.path):
            return other
        return await carry(self._litestar, scope, await self._bodies.read(headers, body))


def _tune_garbage_collection() -> None:
    """Look for reference cycles seldom: a click leaves none, and looking cost a sixth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


app = Application()
