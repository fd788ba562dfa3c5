"""Who may knock at which door: every route of Litestar, as everyone there is."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.settings import Settings
from tests.support.doors import CALLERS, NOBODY, Doors, open_doors

CONSUMER = {"CONSUMER"}
HEADQUARTERS = {"HQ"}
READERS = {"HQ", "FINANCE"}
STORE = {"STORE", "OTHER_STORE"}
STORE_STAFF = {"STORE", "CLERK", "OTHER_STORE", "OTHER_CLERK"}
ANYONE = {NOBODY, *CALLERS}

# (method, path, who is let in, of them: who is told 404 because the row is another store's)
ROUTES: list[tuple[str, str, set[str], set[str]]] = [
    ("GET", "/livez", ANYONE, set()),
    ("GET", "/readyz", ANYONE, set()),
    ("GET", "/schema", ANYONE, set()),
    ("GET", "/schema/docs", ANYONE, set()),
    ("POST", "/v1/auth/wechat", ANYONE, set()),
    ("POST", "/v1/auth/staff", ANYONE, set()),
    ("GET", "/v1/play-configs/{config}", ANYONE, ANYONE),
    ("GET", "/v1/me/orders", CONSUMER, set()),
    ("GET", "/v1/me/instances", CONSUMER, set()),
    ("GET", "/v1/me/rewards", CONSUMER, set()),
    ("GET", "/v1/orders/{order}", CONSUMER, CONSUMER),
    ("POST", "/v1/orders/{order}/payment", CONSUMER, CONSUMER),
    ("POST", "/v1/orders/{order}/cancel", CONSUMER, CONSUMER),
    ("POST", "/v1/payments/sandbox/{order}/pay", ANYONE, ANYONE),
    ("POST", "/v1/payments/sandbox/{order}/notify", ANYONE, ANYONE),
    ("GET", "/v1/store/templates", STORE_STAFF, set()),
    ("GET", "/v1/store/services", STORE_STAFF, set()),
    ("POST", "/v1/store/services", STORE, set()),
    ("GET", "/v1/store/services/{service}", STORE_STAFF, {"OTHER_STORE", "OTHER_CLERK"}),
    ("GET", "/v1/store/play-configs", STORE_STAFF, set()),
    ("POST", "/v1/store/play-configs", STORE, set()),
    ("GET", "/v1/store/play-configs/{config}", STORE_STAFF, {"OTHER_STORE", "OTHER_CLERK"}),
    ("GET", "/v1/store/play-configs/{config}/report", STORE_STAFF, {"OTHER_STORE", "OTHER_CLERK"}),
    ("PATCH", "/v1/store/play-configs/{config}", STORE, {"OTHER_STORE"}),
    ("POST", "/v1/store/play-configs/{config}/publish", STORE, {"OTHER_STORE"}),
    ("POST", "/v1/store/play-configs/{config}/pause", STORE, {"OTHER_STORE"}),
    ("POST", "/v1/store/play-configs/{config}/resume", STORE, {"OTHER_STORE"}),
    ("POST", "/v1/store/play-configs/{config}/end", STORE, {"OTHER_STORE"}),
    ("DELETE", "/v1/store/play-configs/{config}", STORE, {"OTHER_STORE"}),
    ("GET", "/v1/hq/templates", READERS, set()),
    ("PATCH", "/v1/hq/templates/{code}", HEADQUARTERS, set()),
    ("GET", "/v1/hq/stores", READERS, set()),
    ("POST", "/v1/hq/stores", HEADQUARTERS, set()),
    ("GET", "/v1/hq/stores/{store}", READERS, set()),
    ("GET", "/v1/hq/rewards", READERS, set()),
    ("GET", "/v1/hq/refunds", READERS, set()),
    ("POST", "/v1/hq/refunds/{order}/retry", READERS, READERS),
    ("GET", "/v1/hq/stray-payments", READERS, set()),
    ("POST", "/v1/hq/stray-payments/{order}/settle", READERS, READERS),
    ("GET", "/v1/hq/staff", HEADQUARTERS, set()),
    ("POST", "/v1/hq/staff", HEADQUARTERS, set()),
]


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


async def test_every_route_lets_in_its_roles_and_nobody_else(doors: Doors) -> None:
    """401 without a token, 403 for another role, 404 for another store's rows, and never a 500."""
    wrong = []
    for method, path, let_in, foreign in ROUTES:
        for caller in (NOBODY, *CALLERS):
            # A fresh draft each time, because some of the routes end its life.
            names = {"config": await doors.draft() if "{config}" in path else "", "service": await doors.service_id()}
            real = path.format(**names, order="0" * 32, code="FLASH_SALE", store="1001")
            body = {"title": "x"} if method == "PATCH" and "config" in path else None
            status = (await doors.send(caller, method, real, body)).status_code
            if caller == NOBODY and NOBODY not in let_in:
                good = status == 401
            elif caller not in let_in:
                good = status == 403
            elif caller in foreign:
                good = status == 404
            else:
                good = status not in {401, 403, 404} or (status == 401 and "auth" in path)
            if not good or status >= 500:
                wrong.append((method, path, caller, status))
    assert wrong == []


async def test_the_list_above_is_complete(doors: Doors) -> None:
    document = (await doors.send(NOBODY, "GET", "/schema")).json()
    hot = {"/v1/instances", "/v1/instances/{}", "/v1/instances/{}/join", "/v1/instances/{}/actions/{}"}
    hot |= {"/v1/play-configs", "/v1/play-configs/{}/instances"}

    def shape(path: str) -> str:
        return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))

    described = {(verb.upper(), shape(path)) for path, verbs in document["paths"].items() for verb in verbs}
    listed = {(method, shape(path)) for method, path, _, _ in ROUTES if not path.startswith("/schema")}
    assert listed == {(verb, path) for verb, path in described if path not in hot}


async def test_a_token_that_is_none_is_told_so(doors: Doors) -> None:
    """One that is empty is missing; and who has not written `Bearer` before it hears that."""
    expected, wrong = "请在请求头 Authorization 中填写 Bearer <token>", "登录凭证无效"
    for authorization, code, said in (
        ("", "TOKEN_MISSING", expected),
        ("Bearer", "TOKEN_MISSING", expected),
        ("Bearer ", "TOKEN_MISSING", expected),
        ("x.y", "TOKEN_INVALID", expected),
        ("Basic aHE6aHE=", "TOKEN_INVALID", expected),
        ("Bearer x.y", "TOKEN_INVALID", wrong),
        ("Bearer " + "a" * 4000, "TOKEN_INVALID", wrong),
    ):
        headers = {"Authorization": authorization}
        answer = await doors.send(NOBODY, "GET", "/v1/me/orders", headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (401, code, said)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_three_ways_of_not_getting_in_have_their_codes(doors: Doors) -> None:
    expired, _ = doors.engine.access.tokens.issue("u1", CALLERS["HQ"][0], -1)
    headers = {"Authorization": f"Bearer {expired}"}
    answers: list[Any] = [
        await doors.send(NOBODY, "GET", "/v1/hq/stores"),
        await doors.send(NOBODY, "GET", "/v1/hq/stores", headers=headers),
        await doors.send("STORE", "GET", "/v1/hq/stores"),
    ]
    assert [answer.json()["code"] for answer in answers] == ["TOKEN_MISSING", "TOKEN_EXPIRED", "FORBIDDEN"]


async def test_no_list_shows_another_stores_rows(doors: Doors) -> None:
    await doors.draft()
    for noun in ("services", "play-configs"):
        assert (await doors.send("STORE", "GET", f"/v1/store/{noun}")).json()["items"] != []
        assert (await doors.send("OTHER_STORE", "GET", f"/v1/store/{noun}")).json()["items"] == []


async def test_another_stores_service_cannot_be_sold(doors: Doors) -> None:
    body = await doors.draft_body()
    answer = await doors.send("OTHER_STORE", "POST", "/v1/store/play-configs", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (404, "/serviceId")
    assert await doors.market.count("play_configs") == 0


async def test_another_consumers_order_does_not_exist(doors: Doors) -> None:
    config_id = await doors.draft()
    await doors.send("STORE", "POST", f"/v1/store/play-configs/{config_id}/publish")
    order_id = await doors.market.hold(config_id, "somebody-else", verb="open")
    await doors.market.drain_all()
    for method, path in (("GET", ""), ("POST", "/payment"), ("POST", "/cancel")):
        answer = await doors.send("CONSUMER", method, f"/v1/orders/{order_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
