"""What granian runs: hot routes answered here, everything else carried to Litestar."""

import asyncio
import gc
import logging
from contextlib import AsyncExitStack
from typing import Any

from api.app import create_app
from api.bridge import carry
from api.hot import Hot, answered
from engine.runtime.bootstrap import open_engine
from engine.runtime.logs import configure_logs
from engine.settings import load_settings


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
        self._litestar = create_app(engine)
        self._body_bytes_max = settings.api.body_bytes_max
        hot = Hot(gate=engine.gate, live=engine.live, tokens=engine.tokens, body_bytes_max=self._body_bytes_max)
        self.find = hot.find
        _tune_garbage_collection()
        logging.getLogger("wanfa.api").info("serving")

    async def close(self) -> None:
        """Close it again."""
        await self._exit.aclose()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        handler = self.find(scope.method, scope.path)
        if handler is None:
            await carry(self._litestar, scope, protocol, self._body_bytes_max)
        else:
            protocol.response_bytes(*await answered(handler, scope.headers, protocol, scope.query_string))


def _tune_garbage_collection() -> None:
    """Look for reference cycles seldom: a click leaves none, and looking cost a sixth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


app = Application()
