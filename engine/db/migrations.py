"""Forward-only migrations: `NNNN_name.sql` files, once each, in order, under an advisory lock.

The engine's files have the namespace `core`; a playbook that keeps tables of its own has a folder
`migrations/` and its code as namespace. A file that was applied may never change: its SHA-256 is kept.
A playbook whose migrations are refused is left out; the engine's and the others' go on.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.core.connections import CONNECT_TIMEOUT_S, place
from engine.core.errors import MigrationRefused, ServerUnreachable

CORE = "core"
CORE_FOLDER = Path(__file__).with_name("sql")
PLAYBOOK_TIMEOUT_MS = 600_000  # for one of its files

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
_HAS_TABLE = "SELECT to_regclass('schema_migrations')"


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


class Migrated(NamedTuple):
    """The labels of what was applied (or would be), and code -> why the migrations of that playbook were not."""

    applied: list[str]
    refused: dict[str, str]


async def migrate(url: str, playbooks: Mapping[str, Path] | None = None) -> Migrated:
    """Bring the database at `url` up to date.

    `playbooks` maps a playbook's code to its folder of migrations. Several callers may run at once: one
    works, the others wait and find nothing to do. Raises MigrationRefused, naming the file, for the engine's own.
    """
    core = read_folder(CORE, CORE_FOLDER)
    plans, refused = _read_plans(playbooks or {})
    connection = await _connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute("SET client_min_messages = warning")
        await connection.execute(_CREATE_TABLE)
        done: list[str] = []
        await _apply(connection, core, done)
        for plan in plans:
            try:
                await _apply_apart(url, plan, done)
            except MigrationRefused as error:
                refused[plan[0].namespace] = str(error)
        return Migrated(done, refused)
    finally:
        await connection.close()  # and with it the lock


async def pending(url: str, playbooks: Mapping[str, Path] | None = None) -> Migrated:
    """What `migrate` would apply; changes nothing. Raises what `migrate` would."""
    core = read_folder(CORE, CORE_FOLDER)
    plans, refused = _read_plans(playbooks or {})
    connection = await _connect(url)
    try:
        if await connection.fetchval(_HAS_TABLE) is None:
            return Migrated(_labels(migration for plan in (core, *plans) for migration in plan), refused)
        missing = _labels(await _missing(connection, core))
        for plan in plans:
            try:
                missing += _labels(await _missing(connection, plan))
            except MigrationRefused as error:
                refused[plan[0].namespace] = str(error)
        return Migrated(missing, refused)
    finally:
        await connection.close()


async def unprepared(pool: asyncpg.Pool, playbooks: Mapping[str, Path]) -> dict[str, str]:
    """Code -> why its tables are not what its migrations make of them, for those of `playbooks` that are not ready."""
    plans, found = _read_plans(playbooks)
    if not plans:
        return found
    async with pool.acquire() as connection:
        migrated = await connection.fetchval(_HAS_TABLE) is not None
        for plan in plans:
            try:
                missing = await _missing(connection, plan) if migrated else plan
            except MigrationRefused as error:
                found[plan[0].namespace] = str(error)
            else:
                if missing:
                    found[plan[0].namespace] = f"{missing[0].label} is not applied: run `wanfa migrate`"
    return found


def _read_plans(playbooks: Mapping[str, Path]) -> tuple[list[list[Migration]], dict[str, str]]:
    """The migrations of each playbook that has any, by code; and code -> why they cannot be read."""
    plans, refused = [], {}
    for code, folder in sorted(playbooks.items()):
        if code == CORE:
            refused[code] = f"a playbook may not be called {CORE}: the engine's migrations are"
            continue
        try:
            plans.append(read_folder(code, folder))
        except MigrationRefused as error:
            refused[code] = str(error)
        except (OSError, UnicodeDecodeError) as error:
            refused[code] = f"{folder} cannot be read: {error}"
    return [plan for plan in plans if plan], refused


async def _apply_apart(url: str, plan: Sequence[Migration], done: list[str]) -> None:
    """Apply a playbook's migrations on a connection of its own: it may leave it in any state, or end it."""
    connection = await _connect(url)
    try:
        await connection.execute(f"SET statement_timeout = {PLAYBOOK_TIMEOUT_MS}")
        await _apply(connection, plan, done)
    except (asyncpg.InterfaceError, OSError) as error:
        raise MigrationRefused(f"the migrations of {plan[0].namespace} ended their connection: {error}") from None
    finally:
        connection.terminate()


def _labels(migrations: Iterable[Migration]) -> list[str]:
    return [migration.label for migration in migrations]


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ServerUnreachable(
            f"Postgres at {place(url)} does not answer ({error or type(error).__name__}); check WANFA_POSTGRES_URL"
        ) from None


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", plan: Sequence[Migration], done: list[str]) -> None:
    """Apply what is missing of `plan`, adding the labels to `done`. MigrationRefused at the first that fails."""
    for migration in await _missing(connection, plan):
        try:
            async with connection.transaction():
                await connection.execute(migration.sql)
                if not connection.is_in_transaction():
                    raise MigrationRefused(f"{migration.label} ends the transaction it runs in; leave COMMIT out")
                await connection.execute(
                    _RECORD, migration.namespace, migration.number, migration.name, migration.checksum
                )
        except asyncpg.PostgresError as error:
            raise MigrationRefused(f"{migration.label} failed and was rolled back: {error}") from error
        done.append(migration.label)


async def _missing(
    connection: "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]", plan: Sequence[Migration]
) -> list[Migration]:
    """What of `plan` is not applied yet; refuses when the database and the files tell different stories."""
    if not plan:
        return []
    namespace = plan[0].namespace
    applied = {row["number"]: row for row in await connection.fetch(_APPLIED, namespace)}
    for number, row in sorted(applied.items()):
        if number > len(plan):
            ours = "wanfa" if namespace == CORE else namespace
            raise MigrationRefused(
                f"{namespace}/{number:04d}_{row['name']}.sql is applied but unknown here; this {ours} is older "
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
