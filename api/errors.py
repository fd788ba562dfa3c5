"""Errors as the outside sees them: problem details (RFC 9457). The only place that knows HTTP statuses."""

import logging
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from redis.exceptions import RedisError

from engine.core import errors
from engine.core.errors import WanfaError
from engine.core.schema import FieldError

log = logging.getLogger("wanfa.api")

PROBLEM_TYPE = "application/problem+json"


class MethodNotAllowed(WanfaError):
    """该地址不支持此请求方法"""

    code = "METHOD_NOT_ALLOWED"


# Every code there is; a test compares it with the tree in engine/core/errors.py and with README.md.
STATUS: dict[str, int] = {
    "MALFORMED_BODY": 400,
    "CURSOR_INVALID": 400,
    "TOKEN_MISSING": 401,
    "TOKEN_INVALID": 401,
    "TOKEN_EXPIRED": 401,
    "LOGIN_FAILED": 401,
    "FORBIDDEN": 403,
    "NOT_ELIGIBLE": 403,
    "NOT_FOUND": 404,
    "INSTANCE_NOT_FOUND": 404,
    "CONFIG_NOT_FOUND": 404,
    "ACTION_UNKNOWN": 404,
    "METHOD_NOT_ALLOWED": 405,
    "BODY_TOO_SLOW": 408,
    "STATE_CONFLICT": 409,
    "ALREADY_EXISTS": 409,
    "PAYMENT_CLOSED": 409,
    "REFUSED": 409,
    "SOLD_OUT": 409,
    "LIMIT_REACHED": 409,
    "INSTANCE_FULL": 409,
    "NOT_STARTED": 409,
    "ENDED": 409,
    "CONFLICT": 409,
    "BODY_TOO_LARGE": 413,
    "VALIDATION_FAILED": 422,
    "RULES_INVALID": 422,
    "REQUEST_ID_REUSED": 422,
    "INTERNAL": 500,
    "SETTINGS_INVALID": 500,
    "MIGRATION_REFUSED": 500,
    "PLAYBOOK_INVALID": 500,
    "UNAVAILABLE": 503,
    "PAUSED": 503,
    "OVERLOADED": 503,
    "PLAYBOOK_FAILED": 503,
    "ORDER_NOT_READY": 503,
    "PROVIDER_FAILED": 503,
    "SERVER_UNREACHABLE": 503,
    "SHARD_UNKNOWN": 503,
}

# What the framework says by status alone.
OF_STATUS: dict[int, type[WanfaError]] = {
    400: errors.BadInput,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: MethodNotAllowed,
    413: errors.BodyTooLarge,
}

# A server of ours that is away, or a query that it did not finish.
AWAY = (
    RedisError,
    OSError,  # ConnectionError and TimeoutError are two of them
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
)


def problem(error: BaseException) -> tuple[int, dict[str, Any]]:
    """(HTTP status, problem document) of any error. An unexpected one is logged and says nothing of itself."""
    known = understood(error)
    return STATUS[known.code], {
        "type": f"/schema/docs#{known.code}",
        "title": (type(known).__doc__ or "").strip(),
        "status": STATUS[known.code],
        "detail": known.detail,
        "code": known.code,
        **{name: value for name, value in known.extra.items() if name in SHOWN},
    }


# Of an error's extra facts, those a caller may see.
SHOWN = ("errors", "pointer", "field")


def problem_bytes(error: BaseException) -> bytes:
    """The problem document of `error` as JSON; its status is `status_of(error)`."""
    return msgspec.json.encode(problem(error)[1])


def status_of(error: BaseException) -> int:
    """The HTTP status of any error."""
    return STATUS[understood(error).code]


def retry_after_s(error: BaseException) -> int | None:
    """After how many seconds a retry may help; None: it will not."""
    known = understood(error)
    return known.retry_after_s if isinstance(known, errors.Unavailable) else None


def understood(error: BaseException) -> WanfaError:
    """Any error as one of the tree."""
    if isinstance(error, WanfaError):
        return error
    if isinstance(error, ValidationException):  # path and query; bodies are decoded in schemas.py
        names = [str(wrong.get("key")) for wrong in error.extra or () if isinstance(wrong, dict)]
        return errors.BadInput(errors=[FieldError(f"/{name}", f"参数 {name} 不正确") for name in names])
    if isinstance(error, HTTPException):
        return OF_STATUS.get(error.status_code, WanfaError)()
    if isinstance(error, AWAY):
        log.warning("a server is away: %r", error)
        return errors.Unavailable()
    if isinstance(error, asyncpg.DataError):  # text that Postgres cannot hold, such as NUL
        return errors.BadInput("内容包含无法保存的字符")
    log.error("unexpected error", exc_info=error)
    return WanfaError()


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:  # noqa: ARG001  # Litestar's signature
    """Litestar's exception handler for everything."""
    known = understood(error)
    headers = {"Cache-Control": "no-store"}
    if (seconds := retry_after_s(known)) is not None:
        headers["Retry-After"] = str(seconds)
    if STATUS[known.code] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowedException) and error.headers:
        headers["Allow"] = error.headers["allow"]
    return Response(problem_bytes(known), status_code=STATUS[known.code], headers=headers, media_type=PROBLEM_TYPE)


class ProblemDocument(msgspec.Struct, frozen=True):
    """RFC 9457: `code` is for programs, `detail` for people; `errors` names each wrong field."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | msgspec.UnsetType = msgspec.UNSET
