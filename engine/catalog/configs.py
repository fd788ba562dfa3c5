"""Play configs as rows, and as what the gate must know of them."""

from collections.abc import Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.catalog.model import PlayConfig
from engine.gate import records
from engine.gate.records import HeadStatus

# What a query can be asked of: the pool, or the connection of a transaction.
Rows = asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy

# A draft is nobody's business but its store's; what is archived is in no process' memory.
LOAD_PLAY_CONFIGS = """
SELECT c.id, c.store_id, t.name AS store_name, t.city, c.service_id, s.name AS service_name, s.asset_type,
       s.unit_name, s.units_per_share, c.template_code, c.title, c.price_fen, c.stock, c.rules, c.rules_version,
       c.asks, c.starts_at, c.ends_at, c.status, c.paused_why, c.shard, c.warm_pending, c.created_at
  FROM play_configs c
  JOIN services s ON s.id = c.service_id
  JOIN stores t ON t.id = c.store_id
 WHERE ($1::text[] IS NULL OR c.id = ANY($1))
   AND (NOT $2 OR c.status <> 'DRAFT' AND c.archived_at IS NULL)
 ORDER BY c.id
"""


async def load_play_configs(conn: Rows, ids: Sequence[str] | None, live_only: bool) -> list[PlayConfig]:
    """The configs with these ids (None: all), by id; `live_only` leaves out drafts and what is archived."""
    rows = await conn.fetch(LOAD_PLAY_CONFIGS, None if ids is None else list(ids), live_only)
    return [PlayConfig(**dict(row)) for row in rows]


def gate_head(config: PlayConfig) -> bytes:
    """The `head` the gate keeps of a config that is no draft; `rules` are complete, defaults filled in."""
    return records.head(
        code=config.template_code,
        status=HeadStatus[config.status],
        starts_at=config.starts_at,
        ends_at=config.ends_at,
        price_fen=config.price_fen,
        limit=config.rules["limitPerPerson"],
        rules=config.rules,
    )
