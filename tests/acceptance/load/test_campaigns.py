"""Campaigns on a whole wanfa of its own; here in their short forms, at full size behind `scripts/test --long`."""

import os
import random
import shutil
from pathlib import Path

import pytest
import redis
from rich.console import Console

from engine.local.embedded import Running
from loadtests.campaigns.__main__ import CAMPAIGNS, run
from loadtests.campaigns.faults.aof import FOLDER, cut_tail, zero_middle
from loadtests.campaigns.faults.damaged import Damaged, lacking_since_ms, take_copy
from loadtests.campaigns.faults.frozen import Frozen, ports_of
from loadtests.campaigns.faults.killed import Killed
from loadtests.campaigns.kill import round_of
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


def test_a_round_spares_nobody() -> None:
    """Each part dies alone, both APIs or both workers at once; files are damaged in four ways, a worker freezes."""
    singles = [Killed((part,)).name for part in ("api", "api-2", "worker", "worker-2", "valkey", "postgres")]
    others = [*(Damaged(how).name for how in ("cut", "zeroed", "older", "none")), Frozen().name]
    for number, both in ((1, ("api", "api-2")), (2, ("worker", "worker-2"))):
        names = [fault.name for fault in round_of(number, random.Random(1))]
        assert sorted(names) == sorted([*singles, *others, Killed(both).name])


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


async def test_zeros_take_what_comes_after_them(own_valkey: OwnValkey) -> None:
    """The first half of the damaged part's middle is what Valkey still has; the rest was decided when it is said."""
    running = await own_valkey()
    with redis.Redis.from_url(running.url) as client:
        ids = [client.eval(BATCH, 2, "k", "s", "x" * 100) for _ in range(40)]
    running.kill()
    since_ms = zero_middle(_home_of(running), random.Random(2))
    await running.start()
    with redis.Redis.from_url(running.url) as client:
        kept = [entry for entry, _ in client.xrange("s")]
    assert kept == ids[: len(kept)]
    assert 5 < len(kept) < 35
    assert all(int(entry.split(b"-")[0]) >= since_ms for entry in ids[len(kept) :])


async def test_an_older_copy_is_what_it_was(own_valkey: OwnValkey, tmp_path: Path) -> None:
    """It is taken while the server writes, and brings back what there was."""
    running = await own_valkey()
    with redis.Redis.from_url(running.url) as client:
        client.set("k", "before")
        copy = take_copy(_home_of(running), tmp_path / "copy")
        client.set("k", "after")
    running.kill()
    shutil.rmtree(_home_of(running) / FOLDER)
    shutil.move(copy, _home_of(running) / FOLDER)
    await running.start()
    with redis.Redis.from_url(running.url) as client:
        assert client.get("k") == b"before"


async def test_only_what_postgres_lacks_can_be_lost(own_valkey: OwnValkey) -> None:
    """Not the entries of the streams that a worker has acknowledged, but the oldest other one and all since."""
    url = (await own_valkey()).url
    with redis.Redis.from_url(url) as client:
        client.xgroup_create("{s0}:intents", "pg", mkstream=True)
        ids = [client.xadd("{s0}:intents", {"p": "x"}, id=f"{number}-0") for number in (1000, 2000, 3000)]
        client.xreadgroup("pg", "worker", {"{s0}:intents": ">"}, count=2)
        client.xack("{s0}:intents", "pg", ids[0])
        assert lacking_since_ms(url) == 2000
        client.xack("{s0}:intents", "pg", ids[1])
        assert lacking_since_ms(url) == 3000
        client.xreadgroup("pg", "worker", {"{s0}:intents": ">"})
        client.xack("{s0}:intents", "pg", ids[2])
        assert lacking_since_ms(url) > 3000


async def test_a_process_is_known_by_its_ports(own_valkey: OwnValkey) -> None:
    """That is how the session of a frozen worker is found in pg_stat_activity."""
    with redis.Redis.from_url((await own_valkey()).url) as client:
        port = int(client.client_info()["addr"].rpartition(":")[2])
        assert port in ports_of(os.getpid())
        assert port not in ports_of(os.getppid())


def _home_of(running: Running) -> Path:
    return Path(running.server.home)  # type: ignore[attr-defined]  # a ValkeyServer has one
