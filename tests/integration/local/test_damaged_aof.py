"""A Valkey whose append-only file is damaged comes back by itself, and the damaged file is kept aside and named."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis

from engine.core.settings import Settings
from engine.local.embedded import ValkeyServer
from engine.local.running import Running
from tests.conftest import OwnValkey
from tests.support.market import open_market

KEYS = 200
Damage = Callable[[Path], None]


def newest(home: Path) -> Path:
    """The part that was written last."""
    return max(home.glob("appendonlydir/*.incr.aof"))


def zero_the_middle(home: Path) -> None:
    part = newest(home)
    data = bytearray(part.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    part.write_bytes(data)


def cut_the_end(home: Path) -> None:
    part = newest(home)
    part.write_bytes(part.read_bytes()[:-7])


def spoil_the_base(home: Path) -> None:
    (base,) = home.glob("appendonlydir/*.base.*")
    base.write_bytes(b"no such thing" * 100)


def lose_the_manifest(home: Path) -> None:
    (home / "appendonlydir/appendonly.aof.manifest").unlink()


def lose_a_part(home: Path) -> None:
    newest(home).unlink()


async def filled(own_valkey: OwnValkey, said: list[str]) -> Running:
    """A Valkey with some keys, killed."""
    server = await own_valkey(say=said.append)
    with redis.Redis.from_url(server.url) as client:
        for number in range(KEYS):
            client.set(f"key-{number}", "x" * 50)
    server.kill()
    return server


def home_of(server: Running) -> Path:
    """The folder it keeps its file in."""
    assert isinstance(server.server, ValkeyServer)
    return server.server.home


def keys_in(server: Running) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.dbsize())


@pytest.mark.parametrize(
    ("damage", "least", "most"),
    [
        (zero_the_middle, KEYS // 4, KEYS - 1),
        (cut_the_end, KEYS - 1, KEYS - 1),
        (spoil_the_base, 0, 0),
        (lose_the_manifest, 0, 0),
        (lose_a_part, 0, 0),
    ],
)
async def test_it_comes_back_with_what_was_before_the_damage(
    own_valkey: OwnValkey, damage: Damage, least: int, most: int
) -> None:
    said: list[str] = []
    server = await filled(own_valkey, said)
    home = home_of(server)
    damage(home)
    await server.restart()
    assert least <= keys_in(server) <= most
    (kept,) = home.glob("appendonlydir.damaged-*")
    assert str(kept) in said[0]
    assert "the shards are rebuilt from Postgres" in said[-1]
    server.kill()
    await server.restart()
    assert len(said) == 2, "it was mended: the next start finds nothing"


async def test_a_sound_file_is_left_alone(own_valkey: OwnValkey) -> None:
    said: list[str] = []
    server = await filled(own_valkey, said)
    await server.restart()
    assert (keys_in(server), said) == (KEYS, [])
    assert not list(home_of(server).glob("appendonlydir.damaged-*"))


@pytest.mark.parametrize("damage", [zero_the_middle, cut_the_end, spoil_the_base])
async def test_what_was_a_row_is_sold_once(settings: Settings, own_valkey: OwnValkey, damage: Damage) -> None:
    """Half of the clicks are rows, the others only in the damaged stream: no unit of the rows is sold again."""
    server = await own_valkey()
    hot = msgspec.structs.replace(settings.redis, hot_url=server.url, queue_url=server.url)
    async with open_market(msgspec.structs.replace(settings, redis=hot)) as market:
        config = await market.publish(stock=40)
        for number in range(20):
            await market.hold(config, f"row-{number}")
        await market.drain_all()
        for number in range(10):
            await market.hold(config, f"stream-{number}")
        server.kill()
        damage(home_of(server))
        await server.restart()
        await market.recover()
        rows = await market.count("orders")
        assert 20 <= rows <= 30
        assert await market.stock(config) == (rows, 40 - rows)
