"""Clicks through the hot routes: what a winner is told, what a repeat is told, and what memory alone may refuse."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from engine.core import ids
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.rebuild import close_shard
from engine.runtime.bootstrap import open_engine
from tests.conftest import OwnValkey
from tests.support.hot import Answer, Room, open_room
from tests.support.market import Market
from tests.support.stall import installed, make_stall


def with_gate(settings: Settings, **changes: Any) -> Settings:
    """Settings with another gate."""
    return msgspec.structs.replace(settings, gate=msgspec.structs.replace(settings.gate, **changes))


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    async with open_room(settings) as opened:
        yield opened


async def batches(market: Market) -> int:
    """Script calls that Redis has had."""
    stats: dict[str, Any] = await market.redis.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def release(market: Market, config_id: str, user: str, request: str = "r1", suffix: str = "s1") -> None:
    """Postgres has decided that a hold is over."""
    order_id = ids.click_id(config_id, user, request)
    await market.engine.gate.event(0, config_id, "released", suffix, user, order_id, 1)


async def test_a_winner_is_told_what_the_design_says(room: Room) -> None:
    """Field by field; the order's id is known before any row is written."""
    group = await room.market.publish("GROUP_BUY")
    await room.caught_up()

    answer = await room.open(group, "u1", "r1", quantity=2)

    order_id = ids.click_id(group, "u1", "r1")
    body = answer.json()
    moment = body.pop("payBefore")
    assert (answer.status, body) == (
        201,
        {
            "outcome": "RESERVED",
            "orderId": order_id,
            "instanceId": f"{group}.{order_id[:16]}",
            "instance": {"status": "PENDING", "progress": {"current": 0, "target": 2}},
        },
    )
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    left = datetime.fromisoformat(moment) - datetime.now(UTC)
    assert timedelta(minutes=4, seconds=50) < left <= timedelta(minutes=5, seconds=1)
    assert json.loads(answer.body)  # written by hand, so read by another reader than ours


def still_held(first: bytes) -> bytes:
    """The answer to the repeat of a click whose order is held."""
    return first[:-1] + b',"order":{"status":"HELD"}}'


async def test_a_repeat_gets_the_first_answer_byte_for_byte(room: Room) -> None:
    """And says that it is one, and what its order is now; however often, on either route."""
    flash, group = await room.market.publish(stock=5), await room.market.publish("GROUP_BUY")
    await room.caught_up()
    for click in (partial(room.join, f"{flash}.s1"), partial(room.open, group)):
        first = await click()
        assert "idempotent-replayed" not in first.headers
        for _ in range(3):
            again = await click()
            assert (again.status, again.body) == (201, still_held(first.body))
            assert again.headers["idempotent-replayed"] == "true"
    await release(room.market, flash, "u1")
    assert (await room.join(f"{flash}.s1")).status == 201
    assert (await room.market.stock(flash))[1] == 5


async def test_a_reused_request_id_is_refused(room: Room) -> None:
    """Another quantity, another instance, opening instead of joining: 422; another person's is another request."""
    flash, group = await room.market.publish(stock=5), await room.market.publish("GROUP_BUY")
    await room.caught_up()
    mine = (await room.open(group, "u1")).json()["instanceId"]
    other = (await room.open(group, "u2")).json()["instanceId"]
    await room.join(f"{flash}.s1")
    await room.join(other, "u3")
    before = await room.everything()

    for answer in (
        await room.join(mine, "u3"),
        await room.join(f"{flash}.s1", quantity=2),
        await room.open(group, quantity=2),
        await room.join(other),
        await room.join(mine),
        await room.join(group),
        await room.join(f"{group}."),
    ):
        assert (answer.status, answer.code) == (422, "REQUEST_ID_REUSED")
    assert await room.everything() == before
    assert (await room.join(f"{flash}.s1", "u2")).status == 201


async def test_the_crowd_for_the_last_units_is_served_exactly(room: Room) -> None:
    """Two hundred people, each twice, for twenty units; memory refuses some, Redis others, nobody wrongly."""
    flash = await room.market.publish(stock=20)
    await room.caught_up()
    users = [f"u{i}" for i in range(200)] * 2
    random.Random(3).shuffle(users)

    async def impatient(user: str) -> Answer:
        await asyncio.sleep(random.random() * 0.2)
        return await room.join(f"{flash}.s1", user)

    answers = await asyncio.gather(*(impatient(user) for user in users))

    won = {user for user, answer in zip(users, answers, strict=True) if answer.status == 201}
    lost = {user for user, answer in zip(users, answers, strict=True) if answer.status != 201}
    assert {answer.code for answer in answers} == {"RESERVED", "SOLD_OUT"}
    assert len(won) == 20
    assert not won & lost


async def test_sold_out_is_answered_from_memory_and_a_winner_never_is(room: Room) -> None:
    """Once the snapshot knows who holds units, losers cost Redis nothing; winners still get their first answer."""
    flash = await room.market.publish(stock=2)
    await room.caught_up()
    firsts = {user: await room.join(f"{flash}.s1", user) for user in ("u1", "u2")}
    assert (await room.join(f"{flash}.s1", "u3")).code == "SOLD_OUT"  # wherever the snapshot stands
    for user, first in firsts.items():
        assert (await room.join(f"{flash}.s1", user)).body == still_held(first.body)
    await room.caught_up()
    await room.join(f"{flash}.s1", "u3")  # the first to be refused by memory has the list of holders read
    await room.seen(lambda: room.live.configs[flash].holders is not None)

    before = await batches(room.market)
    for i in range(300):
        answer = await room.join(f"{flash}.s1", f"v{i}", quantity=1 + i % 3)
        assert (answer.status, answer.code) == (409, "SOLD_OUT")
    assert await batches(room.market) == before
    for user, first in firsts.items():
        assert (await room.join(f"{flash}.s1", user)).body == still_held(first.body)
        assert (await room.join(f"{flash}.s1", user, quantity=2)).code == "REQUEST_ID_REUSED"
    assert await batches(room.market) == before + 4


async def test_who_got_the_last_unit_here_is_known_before_the_next_refresh(room: Room) -> None:
    """The list of holders is older than that click; its repeat gets the first answer all the same."""
    flash = await room.market.publish(stock=1)
    await room.caught_up()
    await room.live.close()
    live = room.live.configs[flash]
    live.guarded, live.holders = True, set()
    first = await room.join(f"{flash}.s1")
    live.left = 0
    room.live._refreshed_at = [time.monotonic() + 3600]
    assert (await room.join(f"{flash}.s1", "u2")).code == "SOLD_OUT"
    assert (await room.join(f"{flash}.s1")).body == still_held(first.body)


async def test_what_comes_back_is_sold_again(room: Room) -> None:
    """Sold out, known by heart, a unit returns: exactly one of the next crowd gets it, and keeps it on repeating."""
    flash = await room.market.publish(stock=1)
    await room.caught_up()
    for turn in range(4):
        winner = f"w{turn}"
        first = await room.join(f"{flash}.s1", winner)
        assert first.status == 201
        await room.caught_up()
        await room.join(f"{flash}.s1", "loser")
        await room.seen(lambda: room.live.configs[flash].holders is not None)
        assert (await room.join(f"{flash}.s1", winner)).body == still_held(first.body)
        await release(room.market, flash, winner)
        await room.caught_up()
        await room.seen(lambda: room.live.configs[flash].left == 1)
    answers = await asyncio.gather(*(room.join(f"{flash}.s1", f"x{i}") for i in range(30)))
    assert sorted(answer.code for answer in answers) == ["RESERVED"] + ["SOLD_OUT"] * 29


async def test_a_winner_of_one_process_is_known_to_the_other(settings: Settings) -> None:
    """Two API processes, units that go and come: a repeat at the other process, at once or later, is never SOLD_OUT."""
    settings = with_gate(settings, shards=1, reopen_ms=450)
    async with open_room(settings) as one, open_engine(settings) as engine:
        await engine.live.start()
        two, rng = Room(one.market, engine), random.Random(11)
        flash = await one.market.publish(stock=2)
        await one.caught_up()
        await two.caught_up()
        held: dict[str, bytes] = {}
        people = iter(range(10_000))
        released = 0
        while released < 4:
            first, second = rng.sample([one, two], 2)
            user = f"u{next(people)}"
            answer = await first.join(f"{flash}.s1", user)
            if answer.status == 201:
                held[user] = answer.body
                repeats = await asyncio.gather(*(room.join(f"{flash}.s1", user) for room in (second, first, second)))
                assert [repeat.body for repeat in repeats] == [still_held(answer.body)] * 3
            else:
                assert answer.code == "SOLD_OUT"
                await asyncio.sleep(rng.random() * 0.02)
            if held:
                holder = rng.choice(list(held))
                assert (await second.join(f"{flash}.s1", holder)).body == still_held(held[holder])
                if rng.random() < 0.05:
                    del held[holder]
                    await release(one.market, flash, holder)
                    released += 1
        await engine.live.close()


async def test_before_the_start_memory_answers(room: Room) -> None:
    """A crowd that is early costs Redis nothing."""
    flash = await room.publish(starts_at=datetime.now(UTC) + timedelta(hours=1))
    await room.caught_up()
    before = await batches(room.market)
    for i in range(100):
        answer = await room.join(f"{flash}.s1", f"u{i}")
        assert (answer.status, answer.code) == (409, "NOT_STARTED")
    assert await batches(room.market) == before


async def test_at_the_start_redis_decides(room: Room) -> None:
    """Clicking on and on across the start: refused before it, served after it, and never refused again."""
    starts_at = datetime.now(UTC) + timedelta(milliseconds=1300)
    flash = await room.publish(starts_at=starts_at, stock=99)
    await room.caught_up()
    codes = []
    for i in range(400):
        codes.append((await room.join(f"{flash}.s1", "u1", f"r{i}")).code)
        if codes[-1] == "RESERVED" and len(codes) > 1 and codes[-2] == "RESERVED":
            break
        await asyncio.sleep(0.01)
    assert codes == ["NOT_STARTED"] * (len(codes) - 2) + ["RESERVED"] * 2
    assert datetime.now(UTC) >= starts_at - timedelta(milliseconds=50)


async def test_a_closed_shard_is_paused_and_a_full_lane_overloaded(settings: Settings) -> None:
    """503 with Retry-After; the same click afterwards is served."""
    async with open_room(with_gate(settings, inflight_max=3)) as room:
        flash = await room.market.publish(stock=10)
        await room.caught_up()
        assert (await room.join(f"{flash}.s1", "u0")).status == 201
        await close_shard(room.market.redis, 0)
        room.wait_shortly()
        crowd = await asyncio.gather(*(room.join(f"{flash}.s1", f"u{i}") for i in range(1, 9)))

        assert {(answer.status, answer.code) for answer in crowd} == {(503, "PAUSED"), (503, "OVERLOADED")}
        assert {answer.headers["retry-after"] for answer in crowd} == {"1"}
        await room.market.recover()
        await room.seen(lambda: room.engine.gate.lanes[0].open)
        assert (await room.join(f"{flash}.s1", "u1")).status == 201
        assert (await room.market.stock(flash))[1] == 8


async def test_memory_refuses_nobody_while_redis_is_away(settings: Settings, own_valkey: OwnValkey) -> None:
    """Sold out and not begun are known by heart, but not for longer than they are surely true: then PAUSED."""
    valkey = await own_valkey()
    replace = msgspec.structs.replace
    settings = replace(settings, redis=replace(settings.redis, hot_url=valkey.url, queue_url=valkey.url))
    async with open_room(settings) as room:
        sold, early = (
            await room.market.publish(stock=1),
            await room.publish(starts_at=datetime.now(UTC) + timedelta(1 / 24)),
        )
        await room.caught_up()
        await room.join(f"{sold}.s1")
        await room.caught_up()
        await room.join(f"{sold}.s1", "u2")
        await room.seen(lambda: room.live.configs[sold].holders is not None)
        valkey.kill()
        await room.seen(lambda: not room.live.fresh(0))
        room.wait_shortly()

        for config in (sold, early):
            answer = await room.join(f"{config}.s1", "u3")
            assert (answer.status, answer.code) == (503, "PAUSED")
        assert (await room.get(f"/v1/instances/{sold}.s1")).json()["button"]["reason"] == "SOLD_OUT"


async def test_keys_of_a_click_lie_on_its_shard(room: Room) -> None:
    """Whatever the route was sent, nothing appears in Redis but the five kinds of keys."""
    flash = await room.market.publish()
    await room.caught_up()
    await room.join(f"{flash}.s1")
    assert set(await room.market.redis.keys("*")) == {
        name.encode()
        for name in (keys.epoch(0), keys.intents(0), keys.changed(0), keys.cells(0, flash), keys.people(0, flash))
    }


async def test_a_step_that_fails_is_logged_here_too(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Not only by Redis: by playbook, step, config, and the line of step.lua, with other playbooks before it."""
    with installed(make_stall(step="return {\n  join = function(click)\n    error('骰子 100%')\n  end,\n}")):
        async with open_room(settings) as room:
            config = await room.publish("STALL", rules={"limitPerPerson": 0})
            await room.caught_up()
            answers = await asyncio.gather(*(room.join(f"{config}.s1", f"u{number}") for number in range(20)))

    assert {answer.code for answer in answers} == {"PLAYBOOK_FAILED"}
    message = next(message for message in caplog.messages if "playbook STALL failed" in message)
    assert message.startswith("playbook STALL failed in its step join, ")
    assert message.endswith(f" times, last on {config}: step.lua:3: 骰子 100%")
