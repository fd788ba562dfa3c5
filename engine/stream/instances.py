"""Instances as rows: sessions from publication on, and what Redis has said of each instance since."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.catalog.model import PlayConfig
from engine.core import ids
from engine.sdk import Session

OPEN_SESSION = """
INSERT INTO instances (id, config_id, suffix, status, current, target, wake_at, cells, rev)
VALUES ($1, $2, $3, $4, 0, $5, $6, $7, 0)
"""
UPSERT = """
INSERT INTO instances AS i (id, config_id, suffix, status, current, target, wake_at, cells, rev, created_at)
SELECT config_id || '.' || suffix, config_id, suffix, status, current, target,
       CASE WHEN wake_at_ms > 0 THEN to_timestamp(wake_at_ms::float8 / 1000) END, cells::jsonb, rev,
       to_timestamp(now_ms::float8 / 1000)
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::text[], $8::bigint[],
              $9::bigint[])
    AS n(config_id, suffix, status, current, target, wake_at_ms, cells, rev, now_ms)
ON CONFLICT (id) DO UPDATE
   SET status = excluded.status, current = excluded.current, target = excluded.target,
       wake_at = excluded.wake_at, cells = excluded.cells, rev = excluded.rev
 WHERE excluded.rev > i.rev
RETURNING i.id, i.config_id, i.status
"""


async def open_sessions(connection: PoolConnectionProxy, config: PlayConfig, sessions: Sequence[Session]) -> None:
    """The sessions of a config that goes on sale; the gate has not touched them yet (`rev` 0)."""
    await connection.executemany(OPEN_SESSION, [_row(config.id, session) for session in sessions])


async def follow_snapshots(connection: PoolConnectionProxy, columns: Sequence[Sequence[Any]]) -> list[asyncpg.Record]:
    """Instances as Redis last said; id, config_id and status of those that this is news of.

    Columns: config id, suffix, status, current, target, wake at in ms or 0, cells as JSON, rev, Redis' time in ms.
    """
    news: list[asyncpg.Record] = await connection.fetch(UPSERT, *columns)
    return news


def _row(config_id: str, session: Session) -> tuple[Any, ...]:
    cells: Mapping[str, Any] = session.cells
    return (
        ids.instance_id(config_id, session.suffix),
        config_id,
        session.suffix,
        session.status.name,
        session.target,
        session.wake_at,
        cells,
    )
