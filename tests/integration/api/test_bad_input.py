"""Bad input at Litestar's doors: a problem document with a stable code, never a 500, and nothing changed."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.errors import PROBLEM_TYPE
from engine.core.settings import Settings
from tests.support.doors import NOBODY, Doors, open_doors

CONFIGS = "/v1/store/play-configs"
TABLES = ("stores", "staff", "services", "templates", "play_configs", "stock", "instances", "users", "orders")


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


async def counts(doors: Doors) -> list[int]:
    return [await doors.market.count(table) for table in TABLES]


def is_problem(answer: httpx.Response) -> bool:
    """A problem document, and no error of ours."""
    return answer.headers["content-type"] == PROBLEM_TYPE and answer.status_code < 500


# What is wrong with a draft, and the field that is named.
WRONG_DRAFTS: list[tuple[dict[str, Any], str]] = [
    ({"stock": 0}, "/stock"),
    ({"stock": -1}, "/stock"),
    ({"stock": 10**7 + 1}, "/stock"),
    ({"stock": 10**40}, "/stock"),
    ({"stock": "300"}, "/stock"),
    ({"stock": 1.5}, "/stock"),
    ({"stock": True}, "/stock"),
    ({"stock": None}, "/stock"),
    ({"priceFen": 0}, "/priceFen"),
    ({"priceFen": 10**9}, "/priceFen"),
    ({"priceFen": [1]}, "/priceFen"),
    ({"title": ""}, "/title"),
    ({"title": "x" * 65}, "/title"),
    ({"title": "a\u0000b"}, "/title"),
    ({"title": "a\n"}, "/title"),
    ({"title": 5}, "/title"),
    ({"rules": []}, "/rules"),
    ({"rules": "target=3"}, "/rules"),
    ({"startsAt": "tomorrow"}, "/startsAt"),
    ({"startsAt": "2026-01-01T00:00:00"}, "/startsAt"),
    ({"startsAt": 5}, "/startsAt"),
    ({"startsAt": "0001-01-01T00:00:00+14:00"}, "/startsAt"),
    ({"endsAt": "9999-12-31T23:59:59-14:00"}, "/endsAt"),
    ({"endsAt": "2001-01-01T00:00:00Z"}, "/endsAt"),
    ({"templateCode": "NO_SUCH_PLAY"}, "/templateCode"),
    ({"templateCode": "group buy"}, "/templateCode"),
    ({"templateCode": "x" * 1000}, "/templateCode"),
    ({"serviceId": "v000000000000"}, "/serviceId"),
    ({"serviceId": "'; DROP TABLE stores; --"}, "/serviceId"),
    ({"serviceId": "v\u0000"}, "/serviceId"),
    ({"color": "red"}, "/color"),
    ({"status": "PUBLISHED"}, "/status"),
    ({"storeId": "1002"}, "/storeId"),
]


async def test_every_wrong_field_is_named_at_once(doors: Doors) -> None:
    """A time without a zone is one like any other."""
    body = {**await doors.draft_body(), "startsAt": "2026-01-01T00:00:00", "endsAt": "soon", "stock": 0}
    errors = (await doors.send("STORE", "POST", CONFIGS, body)).json()["errors"]
    zone = "必须是带时区的 RFC 3339 时间"
    assert {error["pointer"]: error["message"] for error in errors} == {
        "/startsAt": f"开始时间 {zone}",
        "/endsAt": f"结束时间 {zone}",
        "/stock": "库存 不能小于 1",
    }


async def test_each_wrong_field_of_a_draft_is_named(doors: Doors) -> None:
    good = await doors.draft_body()
    before = await counts(doors)
    wrong = []
    for changes, pointer in WRONG_DRAFTS:
        answer = await doors.send("STORE", "POST", CONFIGS, {**good, **changes})
        named = {error["pointer"] for error in answer.json().get("errors", ())}
        if answer.status_code not in {404, 422} or named != {pointer} or not is_problem(answer):
            wrong.append((changes, answer.status_code, named))
    assert wrong == []
    assert await counts(doors) == before


BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "MALFORMED_BODY"),
    (b"{", 400, "MALFORMED_BODY"),
    (b"\xff\xfe", 400, "MALFORMED_BODY"),
    (b'{"name":1e400}', 400, "MALFORMED_BODY"),
    (b'{"code":"\\ud800","username":"\\ud800","name":"\\ud800","title":"\\ud800"}', 400, "MALFORMED_BODY"),
    (b"[" * 16000, 400, "MALFORMED_BODY"),
    (b"[]", 422, "VALIDATION_FAILED"),
    (b"null", 422, "VALIDATION_FAILED"),
    (b"{}", 422, "VALIDATION_FAILED"),
    (b'{"x":1}', 422, "VALIDATION_FAILED"),
    (b'{"a":"' + b"x" * 20_000 + b'"}', 413, "BODY_TOO_LARGE"),
    (b'{"a":' * 4000 + b"1" + b"}" * 4000, 413, "BODY_TOO_LARGE"),
    (b"x" * 2_000_000, 413, "BODY_TOO_LARGE"),
]


async def test_a_body_that_is_none_changes_nothing(doors: Doors) -> None:
    """At every route that needs one."""
    before = await counts(doors)
    wrong = []
    for raw, status, code in BODIES:
        for caller, path in (
            (NOBODY, "/v1/auth/wechat"),
            (NOBODY, "/v1/auth/staff"),
            ("STORE", "/v1/store/services"),
            ("STORE", CONFIGS),
            ("HQ", "/v1/hq/stores"),
            ("HQ", "/v1/hq/staff"),
        ):
            answer = await doors.send(caller, "POST", path, content=raw)
            if not is_problem(answer) or (answer.status_code, answer.json()["code"]) != (status, code):
                wrong.append((path, raw[:30], answer.status_code, answer.text))
    assert wrong == []
    assert await counts(doors) == before


NAMES = ["c000000000000", "c", "%00", "%FF", "a" * 5000, "..", "%2e%2e%2f", "c1' OR 1=1", "☃", "c1.s1", "%0a"]


async def test_an_id_of_nothing_is_404(doors: Doors) -> None:
    wrong = []
    for name in NAMES:
        for caller, method, path in (
            ("STORE", "GET", f"{CONFIGS}/{name}"),
            ("STORE", "PATCH", f"{CONFIGS}/{name}"),
            ("STORE", "DELETE", f"{CONFIGS}/{name}"),
            ("STORE", "POST", f"{CONFIGS}/{name}/publish"),
            ("STORE", "POST", f"{CONFIGS}/{name}/end"),
            ("STORE", "GET", f"/v1/store/services/{name}"),
            ("HQ", "GET", f"/v1/hq/stores/{name}"),
            ("HQ", "PATCH", f"/v1/hq/templates/{name}"),
            (NOBODY, "GET", f"/v1/play-configs/{name}"),
            ("CONSUMER", "GET", f"/v1/orders/{name}"),
            ("CONSUMER", "POST", f"/v1/orders/{name}/payment"),
            ("CONSUMER", "POST", f"/v1/orders/{name}/cancel"),
            (NOBODY, "POST", f"/v1/payments/sandbox/{name}/pay"),
            (NOBODY, "POST", f"/v1/payments/sandbox/{name}/notify"),
        ):
            answer = await doors.send(caller, method, path, {} if method == "PATCH" else None)
            # 405: the client folds ".." away and asks the parent. 422: Postgres cannot hold NUL.
            if answer.status_code not in {404, 405, 422} or not is_problem(answer):
                wrong.append((method, path, answer.status_code))
    assert wrong == []


QUERIES = [
    ("limit=0", "VALIDATION_FAILED"),
    ("limit=101", "VALIDATION_FAILED"),
    ("limit=ten", "VALIDATION_FAILED"),
    ("limit=1e3", "VALIDATION_FAILED"),
    ("limit=99999999999999999999999", "VALIDATION_FAILED"),
    ("cursor=x", "CURSOR_INVALID"),
    ("cursor=" + "A" * 3000, "CURSOR_INVALID"),
    ("cursor=%00", "CURSOR_INVALID"),
    ("cursor=WyJhIiwiYiJd", "CURSOR_INVALID"),
    ("cursor=WyIyMDI2LTAxLTAxIiwieCJd", "CURSOR_INVALID"),  # a moment without a time zone
    ("cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwieCJd", "CURSOR_INVALID"),  # of the year 1
]


async def test_a_wrong_page_is_told_so(doors: Doors) -> None:
    wrong = []
    for query, code in QUERIES:
        for caller, path in (
            ("STORE", CONFIGS),
            ("STORE", "/v1/store/services"),
            ("HQ", "/v1/hq/stores"),
            ("HQ", "/v1/hq/staff"),
            ("CONSUMER", "/v1/me/orders"),
            ("CONSUMER", "/v1/me/instances"),
            ("CONSUMER", "/v1/me/rewards"),
            ("HQ", "/v1/hq/rewards"),
        ):
            answer = await doors.send(caller, "GET", f"{path}?{query}")
            if answer.json().get("code") != code:
                wrong.append((path, query, answer.text))
    assert wrong == []


async def test_a_route_that_is_none_is_a_problem_document_too(doors: Doors) -> None:
    found = {}
    for method, path in (
        ("GET", "/"),
        ("GET", "/v2/instances"),
        ("GET", "/schema/openapi.yaml"),
        ("GET", "/../../etc/passwd"),
        ("GET", "/v1/auth/staff"),
        ("PUT", "/v1/store/services"),
        ("DELETE", "/livez"),
    ):
        answer = await doors.send(NOBODY, method, path)
        assert is_problem(answer)
        found[method, path] = answer.json()["code"]
    assert [path for (_, path), code in found.items() if code == "NOT_FOUND"] == [
        "/",
        "/v2/instances",
        "/schema/openapi.yaml",
        "/../../etc/passwd",
    ]
    assert set(found.values()) == {"NOT_FOUND", "METHOD_NOT_ALLOWED"}


async def test_a_method_that_is_none_is_told_which_there_are(doors: Doors) -> None:
    answer = await doors.send(NOBODY, "DELETE", "/v1/store/services")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


async def test_a_draft_with_rules_that_no_table_can_hold_is_refused(doors: Doors) -> None:
    answer = await doors.send("STORE", "POST", CONFIGS, await doors.draft_body(rules={"target": "a\u0000b"}))
    assert (answer.status_code, answer.json()["code"]) == (422, "RULES_INVALID")
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/rules/target"]
    assert await doors.market.count("play_configs") == 0


async def test_a_template_cannot_be_offered_to_a_store_that_is_none(doors: Doors) -> None:
    answer = await doors.send("HQ", "PATCH", "/v1/hq/templates/GROUP_BUY", {"storeIds": ["1001", "9999"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/storeIds")
    assert await doors.market.count("templates") == 0


STAFF: list[tuple[dict[str, Any], int, str]] = [
    ({"username": "hq", "password": "long enough", "role": "HQ"}, 409, "ALREADY_EXISTS"),
    ({"username": "x", "password": "long enough", "role": "STORE"}, 422, "VALIDATION_FAILED"),
    ({"username": "x", "password": "long enough", "role": "HQ", "storeId": "1001"}, 422, "VALIDATION_FAILED"),
    ({"username": "x", "password": "long enough", "role": "STORE", "storeId": "9999"}, 404, "NOT_FOUND"),
    ({"username": "x", "password": "long enough", "role": "CONSUMER"}, 422, "VALIDATION_FAILED"),
    ({"username": "x", "password": "long enough", "role": "BOSS"}, 422, "VALIDATION_FAILED"),
    ({"username": "x", "password": "short", "role": "HQ"}, 422, "VALIDATION_FAILED"),
    ({"username": "x y", "password": "long enough", "role": "HQ"}, 422, "VALIDATION_FAILED"),
]


async def test_staff_that_cannot_be_is_refused(doors: Doors) -> None:
    first = {"username": "hq", "password": "long enough", "role": "HQ"}
    assert (await doors.send("HQ", "POST", "/v1/hq/staff", first)).status_code == 201
    for body, status, code in STAFF:
        answer = await doors.send("HQ", "POST", "/v1/hq/staff", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    assert await doors.market.count("staff") == 1


async def test_a_store_is_made_once(doors: Doors) -> None:
    body = {"id": "1003", "name": "三店", "city": "BJ"}
    answers = [await doors.send("HQ", "POST", "/v1/hq/stores", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]
