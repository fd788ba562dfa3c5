"""Migrations run once, in order, by one process at a time, and never change behind our back."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from engine.core.errors import MigrationRefused
from engine.core.settings import Settings
from engine.db import migrations
from engine.db.migrations import migrate, pending, unprepared
from engine.playbooks.migrations import playbook_folders
from engine.runtime.database import prepare_database


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of the engine's own migrations."""
    folder = tmp_path / "core"
    folder.mkdir()
    write(folder, "0001_one", "CREATE TABLE one (a int)")
    monkeypatch.setattr(migrations, "CORE_FOLDER", folder)
    return folder


def write(folder: Path, name: str, sql: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(sql, encoding="utf-8")


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows} - {"schema_migrations"}


async def test_each_file_is_applied_once(empty_database: str, core: Path) -> None:
    """The second run finds nothing to do; a new file is all the third one does."""
    assert await migrate(empty_database) == (["core/0001_one.sql"], {})
    assert await migrate(empty_database) == ([], {})
    write(core, "0002_two", "CREATE TABLE two (a int)")
    assert await pending(empty_database) == (["core/0002_two.sql"], {})
    assert await migrate(empty_database) == (["core/0002_two.sql"], {})
    assert await tables(empty_database) == {"one", "two"}


async def test_pending_on_an_empty_database_changes_nothing(empty_database: str, core: Path) -> None:
    """Asking creates not even the table of migrations."""
    assert await pending(empty_database) == (["core/0001_one.sql"], {})
    connection = await asyncpg.connect(empty_database)
    assert await connection.fetchval("SELECT to_regclass('schema_migrations')") is None
    await connection.close()


async def test_changed_file_is_refused_by_name(empty_database: str, core: Path) -> None:
    """A file that was applied may not change."""
    await migrate(empty_database)
    write(core, "0001_one", "CREATE TABLE one (a bigint)")
    with pytest.raises(MigrationRefused, match=r"core/0001_one\.sql was changed"):
        await migrate(empty_database)


async def test_gap_is_refused(empty_database: str, core: Path) -> None:
    """Numbers follow each other, so that two branches cannot both add a later one."""
    write(core, "0003_three", "SELECT 1")
    with pytest.raises(MigrationRefused, match="expected number 0002"):
        await migrate(empty_database)


async def test_a_hole_among_what_was_applied_is_refused(empty_database: str, core: Path) -> None:
    """Somebody has been at the table by hand: what stands behind the hole was written for what is in it."""
    for number in (2, 3):
        write(core, f"000{number}_more", f"CREATE TABLE more{number} (a int)")
    await migrate(empty_database)
    connection = await asyncpg.connect(empty_database)
    await connection.execute("DELETE FROM schema_migrations WHERE number = 2; DROP TABLE more2")
    await connection.close()
    with pytest.raises(MigrationRefused, match="0002_more"):
        await migrate(empty_database)
    assert await tables(empty_database) == {"one", "more3"}


async def test_stray_file_is_refused(empty_database: str, core: Path) -> None:
    """A file that looks like a migration but is not numbered."""
    write(core, "fix", "SELECT 1")
    with pytest.raises(MigrationRefused, match=r"core/fix\.sql"):
        await migrate(empty_database)


async def test_newer_database_is_refused(empty_database: str, core: Path) -> None:
    """An older wanfa does not touch what a newer one has migrated."""
    write(core, "0002_two", "CREATE TABLE two (a int)")
    await migrate(empty_database)
    (core / "0002_two.sql").unlink()
    with pytest.raises(MigrationRefused, match=r"0002_two\.sql is applied but unknown here"):
        await migrate(empty_database)


async def test_failing_file_leaves_no_trace(empty_database: str, core: Path) -> None:
    """What a file did before its error is rolled back; the files before it stay."""
    write(core, "0002_two", "CREATE TABLE two (a int); SELECT 1 / 0")
    with pytest.raises(MigrationRefused, match=r"core/0002_two\.sql failed and was rolled back: division by zero"):
        await migrate(empty_database)
    assert await tables(empty_database) == {"one"}
    write(core, "0002_two", "CREATE TABLE two (a int)")
    assert await migrate(empty_database) == (["core/0002_two.sql"], {})


async def test_eight_at_once_apply_each_file_once(empty_database: str, core: Path) -> None:
    """One works, the others wait for it."""
    write(core, "0002_two", "SELECT pg_sleep(0.1); CREATE TABLE two (a int)")
    done = await asyncio.gather(*(migrate(empty_database) for _ in range(8)))
    assert [applied for applied, _ in done if applied] == [["core/0001_one.sql", "core/0002_two.sql"]]


async def test_playbooks_have_namespaces(empty_database: str, core: Path, tmp_path: Path) -> None:
    """Two playbooks may both have a first migration; the messages say whose it is."""
    write(tmp_path / "a", "0001_one", "CREATE TABLE a (a int)")
    write(tmp_path / "b", "0001_one", "CREATE TABLE b (a int)")
    folders = {"B": tmp_path / "b", "A": tmp_path / "a"}
    assert await migrate(empty_database, folders) == (["core/0001_one.sql", "A/0001_one.sql", "B/0001_one.sql"], {})
    assert await migrate(empty_database, folders) == ([], {})


BROKEN = {
    "fails": ({"0001_one": "CREATE TABLE mine (a int); SELECT 1 / 0"}, "BAD/0001_one.sql failed and was rolled back"),
    "no sql": ({"0001_one": "CREATE TABEL mine ()"}, "BAD/0001_one.sql failed and was rolled back: syntax error at or"),
    "stray": ({"fix": "SELECT 1"}, "BAD/fix.sql: a migration is called NNNN_name.sql"),
    "gap": ({"0002_two": "SELECT 1"}, "BAD/0002_two.sql: expected number 0001"),
    "hangs up": (
        {"0001_one": "SELECT pg_terminate_backend(pg_backend_pid())"},
        "the migrations of BAD ended their connection",
    ),
    "commits": ({"0001_one": "SELECT 1; COMMIT"}, "BAD/0001_one.sql ends the transaction it runs in"),
    "hides": ({"0001_one": "SET search_path TO pg_temp"}, "BAD/0001_one.sql failed and was rolled back"),
}


@pytest.mark.parametrize("how", sorted(BROKEN))
async def test_a_playbook_that_fails_is_left_out_alone(
    empty_database: str, core: Path, tmp_path: Path, how: str
) -> None:
    """The engine's migrations and the other playbooks' are applied; the error is said, and it leaves no table."""
    files, why = BROKEN[how]
    for name, sql in files.items():
        write(tmp_path / "bad", name, sql)
    write(tmp_path / "good", "0001_one", "CREATE TABLE good (a int)")
    write(core, "0002_two", "CREATE TABLE two (a int)")
    folders = {"BAD": tmp_path / "bad", "ALSO": tmp_path / "also", "GOOD": tmp_path / "good"}

    applied, refused = await migrate(empty_database, folders)

    assert applied == ["core/0001_one.sql", "core/0002_two.sql", "GOOD/0001_one.sql"]
    assert list(refused) == ["BAD"]
    assert refused["BAD"].startswith(why)
    assert await tables(empty_database) == {"one", "two", "good"}
    (tmp_path / "good" / "0001_one.sql").write_text("CREATE TABLE good (a bigint)", encoding="utf-8")
    assert await migrate(empty_database, folders) == (
        [],
        refused
        | {"GOOD": "GOOD/0001_one.sql was changed after it was applied; put it back and add a new file instead"},
    )


async def test_a_playbooks_files_before_the_one_that_fails_stay(
    empty_database: str, core: Path, tmp_path: Path
) -> None:
    """They are told of, and the repaired file is all that is left to do."""
    write(tmp_path / "a", "0001_one", "CREATE TABLE a (a int)")
    write(tmp_path / "a", "0002_two", "CREATE TABLE a (a int)")
    folders = {"A": tmp_path / "a"}

    applied, refused = await migrate(empty_database, folders)

    assert applied == ["core/0001_one.sql", "A/0001_one.sql"]
    assert refused["A"].startswith("A/0002_two.sql failed and was rolled back: relation")
    assert await pending(empty_database, folders) == (["A/0002_two.sql"], {})
    write(tmp_path / "a", "0002_two", "CREATE TABLE b (a int)")
    assert await migrate(empty_database, folders) == (["A/0002_two.sql"], {})


async def test_a_playbook_that_takes_for_ever_is_stopped(
    empty_database: str, core: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PLAYBOOK_TIMEOUT_MS", 50)
    write(tmp_path / "a", "0001_one", "SELECT pg_sleep(20)")

    _, refused = await migrate(empty_database, {"A": tmp_path / "a"})

    assert refused == {"A": "A/0001_one.sql failed and was rolled back: canceling statement due to statement timeout"}


async def test_a_file_that_cannot_be_read_is_its_playbooks_own_fault(
    empty_database: str, core: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0001_one.sql").write_bytes(b"\xff\xfe")

    _, refused = await migrate(empty_database, {"A": tmp_path / "a"})

    assert "cannot be read" in refused["A"]


async def test_playbook_cannot_pose_as_the_engine(empty_database: str, core: Path, tmp_path: Path) -> None:
    """Its migrations would take the numbers of ours."""
    write(tmp_path / "mine", "0002_mine", "CREATE TABLE mine (a int)")

    applied, refused = await migrate(empty_database, {"core": tmp_path / "mine"})

    assert applied == ["core/0001_one.sql"]
    assert list(refused) == ["core"]


async def test_what_is_not_applied_is_known_without_applying_it(
    empty_database: str, core: Path, tmp_path: Path
) -> None:
    """For an engine that starts: what is missing, changed or unreadable, and what to do."""
    write(tmp_path / "a", "0001_one", "CREATE TABLE a (a int)")
    write(tmp_path / "b", "0001_one", "CREATE TABLE b (a int)")
    write(tmp_path / "c", "fix", "SELECT 1")
    folders = {name.upper(): tmp_path / name for name in "abcd"}
    pool = await asyncpg.create_pool(empty_database, min_size=1, max_size=1)

    assert (await unprepared(pool, folders))["A"] == "A/0001_one.sql is not applied: run `wanfa migrate`"
    await migrate(empty_database, folders)
    write(tmp_path / "a", "0002_two", "SELECT 1")
    write(tmp_path / "b", "0001_one", "CREATE TABLE b (a bigint)")

    assert await unprepared(pool, folders) == {
        "A": "A/0002_two.sql is not applied: run `wanfa migrate`",
        "B": "B/0001_one.sql was changed after it was applied; put it back and add a new file instead",
        "C": "C/fix.sql: a migration is called NNNN_name.sql",
    }
    await pool.close()


def test_folders_of_playbooks_are_found_by_entry_point() -> None:
    """Only those with a folder `migrations` count."""
    assert playbook_folders({"X": "plugins.flash_sale", "Y": "no_such_module"}) == {}


async def test_prepared_database_has_its_shards(settings: Settings) -> None:
    """One row a shard; a second time changes nothing."""
    await prepare_database(settings)
    assert await prepare_database(settings) == ([], {})
    connection = await asyncpg.connect(settings.postgres.url)
    rows = await connection.fetch("SELECT id, epoch FROM shards ORDER BY id")
    assert [tuple(row) for row in rows] == [(shard, 0) for shard in range(settings.gate.shards)]
    await connection.close()
