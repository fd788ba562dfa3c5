"""A Valkey whose append-only file is damaged comes back by itself, and the damaged file is kept aside and named."""

import os
import signal
import socket
from collections.abc import Callable
from itertools import count
from pathlib import Path
from shutil import rmtree

import msgspec
import pytest
import redis

from engine.core.errors import ServerUnreachable
from engine.core.settings import Settings
from engine.local import damaged
from engine.local.embedded import ValkeyServer
from engine.local.running import Running, until_ready
from engine.local.supervisor import Supervisor
from tests.conftest import OwnValkey
from tests.support.market import open_market
from tests.support.waiting import until

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


def spell(right: bytes, wrong: bytes) -> Damage:
    """One byte of a command's name: all lengths are as they were."""

    def damage(home: Path) -> None:
        part = newest(home)
        before, found, after = part.read_bytes().rpartition(right)
        assert found
        part.write_bytes(before + wrong + after)

    return damage


def in_the_manifest(change: Callable[[bytes], bytes]) -> Damage:
    def damage(home: Path) -> None:
        path = home / "appendonlydir/appendonly.aof.manifest"
        path.write_bytes(change(path.read_bytes()))

    return damage


def zero_a_line(manifest: bytes) -> bytes:
    base, part, rest = manifest.split(b"\n", 2)
    return b"\n".join((base, bytes(len(part)), rest))


def be_no_folder(home: Path) -> None:
    rmtree(home / "appendonlydir")
    (home / "appendonlydir").write_bytes(b"?")


ALL_IS_LOST: dict[str, Damage] = {
    "XADF": spell(b"XADD", b"XADF"),
    "HSES": spell(b"HSET", b"HSES"),
    "a line of zeros": in_the_manifest(zero_a_line),
    "a line of garbage": in_the_manifest(lambda manifest: manifest + b"garbage\n"),
    "a sequence that is no number": in_the_manifest(
        lambda manifest: manifest.replace(b"seq 1 type i", b"seq x type i")
    ),
    "a type that is none": in_the_manifest(lambda manifest: manifest.replace(b"type i", b"type q")),
    "an empty manifest": in_the_manifest(lambda _: b""),
    "a manifest that is no text": in_the_manifest(lambda _: b"\xff\n"),
    "no folder": be_no_folder,
}


def lose_the_manifest(home: Path) -> None:
    (home / "appendonlydir/appendonly.aof.manifest").unlink()


def lose_a_part(home: Path) -> None:
    newest(home).unlink()


async def filled(own_valkey: OwnValkey, said: list[str]) -> Running:
    """A Valkey with some keys, killed."""
    server = await own_valkey(say=said.append)
    with redis.Redis.from_url(server.url) as client:
        for number in range(KEYS):
            if number % 2:
                client.hset(f"key-{number}", "field", "x" * 50)
            else:
                client.xadd(f"key-{number}", {"field": "x" * 50})
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
        *(pytest.param(damage, 0, 0, id=name) for name, damage in ALL_IS_LOST.items()),
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


@pytest.mark.parametrize(
    "damage", [*ALL_IS_LOST.values(), zero_the_middle, spoil_the_base], ids=[*ALL_IS_LOST, "zeros", "no base"]
)
async def test_it_is_not_started_again_for_ever(
    settings: Settings, own_valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    """As `wanfa up` runs it. Damaged between a crash and the next start, which fails; the one after it knows."""
    said: list[str] = []
    server = (await filled(own_valkey, said)).server
    assert isinstance(server, ValkeyServer)
    start, starts = server.command, count()

    def command() -> list[str]:
        if next(starts) == 1:
            damage(server.home)
        return start()

    monkeypatch.setattr(server, "command", command)
    supervisor = Supervisor(settings, show=lambda _name, _line: None, say=lambda _line: None)
    async with supervisor._children:
        with redis.Redis.from_url(await supervisor._start_server(server)) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        await until(lambda: len(said) == 2)
        assert await until_ready(server, lambda: False)
    (kept,) = server.home.glob("appendonlydir.damaged-*")
    assert str(kept) in said[0]
    assert next(starts) <= 3, "started, started over the damage, and started without it"


async def test_who_was_killed_loads_its_file_once(own_valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash costs no trial; only a server that ended by itself does, or one of which nothing is known."""
    trials: list[Path | None] = []
    server = (await filled(own_valkey, [])).server
    assert isinstance(server, ValkeyServer)
    monkeypatch.setattr(damaged, "_trial", lambda _program, _home, folder=None: trials.append(folder))
    expected = 0
    for code, tries in ((None, 1), (-signal.SIGKILL, 0), (-signal.SIGTERM, 0), (0, 0), (1, 1), (-signal.SIGSEGV, 1)):
        if code is not None:
            server.ended(code)
        server.command()
        expected += tries
        assert len(trials) == expected, code


READY = "echo '* Ready to accept connections unix'; exec sleep 60"


@pytest.mark.parametrize(
    "script",
    [
        "test -e $2/appendonlydir && echo '# No space left on device' && exit 1; " + READY,
        "test -e $2/appendonlydir && echo '# Permission denied' && exit 1; " + READY,
        "test -e $2/appendonlydir && kill -9 $$; " + READY,
        "echo '# whatever it is, it is so without a folder, too'; exit 1",
        READY,
    ],
)
def test_what_is_none_of_the_folders_fault_leaves_it_alone(tmp_path: Path, script: str) -> None:
    said: list[str] = []
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir/appendonly.aof.manifest").write_bytes(b"sound")
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    damaged.mend(str(program), tmp_path, said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["appendonlydir", "server"]
    assert (tmp_path / "appendonlydir/appendonly.aof.manifest").read_bytes() == b"sound"
    assert said == []


async def test_a_port_that_is_taken_leaves_the_file_alone(own_valkey: OwnValkey) -> None:
    said: list[str] = []
    server = await filled(own_valkey, said)
    with socket.create_server(("127.0.0.1", server.port)):
        for _ in range(2):
            with pytest.raises(ServerUnreachable, match="is taken"):
                await server.start()
    await server.start()
    assert (keys_in(server), said) == (KEYS, [])


@pytest.mark.parametrize("damage", [zero_the_middle, cut_the_end, spoil_the_base, ALL_IS_LOST["XADF"]])
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
