"""The doors' small parts, each alone: what is carried over, bounded, said once, warned of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.bridge import _asgi_scope
from api.doors import caller_of
from api.hot.body import Bodies
from api.hot.clicks import Hot
from api.routes.payments import is_order_id
from engine.access.tokens import Role, Tokens
from engine.core.errors import BodyTooLarge, TokenInvalid
from engine.gate.outcome import Outcome
from engine.gate.records import HeadStatus
from tests.unit.live.test_memory import process, sold_out

LIMIT = 100


class Body:
    """A body of so many bytes, and the headers that announce it, or do not."""

    def __init__(self, size: int, *, announced: bool) -> None:
        self.bytes = b"x" * size
        self.announced = announced

    def get(self, name: str, default: Any = None, /) -> str | None:
        return str(len(self.bytes)) if name == "content-length" and self.announced else default

    def get_all(self, _name: str, /) -> list[str]:
        return []

    async def __call__(self) -> bytes:
        return self.bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.bytes), 7):
            yield self.bytes[at : at + 7]


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [0, LIMIT])
async def test_a_body_of_up_to_the_limit_is_read(size: int, announced: bool) -> None:
    bodies = Bodies(bytes_max=LIMIT, timeout_s=60)
    body = Body(size, announced=announced)
    assert await bodies.read(body, body) == body.bytes
    assert bodies._reading == {}  # nobody watches it any more


@pytest.mark.parametrize("announced", [True, False])
async def test_a_byte_more_is_too_much(announced: bool) -> None:
    body = Body(LIMIT + 1, announced=announced)
    with pytest.raises(BodyTooLarge):
        await Bodies(bytes_max=LIMIT, timeout_s=60).read(body, body)


def asked(**changes: Any) -> Any:
    scope = {
        "headers": {"x-a": "b"},
        "authority": "shop.example",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/me/orders",
        "query_string": "limit=1&cursor=a",
        "client": "10.0.0.7:1234",
        "server": "127.0.0.1:80",
    }
    return SimpleNamespace(**scope | changes)


def test_a_request_is_carried_over_whole() -> None:
    carried = _asgi_scope(asked())
    assert (carried["method"], carried["path"], carried["query_string"]) == (
        "GET",
        "/v1/me/orders",
        b"limit=1&cursor=a",
    )
    assert carried["headers"] == [(b"x-a", b"b"), (b"host", b"shop.example")]
    assert (carried["client"], carried["server"]) == (("10.0.0.7", 1234), ("127.0.0.1", 80))


def test_who_asks_for_the_head_is_answered_as_who_asks_for_all() -> None:
    """The server drops the body."""
    assert _asgi_scope(asked(method="HEAD"))["method"] == "GET"
    assert _asgi_scope(asked(method="POST"))["method"] == "POST"


@pytest.mark.parametrize(
    ("text", "known"), [("0123456789abcdef" * 2, True), ("g" * 32, False), ("A" * 32, False), ("a" * 31, False)]
)
def test_only_what_may_be_an_order_is_looked_up(text: str, known: bool) -> None:
    assert is_order_id(text) == known


def hot() -> Hot:
    """The hot routes of a process that has just heard from Redis."""
    live = process()
    gate: Any = SimpleNamespace(lanes=[])
    unused = cast("Any", _Any())
    rest: dict[str, Any] = dict.fromkeys(("tokens", "bodies", "facts", "missed", "status_of", "first_answer"), unused)
    return Hot(gate=gate, live=live, **rest)


class _Any:
    def __getattr__(self, _name: str) -> object:
        return None


def test_of_what_is_sold_out_only_what_takes_units_is_refused_from_memory() -> None:
    doors = hot()
    config = sold_out(doors._live)
    said = {verb: doors._known_refusal(config, "u1", verb) for verb in ("join", "open", "cut")}
    assert said == {"join": Outcome.SOLD_OUT, "open": Outcome.SOLD_OUT, "cut": None}


async def test_who_comes_early_is_refused_from_memory_but_for_what_is_early() -> None:
    """Only while memory is young, and not in the last second: then Redis says whether it has begun."""
    doors = hot()
    config = sold_out(doors._live)
    config.left = 1
    config.starts_ms = doors._live.now_ms() + 3_600_000
    said = {verb: doors._known_refusal(config, "u1", verb) for verb in ("join", "remind")}
    assert said == {"join": Outcome.NOT_STARTED, "remind": None}

    config.head_status = HeadStatus.PAUSED
    assert doors._known_refusal(config, "u1", "join") is None
    config.head_status = HeadStatus.PUBLISHED
    doors._live._refreshed_at = [0.0]
    assert doors._known_refusal(config, "u1", "join") is None
    doors._live._refreshed_at = [asyncio.get_running_loop().time() + 3600]
    config.starts_ms = doors._live.now_ms() + 500
    assert doors._known_refusal(config, "u1", "join") is None


@pytest.mark.parametrize(
    ("scheme", "error"), [("Bearer", None), ("bearer", None), ("Basic", TokenInvalid), ("", TokenInvalid)]
)
def test_a_token_comes_as_a_bearer(scheme: str, error: type[Exception] | None) -> None:
    """A valid one that comes in another way was not meant for us."""
    tokens = Tokens("a secret of enough characters")
    token, _ = tokens.issue("u1", Role.CONSUMER, 60)
    engine = SimpleNamespace(access=SimpleNamespace(tokens=tokens))
    app = SimpleNamespace(state=SimpleNamespace(engine=engine))
    connection: Any = SimpleNamespace(headers={"authorization": f"{scheme} {token}"}, app=app)
    with pytest.raises(error) if error else nullcontext():
        assert caller_of(connection).subject == "u1"
