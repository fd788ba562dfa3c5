"""The servers of one bench run: Valkey on the load core, Postgres, wanfa, and the peer when it is built."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.runtime.embedded import PostgresServer, ValkeyServer
from engine.runtime.running import Running
from loadtests.bench.cpu import LOAD_CORE, pinned
from loadtests.bench.measure import Say
from loadtests.bench.peer import Peer, PeerMissing, find_node
from loadtests.bench.processes import Program
from loadtests.bench.subject import Subject


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
def open_stack(people: int, say: Say) -> Iterator[Stack]:
    """Start everything, and end and remove it afterwards. The worker is frozen once the shards are open."""
    folder = Path(tempfile.mkdtemp(prefix="wanfa-bench-"))
    folder.chmod(0o711)  # root's Postgres runs as nobody
    with ExitStack() as opened:
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey = Running(ValkeyServer(folder / "valkey"), folder / "valkey.log")
        with pinned(LOAD_CORE):
            asyncio.run(valkey.start())
        opened.callback(valkey.kill)
        postgres = Running(PostgresServer(folder / "postgres"), folder / "postgres.log")
        asyncio.run(postgres.start())
        opened.callback(postgres.stop)
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


def _peer(folder: Path, redis_url: str, postgres_url: str, people: int, say: Say) -> Peer | None:
    try:
        find_node()
    except PeerMissing as error:
        say(f"without the peer: {error}")
        return None
    peer = Peer(folder, redis_url, postgres_url)
    peer.write_tokens(people)
    return peer
