"""A playbook gets another version: drafts follow it, what is on sale does not."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from msgspec import Meta

from engine.core.settings import Settings
from tests.support.doors import Doors, open_doors
from tests.support.stall import StallRules, installed, make_stall

PATH = "/v1/store/play-configs"


class NewRules(StallRules, frozen=True):
    """摆摊规则, second edition: the floor is in percent."""

    floor_percent: Annotated[int, Meta(ge=0, le=100, title="底价比例", description="占售价的百分比")] = 0


def to_percent(rules: dict[str, Any], version: str) -> dict[str, Any]:
    """Version 1 had fen; it changes what it is given, as a stranger's may."""
    if version == "1.0.0" and "floorFen" in rules:
        rules["floorPercent"] = rules.pop("floorFen") // 10
    return rules


SECOND: dict[str, Any] = {"version": "2.0.0", "rules": NewRules, "upgrade_rules": to_percent}


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    with installed(make_stall()):
        async with open_doors(settings) as opened:
            yield opened


def upgrade(doors: Doors, **changes: Any) -> None:
    """What a restart with a newer package does."""
    doors.engine.playbooks.loaded["STALL"] = make_stall(**SECOND | changes)
    doors.engine.catalog.templates._schemas.clear()


async def draft(doors: Doors, **rules: Any) -> str:
    return await doors.draft(templateCode="STALL", priceFen=1000, rules=rules)


async def read(doors: Doors, config_id: str) -> tuple[dict[str, Any], str]:
    """(rules, rulesVersion) as the store sees them."""
    found = (await doors.send("STORE", "GET", f"{PATH}/{config_id}")).json()
    return found["rules"], found["rulesVersion"]


async def stored(doors: Doors, config_id: str) -> tuple[dict[str, Any], str]:
    row = await doors.market.pool.fetchrow("SELECT rules, rules_version FROM play_configs WHERE id = $1", config_id)
    assert row is not None
    return tuple(row)


async def test_a_draft_is_read_as_the_new_version_wants_it(doors: Doors) -> None:
    """Alone and in the list, however often; its row stays as it is until somebody writes."""
    config_id = await draft(doors, floorFen=500)
    upgrade(doors)
    for _ in range(2):
        assert await read(doors, config_id) == ({"floorPercent": 50}, "2.0.0")
    (listed,) = (await doors.send("STORE", "GET", PATH)).json()["items"]
    assert (listed["rules"], listed["rulesVersion"]) == ({"floorPercent": 50}, "2.0.0")
    assert await stored(doors, config_id) == ({"floorFen": 500}, "1.0.0")


async def test_an_edited_draft_is_stored_upgraded(doors: Doors) -> None:
    config_id = await draft(doors, floorFen=500)
    upgrade(doors)
    await doors.send("STORE", "PATCH", f"{PATH}/{config_id}", {"title": "新的标题"})
    assert await stored(doors, config_id) == ({"floorPercent": 50}, "2.0.0")


async def test_an_upgraded_draft_is_published_with_the_new_rules(doors: Doors) -> None:
    """Defaults and all."""
    config_id = await draft(doors, floorFen=500)
    upgrade(doors)
    published = (await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")).json()
    assert (published["rulesVersion"], published["rules"]["floorPercent"]) == ("2.0.0", 50)
    assert published["rules"]["floorFen"] == 0


async def test_what_is_on_sale_keeps_its_rules(doors: Doors) -> None:
    """Read, paused, resumed, and through the worker's start: as it was published."""
    config_id = await draft(doors, floorFen=500)
    await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")
    before = await stored(doors, config_id)
    upgrade(doors)
    assert await doors.engine.catalog.upgrade_drafts() == 0
    for verb in ("pause", "resume"):
        assert (await doors.send("STORE", "POST", f"{PATH}/{config_id}/{verb}")).status_code == 200
    assert await read(doors, config_id) == await stored(doors, config_id) == before
    assert before[1] == "1.0.0"


async def test_a_worker_that_starts_upgrades_all_drafts(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one query's worth; those of other playbooks and of this version stay; a second start finds none."""
    monkeypatch.setattr("engine.catalog.drafts.UPGRADES_AT_ONCE", 3)
    old = [await draft(doors, floorFen=100 * number) for number in range(8)]
    other = await doors.draft()
    upgrade(doors)
    new = await draft(doors, floorPercent=7)

    assert await doors.engine.catalog.upgrade_drafts() == 8
    assert [await stored(doors, one) for one in old] == [({"floorPercent": 10 * i}, "2.0.0") for i in range(8)]
    assert await stored(doors, new) == ({"floorPercent": 7}, "2.0.0")
    assert (await stored(doors, other))[0] == {"target": 3}
    assert await doors.engine.catalog.upgrade_drafts() == 0


def boom(rules: dict[str, Any], version: str) -> dict[str, Any]:
    rules["floorFen"] = 0  # half way
    raise KeyError(version)


def no_rules(rules: dict[str, Any], version: str) -> Any:
    return [rules]


def no_json(rules: dict[str, Any], version: str) -> dict[str, Any]:
    return {"floorPercent": object()}


@pytest.mark.parametrize("upgrade_rules", [boom, no_rules, no_json])
async def test_a_draft_that_cannot_be_upgraded_stays_as_it_is_and_says_so(
    doors: Doors, upgrade_rules: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It can be read, edited and deleted; publishing names the rules; filling them in anew heals it."""
    config_id, healthy = await draft(doors, floorFen=500), await doors.draft()
    upgrade(doors, upgrade_rules=upgrade_rules)
    assert await doors.engine.catalog.upgrade_drafts() == 0
    assert "STALL" in caplog.text
    await doors.send("STORE", "PATCH", f"{PATH}/{config_id}", {"title": "新的标题"})
    assert await read(doors, config_id) == await stored(doors, config_id) == ({"floorFen": 500}, "1.0.0")

    answer = await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")
    assert (answer.status_code, answer.json()["code"]) == (422, "RULES_INVALID")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/rules"
    assert "1.0.0" in error["message"]
    assert "2.0.0" in error["message"]
    assert (await doors.send("STORE", "POST", f"{PATH}/{healthy}/publish")).status_code == 200

    await doors.send("STORE", "PATCH", f"{PATH}/{config_id}", {"rules": {"floorPercent": 5}})
    assert (await doors.send("STORE", "POST", f"{PATH}/{config_id}/publish")).status_code == 200


async def test_a_draft_of_a_missing_playbook_is_left_alone(doors: Doors) -> None:
    config_id = await draft(doors, floorFen=500)
    del doors.engine.playbooks.loaded["STALL"]
    assert await doors.engine.catalog.upgrade_drafts() == 0
    assert await read(doors, config_id) == ({"floorFen": 500}, "1.0.0")
