"""A wanfa of any checkout, older or newer than this one: its processes, HTTP, SQL and Redis, none of its modules."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.access.tokens import Role, Tokens
from engine.local.running import Running
from loadtests.bench.processes import Program, inherited
from loadtests.bench.stack import Stack, servers
from loadtests.bench.subject import DAY_S, LIMIT, PLAY_CODE, SECRET, STORE, Subject
from loadtests.campaigns import shop
from loadtests.client import Client

# Where the command stands, newest first; an older checkout has it elsewhere.
COMMANDS = ("engine.cli.main", "engine.runtime.cli")
MIGRATE_TIMEOUT_S = 120
WARM_TIMEOUT_S = 60
WARM_PENDING = "SELECT count(*) FROM play_configs WHERE id = ANY($1) AND warm_pending"


class NoCheckout(Exception):
    """There is no wanfa."""


def command_of(root: Path) -> str:
    """The module of the `wanfa` command of the checkout. Raises NoCheckout."""
    for module in COMMANDS:
        if (root / module.replace(".", "/")).with_suffix(".py").exists():
            return module
    raise NoCheckout(f"{root} is no checkout of wanfa: it has none of {', '.join(COMMANDS)}")


def commit_of(root: Path) -> str:
    """Which code it is, as git says it."""
    argv = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


class Checkout(Subject):
    """wanfa as the checkout at `root` has it, run by this interpreter; `settings` are further WANFA_ variables."""

    def __init__(self, root: Path, folder: Path, valkey: Running, postgres: Running, settings: dict[str, str]) -> None:
        super().__init__(folder, valkey.url, postgres.url)
        self.root = root
        self.env |= {"PYTHONPATH": str(root), **settings}
        self._command = [sys.executable, "-m", command_of(root)]

    def prepare(self) -> None:
        """Its own tables; the store is made over HTTP, once the API answers."""
        found = self._run([sys.executable, "-c", "import engine; print(engine.__file__)"])
        if not Path(found.strip()).is_relative_to(self.root):
            raise RuntimeError(f"the code of {self.root} was to be measured, but Python finds {found.strip()}")
        self._run([*self._command, "migrate"])

    def open_store(self) -> None:
        """A store that sells."""
        asyncio.run(self._open_store())

    def publish(self, count: int = 1, stock: int = 5_000_000) -> list[str]:
        """New flash sales that have begun; their config ids, once Redis knows them."""
        made = asyncio.run(self._publish_over_http(count, stock))
        deadline = time.monotonic() + WARM_TIMEOUT_S
        while self.fetchval(WARM_PENDING, made):
            if time.monotonic() > deadline:
                raise RuntimeError("the gate was not told of the new sales; does a worker run?")
            time.sleep(0.1)
        return made

    def _program(self, command: str, cores: set[int]) -> Program:
        log = self._folder / f"{command}-{time.time_ns()}.log"
        return Program(f"wanfa {command} of {self.root}", [*self._command, command], self.env, cores, log, self.root)

    def _run(self, argv: list[str]) -> str:
        env = inherited() | self.env
        done = subprocess.run(
            argv, cwd=self.root, env=env, capture_output=True, text=True, check=False, timeout=MIGRATE_TIMEOUT_S
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv[1:])} in {self.root}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return done.stdout

    async def _open_store(self) -> None:
        token, _ = Tokens(SECRET).issue("bench-hq", Role.HQ, DAY_S)
        async with Client(f"http://127.0.0.1:{self.port}", connections=1) as client:
            await shop.ask(client, "POST", "/v1/hq/stores", {"id": STORE, "name": "基准门店", "city": "BJ"}, token)

    async def _publish_over_http(self, count: int, stock: int) -> list[str]:
        token, _ = Tokens(SECRET).issue("bench-store", Role.STORE, DAY_S, STORE)
        async with Client(f"http://127.0.0.1:{self.port}", connections=1) as client:
            rules = {"limitPerPerson": LIMIT}
            return [await shop.publish(client, token, PLAY_CODE, stock, rules) for _ in range(count)]


@contextmanager
def open_checkout(root: Path, folder: Path, people: int, settings: dict[str, str]) -> Iterator[Stack]:
    """The wanfa of `root` on a Valkey and a Postgres of its own."""
    folder.mkdir(mode=0o711)
    with servers(folder) as (valkey, postgres):
        subject = Checkout(root, folder, valkey, postgres, settings)
        subject.prepare()
        with subject.worker() as worker, subject.api() as api:
            subject.wait_open(worker)
            api.wait_for_http(f"http://127.0.0.1:{subject.port}/readyz")
            subject.open_store()
            subject.write_tokens(people)
            yield Stack(folder, valkey, postgres, subject, api, worker, None)
