"""Notices: each due message is handed over, tried again when it fails, and dropped when it is hopeless."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from engine.core.settings import Settings
from engine.money.providers.port import ProviderFailed
from engine.notices.notices import SEND_TIMEOUT_S, TRIES_MAX, LogMessenger, Notices
from tests.support.ledger import Ledger, open_ledger
from tests.support.market import STORE, Market, open_market

ADD = """
INSERT INTO notices (source, number, config_id, instance_id, user_id, topic, due_at)
VALUES ($1, 1, 'c1', 'c1.s1', $2, 'SALE_OPENS', now() + interval '1 s' * $3)
"""
AGAIN = "UPDATE notices SET attempted_at = attempted_at - interval '61 s'"


class Messenger:
    """Remembers what it was given; refuses, breaks or hangs for those whose name says so."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, str]] = []

    async def send(self, user: str, topic: str, config_id: str, instance_id: str) -> None:
        self.told.append((user, topic, config_id, instance_id))
        if user == "away":
            raise ProviderFailed
        if user == "broken":
            raise KeyError(user)
        if user == "hangs":
            await asyncio.sleep(SEND_TIMEOUT_S * 10)

    @property
    def users(self) -> list[str]:
        return sorted(user for user, *_ in self.told)


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as opened:
        yield opened


async def queue(ledger: Ledger, *users: str, in_s: float = -1) -> None:
    """A notice to each."""
    await ledger.pool.executemany(ADD, [(user, user, in_s) for user in users])


async def statuses(ledger: Ledger) -> dict[str, str]:
    """User -> status."""
    return {row["user_id"]: row["status"] for row in await ledger.pool.fetch("SELECT * FROM notices")}


async def test_a_notice_is_sent_when_it_is_due(ledger: Ledger) -> None:
    """Once, with what it is about; not before its time."""
    messenger = Messenger()
    notices = Notices(ledger.pool, messenger)
    await queue(ledger, "ann")
    await queue(ledger, "bob", in_s=60)
    assert [await notices.send_due(10) for _ in range(2)] == [1, 0]
    assert messenger.told == [("ann", "SALE_OPENS", "c1", "c1.s1")]
    assert await statuses(ledger) == {"ann": "SENT", "bob": "QUEUED"}


async def test_one_that_cannot_be_sent_keeps_no_other_waiting(ledger: Ledger) -> None:
    """A messenger may refuse, break or hang; the others are told, and it is tried again a minute later."""
    messenger = Messenger()
    notices = Notices(ledger.pool, messenger)
    await queue(ledger, "away", "broken", "hangs", "zoe")
    assert [await notices.send_due(10) for _ in range(2)] == [1, 0]
    assert messenger.users == ["away", "broken", "hangs", "zoe"]
    assert await statuses(ledger) == {"away": "QUEUED", "broken": "QUEUED", "hangs": "QUEUED", "zoe": "SENT"}
    await ledger.pool.execute(AGAIN)
    await notices.send_due(10)
    assert messenger.users == ["away", "away", "broken", "broken", "hangs", "hangs", "zoe"]


async def test_a_notice_that_nobody_takes_is_dropped(ledger: Ledger) -> None:
    """After so many attempts."""
    messenger = Messenger()
    notices = Notices(ledger.pool, messenger)
    await queue(ledger, "away")
    for _ in range(TRIES_MAX + 3):
        await notices.send_due(10)
        await ledger.pool.execute(AGAIN)
    assert (len(messenger.told), await statuses(ledger)) == (TRIES_MAX, {"away": "DROPPED"})


async def test_a_notice_an_hour_late_is_dropped(ledger: Ledger) -> None:
    """Nobody wants to hear at two that it opened at one; a little late is told."""
    messenger = Messenger()
    await queue(ledger, "ann", in_s=-3500)
    await queue(ledger, "bob", in_s=-3700)
    assert await Notices(ledger.pool, messenger).send_due(10) == 1
    assert await statuses(ledger) == {"ann": "SENT", "bob": "DROPPED"}


async def test_workers_share_the_notices(ledger: Ledger) -> None:
    """Four at once: each message is handed over once."""
    messenger = Messenger()
    users = [f"u{number:03}" for number in range(200)]
    await queue(ledger, *users)
    workers = [Notices(ledger.pool, messenger) for _ in range(4)]
    assert sum(await asyncio.gather(*(worker.send_due(200) for worker in workers))) == 200
    assert messenger.users == users


async def test_a_worker_that_dies_leaves_its_notices_to_others(ledger: Ledger) -> None:
    """They were claimed and never reported on: a minute later somebody else sends them."""
    messenger = Messenger()
    await queue(ledger, "ann")
    await ledger.pool.execute("UPDATE notices SET attempts = 1, attempted_at = now()")
    notices = Notices(ledger.pool, messenger)
    assert await notices.send_due(10) == 0
    await ledger.pool.execute(AGAIN)
    assert await notices.send_due(10) == 1


async def test_the_messenger_of_development_says_it_in_the_log(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    await queue(ledger, "ann")
    with caplog.at_level(logging.INFO, "wanfa.notices"):
        await Notices(ledger.pool, LogMessenger()).send_due(10)
    assert caplog.messages == ["notice to ann: SALE_OPENS of c1 (c1.s1)"]


async def test_nobody_is_reminded_of_what_is_not_on_sale(market: Market) -> None:
    """Ended or paused meanwhile: the message is dropped, not sent."""
    config = await market.publish("FLASH_SALE")
    await market.pool.execute(
        "INSERT INTO notices (source, number, config_id, instance_id, user_id, topic, due_at)"
        " VALUES ('s', 1, $1, $2, 'ann', 'SALE_OPENS', now() - interval '1 s')",
        config,
        f"{config}.s1",
    )
    await market.engine.catalog.life.end(STORE, config)
    messenger = Messenger()

    assert await Notices(market.pool, messenger).send_due(10) == 0
    assert messenger.told == []
    assert await market.pool.fetchval("SELECT status FROM notices") == "DROPPED"


async def test_two_notices_of_one_click_are_two(ledger: Ledger) -> None:
    """One is sent, the other still waits for a messenger that takes it."""
    messenger = Messenger()
    await queue(ledger, "zoe")
    await ledger.pool.execute(ADD.replace("$1, 1,", "$1, 2,"), "zoe", "away", -1)
    assert await Notices(ledger.pool, messenger).send_due(10) == 1
    assert await statuses(ledger) == {"zoe": "SENT", "away": "QUEUED"}
