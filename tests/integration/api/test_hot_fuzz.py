"""Made-up requests by the hundred: never a 500, always a document, and only a valid click changes anything."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from string import printable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.errors import STATUS
from engine.core.settings import Settings
from tests.support.hot import Answer, Room, open_room

QUICK = settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))

WORDS = st.sampled_from(["requestId", "quantity", "request_id", "__proto__", "r1", "", "\0", "s1", "join", "1001"])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS
)
TREES = st.recursive(LEAVES, lambda kids: st.lists(kids) | st.dictionaries(WORDS | st.text(), kids), max_leaves=8)
CLICKS = st.fixed_dictionaries({"requestId": WORDS | st.text()}, optional={"quantity": LEAVES, "x": LEAVES})
BODIES = st.binary() | TREES.map(msgspec.json.encode) | CLICKS.map(msgspec.json.encode)

# What a server hands over: header values and paths are text without line ends, everything else may be in them.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
HEADERS = st.dictionaries(st.sampled_from(["authorization", "content-length", "if-none-match", "content-type"]), TEXT)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"))
PAIRS = st.tuples(
    st.sampled_from(["limit", "cursor", "status", "city", "storeId", "playCode"]) | TEXT,
    TEXT | st.integers().map(str) | st.text(printable),
)
QUERIES = TEXT | LATIN | st.lists(PAIRS, max_size=30).map(lambda pairs: "&".join(f"{k}={v}" for k, v in pairs))


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


def check(answer: Answer, allowed: set[int]) -> None:
    """An answer is one of ours."""
    assert answer.status in allowed, answer.body
    if answer.status >= 400:
        assert STATUS[answer.code] == answer.status


async def test_made_up_bodies_and_headers(room: Room) -> None:
    """Logged in, so that the body counts; with lengths that are true, false, or none."""
    flash, group = await room.market.publish(stock=10**6), await room.market.publish("GROUP_BUY", stock=10**6)
    await room.caught_up()
    paths = [
        f"/v1/instances/{flash}.s1/join",
        f"/v1/play-configs/{group}/instances",
        f"/v1/instances/{flash}.s1/actions/cut",
    ]

    drawn = {
        "path": st.sampled_from(paths),
        "body": BODIES,
        "headers": HEADERS,
        "known": st.booleans(),
        "announced": st.booleans(),
    }

    async def story(path: str, body: bytes, headers: dict[str, str], known: bool, announced: bool) -> None:
        if known:
            headers = headers | room.bearer()
        answer = await room.send("POST", path, body, headers=headers, announced=announced)
        check(answer, {201, 400, 401, 404, 409, 413, 422})
        if not known:
            assert answer.status == 401

    await run(story, drawn)
    stocks = [await room.market.stock(config) for config in (flash, group)]
    taken = sum(10**6 - left for _reserved, left in stocks)
    assert taken > 0
    orders = [order for payload in await payloads(room) for order in payload[1]]
    assert sum(order[5] for order in orders) == taken
    assert all(order[4].isascii() and order[4].isprintable() for order in orders)


async def test_made_up_paths(room: Room) -> None:
    """Whatever stands where an id or an action should."""
    flash = await room.market.publish()
    await room.caught_up()
    before = await room.everything()
    names = st.tuples(st.sampled_from(["", flash, f"{flash}.", "c000000000000."]), TEXT | LATIN).map("".join)

    drawn = {"name": names, "action": TEXT}

    async def story(name: str, action: str) -> None:
        if name == f"{flash}.s1":
            return
        for method, path in (
            ("POST", f"/v1/instances/{name}/join"),
            ("POST", f"/v1/play-configs/{name}/instances"),
            ("POST", f"/v1/instances/{name}/actions/{action}"),
            ("GET", f"/v1/instances/{name}"),
        ):
            if room.hot.find(method, path):
                body = b'{"requestId":"r"}' if method == "POST" else b""
                check(await room.send(method, path, body, headers=room.bearer()), {404})

    await run(story, drawn)
    assert await room.everything() == before


async def test_made_up_queries(room: Room) -> None:
    """Both lists, and a detail, which takes no query."""
    flash = await room.market.publish()
    await room.caught_up()

    drawn = {
        "path": st.sampled_from(["/v1/instances", "/v1/play-configs", f"/v1/instances/{flash}.s1"]),
        "query": QUERIES,
    }

    async def story(path: str, query: str) -> None:
        check(await room.get(path, query), {200, 400, 422})

    await run(story, drawn)


async def run(story: Callable[..., Coroutine[Any, Any, None]], drawn: dict[str, st.SearchStrategy[Any]]) -> None:
    """Let Hypothesis, which is not async, tell a story many times in this loop."""
    loop = asyncio.get_running_loop()

    @QUICK
    @given(**drawn)
    def told(**values: Any) -> None:
        asyncio.run_coroutine_threadsafe(story(**values), loop).result()

    await asyncio.to_thread(told)


async def payloads(room: Room) -> list[list[list[Any]]]:
    """Every payload in the stream."""
    entries = await room.market.redis.xrange("{s0}:intents")
    return [msgspec.msgpack.decode(fields[b"p"]) for _entry_id, fields in entries]
