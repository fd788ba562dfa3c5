"""The servers of one bench run: Valkey on the load core, Postgres, wanfa, and the peer when it is built."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from engine.local.embedded import PostgresServer, ValkeyServer
from engine.local.running import Running
from loadtests.bench.cpu import LOAD_CORE, pinned
from loadtests.bench.measure import Say
from loadtests.bench.peer import Peer, PeerMissing, find_node
from loadtests.bench.processes import Program
from loadtests.bench.subject import Subject

SECOND = "second"


@dataclass
class Stack:
    """What runs, and where."""

    folder: Path
    valkey: Running
    postgres: Running
    subject: Subject
    api: Program
    worker: Program
    peer: Peer | None

    def valkey_settings(self) -> dict[str, str]:
        """What of its configuration decides how durable and how fast it is."""
        names = ("appendonly", "appendfsync", "io-threads", "maxmemory-policy", "save")
        found = {name: self.subject.redis.config_get(name) for name in names}
        return {name: str(value.get(name, "")) for name, value in found.items() if isinstance(value, dict)}


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder of this run only."""
    folder = Path(tempfile.mkdtemp(prefix="wanfa-bench-"))
    folder.chmod(0o711)  # root's Postgres runs as nobody
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Running, Running]]:
    """Valkey on the load core, and Postgres."""
    with ExitStack() as opened:
        valkey = Running(ValkeyServer(folder / "valkey"), folder / "valkey.log")
        with pinned(LOAD_CORE):
            asyncio.run(valkey.start())
        opened.callback(valkey.kill)
        postgres = Running(PostgresServer(folder / "postgres"), folder / "postgres.log")
        asyncio.run(postgres.start())
        opened.callback(postgres.stop)
        yield valkey, postgres


@contextmanager
def open_stack(people: int, say: Say) -> Iterator[Stack]:
    """Start everything, and end and remove it afterwards."""
    with ExitStack() as opened:
        folder = opened.enter_context(temporary_folder())
        valkey, postgres = opened.enter_context(servers(folder))
        subject = Subject(folder, valkey.url, postgres.url)
        subject.prepare()
        say("servers are up")
        worker = opened.enter_context(subject.worker())
        subject.wait_open(worker)
        api = opened.enter_context(subject.api())
        api.wait_for_http(f"http://127.0.0.1:{subject.port}/readyz")
        say(f"wanfa serves on port {subject.port}")
        subject.write_tokens(people)
        yield Stack(
            folder, valkey, postgres, subject, api, worker, _peer(folder, valkey.url, postgres.url, people, say)
        )


@contextmanager
def second_wanfa(stack: Stack, python_path: Path | None = None) -> Iterator[Stack]:
    """Another wanfa on the same servers: the second database of Valkey, a database of its own in Postgres.

    `python_path` is where its processes find further packages.
    """
    asyncio.run(_create_database(stack.postgres.url))
    folder = stack.folder / SECOND
    folder.mkdir(mode=0o700)
    postgres_url = urlunsplit(urlsplit(stack.postgres.url)._replace(path=f"/{SECOND}"))
    subject = Subject(folder, urlunsplit(urlsplit(stack.valkey.url)._replace(path="/1")), postgres_url)
    subject.tokens = stack.subject.tokens
    if python_path is not None:
        subject.env["PYTHONPATH"] = str(python_path)
    subject.prepare()
    with subject.worker() as worker, subject.api() as api:
        subject.wait_open(worker)
        api.wait_for_http(f"http://127.0.0.1:{subject.port}/readyz")
        yield replace(stack, subject=subject, api=api, worker=worker, peer=None)


async def _create_database(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {SECOND}")
    finally:
        await connection.close()


def _peer(folder: Path, redis_url: str, postgres_url: str, people: int, say: Say) -> Peer | None:
    try:
        find_node()
    except PeerMissing as error:
        say(f"without the peer: {error}")
        return None
    peer = Peer(folder, redis_url, postgres_url)
    peer.write_tokens(people)
    return peer
