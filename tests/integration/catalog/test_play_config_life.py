"""A play config from draft to the end of its sale, as its store and its consumers see it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.rebuild import close_shard
from engine.sdk import Session, Window
from tests.support.doors import Doors, moment, open_doors
from tests.support.waiting import eventually

PATH = "/v1/store/play-configs"


@pytest.fixture
async def doors(settings: Settings) -> AsyncIterator[Doors]:
    async with open_doors(settings) as opened:
        yield opened


async def head_of(doors: Doors, config_id: str) -> dict[str, Any] | None:
    """What the gate knows of a config."""
    packed = await cell_of(doors, config_id, "head")
    return msgspec.msgpack.decode(packed) if packed else None


async def cell_of(doors: Doors, config_id: str, field: str) -> Any:
    """One field of a config in Redis; None when it is not there."""
    (value,) = await doors.market.redis.hmget(keys.cells(0, config_id), [field])
    return value


async def move(doors: Doors, config_id: str, verb: str) -> tuple[int, dict[str, Any]]:
    answer = await doors.send("STORE", "POST", f"{PATH}/{config_id}/{verb}")
    return answer.status_code, answer.json()


async def test_a_published_config_reaches_consumers_by_itself(doors: Doors) -> None:
    config_id = await doors.draft()
    assert (await doors.send("NOBODY", "GET", f"/v1/play-configs/{config_id}")).status_code == 404
    status, config = await move(doors, config_id, "publish")
    assert (status, config["status"], config["warmPending"]) == (200, "PUBLISHED", False)

    async def seen() -> int:
        return int((await doors.send("NOBODY", "GET", f"/v1/play-configs/{config_id}")).status_code)

    await eventually(seen, 200)
    answer = await doors.send("NOBODY", "GET", f"/v1/play-configs/{config_id}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["stockLeft"] == 300
    assert answer.json()["button"] == {"text": "发起拼团", "disabled": False, "reason": None}


async def test_publishing_stores_the_defaults_and_tells_the_gate(doors: Doors) -> None:
    config_id = await doors.draft(rules={"target": 3, "limitPerPerson": 2})
    _, config = await move(doors, config_id, "publish")
    offered = (await doors.send("STORE", "GET", "/v1/store/templates")).json()["items"]
    (defaults,) = [template["defaults"] for template in offered if template["code"] == "GROUP_BUY"]
    assert config["rules"] == {**defaults, "target": 3, "limitPerPerson": 2}
    head = await head_of(doors, config_id)
    assert head is not None
    assert (head["code"], head["status"], head["limit"], head["price"]) == ("GROUP_BUY", 1, 2, 19900)
    assert head["rules"] == config["rules"]
    stock = await doors.market.pool.fetchrow("SELECT total, reserved FROM stock WHERE config_id = $1", config_id)
    assert tuple(stock or ()) == (300, 0)


async def test_sessions_exist_from_publication_on(doors: Doors) -> None:
    config_id = await doors.draft(templateCode="FLASH_SALE", rules={})
    await move(doors, config_id, "publish")
    row = await doors.market.pool.fetchrow("SELECT id, status, rev FROM instances WHERE config_id = $1", config_id)
    assert tuple(row or ()) == (f"{config_id}.s1", "PENDING", 0)
    assert await cell_of(doors, config_id, "s1") is not None


async def test_pause_resume_and_end_reach_the_gate_in_turn(doors: Doors) -> None:
    config_id = await doors.draft()
    seen = []
    for verb in ("publish", "pause", "resume", "pause", "end"):
        status, config = await move(doors, config_id, verb)
        head = await head_of(doors, config_id)
        seen.append((status, config["status"], (head or {})["status"]))
    assert seen == [
        (200, "PUBLISHED", 1),
        (200, "PAUSED", 2),
        (200, "PUBLISHED", 1),
        (200, "PAUSED", 2),
        (200, "ENDED", 3),
    ]


async def test_what_is_over_cannot_be_paused_but_ended(doors: Doors) -> None:
    """It sells nothing any more, and paused it would ask whoever clicks to come again."""
    config_id = await doors.draft()
    await move(doors, config_id, "publish")
    await doors.market.pool.execute("UPDATE play_configs SET ends_at = now() WHERE id = $1", config_id)
    status, document = await move(doors, config_id, "pause")
    assert (status, document["code"], document["detail"]) == (
        409,
        "STATE_CONFLICT",
        "售卖时间已过，无需暂停；可以结束售卖",
    )
    assert (await move(doors, config_id, "end"))[0] == 200


async def test_what_is_so_already_is_told_so(doors: Doors) -> None:
    config_id = await doors.draft()
    for verb, said in (("publish", "营销商品已在售"), ("pause", "营销商品已暂停"), ("end", "营销商品已结束")):
        await move(doors, config_id, verb)
        assert (await move(doors, config_id, "resume" if verb == "publish" else verb))[1]["detail"] == said


async def test_no_other_move_is_possible(doors: Doors) -> None:
    impossible: dict[tuple[str, ...], tuple[str, ...]] = {
        (): ("pause", "resume", "end"),
        ("publish",): ("publish", "resume"),
        ("publish", "pause"): ("publish", "pause"),
        ("publish", "pause", "end"): ("publish", "pause", "resume", "end"),
    }
    for before, verbs in impossible.items():
        config_id = await doors.draft()
        for step in before:
            assert (await move(doors, config_id, step))[0] == 200
        for verb in verbs:
            status, document = await move(doors, config_id, verb)
            assert (status, document["code"]) == (409, "STATE_CONFLICT"), (before, verb)


async def test_only_a_draft_can_be_changed_or_deleted(doors: Doors) -> None:
    config_id = await doors.draft()
    edited = await doors.send("STORE", "PATCH", f"{PATH}/{config_id}", {"stock": 7, "rules": {"target": 5}})
    assert (edited.status_code, edited.json()["stock"], edited.json()["rules"]) == (200, 7, {"target": 5})
    await move(doors, config_id, "publish")
    for method, body in (("PATCH", {"stock": 9}), ("DELETE", None)):
        assert (await doors.send("STORE", method, f"{PATH}/{config_id}", body)).json()["code"] == "STATE_CONFLICT"
    draft = await doors.draft()
    assert (await doors.send("STORE", "DELETE", f"{PATH}/{draft}")).status_code == 204
    assert (await doors.send("STORE", "GET", f"{PATH}/{draft}")).status_code == 404


RULES = "target、durationMinutes、tiers、leaderOffFen、newcomersOnly、simulatedPercent、limitPerPerson"
WRONG_RULES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "/rules/target", "成团人数 必须填写"),
    ({"target": 1}, "/rules/target", "成团人数 不能小于 2"),
    ({"target": 5000}, "/rules/target", "成团人数 不能大于 1000"),
    ({"target": "3"}, "/rules/target", "成团人数 必须是整数"),
    ({"target": 3, "limitPerPerson": -1}, "/rules/limitPerPerson", "每人限购 不能小于 0"),
    ({"target": 3, "region": "BJ"}, "/rules/region", f"region 是未知字段，可用：{RULES}"),
]


async def test_rules_that_break_the_schema_are_named_and_nothing_is_published(doors: Doors) -> None:
    for rules, pointer, message in WRONG_RULES:
        config_id = await doors.draft(rules=rules)
        status, document = await move(doors, config_id, "publish")
        assert (status, document["code"]) == (422, "RULES_INVALID")
        assert document["errors"] == [{"pointer": pointer, "message": message}]
        assert (await doors.send("STORE", "GET", f"{PATH}/{config_id}")).json()["status"] == "DRAFT"
        assert await head_of(doors, config_id) is None
    assert await doors.market.count("stock") == 0


async def test_a_window_that_is_over_cannot_be_published(doors: Doors) -> None:
    config_id = await doors.draft(startsAt=moment(days=-2), endsAt=moment(days=-1))
    status, document = await move(doors, config_id, "publish")
    assert (status, document["errors"][0]["pointer"]) == (422, "/endsAt")


def no_sessions_at_all(rules: Any, window: Window) -> tuple[Session, ...]:
    """What a stranger's playbook may do."""
    raise KeyError("sessions")


def twins(rules: Any, window: Window) -> tuple[Session, ...]:
    return (Session(suffix="s1"), Session(suffix="s1"))


def shouting(rules: Any, window: Window) -> tuple[Session, ...]:
    return (Session(suffix="S 1"),)


@pytest.mark.parametrize("sessions", [no_sessions_at_all, twins, shouting])
async def test_a_playbook_that_fails_publishes_nothing(doors: Doors, sessions: Callable[..., Any]) -> None:
    loaded = doors.engine.playbooks.loaded
    loaded["GROUP_BUY"] = msgspec.structs.replace(loaded["GROUP_BUY"], sessions=sessions)
    config_id = await doors.draft()
    status, document = await move(doors, config_id, "publish")
    assert (status, document["code"]) == (503, "PLAYBOOK_FAILED")
    assert await doors.market.count("stock") == 0


async def test_a_template_switched_off_can_be_neither_drafted_nor_published_nor_resumed(doors: Doors) -> None:
    paused, draft = await doors.draft(), await doors.draft()
    await move(doors, paused, "publish")
    await move(doors, paused, "pause")
    off = await doors.send("HQ", "PATCH", "/v1/hq/templates/GROUP_BUY", {"storeIds": ["1002"]})
    assert (off.status_code, off.json()["storeIds"]) == (200, ["1002"])
    assert (await move(doors, draft, "publish"))[1]["errors"][0]["pointer"] == "/templateCode"
    assert (await move(doors, paused, "resume"))[0] == 422
    answer = await doors.send("STORE", "POST", PATH, await doors.draft_body())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/templateCode")
    offered = await doors.send("STORE", "GET", "/v1/store/templates")
    codes = {template["code"] for template in offered.json()["items"]}
    assert codes == set(doors.engine.playbooks.loaded) - {"GROUP_BUY"}


async def test_a_publication_stands_while_the_gate_is_closed_and_is_told_later(doors: Doors) -> None:
    config_id = await doors.draft()
    await close_shard(doors.engine.hot, 0)
    status, config = await move(doors, config_id, "publish")
    assert (status, config["status"], config["warmPending"]) == (200, "PUBLISHED", True)
    assert await doors.engine.catalog.warm_pending_configs(10) == 0
    await doors.market.recover()
    assert await doors.engine.catalog.warm_pending_configs(10) == 1
    assert await doors.engine.catalog.warm_pending_configs(10) == 0
    assert await head_of(doors, config_id) is not None
    assert (await doors.send("STORE", "GET", f"{PATH}/{config_id}")).json()["warmPending"] is False


async def test_racing_moves_leave_the_gate_with_the_last_word(doors: Doors) -> None:
    """However pauses and resumes interleave, Redis ends up with what Postgres says."""
    config_id = await doors.draft()
    await move(doors, config_id, "publish")
    await asyncio.gather(*(move(doors, config_id, verb) for verb in ["pause", "resume"] * 10))
    stored = await doors.market.pool.fetchval("SELECT status FROM play_configs WHERE id = $1", config_id)
    head = await head_of(doors, config_id)
    assert (head or {})["status"] == {"PUBLISHED": 1, "PAUSED": 2}[stored]


async def test_a_draft_published_twice_at_once_is_published_once(doors: Doors) -> None:
    config_id = await doors.draft()
    answers = await asyncio.gather(*(move(doors, config_id, "publish") for _ in range(20)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 19
    assert await doors.market.count("stock") == 1


async def test_what_was_sold_stays_sold_when_the_head_is_renewed(doors: Doors) -> None:
    config_id = await doors.draft()
    await move(doors, config_id, "publish")
    await doors.market.hold(config_id, "u1", verb="open")
    await move(doors, config_id, "pause")
    await move(doors, config_id, "resume")
    assert int(await cell_of(doors, config_id, "left")) == 299


async def test_lists_are_paged_without_gaps_or_repeats(doors: Doors) -> None:
    made = [await doors.draft(title=f"第 {number} 个") for number in range(7)]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await doors.send("STORE", "GET", PATH, params={"limit": 3, **cursor})).json()
        seen += [config["id"] for config in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert seen == made[::-1]


async def test_a_config_is_warmed_up_once_shortly_before_its_start(doors: Doors) -> None:
    """Announced again, so that a Redis that had lost it and every process know it before the crowd comes."""
    soon = await doors.draft(startsAt=moment(minutes=4))
    await move(doors, soon, "publish")
    await doors.market.redis.delete(keys.cells(0, soon))
    before = await doors.market.redis.zscore(keys.changed(0), soon)

    assert await doors.engine.catalog.warm_up_due() == 1
    assert await doors.engine.catalog.warm_pending_configs(10) == 1

    assert await head_of(doors, soon) is not None
    assert await doors.market.redis.zscore(keys.changed(0), soon) > before
    assert await doors.engine.catalog.warm_up_due() == 0


async def test_nothing_else_is_warmed_up(doors: Doors) -> None:
    """Not what starts later or has started, not a draft, not what is paused."""
    starts = {"later": 6, "started": -1, "paused": 2, "draft": 2}
    made = {what: await doors.draft(startsAt=moment(minutes=minutes)) for what, minutes in starts.items()}
    for what in ("later", "started", "paused"):
        await move(doors, made[what], "publish")
    await move(doors, made["paused"], "pause")
    assert await doors.engine.catalog.warm_up_due() == 0
    await move(doors, made["paused"], "resume")
    assert await doors.engine.catalog.warm_up_due() == 1
