"""What a process may tell a crowd from memory, and when it must ask Redis."""

import asyncio
import re
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from engine.gate.records import HeadStatus
from engine.live import live as module
from engine.live.entries import LiveConfig
from engine.live.live import Live
from tests.unit.live.test_view import PLAYBOOK, make_config

CHECKOUT = Path(__file__).resolve().parents[3]


def house_settings() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "config/default.toml").read_text(encoding="utf-8"))


class Hash:
    """A Redis that knows who has a click on record, and lets something happen while it tells."""

    def __init__(self, *users: str) -> None:
        self.users = users
        self.meanwhile: LiveConfig | None = None

    async def hscan(self, _key: str, _cursor: int, **_: object) -> tuple[int, list[bytes]]:
        if self.meanwhile:
            self.meanwhile.reserved("meanwhile")
        return 0, [user.encode() for user in self.users]


class Silent:
    """A Redis that has changes to tell of, and nothing else."""

    @asynccontextmanager
    async def pipeline(self, **_: object) -> AsyncIterator["Silent"]:
        yield self

    def execute_command(self, *_: object) -> None:
        """Asked for with the others."""

    async def execute(self) -> list[Any]:
        return [[None, None, None], None]


class Slow:
    """A Redis that has no news and takes its time to say so."""

    def __init__(self) -> None:
        self.asked_at = 0.0

    @asynccontextmanager
    async def pipeline(self, **_: object) -> AsyncIterator["Slow"]:
        self.asked_at = time.monotonic()
        yield self

    def execute_command(self, *_: object) -> None:
        """Asked for with the others."""

    async def execute(self) -> list[Any]:
        await asyncio.sleep(0.002)
        return [(1, 0), [], b"1"]


def process(redis: Hash | Silent | Slow | None = None) -> Live:
    """One that has just heard from Redis."""
    live = Live(pool=cast("Any", None), redis=cast("Any", redis), playbooks={}, shards=1, refresh_ms=1)
    live._refreshed_at = [time.monotonic() + 3600]
    return live


def sold_out(live: Live, *holders: str) -> LiveConfig:
    config = LiveConfig(make_config(), PLAYBOOK)
    config.shard, config.head_status, config.left = 0, HeadStatus.PUBLISHED, 0
    config.holders = set(holders)
    live.configs[config.config.id] = config
    return config


def test_only_who_has_nothing_is_told_that_all_is_sold() -> None:
    """A click on record may be repeated, and then gets its first answer."""
    live = process()
    config = sold_out(live, "u1")
    assert (live.sold_out(config, "u1"), live.sold_out(config, "u2")) == (False, True)


@pytest.mark.parametrize("change", ["left", "unknown", "old"])
async def test_whatever_is_not_certain_is_asked_for(change: str) -> None:
    """There are units, Redis does not know the config, or it has not answered for a while."""
    live = process()
    config = sold_out(live)
    if change == "left":
        config.left = 1
    elif change == "unknown":
        config.head_status = 0
    else:
        live._refreshed_at = [time.monotonic() - module.FRESH_MS / 1000]
    assert not live.sold_out(config, "u2")


def test_who_has_got_a_unit_here_is_known_at_once() -> None:
    live = process()
    config = sold_out(live)
    config.reserved("u1")
    assert not live.sold_out(config, "u1")


async def test_who_holds_what_is_asked_for_once() -> None:
    live = process(Hash("u1"))
    config = sold_out(live)
    config.holders = None
    assert [live.sold_out(config, "u2"), live.sold_out(config, "u2"), len(live._tasks)] == [False, False, 1]
    await asyncio.gather(*live._tasks)
    assert (live.sold_out(config, "u1"), live.sold_out(config, "u2")) == (False, True)


async def test_a_list_read_while_units_moved_is_not_believed() -> None:
    """Somebody may have got one after their part of it was read."""
    redis = Hash("u1")
    live = process(redis)
    config = sold_out(live)
    config.holders = None
    redis.meanwhile = config
    live.sold_out(config, "u2")
    await asyncio.gather(*live._tasks)
    assert config.holders is None


async def test_whoever_moved_units_may_be_a_new_holder() -> None:
    """So a list is forgotten when units are said to have moved, and one that is being read is no use."""
    live = process(Silent())
    config = sold_out(live, "u1")
    taken = config.taken
    await live._read(0, {config.config.id}, None)
    assert (config.holders, config.taken) == (None, taken + 1)


async def test_an_answer_is_as_old_as_its_question() -> None:
    """What Redis decided while it was on its way may not be in it: who waits for that waits for the next one."""
    redis = Slow()
    live = process(redis)
    await live.refresh(0)
    assert live._refreshed_at[0] <= redis.asked_at


def test_what_never_becomes_a_row_is_not_asked_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNSEEN_TRIES_MAX", 3)
    live = process()
    for _ in range(3):
        live._note_unseen(0, "c000000000009", ["s1"])
        assert set(live._unseen[0]) == {"c000000000009", "c000000000009.s1"}
    live._note_unseen(0, "c000000000009", ["s1"])
    assert live._unseen[0] == {}


def test_units_that_come_back_are_sold_when_every_process_has_heard_or_is_not_believed() -> None:
    """Otherwise one that has not heard tells whoever has got one of them that all is sold."""
    gate = house_settings()["gate"]
    assert gate["refresh_ms"] < module.FRESH_MS < gate["reopen_ms"]


def test_the_settings_of_the_house_show_a_publication_as_soon_as_the_tour_says() -> None:
    """The pause between two refreshes, and as long again for reading what has changed."""
    said = re.search(
        r"consumers see a publication within (\d+) ms", (CHECKOUT / "README.md").read_text(encoding="utf-8")
    )
    assert said
    assert 2 * house_settings()["gate"]["refresh_ms"] <= int(said[1])


def test_the_time_is_what_redis_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this host's clock does."""
    live = process()
    live._clock_offset_ms = -time.monotonic() * 1000 + 5_000_000
    assert 5_000_000 <= live.now_ms() < 6_000_000
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 5_000_000 <= live.now_ms() < 6_000_000


async def test_nothing_ends_the_following_of_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even what nobody has foreseen."""
    live = process()
    tries = asyncio.Semaphore(0)

    async def refresh(_shard: int) -> None:
        tries.release()
        raise KeyError("unforeseen")

    monkeypatch.setattr(live, "refresh", refresh)
    live._spawn(live._follow(0))
    async with asyncio.timeout(60):
        for _ in range(3):
            await tries.acquire()
    await live.close()
