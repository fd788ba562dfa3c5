"""What granian runs in a process for clicks: a listener on the public port, in granian's own loop.

Granian starts, supervises and ends these processes; nobody speaks to the socket that it opens for itself.
"""

import os
from typing import Any

from api.front.doors import Doors
from api.front.listener import Listener
from api.front.relay import Relay
from api.rsgi import Application
from engine.runtime.bootstrap import Engine


class ClickProcess(Application):
    """One process for clicks."""

    async def _open(self, engine: Engine) -> None:
        relay = Relay(os.environ["WANFA_OFFICE"])
        listener = Listener(Doors(engine, self._hot, relay), engine.settings.api)
        await listener.open()
        self._exit.push_async_callback(listener.close)

    async def __rsgi__(self, _scope: Any, protocol: Any) -> None:
        """Nobody is meant to ask here."""
        protocol.response_empty(404, [])


app = ClickProcess()
