"""Every error becomes a problem document with a stable code, and none says more than it should."""

import logging
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

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
from api.errors import PROBLEM_TYPE, STATUS, rendered
from api.schema.openapi import tree
from engine.core import errors
from engine.core.errors import WanfaError
from engine.core.schema import FieldError
from engine.core.texts import LANGUAGES, Language, Text

README = Path(__file__).resolve().parents[3] / "api" / "README.md"


for part in walk_packages(engine.__path__, "engine."):
    import_module(part.name)  # a package may keep an error of its own; found whichever tests ran before


# What only operators and developers see, in English whatever is asked for.
DEVELOPERS = {"SETTINGS_INVALID", "MIGRATION_REFUSED", "PLAYBOOK_INVALID", "SERVER_UNREACHABLE"}


def document_of(error: BaseException, language: Language = "zh") -> dict[str, Any]:
    """The problem document of an error."""
    document: dict[str, Any] = msgspec.json.decode(rendered(error, language)[2])
    return document


def shown() -> list[type[WanfaError]]:
    """Every error of the product; a test may define its own."""
    kinds = (kind for kind in tree(WanfaError) if not kind.__module__.startswith("tests"))
    return sorted(kinds, key=lambda kind: kind.code)  # the same order in each process of xdist


def test_every_code_has_a_status_and_every_status_a_code() -> None:
    assert {kind.code for kind in shown()} == set(STATUS)


def test_every_code_stands_in_the_readme_with_its_status_and_its_texts() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (\d{3}) \| (.+?) \| (.+?) \|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    texts = {kind.code: kind.text for kind in shown()}
    assert {(code, int(status), zh, en) for code, status, zh, en in rows} == {
        (code, status, texts[code].zh, texts[code].en) for code, status in STATUS.items()
    }


@pytest.mark.parametrize("kind", shown(), ids=lambda kind: kind.code)
def test_every_error_has_a_text_of_its_own_in_both_languages(kind: type[WanfaError]) -> None:
    """Not its parent's; Chinese is Chinese and English is English."""
    assert {"code", "text"} <= vars(kind).keys()
    assert kind.text.zh.isascii() == (kind.code in DEVELOPERS)
    assert kind.text.en.isascii()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", shown(), ids=lambda kind: kind.code)
def test_a_problem_document_is_complete(kind: type[WanfaError], language: Language) -> None:
    status, headers, _body = rendered(kind(), language)
    words = kind.text.said_in(language)
    assert document_of(kind(), language) == {
        "type": f"/schema/docs#{kind.code}",
        "title": words,
        "status": status,
        "detail": words,
        "code": kind.code,
    }
    assert dict(headers).items() >= {
        ("content-type", PROBLEM_TYPE),
        ("content-language", language),
        ("vary", "accept-language"),
        ("cache-control", "no-store"),
    }


def test_a_detail_says_more_in_both_languages_and_logs_are_chinese() -> None:
    error = errors.NotFound(Text("订单不存在", "There is no such order"))
    assert [document_of(error, language)["detail"] for language in LANGUAGES] == [
        "订单不存在",
        "There is no such order",
    ]
    assert document_of(error, "en")["title"] == errors.NotFound.text.en
    assert str(error) == "订单不存在"


def test_a_developers_detail_is_the_same_in_every_language() -> None:
    error = errors.PlaybookInvalid("its step is empty")
    assert {document_of(error, language)["detail"] for language in LANGUAGES} == {"its step is empty"}


def test_the_field_errors_go_along() -> None:
    wrong = FieldError("/rules/target", Text("成团人数 不能小于 2", "target must be at least 2"))
    told = [document_of(errors.RulesInvalid(errors=[wrong]), language)["errors"] for language in LANGUAGES]
    assert told == [
        [{"pointer": "/rules/target", "message": "成团人数 不能小于 2"}],
        [{"pointer": "/rules/target", "message": "target must be at least 2"}],
    ]


def test_what_is_not_meant_to_be_seen_is_not_shown() -> None:
    assert "10.0.0.7" not in str(rendered(errors.Paused(cause="10.0.0.7 refused")))


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
        (asyncpg.ReadOnlySQLTransactionError("a standby"), "UNAVAILABLE"),
        (asyncpg.SerializationError("undone"), "UNAVAILABLE"),
        (asyncpg.DeadlockDetectedError("undone"), "UNAVAILABLE"),
        (asyncpg.TooManyConnectionsError("full"), "UNAVAILABLE"),
        (asyncpg.DiskFullError("full"), "UNAVAILABLE"),
        (asyncpg.AdminShutdownError("stopping"), "UNAVAILABLE"),
        (asyncpg.CharacterNotInRepertoireError("NUL"), "VALIDATION_FAILED"),
        (KeyError("secret"), "INTERNAL"),
    ],
)
def test_errors_of_others_are_translated(error: Exception, code: str) -> None:
    assert document_of(error)["code"] == code


def test_an_unexpected_error_is_logged_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        status, _headers, body = rendered(ValueError("password=hunter2"))
    assert status == 500
    assert b"hunter2" not in body
    assert "hunter2" in caplog.text


def test_only_what_may_pass_invites_a_retry() -> None:
    passing = [kind() for kind in shown() if issubclass(kind, errors.Unavailable)]
    assert {type(error) for error in passing} >= {errors.Overloaded, errors.Paused, errors.OrderNotReady}
    assert [dict(rendered(error)[1])["retry-after"] for error in passing] == [str(e.retry_after_s) for e in passing]
    assert "retry-after" not in dict(rendered(errors.SoldOut())[1])


def test_a_login_is_asked_for_and_other_methods_are_named() -> None:
    assert dict(rendered(errors.TokenExpired())[1])["www-authenticate"] == "Bearer"
    refused = MethodNotAllowedException(headers={"allow": "GET"})
    assert dict(rendered(refused)[1])["allow"] == "GET, HEAD, OPTIONS"
