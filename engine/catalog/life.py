"""The life of a play config: DRAFT, PUBLISHED, PAUSED, ENDED; and how the gate hears of it.

Postgres decides and remembers that the gate has still to be told (`warm_pending`); the gate is told
under the row's lock, so two changes cannot reach it in the wrong order, and a change that could not be
told is told again by the worker.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.catalog.configs import Rows, gate_head, load_play_configs
from engine.catalog.drafts import Drafts, check_window
from engine.catalog.model import ConfigStatus, PlayConfig
from engine.catalog.templates import Templates
from engine.core.errors import NotFound, StateConflict, Unavailable
from engine.core.logs import SELDOM
from engine.core.texts import Text
from engine.gate import records
from engine.gate.gate import Gate
from engine.playbooks.consult import judge, upgraded_rules
from engine.sdk import Offer, Playbook, Session, Status, Window

log = logging.getLogger(__name__)

WARM_TIMEOUT_S = 2.0
WARMS_AT_ONCE = 2  # each holds a connection while the gate asks for another: fewer than the pool has
WARM_UP_MINUTES = 5  # before its start a config is told to the gate once more
PLAYBOOK_MISSING = "PLAYBOOK_MISSING"

# Status -> those that may follow it.
MAY_FOLLOW: Final[Mapping[ConfigStatus, tuple[ConfigStatus, ...]]] = {
    "DRAFT": ("PUBLISHED",),
    "PUBLISHED": ("PAUSED", "ENDED"),
    "PAUSED": ("PUBLISHED", "ENDED"),
    "ENDED": (),
}
WORDS: Final[Mapping[ConfigStatus, Text]] = {
    "DRAFT": Text("草稿", "a draft"),
    "PUBLISHED": Text("已在售", "on sale"),
    "PAUSED": Text("已暂停", "paused"),
    "ENDED": Text("已结束", "ended"),
}
OVER = Text(
    "售卖时间已过，无需暂停；可以结束售卖", "Its time on sale is over, there is nothing to pause; it can be ended"
)

LOCK_OF_STORE = "SELECT 1 FROM play_configs WHERE id = $1 AND store_id = $2 FOR NO KEY UPDATE"
LOCK = "SELECT 1 FROM play_configs WHERE id = $1 FOR NO KEY UPDATE"
SET_STATUS = """
UPDATE play_configs SET status = $2, paused_why = NULL, warm_pending = true, updated_at = now() WHERE id = $1
"""
SET_PUBLISHED = """
UPDATE play_configs
   SET status = 'PUBLISHED', rules = $2, rules_version = $3, asks = $4, newcomer_verbs = $5, warm_pending = true,
       updated_at = now()
 WHERE id = $1
"""
# Revision 0: the gate has not touched it, so it may not know it either.
UNTOUCHED_INSTANCES = """
SELECT suffix, status, target, wake_at, cells, s.total AS stock
  FROM instances i LEFT JOIN session_stock s ON s.instance_id = i.id WHERE i.config_id = $1 AND rev = 0
"""
IS_ARCHIVED = "SELECT archived_at IS NOT NULL FROM play_configs WHERE id = $1"  # the gate is to know nothing of it
WARMED = "UPDATE play_configs SET warm_pending = false, warmed_ms = coalesce($2, warmed_ms) WHERE id = $1"
# In no order, so that configs of a shard that is closed do not keep the others waiting.
PENDING = "SELECT id FROM play_configs WHERE warm_pending ORDER BY random() LIMIT $1"
WARM_UP = """
UPDATE play_configs SET warm_pending = true, warmed_up = true
 WHERE status = 'PUBLISHED' AND NOT warmed_up
   AND starts_at > now() AND starts_at <= now() + make_interval(mins => $1)
"""
# What the engine paused it puts back on sale: the store never asked for it to stop.
RESUME_FOUND = """
UPDATE play_configs SET status = 'PUBLISHED', paused_why = NULL, warm_pending = true, updated_at = now()
 WHERE status = 'PAUSED' AND paused_why = $2 AND template_code = ANY ($1::text[]) AND ends_at > now()
RETURNING template_code
"""
PAUSE_ORPHANS = """
UPDATE play_configs SET status = 'PAUSED', paused_why = $2, warm_pending = true, updated_at = now()
 WHERE status = 'PUBLISHED' AND template_code <> ALL ($1::text[]) AND archived_at IS NULL
RETURNING template_code
"""
ORPHANS = """
SELECT template_code AS code, count(*) AS paused FROM play_configs
 WHERE paused_why = $2 AND template_code <> ALL ($1::text[]) AND archived_at IS NULL
 GROUP BY template_code ORDER BY template_code
"""


# Something that follows a publication, in its transaction: what else a config on sale, with these sessions, needs.
Published = Callable[[PoolConnectionProxy, PlayConfig, Sequence[Session]], Awaitable[None]]


class Life:
    """Moves play configs from one status to the next."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        drafts: Drafts,
        templates: Templates,
        gate: Gate,
        published: Sequence[Published],
    ) -> None:
        self._pool = pool
        self._published = published
        self._drafts = drafts
        self._templates = templates
        self._gate = gate
        self._warms = asyncio.Semaphore(WARMS_AT_ONCE)

    async def publish(self, store_id: str, config_id: str) -> PlayConfig:
        """Put a draft on sale: check it, create its stock and sessions, tell the gate.

        Raises NotFound, StateConflict, PlaybookFailed; BadInput (template, window) and RulesInvalid name the field.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            config = await self._locked(conn, store_id, config_id)
            if config.status != "DRAFT":
                was = WORDS[config.status]
                raise StateConflict(
                    Text(f"{was.zh}的营销商品不能发布", f"The product is {was.en}, it cannot be published")
                )
            playbook = await self._templates.usable(conn, config.template_code, store_id)
            await self._put_on_sale(conn, config, playbook)
        return await self._told(store_id, config_id)

    async def pause(self, store_id: str, config_id: str) -> PlayConfig:
        """Take a config off sale for now. Raises NotFound, StateConflict (also once its time is over)."""
        return await self._move(store_id, config_id, "PAUSED")

    async def resume(self, store_id: str, config_id: str) -> PlayConfig:
        """Put a paused config back on sale.

        Raises NotFound, StateConflict (also while its playbook is missing), BadInput (template off, window over).
        """
        return await self._move(store_id, config_id, "PUBLISHED")

    async def end(self, store_id: str, config_id: str) -> PlayConfig:
        """Take a config off sale for good. Raises NotFound, StateConflict."""
        return await self._move(store_id, config_id, "ENDED")

    async def warm_pending_configs(self, limit: int) -> int:
        """Tell the gate of up to `limit` changes it has not heard of; how many it now has."""
        rows = await self._pool.fetch(PENDING, limit)
        return sum([await self._warm(row["id"]) for row in rows])

    async def warm_up_due(self) -> int:
        """Have the gate and every process hear once more of what starts within minutes; how many."""
        return _rows(await self._pool.execute(WARM_UP, WARM_UP_MINUTES))

    async def pause_orphans(self, loaded: Collection[str]) -> int:
        """Pause what is on sale by a playbook that is not `loaded` any more; how many.

        What was paused for that and whose playbook is back goes on sale again.
        """
        found = await self._pool.fetch(RESUME_FOUND, list(loaded), PLAYBOOK_MISSING)
        for code, count in Counter(row["template_code"] for row in found).items():
            log.warning("playbook %s is loaded again: %d of its configs are back on sale", code, count)
        rows = await self._pool.fetch(PAUSE_ORPHANS, list(loaded), PLAYBOOK_MISSING)
        for code, count in Counter(row["template_code"] for row in rows).items():
            log.error("playbook %s is not loaded: %d of its configs on sale are paused", code, count)
        return len(rows)

    async def orphans(self, loaded: Collection[str]) -> dict[str, int]:
        """Code of a playbook that is not `loaded` -> how many of its configs are paused for that."""
        rows = await self._pool.fetch(ORPHANS, list(loaded), PLAYBOOK_MISSING)
        return {row["code"]: row["paused"] for row in rows}

    async def _put_on_sale(self, conn: PoolConnectionProxy, config: PlayConfig, playbook: Playbook) -> None:
        check_window(config.starts_at, config.ends_at, datetime.now(UTC))
        given = upgraded_rules(playbook, config.rules, config.rules_version)
        rules = self._templates.decode_rules(playbook, given)
        window = Window(config.starts_at, config.ends_at)
        judged = judge(playbook, rules, Offer(price_fen=config.price_fen, stock=config.stock, window=window))
        filled = msgspec.to_builtins(rules, str_keys=True)
        fixed = judged.asks, judged.newcomer_verbs
        await conn.execute(SET_PUBLISHED, config.id, filled, playbook.version, *fixed)
        for consequence in self._published:
            await consequence(conn, config, judged.sessions)

    async def _move(self, store_id: str, config_id: str, status: ConfigStatus) -> PlayConfig:
        async with self._pool.acquire() as conn, conn.transaction():
            config = await self._locked(conn, store_id, config_id)
            if config.status == "DRAFT" or status not in MAY_FOLLOW[config.status]:
                raise StateConflict(_no_way(config.status, status))
            if status == "PAUSED" and config.ends_at <= datetime.now(UTC):
                raise StateConflict(OVER)
            if status == "PUBLISHED":
                self._templates.check_loaded(config.template_code)
                await self._templates.usable(conn, config.template_code, store_id)
                check_window(config.starts_at, config.ends_at, datetime.now(UTC))
            await conn.execute(SET_STATUS, config_id, status)
        return await self._told(store_id, config_id)

    async def _locked(self, conn: Rows, store_id: str, config_id: str) -> PlayConfig:
        if not await conn.fetchval(LOCK_OF_STORE, config_id, store_id):
            raise NotFound(Text("营销商品不存在", "There is no such product"))
        return (await load_play_configs(conn, [config_id], live_only=False))[0]

    async def _told(self, store_id: str, config_id: str) -> PlayConfig:
        """The config after its change; `warm_pending` when the gate could not be told just now."""
        await self._warm(config_id)
        return await self._drafts.get(store_id, config_id)

    async def _warm(self, config_id: str) -> bool:
        """Tell the gate of the config as it is now; False when it does not listen."""
        async with self._warms, self._pool.acquire() as conn, conn.transaction():
            await conn.execute(LOCK, config_id)
            (config,) = await load_play_configs(conn, [config_id], live_only=False)
            if not config.warm_pending:
                return True
            if await conn.fetchval(IS_ARCHIVED, config_id):
                await conn.execute(WARMED, config_id, None)
                return True
            sessions = {row["suffix"]: _cells(row) for row in await conn.fetch(UNTOUCHED_INSTANCES, config_id)}
            try:
                async with asyncio.timeout(WARM_TIMEOUT_S):
                    heard_ms = await self._gate.warm(config.shard, config_id, gate_head(config), config.stock, sessions)
            except (Unavailable, TimeoutError) as error:
                why = type(error).__name__
                log.warning(
                    "config %s is saved; its shard does not answer (%s) and is told later", config_id, why, extra=SELDOM
                )
                return False
            await conn.execute(WARMED, config_id, heard_ms)
        return True


def _no_way(was: ConfigStatus, wanted: ConfigStatus) -> Text:
    words, others = WORDS[was], WORDS[wanted]
    if was == wanted:
        return Text(f"营销商品{words.zh}", f"The product is {words.en} already")
    return Text(f"{words.zh}的营销商品不能变为{others.zh}", f"The product is {words.en}, it cannot become {others.en}")


def _cells(row: asyncpg.Record) -> bytes:
    return records.cells(
        status=Status[row["status"]],
        current=0,
        target=row["target"],
        wake_at_ms=records.ms(row["wake_at"]) if row["wake_at"] else 0,
        rev=0,
        own=row["cells"],
        left=row["stock"],
    )


def _rows(status: str) -> int:
    """How many rows a statement says it changed."""
    return int(status.rpartition(" ")[2])
