"""The Litestar application: every route that is not hot."""

from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide

from api.doors import caller_of
from api.errors import answer
from api.requests import allow, options, parameters
from api.routes.auth import AuthController
from api.routes.hq import HqController
from api.routes.ops import OpsController
from api.routes.payments import SandboxController
from api.routes.play import PlayController
from api.routes.store import StoreController
from api.schema.openapi import DocsController, build
from api.schema.operations import operations_of
from api.schema.queries import checked, taken_by
from engine.access.tokens import Caller
from engine.runtime.bootstrap import Engine

CONTROLLERS = (AuthController, PlayController, StoreController, HqController, OpsController, DocsController)


def create_app(engine: Engine) -> Litestar:
    """An application that answers through `engine`."""
    sandbox = (SandboxController,) if engine.money.provider.name == "sandbox" else ()

    def the_engine() -> Engine:
        return engine

    app = Litestar(
        route_handlers=[*CONTROLLERS, *sandbox],
        dependencies={
            "engine": Provide(the_engine, sync_to_thread=False),
            "who": Provide(_who, sync_to_thread=False),
        },
        exception_handlers={Exception: answer},
        before_request=_line,
        state=State({"engine": engine}),
        request_max_body_size=engine.settings.api.body_bytes_max,
        openapi_config=None,  # api/schema/openapi.py describes the hot routes as well
        debug=False,
        logging_config=None,
    )
    app.state.openapi = msgspec.json.encode(build(operations_of(app), version("wanfa")))
    return app


def _who(request: Request[Any, Any, Any]) -> Caller:
    return caller_of(request)


async def _line(request: Request[Any, Any, Any]) -> Response[None] | None:
    """OPTIONS of every path, answered here: Litestar lists half of the methods. Raises what `checked` raises."""
    query = request.scope["query_string"].decode("latin-1")
    if request.method != "OPTIONS":
        checked(query, taken_by(request.route_handler.parsed_fn_signature.parameters))
        return None
    parameters(query)
    here = [route for route in request.app.routes if route.path_format == request.scope["path_template"]]
    status, headers, _ = options(allow(method for route in here for method in route.methods))
    return Response(None, status_code=status, headers=dict(headers))
