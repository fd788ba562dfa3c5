"""Campaigns on a whole wanfa of its own; here in their short forms, at full size behind `scripts/test --long`."""

import random
from pathlib import Path

import pytest
import redis
from rich.console import Console

from engine.local.embedded import Running
from loadtests.campaigns.__main__ import CAMPAIGNS, run
from loadtests.campaigns.aof import cut_tail
from loadtests.campaigns.kill import victims_of_round
from tests.conftest import OwnValkey

NAMES = list(CAMPAIGNS)
BATCH = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('XADD', KEYS[2], '*', 'p', ARGV[1])"


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_of_a_short_campaign_holds(name: str) -> None:
    """The auditor finds nothing and the campaign's own claims hold."""
    assert run(name, "short", Console(width=120))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_every_claim_of_a_full_campaign_holds(name: str) -> None:
    """The same at the size the README speaks of."""
    assert run(name, "full", Console(width=120))


def test_a_round_of_kills_spares_nobody() -> None:
    """Two APIs, two workers and both servers, each alone; and both of a kind at once, in turn."""
    singles = {(part,) for part in ("api", "api-2", "worker", "worker-2", "valkey", "postgres")}
    first, second = (victims_of_round(number, random.Random(1)) for number in (1, 2))
    assert (len(first), set(first)) == (7, singles | {("api", "api-2")})
    assert (len(second), set(second)) == (7, singles | {("worker", "worker-2")})


@pytest.mark.parametrize("half", [False, True])
async def test_a_cut_takes_whole_batches_off_the_end(own_valkey: OwnValkey, half: bool) -> None:
    """After the cut Valkey starts with the batches before it, and the cut knows when the lost ones were decided."""
    running = await own_valkey()
    with redis.Redis.from_url(running.url) as client:
        ids = [client.eval(BATCH, 2, "k", "s", str(number)).decode() for number in range(5)]
    running.kill()
    cut = cut_tail(_home_of(running), 2, half=half)
    await running.start()
    with redis.Redis.from_url(running.url) as client:
        assert (client.get("k"), client.xlen("s")) == (b"2", 3)
    assert (cut.batches, cut.since_ms) == (2, int(ids[3].split("-")[0]))


async def test_a_cut_reaches_back_to_a_moment(own_valkey: OwnValkey) -> None:
    """It takes every batch that was decided then or later, however many these are."""
    running = await own_valkey()
    with redis.Redis.from_url(running.url) as client:
        ids = [client.eval(BATCH, 2, "k", "s", str(number)).decode() for number in range(5)]
        middle_ms = int(ids[2].split("-")[0])
        older = sum(1 for each in ids if int(each.split("-")[0]) < middle_ms)
    running.kill()
    cut = cut_tail(_home_of(running), 1, since_ms=middle_ms)
    await running.start()
    with redis.Redis.from_url(running.url) as client:
        assert client.xlen("s") == older
    assert (cut.batches, cut.since_ms) == (5 - older, middle_ms)


def _home_of(running: Running) -> Path:
    return Path(running.server.home)  # type: ignore[attr-defined]  # a ValkeyServer has one
