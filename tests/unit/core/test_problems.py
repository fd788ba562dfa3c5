"""Every error becomes a problem document with a stable code, and none says more than it should."""

import logging
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import asyncpg
import msgspec
import pytest
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from redis.exceptions import ConnectionError as RedisAway

import api.app  # noqa: F401  # defines the errors of the framework
import engine
from api.errors import STATUS, problem, problem_bytes, retry_after_s
from api.schema.openapi import tree
from engine.core import errors
from engine.core.errors import WanfaError

README = Path(__file__).resolve().parents[3] / "api" / "README.md"


for part in walk_packages(engine.__path__, "engine."):
    import_module(part.name)  # a package may keep an error of its own; found whichever tests ran before


def shown() -> list[type[WanfaError]]:
    """Every error of the product; a test may define its own."""
    kinds = (kind for kind in tree(WanfaError) if not kind.__module__.startswith("tests"))
    return sorted(kinds, key=lambda kind: kind.code)  # the same order in each process of xdist


def test_every_code_has_a_status_and_every_status_a_code() -> None:
    assert {kind.code for kind in shown()} == set(STATUS)


def test_every_code_stands_in_the_readme_with_its_status() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d{3}) \| (.+?) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    texts = {kind.code: (kind.__doc__ or "").strip() for kind in shown()}
    assert {(code, int(status), text) for code, status, text in rows} == {
        (code, status, texts[code]) for code, status in STATUS.items()
    }


@pytest.mark.parametrize("kind", shown(), ids=lambda kind: kind.code)
def test_a_problem_document_is_complete(kind: type[WanfaError]) -> None:
    status, document = problem(kind())
    assert document.keys() >= {"type", "title", "status", "detail", "code"}
    assert (document["status"], document["code"]) == (status, kind.code)
    assert msgspec.json.decode(problem_bytes(kind())) == document


def test_the_field_errors_go_along() -> None:
    error = errors.RulesInvalid(errors=[{"pointer": "/rules/target", "message": "成团人数 不能小于 2"}])
    assert problem(error)[1]["errors"] == [{"pointer": "/rules/target", "message": "成团人数 不能小于 2"}]


def test_what_is_not_meant_to_be_seen_is_not_shown() -> None:
    assert "cause" not in problem(errors.Paused(cause="10.0.0.7 refused"))[1]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundException(), "NOT_FOUND"),
        (MethodNotAllowedException(), "METHOD_NOT_ALLOWED"),
        (HTTPException(status_code=413), "BODY_TOO_LARGE"),
        (ValidationException(extra=[{"key": "limit", "message": "x"}]), "VALIDATION_FAILED"),
        (HTTPException(status_code=418), "INTERNAL"),
        (RedisAway("no"), "UNAVAILABLE"),
        (ConnectionRefusedError(), "UNAVAILABLE"),
        (TimeoutError(), "UNAVAILABLE"),
        (asyncpg.CannotConnectNowError("starting up"), "UNAVAILABLE"),
        (asyncpg.ConnectionDoesNotExistError("gone"), "UNAVAILABLE"),
        (asyncpg.InterfaceError("pool is closed"), "UNAVAILABLE"),
        (asyncpg.CharacterNotInRepertoireError("NUL"), "VALIDATION_FAILED"),
        (KeyError("secret"), "INTERNAL"),
    ],
)
def test_errors_of_others_are_translated(error: Exception, code: str) -> None:
    assert problem(error)[1]["code"] == code


def test_an_unexpected_error_is_logged_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        status, document = problem(ValueError("password=hunter2"))
    assert status == 500
    assert "hunter2" not in str(document)
    assert "hunter2" in caplog.text


def test_only_what_may_pass_invites_a_retry() -> None:
    assert retry_after_s(errors.Overloaded()) == 1
    assert retry_after_s(errors.SoldOut()) is None
