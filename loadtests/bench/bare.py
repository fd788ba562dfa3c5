"""The ceiling: RSGI apps that answer fixed bytes, on the same server as wanfa's API.

`BARE_ANSWER` names a file: a JSON list [status, [[name, value], …], body text]. A GET is answered at once; of any
other request the body is read first.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from engine.core.settings import load_settings
from engine.local.state import complete
from engine.runtime import serve


def _read_answer() -> tuple[int, list[tuple[str, str]], bytes]:
    status, headers, body = json.loads(Path(os.environ["BARE_ANSWER"]).read_text(encoding="utf-8"))
    return status, [(name, value) for name, value in headers], body.encode()


class Bare:
    """An RSGI application that knows one answer."""

    def __init__(self) -> None:
        self._status, self._headers, self._body = _read_answer()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Read what came, answer what was given."""
        if scope.method != "GET":
            await protocol()
        protocol.response_bytes(self._status, self._headers, self._body)


def __getattr__(name: str) -> Bare:
    """`app` is made when the server asks for it, so that importing this file does nothing."""
    if name == "app":
        return Bare()
    raise AttributeError(name)


def main() -> None:
    """Serve `app` exactly as wanfa serves its API: same server, same options, another callable."""
    serve.EVERYTHING = "loadtests.bench.bare:app"
    settings = complete(load_settings())
    serve.serve(msgspec.structs.replace(settings, api=msgspec.structs.replace(settings.api, front="granian")))


if __name__ == "__main__":
    main()
