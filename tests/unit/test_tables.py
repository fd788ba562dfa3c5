"""A table is written by one package: the SQL is read, and compared with the table of tables in engine/README.md."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MIGRATIONS = "engine/db/sql"

_NAME = r"(?:public\.)?\"?(\w+|\{\w*\})\"?"
_WRITES = re.compile(
    rf"""
      INSERT \s+ INTO \s+ {_NAME}
    | (?<! DO \s) (?<! FOR \s) (?<! NO \s KEY \s) UPDATE \s+ (?:ONLY \s+)? {_NAME} (?: \s+ (?:AS \s+)? \w+)? \s+ SET
    | DELETE \s+ FROM \s+ (?:ONLY \s+)? {_NAME}
    | MERGE \s+ INTO \s+ {_NAME}
    | TRUNCATE \s+ (?:TABLE \s+)? {_NAME}
    | COPY \s+ {_NAME} [^;]*? \s FROM
    """,
    re.VERBOSE,
)
_COPIES = {"copy_records_to_table", "copy_to_table"}
_CREATES = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)


def texts_of(source: str) -> Iterator[str]:
    """Every text in a Python file, an f-string with its holes as `{}`; and what is copied into a table."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _COPIES:
            yield f"INSERT INTO {ast.literal_eval(node.args[0])}"


def written_by(source: str) -> set[str]:
    """The tables that a Python file writes, whatever the case of its SQL."""
    return {
        next(name for name in match.groups() if name)
        for text in texts_of(source)
        for match in re.finditer(_WRITES.pattern, text, re.VERBOSE | re.IGNORECASE)
    }


def writers() -> dict[str, set[str]]:
    """Table -> the packages of the engine, or the doors, that write it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in [*(CHECKOUT / "engine").rglob("*.py"), *(CHECKOUT / "api").rglob("*.py")]:
        parts = path.relative_to(CHECKOUT).parts
        package = parts[1] if parts[0] == "engine" else "api"
        for table in written_by(path.read_text(encoding="utf-8")):
            found[table].add(package)
    return found


def owners() -> dict[str, str]:
    """Table -> its package, as engine/README.md says."""
    readme = (CHECKOUT / "engine" / "README.md").read_text(encoding="utf-8")
    return dict(_ROW.findall(readme.partition("## Tables")[2]))


def test_a_table_is_written_by_the_package_that_owns_it() -> None:
    assert {table: sorted(packages) for table, packages in sorted(writers().items())} == {
        table: [owner] for table, owner in sorted(owners().items())
    }


def test_every_table_has_an_owner() -> None:
    """And no row of that table is about one that is gone."""
    sql = "".join(path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / MIGRATIONS).glob("*.sql")))
    assert {*_CREATES.findall(sql), "schema_migrations"} == owners().keys()


@pytest.mark.parametrize(
    ("source", "tables"),
    [
        ('"INSERT INTO orders (id) VALUES ($1)"', {"orders"}),
        ('"insert into public.orders select 1"', {"orders"}),
        ('"INSERT INTO orders AS o (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = 1"', {"orders"}),
        ('"WITH a AS (UPDATE stock SET b = 1) UPDATE instances i SET c = 2"', {"stock", "instances"}),
        ('"UPDATE ONLY stock AS s\\n   SET b = 1"', {"stock"}),
        ('"DELETE FROM gate_events USING x"', {"gate_events"}),
        ('"TRUNCATE notices"', {"notices"}),
        ('"SELECT 1 FROM orders FOR NO KEY UPDATE OF orders"', set()),
        ('"SELECT 1 FROM orders FOR UPDATE"', set()),
        ('f"UPDATE {table} SET a = 1"', {"{}"}),
        ('"UPDATE {table} SET a = 1"', {"{table}"}),
        ('connection.copy_records_to_table("orders", records=rows)', {"orders"}),
        ('"MERGE INTO stock s USING x ON true WHEN MATCHED THEN DO NOTHING"', {"stock"}),
    ],
)
def test_a_write_is_seen(source: str, tables: set[str]) -> None:
    """However it is spelled, in constants and in f-strings; a name that is put in later belongs to nobody."""
    assert written_by(source) == tables


def test_only_one_file_moves_an_order() -> None:
    """Every statement that changes an order's status, and every row of its history, is in engine/orders/moves.py."""
    moving = re.compile(
        r"UPDATE\s+orders\b[^;]*?\bSET\b(?:(?!\bWHERE\b|\bFROM\b).)*\bstatus\s*=", re.IGNORECASE | re.DOTALL
    )
    found = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "engine").rglob("*.py")
        for text in texts_of(path.read_text(encoding="utf-8"))
        if moving.search(text) or "INSERT INTO order_events" in text
    }
    assert found == {"engine/orders/moves.py"}
