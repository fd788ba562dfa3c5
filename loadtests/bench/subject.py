"""wanfa itself: settings, processes, sales to click on, tokens of people who click."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import redis

from engine.access.tokens import Role, Tokens
from engine.catalog.drafts import Draft
from engine.core.settings import Settings, load_settings
from engine.gate import keys
from engine.local.programs import free_port
from engine.runtime.bootstrap import Engine, open_engine
from engine.runtime.database import prepare_database
from loadtests.bench.ask import ask
from loadtests.bench.cpu import LOAD_CORE, SERVER_CORE
from loadtests.bench.processes import Program, http_status
from loadtests.bench.wrk import Target

PLAY_CODE = "FLASH_SALE"
SECRET = "the bench's own secret, of this run only"
LIMIT = 1000
DAY_S = 86_400
PUBLISHED_AT_ONCE = 8
STORE = "bench"
VISIBLE_TIMEOUT_S = 30


class Subject:
    """wanfa on a Valkey and a Postgres of the bench."""

    def __init__(self, folder: Path, redis_url: str, postgres_url: str) -> None:
        self._folder = folder
        self.port = free_port()
        # default.toml and nothing else: what is measured is what a stranger gets.
        self.env = {
            "WANFA_ENV": "default",
            "WANFA_HOME": str(folder / "home"),
            "WANFA_REDIS_HOT_URL": redis_url,
            "WANFA_REDIS_QUEUE_URL": redis_url,
            "WANFA_POSTGRES_URL": postgres_url,
            "WANFA_AUTH_SECRET": SECRET,
            "WANFA_API_PORT": str(self.port),
            "WANFA_GATE_HOLD_TTL_MS": str(DAY_S * 1000),  # no hold ends while the bench runs
        }
        self.settings: Settings = load_settings(environ=self.env)
        self.redis: redis.Redis = redis.Redis.from_url(redis_url)
        self.tokens = folder / "tokens.txt"
        self._service = ""

    def prepare(self) -> None:
        """Tables, and a store with one service."""
        asyncio.run(prepare_database(self.settings))
        asyncio.run(self._make_store())

    def api(self) -> Program:
        """`wanfa serve` on the server core."""
        return self._program("serve", SERVER_CORE)

    def worker(self) -> Program:
        """`wanfa worker` on any core."""
        return self._program("worker", SERVER_CORE | LOAD_CORE)

    def bare(self, answer: tuple[int, list[tuple[str, str]], str], port: int) -> Program:
        """The bare server with the API's options and one fixed answer."""
        file = self._folder / f"answer-{port}.json"
        file.write_text(json.dumps(answer), encoding="utf-8")
        env = self.env | {"WANFA_API_PORT": str(port), "BARE_ANSWER": str(file), "PYTHONPATH": str(Path.cwd())}
        argv = [sys.executable, "-m", "loadtests.bench.bare"]
        return Program("bare server", argv, env, SERVER_CORE, self._folder / f"bare-{port}.log")

    def wait_open(self, worker: Program) -> None:
        """Until the worker has opened every shard."""
        names = [keys.epoch(shard) for shard in range(self.settings.gate.shards)]
        worker.wait_until(lambda: int(cast("int", self.redis.exists(*names))) == len(names), "all shards were open")

    def write_tokens(self, people: int, file: Path | None = None) -> Path:
        """One token a line, each of another consumer."""
        tokens = Tokens(SECRET)
        lines = [tokens.issue(f"u{number:016x}", Role.CONSUMER, DAY_S)[0] for number in range(people)]
        path = file or self.tokens
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def publish(self, count: int = 1, stock: int = 5_000_000) -> list[str]:
        """New flash sales that have begun; their config ids, once Redis knows them."""
        return asyncio.run(self._publish(count, stock))

    def target(self, config: str, tokens: Path | None = None) -> Target:
        """Where joins of the sale go."""
        return Target(self.port, "join", f"/v1/instances/{config}.s1/join", tokens or self.tokens)

    def detail(self, config: str) -> Target:
        """Where its detail is read."""
        return Target(self.port, "get", f"/v1/instances/{config}.s1")

    def wait_visible(self, config: str) -> None:
        """Until the API shows the sale."""
        deadline = time.monotonic() + VISIBLE_TIMEOUT_S
        url = f"http://127.0.0.1:{self.port}/v1/instances/{config}.s1"
        while http_status(url) != 200:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{url} did not appear")
            time.sleep(0.05)

    def loaded(self) -> set[str]:
        """Codes of the playbooks that its API has loaded."""
        token = Tokens(SECRET).issue("bench", Role.HQ, DAY_S)[0]
        answer = ask(self.port, "/v1/hq/templates", token)
        if answer.status != 200:
            raise RuntimeError(f"the templates are answered with {answer.status}: {answer.body}")
        return {template["code"] for template in json.loads(answer.body)["items"]}

    def shard(self, config: str) -> int:
        """The shard of a config."""
        return int(self.fetchval("SELECT shard FROM play_configs WHERE id = $1", config))

    def left(self, config: str) -> int:
        """Units that Redis has not reserved."""
        key = keys.cells(self.shard(config), config)
        return int(cast("bytes | None", self.redis.hget(key, "left")) or 0)

    def reserved(self, config: str) -> int:
        """Units of orders that Postgres has."""
        return int(self.fetchval("SELECT reserved FROM stock WHERE config_id = $1", config))

    def orders(self, config: str) -> int:
        """Order rows of the config."""
        return int(self.fetchval("SELECT count(*) FROM orders WHERE config_id = $1", config))

    def drop_intents(self) -> None:
        """Forget what no worker has drained; only for runs that look at clicks alone."""
        for shard in range(self.settings.gate.shards):
            self.redis.xtrim(keys.intents(shard), maxlen=0, approximate=False)

    def _program(self, command: str, cores: set[int]) -> Program:
        argv = [sys.executable, "-m", "engine.cli.main", command]
        return Program(f"wanfa {command}", argv, self.env, cores, self._folder / f"{command}-{time.time_ns()}.log")

    def fetchval(self, query: str, *values: Any) -> Any:
        """One value from Postgres."""

        async def ask() -> Any:
            connection = await asyncpg.connect(self.settings.postgres.url)
            try:
                return await connection.fetchval(query, *values)
            finally:
                await connection.close()

        return asyncio.run(ask())

    async def _make_store(self) -> None:
        async with open_engine(self.settings) as engine:
            await engine.catalog.stores.create("基准门店", "BJ", STORE)
            service = await engine.catalog.services.create(
                STORE, name="舞蹈课", asset_type="COURSE", unit_name="节", units_per_share=10
            )
            self._service = service.id

    async def _publish(self, count: int, stock: int) -> list[str]:
        async with open_engine(self.settings) as engine:
            made: list[str] = []
            for start in range(0, count, PUBLISHED_AT_ONCE):
                size = min(PUBLISHED_AT_ONCE, count - start)
                made += await asyncio.gather(*(self._publish_one(engine, stock) for _ in range(size)))
            await _until_warm(engine, made)
            return made

    async def _publish_one(self, engine: Engine, stock: int) -> str:
        now = datetime.now(UTC)
        draft = Draft(
            service_id=self._service,
            template_code=PLAY_CODE,
            title="秒杀版舞蹈课",
            price_fen=9900,
            stock=stock,
            rules={"limitPerPerson": LIMIT},
            starts_at=now - timedelta(seconds=1),
            ends_at=now + timedelta(days=1),
        )
        config = await engine.catalog.drafts.create(STORE, draft)
        await engine.catalog.life.publish(STORE, config.id)
        return config.id


async def _until_warm(engine: Engine, configs: list[str]) -> None:
    query = "SELECT count(*) FROM play_configs WHERE id = ANY($1) AND warm_pending"
    for _ in range(600):
        if not await engine.pool.fetchval(query, configs):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the gate was not told of the new sales; does a worker run?")
