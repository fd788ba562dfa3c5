"""A consumer's own instances: those they opened, have an order in, or acted in."""

from datetime import datetime

import asyncpg
import msgspec

from engine.core.pages import Page, page_of, unmark_moment
from engine.sdk import Status

STATUSES = tuple(status.name for status in Status)

# Reads one person's own rows (orders_of_user, actions_of_user), however many others there are. An order that was given
# back makes an instance one's own only if one opened it: its id begins with the order's (ids.opened_suffix).
LIST = """
WITH touched AS (
    SELECT config_id, instance_id, created_at, status IN ('HELD', 'PAID') AS lasts,
           instance_id = config_id || '.' || left(replace(id::text, '-', ''), 16) AS opened
      FROM orders WHERE user_id = $1 AND reason IS DISTINCT FROM 'FENCED'
     UNION ALL
    SELECT config_id, instance_id, created_at, true,
           instance_id = config_id || '.' || left(replace(id::text, '-', ''), 16)
      FROM actions WHERE user_id = $1
), own AS (
    SELECT instance_id, max(created_at) AS touched_at, bool_or(opened) AS opened
      FROM touched WHERE (lasts OR opened) AND ($2::text IS NULL OR config_id = $2) GROUP BY instance_id
)
SELECT i.id, i.config_id, c.store_id, c.template_code AS play_code, c.title, i.status, i.current, i.target,
       own.opened, own.touched_at
  FROM own JOIN instances i ON i.id = own.instance_id JOIN play_configs c ON c.id = i.config_id
 WHERE ($3::text IS NULL OR i.status = $3) AND ($4::timestamptz IS NULL OR (own.touched_at, i.id) < ($4, $5))
 ORDER BY own.touched_at DESC, i.id DESC LIMIT $6
"""


class Steps(msgspec.Struct, frozen=True):
    """进度"""

    current: int
    target: int


class OwnInstance(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """我发起、参加或操作过的玩法实例；opened 表示由我发起，touchedAt 为我最近一次点击的时间"""

    id: str
    config_id: str
    store_id: str
    play_code: str
    title: str
    status: str
    progress: Steps
    opened: bool
    touched_at: datetime


class OwnInstances:
    """Those of each consumer, as far as clicks are rows: the last moment's may be missing."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(
        self, user: str, cursor: str | None, limit: int, *, config_id: str | None = None, status: str | None = None
    ) -> Page[OwnInstance]:
        """Those the user clicked on last come first. `status` is one of STATUSES. Raises CursorInvalid."""
        rows = await self._pool.fetch(LIST, user, config_id, status, *unmark_moment(cursor), limit + 1)
        return page_of([_own(row) for row in rows], limit, lambda own: (own.touched_at.isoformat(), own.id))


def _own(row: asyncpg.Record) -> OwnInstance:
    fields = dict(row)
    return OwnInstance(progress=Steps(fields.pop("current"), fields.pop("target")), **fields)
