"""The NestJS peer: start it, put a sale into its Redis, write tokens for its people."""

import hashlib
import hmac
import os
import shutil
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import cast

import redis

from loadtests.bench.cpu import LOAD_CORE, SERVER_CORE
from loadtests.bench.processes import Program
from loadtests.bench.wrk import Target

FOLDER = Path(__file__).resolve().parents[1] / "peers" / "nestjs"
SECRET = "the peer's own secret, of this run only"
INTENTS = "{peer}:intents"
HOUR_MS = 3_600_000
# A larger young generation: at these rates node otherwise spends much of its time collecting garbage.
NODE_FLAGS = "--max-semi-space-size=64"


class PeerMissing(Exception):
    """The peer cannot run here."""

    def __str__(self) -> str:
        return "The peer is not built: `npm ci && npm run build` in loadtests/peers/nestjs (needs Node 20 or newer)"


def find_node() -> str:
    """The path of node, once the peer is built. Raises PeerMissing."""
    node = shutil.which("node")
    if not node or not (FOLDER / "dist" / "main.js").exists() or not (FOLDER / "node_modules").is_dir():
        raise PeerMissing
    return node


def node_flags() -> list[str]:
    """Flags of node: the tuned ones, or what PEER_NODE_FLAGS says (empty: node as it comes)."""
    return os.environ.get("PEER_NODE_FLAGS", NODE_FLAGS).split()


class Peer:
    """A running peer and its Redis."""

    def __init__(self, folder: Path, redis_url: str, postgres_url: str = "", orders: str = "stream") -> None:
        self._folder = folder
        self._env = {
            "NODE_ENV": "production",
            "PEER_REDIS_URL": redis_url,
            "PEER_POSTGRES_URL": postgres_url,
            "PEER_SECRET": SECRET,
            "PEER_ORDERS": orders,
            "PEER_HOLD_MS": str(HOUR_MS),
        }
        self.redis: redis.Redis = redis.Redis.from_url(redis_url)
        self.tokens = folder / "peer-tokens.txt"

    def api(self) -> Program:
        """The HTTP server; `serving` waits for its port."""
        argv = [find_node(), *node_flags(), str(FOLDER / "dist" / "main.js")]
        return Program("nestjs peer", argv, self._env, SERVER_CORE, self._folder / f"peer-{time.time_ns()}.log")

    def worker(self, concurrency: int, *, create_table: bool) -> Program:
        """The BullMQ worker."""
        argv = [find_node(), *node_flags(), str(FOLDER / "dist" / "worker.js")]
        env = self._env | {"PEER_CONCURRENCY": str(concurrency)}
        if create_table:
            env["PEER_CREATE_TABLE"] = "1"
        cores = SERVER_CORE | LOAD_CORE
        return Program("bullmq worker", argv, env, cores, self._folder / f"bullmq-{time.time_ns()}.log")

    def write_tokens(self, people: int) -> None:
        """One token a line, each of another person."""
        expires = int(time.time()) + 86_400
        lines = [_token(f"u{number:016x}", expires) for number in range(people)]
        self.tokens.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def open_sale(self, config: str, stock: int, limit: int = 1000) -> None:
        """A flash sale that has begun and lasts an hour."""
        now_ms = int(time.time() * 1000)
        sale = {"left": stock, "status": "ACTIVE", "starts": now_ms - 1000, "ends": now_ms + HOUR_MS}
        sale |= {"limit": limit, "price": 9900, "current": 0, "target": 0}
        self.redis.hset(f"{{peer}}:{config}:sale", mapping=sale)

    def left(self, config: str) -> int:
        """Units nobody has reserved."""
        return int(cast("bytes | None", self.redis.hget(f"{{peer}}:{config}:sale", "left")) or 0)

    def drop_sale(self, config: str) -> None:
        """Forget the sale, its people and the intents."""
        self.redis.delete(f"{{peer}}:{config}:sale", f"{{peer}}:{config}:people", INTENTS)

    def target(self, port: int, config: str) -> Target:
        """Where joins of the sale go."""
        return Target(port, "join", f"/v1/instances/{config}.s1/join", self.tokens)


def _token(user: str, expires: int) -> str:
    signed = f"{user}.{expires}"
    mac = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
