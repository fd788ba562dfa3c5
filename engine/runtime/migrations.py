"""Forward-only migrations: `NNNN_name.sql` files, once each, in order, under an advisory lock.

The engine's files have the namespace `core`; a playbook that keeps tables of its own has a folder
`migrations/` and its code as namespace. A file that was applied may never change: its SHA-256 is kept.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import msgspec

from engine.catalog.registry import load_playbooks
from engine.errors import MigrationRefused, ServerUnreachable
from engine.runtime.pools import CONNECT_TIMEOUT_S, place
from engine.settings import Settings

CORE = "core"
CORE_FOLDER = Path(__file__).with_name("sql")

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOCK = 0x77616E6661  # "wanfa" in hexadecimal: one migration at a time in a database

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    namespace  text NOT NULL,
    number     int NOT NULL,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, number)
)
"""
_APPLIED = "SELECT number, name, checksum FROM schema_migrations WHERE namespace = $1"
_RECORD = "INSERT INTO schema_migrations (namespace, number, name, checksum) VALUES ($1, $2, $3, $4)"
_MAKE_SHARDS = "INSERT INTO shards (id) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING"


class Migration(msgspec.Struct, frozen=True):
    """One file; `checksum` is the SHA-256 of its text with Unix line ends, in hexadecimal."""

    namespace: str
    number: int
    name: str
    sql: str
    checksum: str

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.namespace}/{self.number:04d}_{self.name}.sql"


def read_folder(namespace: str, folder: Path) -> list[Migration]:
    """The folder's migrations in order. MigrationRefused for a stray file, a number twice or a gap."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{namespace}/{path.name}: a migration is called NNNN_name.sql")
        sql = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        found.append(Migration(namespace, int(match[1]), match[2], sql, checksum))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationRefused(f"{migration.label}: expected number {expected:04d}; numbers have no gaps")
    return found


async def prepare_database(settings: Settings) -> list[str]:
    """Migrate for the engine and every loaded playbook, and make the rows of the shards; what was applied."""
    registry = load_playbooks(settings.playbooks.disabled)
    applied = await migrate(settings.postgres.url, playbook_folders(registry.sources))
    connection = await _connect(settings.postgres.url)
    try:
        await connection.execute(_MAKE_SHARDS, settings.gate.shards)
    finally:
        await connection.close()
    return applied


async def pending_database(settings: Settings) -> list[str]:
    """What `prepare_database` would apply; changes nothing."""
    registry = load_playbooks(settings.playbooks.disabled)
    return await pending(settings.postgres.url, playbook_folders(registry.sources))


def playbook_folders(modules: Mapping[str, str]) -> dict[str, Path]:
    """Of playbooks (code -> entry point), those that keep tables, with their folders of migrations."""
    folders = {}
    for code, entry_point in modules.items():
        spec = find_spec(entry_point.partition(":")[0])
        folder = Path(spec.origin).with_name("migrations") if spec and spec.origin else None
        if folder and folder.is_dir():
            folders[code] = folder
    return folders


async def migrate(url: str, playbooks: Mapping[str, Path] | None = None) -> list[str]:
    """Bring the database at `url` up to date; the labels of what was applied.

    `playbooks` maps a playbook's code to its folder of migrations. Several callers may run at once: one
    works, the others wait and find nothing to do. Raises MigrationRefused, naming the file.
    """
    if playbooks and CORE in playbooks:
        raise MigrationRefused(f"a playbook may not be called {CORE}: the engine's migrations are")
    plans = [read_folder(CORE, CORE_FOLDER)]
    plans += [read_folder(code, folder) for code, folder in sorted((playbooks or {}).items())]
    connection = await _connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute("SET client_min_messages = warning")
        await connection.execute(_CREATE_TABLE)
        done = []
        for plan in plans:
            done += await _apply(connection, plan)
        return done
    finally:
        await connection.close()  # and with it the lock


async def pending(url: str, playbooks: Mapping[str, Path] | None = None) -> list[str]:
    """The labels of what `migrate` would apply; changes nothing. Raises what `migrate` would."""
    plans = [read_folder(CORE, CORE_FOLDER)]
    plans += [read_folder(code, folder) for code, folder in sorted((playbooks or {}).items())]
    connection = await _connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
            return [migration.label for plan in plans for migration in plan]
        return [migration.label for plan in plans for migration in await _missing(connection, plan)]
    finally:
        await connection.close()


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ServerUnreachable(
            f"Postgres at {place(url)} does not answer ({error or type(error).__name__}); check WANFA_POSTGRES_URL"
        ) from None


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", plan: Sequence[Migration]) -> list[str]:
    done = []
    for migration in await _missing(connection, plan):
        try:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    _RECORD, migration.namespace, migration.number, migration.name, migration.checksum
                )
        except asyncpg.PostgresError as error:
            raise MigrationRefused(f"{migration.label} failed and was rolled back: {error}") from error
        done.append(migration.label)
    return done


async def _missing(connection: "asyncpg.Connection[asyncpg.Record]", plan: Sequence[Migration]) -> list[Migration]:
    """What of `plan` is not applied yet; refuses when the database and the files tell different stories."""
    if not plan:
        return []
    namespace = plan[0].namespace
    applied = {row["number"]: row for row in await connection.fetch(_APPLIED, namespace)}
    for number, row in sorted(applied.items()):
        if number > len(plan):
            raise MigrationRefused(
                f"{namespace}/{number:04d}_{row['name']}.sql is applied but unknown here; this wanfa is older "
                "than the database, use a newer one"
            )
        if row["checksum"] != plan[number - 1].checksum:
            raise MigrationRefused(
                f"{plan[number - 1].label} was changed after it was applied; put it back and add a new file instead"
            )
    missing = [migration for migration in plan if migration.number not in applied]
    if missing and applied and missing[0].number < max(applied):
        raise MigrationRefused(f"{missing[0].label} is not applied though later ones are; the history has a hole")
    return missing
