"""Units: opened at publication, taken with orders, given back. A CHECK in both tables is the last line.

Orders HELD or PAID count in `stock`, and those of a session with stock of its own in `session_stock` as well. A
session's row is changed by whoever has its config's row locked, so the two never disagree.
"""

from collections.abc import Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.catalog.model import PlayConfig
from engine.core import ids
from engine.sdk import Session

OVERSOLD = ("stock_not_oversold", "session_not_oversold")

OPEN = "INSERT INTO stock (config_id, total) VALUES ($1, $2)"
OPEN_SESSIONS = """
INSERT INTO session_stock (config_id, instance_id, total) SELECT $1, * FROM unnest($2::text[], $3::int[])
"""
# In the order of ids, like everyone who locks more than one: no two transactions wait for each other.
LOCK = "SELECT 1 FROM stock WHERE config_id = ANY($1::text[]) ORDER BY config_id FOR NO KEY UPDATE"
_COUNT = """
WITH moved AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) AS m(config_id, instance_id, quantity)
), of_configs AS (
    UPDATE stock SET reserved = reserved {sign} m.units
      FROM (SELECT config_id, sum(quantity)::int AS units FROM moved GROUP BY config_id) m
     WHERE stock.config_id = m.config_id
)
UPDATE session_stock SET reserved = reserved {sign} m.units
  FROM (SELECT instance_id, sum(quantity)::int AS units FROM moved GROUP BY instance_id) m
 WHERE session_stock.instance_id = m.instance_id
"""
TAKE, GIVE_BACK = _COUNT.format(sign="+"), _COUNT.format(sign="-")


async def open_stock(connection: PoolConnectionProxy, config: PlayConfig, sessions: Sequence[Session]) -> None:
    """The stock of a config that goes on sale, and of those of its sessions that have stock of their own."""
    await connection.execute(OPEN, config.id, config.stock)
    own = [(ids.instance_id(config.id, one.suffix), one.stock) for one in sessions if one.stock is not None]
    if own:
        await connection.execute(OPEN_SESSIONS, config.id, *map(list, zip(*own, strict=True)))


async def lock_stock(connection: PoolConnectionProxy, config_ids: Sequence[str]) -> None:
    """From here on nobody else counts units of these configs."""
    await connection.execute(LOCK, config_ids)


async def take(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """Count the units of orders that hold or are paid again."""
    await _count(connection, TAKE, moved)


async def give_back(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """Count the units of orders that hold nothing any more as free."""
    await _count(connection, GIVE_BACK, moved)


async def _count(connection: PoolConnectionProxy, statement: str, moved: Sequence[asyncpg.Record]) -> None:
    configs = [row["config_id"] for row in moved]
    await lock_stock(connection, sorted(set(configs)))
    instances, quantities = [row["instance_id"] for row in moved], [row["quantity"] for row in moved]
    await connection.execute(statement, configs, instances, quantities)
