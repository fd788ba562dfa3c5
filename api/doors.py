"""What every controller shares: who is asking, which engine answers, which page of a list."""

from typing import Annotated, Any

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter, SkipValidation

from api.requests import not_bearer
from engine.access.tokens import Caller, Role
from engine.core.errors import Forbidden, Unauthenticated, WanfaError
from engine.core.pages import LIMIT_DEFAULT, LIMIT_MAX
from engine.runtime.bootstrap import Engine

Connection = ASGIConnection[Any, Any, Any, Any]

Limit = Annotated[
    int, QueryParameter(ge=1, le=LIMIT_MAX, description=f"每页条数，1 至 {LIMIT_MAX}，默认 {LIMIT_DEFAULT}")
]
Cursor = Annotated[str | None, QueryParameter(description="上一页返回的 nextCursor")]
# Injected by api/app.py; they are what they are, so Litestar need not validate them.
Engaged = NamedDependency[SkipValidation[Engine]]
Who = NamedDependency[SkipValidation[Caller]]

STORE_STAFF = (Role.STORE, Role.CLERK)


def only(*roles: Role) -> dict[str, Any]:
    """Arguments of a route that lets in these roles and nobody else."""

    def guard(connection: Connection, _: BaseRouteHandler) -> None:
        if caller_of(connection).role not in roles:
            raise Forbidden

    return {"guards": [guard], "roles": roles}


def says(
    summary: str, *refusals: type[WanfaError], body: type | None = None, body_optional: bool = False
) -> dict[str, Any]:
    """What the OpenAPI document cannot see in a route: what it is for, its body and the errors of its own."""
    return {"summary": summary, "refusals": refusals, "body": body, "body_optional": body_optional}


def caller_of(connection: Connection) -> Caller:
    """The session of the request's token. Raises Unauthenticated, TokenInvalid, TokenExpired."""
    header = connection.headers.get("authorization")
    if header is None:
        raise Unauthenticated
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise not_bearer(header)
    return engine_of(connection).access.tokens.verify(token.strip())


def engine_of(connection: Connection) -> Engine:
    """The engine this application was made for."""
    engine: Engine = connection.app.state.engine
    return engine


def store_of(who: Caller) -> str:
    """The store a member of its staff acts for."""
    if who.store_id is None:
        raise Forbidden
    return who.store_id
