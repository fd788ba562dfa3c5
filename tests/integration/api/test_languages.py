"""Everything that is refused is refused in the caller's language; what is not refused is the same for everyone."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from api.hot.clicks import answered
from engine.core import errors
from engine.core.settings import Settings
from engine.sdk import Problem
from tests.integration.api.test_bad_input import CONFIGS, WRONG_DRAFTS
from tests.support.doors import NOBODY, Doors, moment, open_doors
from tests.support.hot import Body, Headers, Room, Scope, open_room

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = {"accept-language": "en-US,en;q=0.9,zh;q=0.8"}
NOWHERE = "/v1/instances/c000000000000.s1/join"


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


def texts(document: dict[str, Any]) -> list[str]:
    """All that a problem document says to people."""
    return [document["title"], document["detail"], *(wrong["message"] for wrong in document.get("errors", ()))]


async def click(room: Room, path: str, raw: bytes, **headers: str) -> tuple[str, list[str]]:
    """(the language of the answer, what it says) to a consumer."""
    answer = await room.send("POST", path, raw, headers=room.bearer() | headers)
    assert answer.headers["vary"] == "accept-language"
    return answer.headers["content-language"], texts(answer.json())


async def test_a_click_is_refused_in_both_languages(room: Room) -> None:
    """By Redis, by the snapshot, by what the process knows; and a body that is none."""
    flash = await room.market.publish(stock=1)
    later = await room.publish(starts_at=datetime.now(UTC) + timedelta(hours=1))
    await room.caught_up()
    assert (await room.join(f"{flash}.s1", "u2")).status == 201
    body = b'{"requestId":"r1"}'
    for path, raw, error in (
        (f"/v1/instances/{flash}.s1/join", body, errors.SoldOut),
        (f"/v1/instances/{later}.s1/join", body, errors.NotStarted),
        (f"/v1/instances/{flash}.s1/actions/cut", body, errors.ActionUnknown),
        (NOWHERE, body, errors.InstanceNotFound),
        (NOWHERE, b"{", errors.MalformedBody),
    ):
        assert await click(room, path, raw) == ("zh", [error.text.zh] * 2)
        assert await click(room, path, raw, **ENGLISH) == ("en", [error.text.en] * 2)


async def test_a_wrong_field_of_a_click_is_named_in_both_languages(room: Room) -> None:
    for raw, zh, en in (
        (
            b'{"requestId":"a\\n"}',
            "requestId 只能包含可打印的 ASCII 字符",
            "requestId may hold printable ASCII characters only",
        ),
        (b'{"requestId":"r","quantity":0}', "quantity 不能小于 1", "quantity must be at least 1"),
        (b'{"requestId":5}', "requestId 必须是文本", "requestId must be a text"),
        (b'{"quantity":1}', "requestId 必须填写", "requestId is required"),
    ):
        assert (await click(room, NOWHERE, raw))[1][2:] == [zh]
        assert (await click(room, NOWHERE, raw, **ENGLISH))[1][2:] == [en]


async def test_reads_are_refused_in_both_languages(room: Room) -> None:
    for path, query in (("/v1/instances/c", ""), ("/v1/instances", "limit=0"), ("/v1/play-configs", "cursor=x")):
        for headers, english in (({}, False), (ENGLISH, True)):
            said = texts((await room.send("GET", path, query=query, headers=headers)).json())
            assert [not CHINESE.search(text) for text in said] == [english] * len(said), said


class Watched(Headers):
    """Headers that note which of them were asked for."""

    asked: set[str]

    def get(self, name: str, default: Any = None, /) -> Any:
        self.asked.add(name)
        return super().get(name, default)


async def test_a_click_that_wins_does_not_pay_for_the_language(room: Room) -> None:
    """The header is read only when something is refused, and a refusal of Redis has been rendered before."""
    flash = await room.market.publish(stock=1)
    await room.caught_up()
    asked, bodies = [], []
    for user in ("u1", "u2", "u3"):
        headers = Watched(room.bearer(user) | ENGLISH | {"content-length": "18"})
        headers.asked = set()
        handler = room.hot.find("POST", f"/v1/instances/{flash}.s1/join")
        assert handler
        _status, _headers, body = await answered(handler, headers, Body(b'{"requestId":"r1"}'), Scope())
        asked.append("accept-language" in headers.asked)
        bodies.append(body)
    assert asked == [False, True, True]
    assert bodies[1] is bodies[2]


async def said_twice(doors: Doors, caller: str, method: str, path: str, json: Any = None) -> list[list[str]]:
    """What a request is told in Chinese, and in English."""
    told = []
    for headers, language in (({}, "zh"), (ENGLISH, "en")):
        answer = await doors.send(caller, method, path, json, headers=headers)
        assert answer.status_code >= 400, answer.text
        assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "accept-language")
        assert answer.headers.get_list("content-type") == ["application/problem+json"]
        told.append(texts(answer.json()))
    return told


def translated(told: list[list[str]]) -> bool:
    """Whether all is Chinese in the one and nothing in the other."""
    zh, en = told
    return all(map(CHINESE.search, zh)) and not any(map(CHINESE.search, en)) and len(zh) == len(en)


async def test_each_wrong_field_of_a_draft_is_named_in_both_languages(doors: Doors) -> None:
    good = await doors.draft_body()
    wrong = []
    for changes, pointer in WRONG_DRAFTS:
        told = await said_twice(doors, "STORE", "POST", CONFIGS, {**good, **changes})
        if not translated(told) or len(told[1]) < 3:
            wrong.append((pointer, told))
    assert wrong == []


async def test_litestars_own_refusals_are_said_in_both_languages(doors: Doors) -> None:
    """No such address, no such method, no such parameter, no token, another's role."""
    for caller, method, path in (
        (NOBODY, "GET", "/v2/instances"),
        (NOBODY, "DELETE", "/livez"),
        (NOBODY, "GET", CONFIGS),
        ("CONSUMER", "GET", CONFIGS),
        ("STORE", "GET", f"{CONFIGS}?limit=0"),
        ("STORE", "GET", f"{CONFIGS}?cursor=x"),
        ("STORE", "POST", CONFIGS),
    ):
        assert translated(await said_twice(doors, caller, method, path)), path


async def test_what_the_engine_refuses_is_said_in_both_languages(doors: Doors) -> None:
    """Names taken, things not there, states in the way, sessions and rules that do not fit."""
    sold, ended = await doors.draft(), await doors.draft()
    over = await doors.draft(startsAt=moment(days=-2), endsAt=moment(days=-1))
    small = await doors.draft(rules={"target": 1, "limitPerPerson": -1, "region": "BJ"})
    for config_id, *steps in ((sold, "publish"), (ended, "publish", "end")):
        for step in steps:
            assert (await doors.send("STORE", "POST", f"{CONFIGS}/{config_id}/{step}")).status_code == 200
    staff = {"username": "x", "password": "long enough", "role": "STORE"}
    order = "0" * 32
    cases: list[tuple[str, str, str, Any]] = [
        (NOBODY, "POST", "/v1/auth/wechat", {"code": "no demo"}),
        (NOBODY, "POST", "/v1/auth/staff", {"username": "x", "password": "wrong"}),
        ("STORE", "POST", f"{CONFIGS}/{sold}/publish", None),
        ("STORE", "POST", f"{CONFIGS}/{ended}/resume", None),
        ("STORE", "PATCH", f"{CONFIGS}/{sold}", {"stock": 5}),
        ("STORE", "DELETE", f"{CONFIGS}/{sold}", None),
        ("STORE", "GET", f"{CONFIGS}/c0", None),
        ("STORE", "GET", "/v1/store/services/v0", None),
        ("STORE", "POST", f"{CONFIGS}/{over}/publish", None),
        ("STORE", "POST", f"{CONFIGS}/{small}/publish", None),
        ("HQ", "GET", "/v1/hq/stores/none", None),
        ("HQ", "POST", "/v1/hq/stores", {"id": "1001", "name": "x", "city": "BJ"}),
        ("HQ", "PATCH", "/v1/hq/templates/NONE", {"enabled": True}),
        ("HQ", "PATCH", "/v1/hq/templates/GROUP_BUY", {"storeIds": ["9999"]}),
        ("HQ", "POST", "/v1/hq/staff", staff),
        ("HQ", "POST", "/v1/hq/staff", staff | {"storeId": "9999"}),
        ("CONSUMER", "GET", f"/v1/orders/{order}", None),
        ("CONSUMER", "GET", "/v1/orders/x", None),
        (NOBODY, "GET", "/v1/play-configs/c0", None),
        (NOBODY, "POST", f"/v1/payments/sandbox/{order}/pay", {}),
        (NOBODY, "POST", f"/v1/payments/sandbox/{order}/notify", None),
        (NOBODY, "POST", "/v1/payments/sandbox/x/pay", {}),
    ]
    told = [(case, await said_twice(doors, *case)) for case in cases]
    assert [(case, said) for case, said in told if not translated(said)] == []


async def test_a_strangers_words_are_shown_as_they_are(doors: Doors) -> None:
    """What a playbook itself finds wrong comes in its own language, under titles in the caller's."""
    loaded = doors.engine.playbooks.loaded
    picky = msgspec.structs.replace(loaded["GROUP_BUY"], problems=lambda *_: [Problem("target", "成团人数不吉利")])
    loaded["GROUP_BUY"] = picky
    zh, en = await said_twice(doors, "STORE", "POST", f"{CONFIGS}/{await doors.draft()}/publish")
    text = errors.RulesInvalid.text
    assert zh == [text.zh, text.zh, "成团人数不吉利"]
    assert en == [text.en, text.en, "成团人数不吉利"]


async def test_success_is_the_same_for_everyone(doors: Doors) -> None:
    async def read(headers: dict[str, str]) -> httpx.Response:
        return await doors.send("STORE", "GET", "/v1/store/templates", headers=headers)

    one, other = await read({}), await read(ENGLISH)
    assert one.content == other.content
    assert "content-language" not in other.headers
