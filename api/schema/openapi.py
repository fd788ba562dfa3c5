"""The OpenAPI 3.1 document: one description for Litestar's routes and the hot ones, schemas from msgspec.

Litestar could describe only its own half, and not the bodies, which are decoded strictly in bodies.py.
"""

from collections.abc import Iterable
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.datastructures import State

from api.errors import PROBLEM_TYPE, STATUS, ProblemDocument, rendered
from api.readiness import Readiness
from api.schema.examples import EXAMPLES, NOT_READY
from api.schema.operations import Operation
from engine.core import errors
from engine.core.errors import WanfaError
from engine.core.schema import FieldError
from engine.core.texts import Text

DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'"
)
REF = "#/components/schemas/{name}"
GUARDED = (errors.Unauthenticated, errors.TokenInvalid, errors.TokenExpired, errors.Forbidden)
WITH_BODY = (errors.MalformedBody, errors.BadInput, errors.BodyTooLarge)
ALWAYS = (errors.MalformedQuery, errors.BadInput, errors.Unavailable, WanfaError)  # a query may be wrong anywhere
PROBES = ("/livez", "/readyz")


class DocsController(Controller):
    """The document and its page, from our own files."""

    path = "/schema"

    @get("/")
    async def document(self, state: State) -> Response[bytes]:
        """OpenAPI as JSON."""
        return Response(state.openapi, media_type="application/json")

    @get("/docs", sync_to_thread=False)
    def page(self) -> Response[bytes]:
        """The page a person reads."""
        page = (files("api.schema") / "docs.html").read_bytes()
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": DOCS_POLICY})


def build(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The whole document."""
    described = sorted(operations, key=lambda operation: (operation.path, operation.method))
    types = dict.fromkeys(kind for one in described for kind in (one.body, one.answer) if kind is not None)
    schemas, components = msgspec.json.schema_components([*types, ProblemDocument], ref_template=REF)
    refs = dict(zip([*types, ProblemDocument], schemas, strict=True))
    paths: dict[str, Any] = {}
    for operation in described:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "wanfa 玩法",
            "version": version,
            "description": "金额单位为分；时间为 RFC 3339 UTC；错误均为 application/problem+json，"
            "文本按 Accept-Language 为中文（默认）或英文。",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "x-errors": error_table(),
    }


def error_table() -> list[dict[str, Any]]:
    """Every error code there is: its status and its texts."""
    texts = {kind.code: kind.text for kind in tree(WanfaError)}
    return [
        {"code": code, "status": status, "title": texts[code].zh, "titleEn": texts[code].en}
        for code, status in STATUS.items()
    ]


def tree(root: type[WanfaError]) -> list[type[WanfaError]]:
    """A class of errors and all below it."""
    return [root, *(below for child in root.__subclasses__() for below in tree(child))]


def _operation(operation: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation.path), *operation.query, *operation.headers],
        "responses": _responses(operation, refs),
    }
    if operation.roles is not None:
        described["security"] = [{"bearer": []}]
        described["description"] = "角色：" + "、".join(operation.roles)
    if operation.body is not None:
        content = {"schema": refs[operation.body], "examples": _example(operation.body)}
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": content},
        }
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _responses(operation: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer is not None:
        content = {"schema": refs[operation.answer], "examples": _example(operation.answer)}
        success["content"] = {"application/json": content}
    responses = {str(operation.status): success}
    if operation.path == "/readyz":
        content = {"schema": refs[Readiness], "examples": {"example": {"value": msgspec.to_builtins(NOT_READY)}}}
        responses["503"] = {"description": "Service Unavailable", "content": {"application/json": content}}
    if operation.path in PROBES:
        return responses
    by_status: dict[int, list[type[WanfaError]]] = {}
    for kind in dict.fromkeys(_raised(operation)):
        by_status.setdefault(STATUS[kind.code], []).append(kind)
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {
                PROBLEM_TYPE: {
                    "schema": refs[ProblemDocument],
                    "examples": {kind.code: {"value": problem_example(kind)} for kind in kinds},
                }
            },
        }
    return responses


def _raised(operation: Operation) -> Iterable[type[WanfaError]]:
    if operation.roles is not None:
        yield from GUARDED
    if operation.body is not None:
        yield from WITH_BODY
    if operation.query:
        yield errors.CursorInvalid
    yield from operation.raises
    yield from ALWAYS


def problem_example(kind: type[WanfaError]) -> dict[str, Any]:
    """The problem document of an error of this kind."""
    wrong: dict[type[WanfaError], FieldError] = {
        errors.RulesInvalid: FieldError("/rules/target", Text("成团人数 不能小于 2", "target must be at least 2")),
        errors.BadInput: FieldError("/stock", Text("库存 必须是整数", "stock must be an integer")),
    }
    _, _, body = rendered(kind(errors=[wrong[kind]]) if kind in wrong else kind())
    document: dict[str, Any] = msgspec.json.decode(body)
    return document


def _example(kind: Any) -> dict[str, Any]:
    return {"example": {"value": msgspec.to_builtins(EXAMPLES[kind], str_keys=True)}}
