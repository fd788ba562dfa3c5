"""Errors as the outside sees them: problem details (RFC 9457), in the language of whoever asked.

The only place that knows an error's HTTP status, its headers and its body.
"""

import logging
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from redis.exceptions import RedisError

from api.languages import language_of
from api.requests import allow, wrong_parameter
from engine.core import errors
from engine.core.errors import WanfaError
from engine.core.logs import SELDOM
from engine.core.schema import FieldError
from engine.core.texts import Language, Text
from engine.core.transact import UNDONE, UNREACHABLE

log = logging.getLogger("wanfa.api")

PROBLEM_TYPE = "application/problem+json"

# What a route answers: status, headers, body.
Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]


class MethodNotAllowed(WanfaError):
    """The path is one of ours, but not by this method; `allow` lists those there are."""

    code = "METHOD_NOT_ALLOWED"
    text = Text("该地址不支持此请求方法", "This address does not take this method")


# Every code there is; a test compares it with the tree in engine/core/errors.py and with README.md.
STATUS: dict[str, int] = {
    "MALFORMED_REQUEST": 400,
    "MALFORMED_BODY": 400,
    "MALFORMED_QUERY": 400,
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
    "HEAD_TOO_SLOW": 408,
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
    "EXPECTATION_FAILED": 417,
    "VALIDATION_FAILED": 422,
    "RULES_INVALID": 422,
    "REQUEST_ID_REUSED": 422,
    "HEAD_TOO_LARGE": 431,
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
AWAY = (RedisError, *UNREACHABLE, *UNDONE, asyncpg.ReadOnlySQLTransactionError, asyncpg.TransactionRollbackError)


class WrongField(msgspec.Struct, frozen=True):
    """A JSON Pointer into the body, and what is wrong there."""

    pointer: str
    message: str


class ProblemDocument(msgspec.Struct, frozen=True):
    """RFC 9457: `code` is for programs, `detail` for people; `errors` names each wrong field.

    `instanceId`: where a second open is refused, the instance that the person has opened already.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[WrongField] | msgspec.UnsetType = msgspec.UNSET
    instance_id: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="instanceId")


def rendered(error: BaseException, language: Language = "zh") -> Answer:
    """Any error as an answer. An unexpected one is logged and says nothing of itself."""
    known = understood(error)
    status = STATUS[known.code]
    document = ProblemDocument(
        type=f"/schema/docs#{known.code}",
        title=known.text.said_in(language),
        status=status,
        detail=known.detail.said_in(language),
        code=known.code,
        errors=_wrong_fields(known.extra.get("errors"), language),
        instance_id=known.extra.get("instance_id", msgspec.UNSET),
    )
    return status, _headers(known, status, language), msgspec.json.encode(document)


def _wrong_fields(found: Iterable[FieldError] | None, language: Language) -> list[WrongField] | msgspec.UnsetType:
    if found is None:
        return msgspec.UNSET
    return [WrongField(one.pointer, one.message.said_in(language)) for one in found]


def _headers(error: WanfaError, status: int, language: Language) -> Headers:
    headers = [
        ("content-type", PROBLEM_TYPE),
        ("content-language", language),
        ("vary", "accept-language"),
        ("cache-control", "no-store"),
    ]
    if isinstance(error, errors.Unavailable):
        headers.append(("retry-after", str(error.retry_after_s)))
    if status == 401:
        headers.append(("www-authenticate", "Bearer"))
    if allow := error.extra.get("allow"):
        headers.append(("allow", allow))
    return headers


def understood(error: BaseException) -> WanfaError:
    """Any error as one of the tree."""
    if isinstance(error, WanfaError):
        return error
    if isinstance(error, ValidationException):  # path and query; bodies are decoded in schema/bodies.py
        names = [str(wrong.get("key")) for wrong in error.extra or () if isinstance(wrong, dict)]
        return errors.BadInput(errors=[wrong_parameter(name) for name in names])
    if isinstance(error, HTTPException):
        methods = (error.headers or {}).get("allow")
        return OF_STATUS.get(error.status_code, WanfaError)(allow=methods and allow(methods.split(", ")))
    if isinstance(error, AWAY):
        log.warning("a server is away: %r", error, extra=SELDOM)
        return errors.Unavailable()
    if isinstance(error, asyncpg.DataError):  # text that Postgres cannot hold, such as NUL
        return errors.BadInput(Text("内容包含无法保存的字符", "The content has characters that cannot be stored"))
    log.error("unexpected error", exc_info=error)
    return WanfaError()


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything."""
    status, headers, body = rendered(error, language_of(request.headers.get("accept-language")))
    return Response(body, status_code=status, headers=dict(headers), media_type=PROBLEM_TYPE)
