"""Whatever is sent to the hot routes: a problem document with a stable code, never a 500, and nothing changes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.errors import PROBLEM_TYPE
from api.hot.clicks import answered
from engine.access.tokens import Role, Tokens
from engine.core.settings import Settings
from tests.support.hot import Answer, Body, Headers, Room, Scope, open_room
from tests.support.market import STORE

# Bodies, and what each must be told.
BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "MALFORMED_BODY"),
    (b"{", 400, "MALFORMED_BODY"),
    (b"{}", 422, "VALIDATION_FAILED"),
    (b"[]", 422, "VALIDATION_FAILED"),
    (b"null", 422, "VALIDATION_FAILED"),
    (b"\xff\xfe{}", 400, "MALFORMED_BODY"),
    (b'{"requestId":"\xc3"}', 400, "MALFORMED_BODY"),
    (b'{"requestId":"\\ud800"}', 400, "MALFORMED_BODY"),
    (b'{"requestId":"r"}x', 400, "MALFORMED_BODY"),
    (b"[" * 16_000, 400, "MALFORMED_BODY"),
    (b'{"requestId":"r","x":' + b"[" * 8000 + b"]" * 8000 + b"}", 400, "MALFORMED_BODY"),
    (b'{"requestId":"r","color":"red"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"r","request_id":"r"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"r","priceFen":1}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":1}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":null}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":["r"]}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":""}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"a\\u0000b"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"a\\n"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"\\n"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"a\\u007f"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"\\u0080"}', 422, "VALIDATION_FAILED"),
    ('{"requestId":"请求"}'.encode(), 422, "VALIDATION_FAILED"),
    ('{"requestId":"r１"}'.encode(), 422, "VALIDATION_FAILED"),
    (b'{"requestId":"' + b"x" * 65 + b'"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"' + b"x" * 16_000 + b'"}', 422, "VALIDATION_FAILED"),
    (b'{"requestId":"' + b"x" * 1_000_000 + b'"}', 413, "BODY_TOO_LARGE"),
    (b" " * 16_384 + b"{}", 413, "BODY_TOO_LARGE"),
]

QUANTITIES = [
    "0",
    "-1",
    "100",
    "1000000000",
    "1e9",
    "1.5",
    "1.0",
    '"1"',
    "null",
    "true",
    "[1]",
    "{}",
    "9" * 400,
    "-0.0",
]
BODIES += [(f'{{"requestId":"r","quantity":{text}}}'.encode(), 422, "VALIDATION_FAILED") for text in QUANTITIES]


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


def check_problem(answer: Answer, status: int, code: str) -> None:
    """A problem document of RFC 9457 with this status and code."""
    document = answer.json()
    assert (answer.status, document["code"]) == (status, code), document
    assert answer.headers["content-type"] == PROBLEM_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert ("retry-after" in answer.headers) == (status == 503)
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_a_body_that_does_not_fit_is_refused_and_changes_nothing(room: Room) -> None:
    """Joining or opening, with the length announced or not."""
    flash, group = await room.market.publish(stock=5), await room.market.publish("GROUP_BUY")
    await room.caught_up()
    before = await room.everything()
    for path in (f"/v1/instances/{flash}.s1/join", f"/v1/play-configs/{group}/instances"):
        for raw, status, code in BODIES:
            for announced in (True, False):
                answer = await room.send("POST", path, raw, headers=room.bearer(), announced=announced)
                check_problem(answer, status, code)
    assert await room.everything() == before


async def test_a_wrong_field_is_named(room: Room) -> None:
    """So that a developer of a client sees at once what to repair."""
    path = f"/v1/instances/{await room.market.publish()}.s1/join"
    for body, pointer in (
        ({"requestId": 5}, "/requestId"),
        ({"requestId": "r", "quantity": 0}, "/quantity"),
        ({"requestId": "r", "color": 1}, "/color"),
        ({"requestId": "a\n"}, "/requestId"),
    ):
        document = (await room.post(path, body)).json()
        assert [error["pointer"] for error in document["errors"]] == [pointer]


async def test_a_body_without_end_is_not_read_to_its_end(room: Room) -> None:
    """Reading stops soon after the limit, whatever the length header says or does not say."""
    handler = room.hot.find("POST", "/v1/instances/c000000000000.s1/join")
    assert handler
    for length in (None, "", "-5", "+3", "1e3", "abc"):
        body = Body(b"x" * 10_000_000)
        headers = Headers(room.bearer() | ({} if length is None else {"content-length": length}))
        status, _, _ = await answered(handler, headers, body, Scope())
        assert status == 413
        assert body.read < 40_000


async def test_only_a_consumer_may_click(room: Room) -> None:
    """No token, garbage, a foreign signature, an expired one, staff: 401 or 403, each with its code."""
    path = f"/v1/instances/{await room.market.publish()}.s1/join"
    await room.caught_up()
    before = await room.everything()
    good = room.token()
    foreign = Tokens("x" * 32).issue("u1", Role.CONSUMER, 60)[0]
    cases: list[tuple[str | None, int, str]] = [
        (None, 401, "TOKEN_MISSING"),
        ("", 401, "TOKEN_MISSING"),
        ("Bearer", 401, "TOKEN_MISSING"),
        ("Basic dTpw", 401, "TOKEN_INVALID"),
        (good, 401, "TOKEN_INVALID"),
        ("Bearer ", 401, "TOKEN_MISSING"),
        ("Bearer x", 401, "TOKEN_INVALID"),
        ("Bearer " + "." * 100, 401, "TOKEN_INVALID"),
        ("Bearer é.é", 401, "TOKEN_INVALID"),
        ("Bearer " + "x" * 100_000, 401, "TOKEN_INVALID"),
        (f"Bearer {good}x", 401, "TOKEN_INVALID"),
        (f"Bearer {good[:-1]}", 401, "TOKEN_INVALID"),
        (f"Bearer {good} {good}", 401, "TOKEN_INVALID"),
        (f"Bearer\u00a0{good}", 401, "TOKEN_INVALID"),
        (f"Bearer {foreign}", 401, "TOKEN_INVALID"),
        (f"Bearer {room.token(ttl_s=0)}", 401, "TOKEN_EXPIRED"),
        (f"Bearer {room.token(ttl_s=-5)}", 401, "TOKEN_EXPIRED"),
        *((f"Bearer {room.token(role=role)}", 403, "FORBIDDEN") for role in Role if role is not Role.CONSUMER),
    ]
    for header, status, code in cases:
        headers = {} if header is None else {"authorization": header}
        check_problem(await room.send("POST", path, b'{"requestId":"r"}', headers=headers), status, code)
    assert await room.everything() == before


STRANGE = ["", ".", "..", "c", "c000000000000", "%00", "\0", "\n", "☃", "a" * 8000, "' OR 1=1 --", "{s0}", "*", "c1 "]


async def test_an_id_of_nothing_is_not_found(room: Room) -> None:
    """Malformed, foreign, without a suffix, of a field's name, of one's own user id: 404 and nothing changes."""
    flash, group = await room.market.publish(), await room.market.publish("GROUP_BUY")
    await room.caught_up()
    before = await room.everything()
    instances = [*STRANGE, "c000000000000.s1"]
    instances += [f"{flash}{rest}" for rest in ("", ".", ".s2", ".S1", ".s1.s1", ".s1 ", ".head", ".left", ".u1", ".☃")]
    instances += [f"{flash.upper()}.s1", f"{group}.s1", f" {flash}.s1", f"{group}.{'x' * 8000}"]
    for name in instances:
        answer = await room.join(name)
        assert answer.status == 404, (name, answer.body)
        assert answer.code in {"INSTANCE_NOT_FOUND", "CONFIG_NOT_FOUND"}
        check_problem(answer, 404, answer.code)
        check_problem(await room.get(f"/v1/instances/{name}"), 404, "INSTANCE_NOT_FOUND")
    for name in (*STRANGE, f"{group}.s1", group[:-1], group.upper()):
        check_problem(await room.open(name), 404, "CONFIG_NOT_FOUND")
    assert await room.everything() == before


async def test_an_action_that_is_none_is_unknown(room: Room) -> None:
    """Above all the engine's own verbs: nobody can tell the gate that he has paid."""
    flash = await room.market.publish()
    await room.caught_up()
    assert (await room.join(f"{flash}.s1")).status == 201
    before = await room.everything()
    for action in ("cut", "join", "open", "paid", "released", "deadline", "", "☃", "x/y", "__index", "a" * 8000):
        answer = await room.post(f"/v1/instances/{flash}.s1/actions/{action}", {"requestId": "r2"})
        check_problem(answer, 404, "ACTION_UNKNOWN")
    answer = await room.post(f"/v1/instances/{flash}.s1/actions/cut", {"requestId": "r2", "quantity": 1})
    check_problem(answer, 422, "VALIDATION_FAILED")
    assert await room.everything() == before


async def test_an_instance_of_another_playbook_takes_no_foreign_verb(room: Room) -> None:
    """A flash sale is not opened, a group buy has no session to join."""
    flash, group = await room.market.publish(), await room.market.publish("GROUP_BUY")
    await room.caught_up()
    before = await room.everything()
    check_problem(await room.open(flash), 404, "ACTION_UNKNOWN")
    check_problem(await room.join(f"{group}.s1"), 404, "INSTANCE_NOT_FOUND")
    assert await room.everything() == before


async def test_nothing_is_sold_that_is_not_on_sale(room: Room) -> None:
    """A draft is not found; paused, ended, not begun and over each have their code."""
    now, life = datetime.now(UTC), room.engine.catalog.life
    later = await room.publish(starts_at=now + timedelta(hours=1))
    over, paused, ended = await room.publish(), await room.publish(), await room.publish()
    draft = await room.publish(on_sale=False)
    await life.pause(STORE, paused)
    await life.end(STORE, ended)
    await room.market.pool.execute("UPDATE play_configs SET ends_at = now() WHERE id = $1", over)
    await room.market.recover()
    await room.caught_up()
    before = await room.everything()
    cases = {
        draft: (404, "INSTANCE_NOT_FOUND"),
        paused: (503, "PAUSED"),
        ended: (409, "ENDED"),
        over: (409, "ENDED"),
        later: (409, "NOT_STARTED"),
    }
    for config, (status, code) in cases.items():
        check_problem(await room.join(f"{config}.s1"), status, code)
    check_problem(await room.open(draft), 404, "CONFIG_NOT_FOUND")
    assert await room.everything() == before


QUERIES = [
    "limit=0", "limit=101", "limit=-1", "limit=ten", "limit=1.5", "limit=", "limit=99999999999999999999",
    "status=OPEN", "status=active", "status=", "status=null", "limit=null", "color=red", "storeid=1001",
    "limit=1&limit=x", "city=BJ&city=BJ", "=", "%00=1", "x" * 5000,
]  # fmt: skip
CURSORS = [
    "x",
    "",
    ".",
    "A" * 81,
    "0" * 13,
    "%E2%98%83",
    "%00",
    "0" * 13 + "x.y",
    "zzzzzzzzzzzz%C3%A9.c",
    "z" * 13 + ".c",
]


async def test_a_list_query_that_does_not_fit_is_refused(room: Room) -> None:
    """Unknown names, impossible values, too many of them."""
    for path in ("/v1/instances", "/v1/play-configs"):
        for query in QUERIES:
            check_problem(await room.get(path, query), 422, "VALIDATION_FAILED")


async def test_a_cursor_that_is_none_is_refused(room: Room) -> None:
    """Whatever is not the start of a place in the list."""
    for path in ("/v1/instances", "/v1/play-configs"):
        for cursor in CURSORS:
            check_problem(await room.get(path, f"cursor={cursor}"), 400, "CURSOR_INVALID")


async def test_filters_that_fit_nothing_find_nothing(room: Room) -> None:
    """Strange values are no error: there is just nothing of the kind."""
    await room.market.publish()
    await room.caught_up()
    values: list[Any] = ["%E2%98%83", "%00", "'", "x" * 5000, "null", ""]
    for name in ("storeId", "city", "playCode"):
        for value in values:
            answer = await room.get("/v1/instances", f"{name}={value}")
            assert (answer.status, answer.json()) == (200, {"items": [], "nextCursor": None})
