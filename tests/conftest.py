"""Fixtures for every test: real servers, fresh for each test. tests/README.md says how to use them."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec
import pytest
import redis

from engine.core.settings import Settings, load_settings
from engine.local.embedded import PostgresServer, ValkeyServer
from engine.local.running import Running
from tests.support.databases import cloned_database
from tests.support.run import RunPostgres, postgres_of_run

POSTGRES = pytest.StashKey[RunPostgres]()
WORKER_INPUT = "wanfa_run_folder"

OwnValkey = Callable[..., Awaitable[Running]]
OwnPostgres = Callable[..., Awaitable[Running]]


def pytest_configure(config: pytest.Config) -> None:
    """The process that begins the run keeps its Postgres."""
    if not hasattr(config, "workerinput"):
        config.stash[POSTGRES] = RunPostgres()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where to ask for it."""
    node.workerinput[WORKER_INPUT] = str(node.config.stash[POSTGRES].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run is over."""
    if postgres := config.stash.get(POSTGRES, None):
        postgres.close()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The URL of the run's Postgres; tests want `database` instead."""
    if postgres := request.config.stash.get(POSTGRES, None):
        return postgres_of_run(postgres.folder)
    return postgres_of_run(Path(request.config.workerinput[WORKER_INPUT]))  # type: ignore[attr-defined]  # xdist's


@pytest.fixture
async def database(postgres_server: str) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    async with cloned_database(postgres_server) as url:
        yield url


@pytest.fixture
async def empty_database(postgres_server: str) -> AsyncIterator[str]:
    """The URL of a fresh database without any table."""
    async with cloned_database(postgres_server, template="template1") as url:
        yield url


@pytest.fixture(scope="session")
def state_folder() -> Iterator[Path]:
    """A folder for this worker's own servers; root's Postgres can reach it as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="wanfa-worker-"))
    folder.chmod(0o711)
    yield folder
    rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def worker_valkey(state_folder: Path) -> Iterator[Running]:
    """This worker's Valkey; tests want `valkey` instead."""
    running = Running(ValkeyServer(state_folder / "valkey"), state_folder / "valkey.log")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(running.start())
    loop.close()
    yield running
    running.kill()


@pytest.fixture
def valkey(worker_valkey: Running) -> Running:
    """An empty Valkey with `appendfsync always`: `.url`, `.port`, `.pid`. Do not kill it: see `own_valkey`."""
    with redis.Redis.from_url(worker_valkey.url) as client:
        client.flushall()
        client.script_flush()
    return worker_valkey


@pytest.fixture
async def own_valkey(state_folder: Path) -> AsyncIterator[OwnValkey]:
    """`await own_valkey(cluster=True, …)`: a Valkey this test may kill, restart and configure.

    Takes the options of ValkeyServer; gives a Running: `.url`, `.pid`, `.kill()`, `.stop()`, `await .restart()`.
    """
    started: list[Running] = []

    async def start(**options: Any) -> Running:
        home = state_folder / f"valkey-{secrets.token_hex(4)}"
        running = Running(ValkeyServer(home, **options), home.with_suffix(".log"))
        started.append(running)
        await running.start()
        return running

    yield start
    for running in started:
        running.kill()


@pytest.fixture
async def own_postgres(state_folder: Path) -> AsyncIterator[OwnPostgres]:
    """`await own_postgres(…)`: a Postgres this test may kill and restart; not migrated."""
    started: list[Running] = []

    async def start(**options: Any) -> Running:
        home = state_folder / f"postgres-{secrets.token_hex(4)}"
        running = Running(PostgresServer(home, **options), home.with_suffix(".log"))
        started.append(running)
        await running.start()
        return running

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def settings(database: str, valkey: Running, tmp_path: Path) -> Settings:
    """The test environment's settings on this test's own servers."""
    loaded = load_settings("test", environ={})
    replace = msgspec.structs.replace
    return replace(
        loaded,
        redis=replace(loaded.redis, hot_url=valkey.url, queue_url=valkey.url),
        postgres=replace(loaded.postgres, url=database),
        auth=replace(loaded.auth, secret=secrets.token_urlsafe(32)),
        state=replace(loaded.state, home=str(tmp_path)),
    )
