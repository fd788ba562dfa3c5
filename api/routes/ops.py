"""Is it alive, can it sell, and how well is what it has sold kept?"""

from typing import Any, Literal

import msgspec
from litestar import Controller, Request, Response, get

from api.doors import Engaged, says
from api.languages import language_of
from api.readiness import Readiness, head_of, readiness_of


class Alive(msgspec.Struct, frozen=True):
    """进程存活"""

    status: Literal["alive"]


class OpsController(Controller):
    """For load balancers and people on call."""

    @get("/livez", **says("存活探针"))
    async def livez(self) -> Alive:
        """The process answers."""
        return Alive("alive")

    @get("/readyz", **says("就绪探针：200 可以下单，503 不能下单"))
    async def readyz(self, request: Request[Any, Any, Any], engine: Engaged) -> Response[Readiness]:
        """Whether clicks can be decided, and what is wrong."""
        language = language_of(request.headers.get("accept-language"))
        readiness = await readiness_of(engine, language)
        status, headers = head_of(readiness, language)
        return Response(readiness, status_code=status, headers=headers)
