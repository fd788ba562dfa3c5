"""A database that has sold already is taken along: what an earlier version wrote means the same afterwards."""

from pathlib import Path
from shutil import copy

import asyncpg
import pytest

from engine.db import migrations
from engine.db.migrations import migrate

PLACE = """
INSERT INTO shards (id) VALUES (0);
INSERT INTO stores (id, name, city) VALUES ('1001', '一店', 'BJ');
INSERT INTO services (id, store_id, name, asset_type, unit_name, units_per_share)
VALUES ('v1', '1001', '舞蹈课', 'COURSE', '节', 10);
INSERT INTO play_configs (id, store_id, service_id, template_code, title, price_fen, stock, rules, rules_version,
                          starts_at, ends_at, status, shard)
VALUES ('c1', '1001', 'v1', 'P', 't', 990, 9, '{}', '1', now(), now() + interval '1 d', 'PUBLISHED', 0);
INSERT INTO stock (config_id, total, reserved) VALUES ('c1', 9, 4);
"""
ADD_INSTANCE = """
INSERT INTO instances (id, config_id, suffix, status, current, target, cells, rev, stock, reserved)
VALUES ('c1.' || $1, 'c1', $1, 'PENDING', 0, 0, '{}', 1, $2, $3)
"""
ADD_ORDER = """
INSERT INTO orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, reason, gate_state,
                    fingerprint, receipt, pay_before, created_at)
VALUES ($1, 'c1', 'c1.s1', 'u1', 'r', 1, 990, $2, $3, 0, 0, '{1,0,0}', now(), now())
"""
OWED, ASKED, PAID = (f"{number:032x}" for number in (1, 2, 3))


@pytest.fixture
async def before_histories(empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database with the tables of the version before orders had a history."""
    earlier = sorted(migrations.CORE_FOLDER.glob("*.sql"))[:2]
    for path in earlier:
        copy(path, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "CORE_FOLDER", tmp_path)
        await migrate(empty_database)
    return empty_database


async def test_the_stock_of_sessions_is_taken_along(before_histories: str) -> None:
    """With what is reserved of it; an instance without stock of its own gets none."""
    connection = await asyncpg.connect(before_histories)
    await connection.execute(PLACE)
    await connection.execute(ADD_INSTANCE, "s1", 5, 3)
    await connection.execute(ADD_INSTANCE, "g1", None, 0)
    await migrate(before_histories)
    found = await connection.fetch("SELECT instance_id, config_id, total, reserved FROM session_stock")
    assert [tuple(row) for row in found] == [("c1.s1", "c1", 5, 3)]
    with pytest.raises(asyncpg.CheckViolationError, match="session_not_oversold"):
        await connection.execute("UPDATE session_stock SET reserved = 6")
    await connection.close()


async def test_late_payers_who_wait_for_a_seat_still_do(before_histories: str) -> None:
    """Those whose money is on its way back do not, whatever their reason says."""
    connection = await asyncpg.connect(before_histories)
    await connection.execute(PLACE)
    for order_id, status, reason in (
        (OWED, "REFUNDING", "LATE_PAYMENT"),
        (ASKED, "REFUNDING", "LATE_PAYMENT"),
        (PAID, "PAID", None),
    ):
        await connection.execute(ADD_ORDER, order_id, status, reason)
    await connection.execute("INSERT INTO refunds (order_id, refund_no, amount_fen) VALUES ($1, 'r1', 990)", OWED)
    await migrate(before_histories)
    asked = await connection.fetch("SELECT id FROM orders WHERE seat_asked")
    assert [row["id"].hex for row in asked] == [ASKED]
    assert await connection.fetchval("SELECT count(*) FROM order_events") == 0
    await connection.close()
