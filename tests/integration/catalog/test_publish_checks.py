"""What a playbook is asked when a config is published, and what becomes of answers that are none."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest

from engine.core.settings import Settings
from engine.gate import keys
from engine.sdk import Offer, Problem, Session
from tests.support.doors import Doors, open_doors
from tests.support.stall import installed, make_stall

PATH = "/v1/store/play-configs"


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    with installed(make_stall()):
        async with open_doors(settings) as opened:
            yield opened


async def publish(doors: Doors, rules: dict[str, Any] | None = None, **changes: Any) -> tuple[int, dict[str, Any]]:
    """Draft a stall and publish it: status and document."""
    draft = {"templateCode": "STALL", "stock": 10, "priceFen": 500, "rules": rules or {}}
    config_id = await doors.draft(**draft | changes)
    answer = await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")
    return answer.status_code, answer.json()


def stranger(doors: Doors, **changes: Any) -> None:
    """The playbook as somebody else may have written it."""
    doors.engine.playbooks.loaded["STALL"] = make_stall(**changes)


async def nothing_published(doors: Doors) -> bool:
    """Neither stock nor sessions nor anything on sale."""
    on_sale = await doors.market.pool.fetchval("SELECT count(*) FROM play_configs WHERE status <> 'DRAFT'")
    return (await doors.market.count("stock"), await doors.market.count("instances"), on_sale) == (0, 0, 0)


async def test_problems_beyond_the_schema_are_named(doors: Doors) -> None:
    """With the price in hand; one that is about no field points at all the rules."""
    status, document = await publish(doors, {"floorFen": 501})
    assert (status, document["code"]) == (422, "RULES_INVALID")
    assert document["errors"] == [
        {"pointer": "/rules/floorFen", "message": "底价不能高于售价 500"},
        {"pointer": "/rules", "message": "请检查规则"},
    ]
    assert await nothing_published(doors)
    assert (await publish(doors, {"floorFen": 500}))[0] == 200


async def test_an_offer_is_what_is_for_sale(doors: Doors) -> None:
    """Price, stock and window, as the store has filled them in."""
    offers: list[Offer] = []

    def noted(_rules: Any, offer: Offer) -> tuple[Problem, ...]:
        offers.append(offer)
        return ()

    stranger(doors, problems=noted)
    _, config = await publish(doors, stock=7, priceFen=321)
    (offer,) = offers
    assert (offer.price_fen, offer.stock) == (321, 7)
    assert offer.window.starts_at.isoformat().startswith(config["startsAt"][:19])
    assert offer.window.ends_at > offer.window.starts_at


def endless(_rules: Any, _offer: Any) -> Any:
    while True:
        yield Problem("facts", "不对")


async def test_a_playbook_that_never_stops_complaining_is_cut_short(doors: Doors) -> None:
    stranger(doors, problems=endless)
    status, document = await publish(doors)
    assert (status, len(document["errors"])) == (422, 20)


def boom(*_: Any) -> Any:
    """What a stranger's playbook may do."""
    raise KeyError("dice")


def session(**fields: Any) -> Callable[..., tuple[Session, ...]]:
    """A playbook's sessions: this one."""
    return lambda _rules, _window: (Session(**{"suffix": "s1"} | fields),)


WRONG: dict[str, dict[str, Any]] = {
    "problems raise": {"problems": boom},
    "problems are text": {"problems": lambda *_: ("底价不对",)},
    "problems are none": {"problems": lambda *_: None},
    "a problem without words": {"problems": lambda *_: (Problem("floorFen", ""),)},
    "a problem of a number": {"problems": lambda *_: (Problem(5, "不对"),)},  # type: ignore[arg-type]  # a stranger's
    "asks raise": {"asks": boom},
    "asks something unheard of": {"asks": lambda _: ("income",)},
    "asks None": {"asks": lambda _: None},
    "sessions raise": {"sessions": boom},
    "no units": {"sessions": session(stock=0)},
    "units to be paid back": {"sessions": session(stock=-1)},
    "half a unit": {"sessions": session(stock=1.5)},
    "true units": {"sessions": session(stock=True)},
    "too many": {"sessions": lambda *_: tuple(Session(suffix=f"s{i}") for i in range(1001))},
    "the engine's cells": {"sessions": session(cells={"left": 5})},
    "the name of a field": {"sessions": lambda *_: (Session(suffix="s1"), Session(suffix="left"))},
    "a target below zero": {"sessions": session(target=-1)},
    "a target of half a person": {"sessions": session(target=0.5)},
    "a moment nowhere": {"sessions": session(wake_at=datetime(2030, 1, 1))},  # noqa: DTZ001
    "a cell without a name": {"sessions": session(cells={1: 2})},
    "a cell with a list": {"sessions": session(cells={"prices": [1, 2]})},
    "a cell of half a fen": {"sessions": session(cells={"price": 0.5})},
    "a cell in Chinese": {"sessions": session(cells={"place": "北京"})},
    "a cell too large": {"sessions": session(cells={"price": 2**53})},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
async def test_a_playbook_that_fails_publishes_nothing(doors: Doors, changes: dict[str, Any]) -> None:
    """503 PLAYBOOK_FAILED, and the draft is as it was."""
    stranger(doors, **changes)
    status, document = await publish(doors)
    assert (status, document["code"]) == (503, "PLAYBOOK_FAILED")
    assert await nothing_published(doors)


async def test_a_sessions_own_stock_reaches_row_and_gate(doors: Doors) -> None:
    """Each as many as it may sell alone; together they may be more than there are."""
    status, config = await publish(doors, {"sessionStock": 8})
    assert status == 200
    rows = await doors.market.pool.fetch(
        "SELECT suffix, total, reserved FROM instances i LEFT JOIN session_stock s ON s.instance_id = i.id ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("s1", 8, 0), ("s2", 8, 0)]
    packed = await doors.market.redis.hget(keys.cells(0, config["id"]), "s1")
    assert msgspec.msgpack.decode(packed)["left"] == 8


async def test_a_session_without_its_own_stock_has_none(doors: Doors) -> None:
    _, config = await publish(doors)
    assert await doors.market.pool.fetchval("SELECT count(*) FROM session_stock") == 0
    packed = await doors.market.redis.hget(keys.cells(0, config["id"]), "s1")
    assert "left" not in msgspec.msgpack.decode(packed)


async def test_a_session_cannot_sell_more_than_there_is(doors: Doors) -> None:
    """A mistake of the store's, so it is told where."""
    status, document = await publish(doors, {"sessionStock": 11}, stock=10)
    assert (status, document["code"]) == (422, "RULES_INVALID")
    assert document["errors"] == [{"pointer": "/stock", "message": "场次库存 11 不能大于商品库存 10"}]
    assert await nothing_published(doors)
    assert (await publish(doors, {"sessionStock": 10}, stock=10))[0] == 200


async def test_what_its_clicks_carry_and_who_may_is_fixed_when_it_is_published(doors: Doors) -> None:
    """By its rules as they are then: the API asks nobody else, and payments are judged by it."""
    config_id = await doors.draft(templateCode="GROUP_BUY", rules={"target": 2, "newcomersOnly": True})
    answer = await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")
    assert answer.status_code == 200, answer.text
    row = await doors.market.pool.fetchrow("SELECT asks, newcomer_verbs FROM play_configs WHERE id = $1", config_id)
    assert dict(row or {}) == {"asks": ["newcomer"], "newcomer_verbs": ["join"]}
