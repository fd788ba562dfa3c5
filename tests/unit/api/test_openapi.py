"""The document at /schema is valid, describes every route, and its examples are true."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar
from openapi_spec_validator import validate

from api.app import create_app
from api.schema.examples import EXAMPLES
from api.schema.openapi import PROBES
from api.schema.operations import operations_of
from engine.runtime.bootstrap import Engine

README = Path(__file__).resolve().parents[3] / "api" / "README.md"
PAGE = Path(__file__).resolve().parents[3] / "api" / "schema" / "docs.html"


def make_app() -> Litestar:
    """An application whose engine is never asked anything."""
    engine = SimpleNamespace(
        money=SimpleNamespace(provider=SimpleNamespace(name="sandbox")),
        settings=SimpleNamespace(api=SimpleNamespace(body_bytes_max=1)),
    )
    return create_app(cast("Engine", engine))


APP = make_app()
DOCUMENT: dict[str, Any] = msgspec.json.decode(APP.state.openapi)
ROUTES = [(verb, path, one) for path, verbs in DOCUMENT["paths"].items() for verb, one in verbs.items()]
IDS = [f"{verb} {path}" for verb, path, _ in ROUTES]


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_every_route_of_litestar_is_described() -> None:
    served = {
        (verb.lower(), re.sub(r"\{(\w+?)(:str)?\}", "{}", route.path))
        for route in APP.routes
        for verb in route.methods
        if verb != "OPTIONS" and not route.path.startswith("/schema")
    }
    described = {(verb, re.sub(r"\{\w+\}", "{}", path)) for verb, path, _ in ROUTES}
    assert served <= described


@pytest.mark.parametrize(("verb", "path", "operation"), ROUTES, ids=IDS)
def test_every_route_has_examples_that_fit(verb: str, path: str, operation: dict[str, Any]) -> None:
    """Of its body, its answer and each of its problems."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for holder in (*bodies, *operation["responses"].values()):
        for media in holder.get("content", {}).values():
            assert media["examples"]
            validator = Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]})
            for example in media["examples"].values():
                validator.validate(example["value"])


@pytest.mark.parametrize(("verb", "path", "operation"), ROUTES, ids=IDS)
def test_every_route_says_who_may(verb: str, path: str, operation: dict[str, Any]) -> None:
    guarded = {"401", "403"} <= operation["responses"].keys()
    assert ("security" in operation) == guarded


@pytest.mark.parametrize(("_verb", "path", "operation"), ROUTES, ids=IDS)
def test_every_route_says_that_its_query_may_be_wrong(_verb: str, path: str, operation: dict[str, Any]) -> None:
    """But for the probes, of which it tells only what load balancers ask."""
    wrong = [operation["responses"].get(status, {"content": {}}) for status in ("400", "422")]
    said = {code for answer in wrong for media in answer["content"].values() for code in media["examples"]}
    assert ({"MALFORMED_QUERY", "VALIDATION_FAILED"} <= said) == (path not in PROBES)


def test_every_route_stands_in_the_readme() -> None:
    listed = set(
        re.findall(r"^\| `(GET|POST|PATCH|DELETE) (/[^`]*)`", README.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert listed == {(verb.upper(), path) for verb, path, _ in ROUTES} | {("GET", "/schema"), ("GET", "/schema/docs")}


def test_no_example_is_left_over() -> None:
    used = {kind for one in operations_of(APP) for kind in (one.body, one.answer) if kind is not None}
    assert set(EXAMPLES) == used


def test_the_page_loads_nothing_from_elsewhere() -> None:
    assert re.findall(r"""(?:https?:)?//[a-z0-9]|src=|@import|\burl\(""", PAGE.read_text(encoding="utf-8")) == []
