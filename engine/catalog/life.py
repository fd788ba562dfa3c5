"""The life of a play config: DRAFT, PUBLISHED, PAUSED, ENDED; and how the gate hears of it.

Postgres decides and remembers that the gate has still to be told (`warm_pending`); the gate is told
under the row's lock, so two changes cannot reach it in the wrong order, and a change that could not be
told is told again by the worker.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import msgspec

from engine import ids
from engine.catalog.configs import Rows, gate_head, load_play_configs
from engine.catalog.drafts import Drafts, check_window
from engine.catalog.model import ConfigStatus, PlayConfig
from engine.catalog.templates import Templates
from engine.errors import NotFound, PlaybookFailed, StateConflict, Unavailable
from engine.gate import records
from engine.gate.gate import Gate
from engine.sdk import Playbook, Rules, Session, Status, Window

log = logging.getLogger(__name__)

WARM_TIMEOUT_S = 2.0
WARMS_AT_ONCE = 2  # each holds a connection while the gate asks for another: fewer than the pool has

SUFFIX = re.compile(r"[0-9a-z]{1,32}")

# Status -> those that may follow it.
MOVES: Final[Mapping[ConfigStatus, tuple[ConfigStatus, ...]]] = {
    "DRAFT": ("PUBLISHED",),
    "PUBLISHED": ("PAUSED", "ENDED"),
    "PAUSED": ("PUBLISHED", "ENDED"),
    "ENDED": (),
}
WORDS: Final[Mapping[ConfigStatus, str]] = {
    "DRAFT": "草稿",
    "PUBLISHED": "已上架",
    "PAUSED": "已暂停",
    "ENDED": "已结束",
}

LOCK_OF_STORE = "SELECT 1 FROM play_configs WHERE id = $1 AND store_id = $2 FOR NO KEY UPDATE"
LOCK = "SELECT 1 FROM play_configs WHERE id = $1 FOR NO KEY UPDATE"
SET_STATUS = """
UPDATE play_configs SET status = $2, rules = $3, rules_version = $4, warm_pending = true, updated_at = now()
 WHERE id = $1
"""
INSERT_STOCK = "INSERT INTO stock (config_id, total) VALUES ($1, $2)"
INSERT_INSTANCE = """
INSERT INTO instances (id, config_id, suffix, status, current, target, wake_at, cells, rev)
VALUES ($1, $2, $3, $4, 0, $5, $6, $7, 0)
"""
# Revision 0: the gate has not touched it, so it may not know it either.
UNTOUCHED_INSTANCES = "SELECT suffix, status, target, wake_at, cells FROM instances WHERE config_id = $1 AND rev = 0"
WARMED = "UPDATE play_configs SET warm_pending = false WHERE id = $1"
# In no order, so that configs of a shard that is closed do not keep the others waiting.
PENDING = "SELECT id FROM play_configs WHERE warm_pending ORDER BY random() LIMIT $1"


class Life:
    """Moves play configs from one status to the next."""

    def __init__(self, pool: asyncpg.Pool, drafts: Drafts, templates: Templates, gate: Gate) -> None:
        self._pool = pool
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
                raise StateConflict(f"{WORDS[config.status]}的营销商品不能发布")
            playbook = await self._templates.usable(conn, config.template_code, store_id)
            check_window(config.starts_at, config.ends_at, datetime.now(UTC))
            rules = self._templates.decode_rules(playbook, config.rules)
            filled = msgspec.to_builtins(rules, str_keys=True)
            await conn.execute(SET_STATUS, config_id, "PUBLISHED", filled, playbook.version)
            await conn.execute(INSERT_STOCK, config_id, config.stock)
            sessions = _sessions(playbook, rules, Window(config.starts_at, config.ends_at))
            await conn.executemany(INSERT_INSTANCE, [_row(config_id, session) for session in sessions])
        return await self._told(store_id, config_id)

    async def pause(self, store_id: str, config_id: str) -> PlayConfig:
        """Take a config off sale for now. Raises NotFound, StateConflict."""
        return await self._move(store_id, config_id, "PAUSED")

    async def resume(self, store_id: str, config_id: str) -> PlayConfig:
        """Put a paused config back on sale. Raises NotFound, StateConflict, BadInput (template off, window over)."""
        return await self._move(store_id, config_id, "PUBLISHED")

    async def end(self, store_id: str, config_id: str) -> PlayConfig:
        """Take a config off sale for good. Raises NotFound, StateConflict."""
        return await self._move(store_id, config_id, "ENDED")

    async def warm_pending_configs(self, limit: int) -> int:
        """Tell the gate of up to `limit` changes it has not heard of; how many it now has. For the worker."""
        rows = await self._pool.fetch(PENDING, limit)
        return sum([await self._warm(row["id"]) for row in rows])

    async def _move(self, store_id: str, config_id: str, status: ConfigStatus) -> PlayConfig:
        async with self._pool.acquire() as conn, conn.transaction():
            config = await self._locked(conn, store_id, config_id)
            if config.status == "DRAFT" or status not in MOVES[config.status]:
                raise StateConflict(f"{WORDS[config.status]}的营销商品不能变为{WORDS[status]}")
            if status == "PUBLISHED":
                await self._templates.usable(conn, config.template_code, store_id)
                check_window(config.starts_at, config.ends_at, datetime.now(UTC))
            await conn.execute(SET_STATUS, config_id, status, config.rules, config.rules_version)
        return await self._told(store_id, config_id)

    async def _locked(self, conn: Rows, store_id: str, config_id: str) -> PlayConfig:
        if not await conn.fetchval(LOCK_OF_STORE, config_id, store_id):
            raise NotFound("营销商品不存在")
        return (await load_play_configs(conn, [config_id], on_sale_only=False))[0]

    async def _told(self, store_id: str, config_id: str) -> PlayConfig:
        """The config after its change; `warm_pending` when the gate could not be told just now."""
        await self._warm(config_id)
        return await self._drafts.get(store_id, config_id)

    async def _warm(self, config_id: str) -> bool:
        """Tell the gate of the config as it is now; False when it does not listen."""
        async with self._warms, self._pool.acquire() as conn, conn.transaction():
            await conn.execute(LOCK, config_id)
            (config,) = await load_play_configs(conn, [config_id], on_sale_only=False)
            if not config.warm_pending:
                return True
            sessions = {row["suffix"]: _cells(row) for row in await conn.fetch(UNTOUCHED_INSTANCES, config_id)}
            try:
                async with asyncio.timeout(WARM_TIMEOUT_S):
                    await self._gate.warm(config.shard, config_id, gate_head(config), config.stock, sessions)
            except (Unavailable, TimeoutError) as error:
                log.warning("config %s is saved but the gate does not know it yet: %r", config_id, error)
                return False
            await conn.execute(WARMED, config_id)
        return True


def _sessions(playbook: Playbook, rules: Rules, window: Window) -> tuple[Session, ...]:
    """The playbook's sessions. Raises PlaybookFailed when it cannot say them, or says them wrong."""
    try:
        sessions = tuple(playbook.sessions(rules, window))
        suffixes = {session.suffix for session in sessions if SUFFIX.fullmatch(session.suffix)}
    except Exception as error:
        log.exception("playbook %s: its sessions cannot be had", playbook.code)
        raise PlaybookFailed from error
    if len(suffixes) < len(sessions):
        log.error("playbook %s: a session's suffix is no suffix, or not its own", playbook.code)
        raise PlaybookFailed
    return sessions


def _row(config_id: str, session: Session) -> tuple[Any, ...]:
    return (
        ids.instance_id(config_id, session.suffix),
        config_id,
        session.suffix,
        session.status.name,
        session.target,
        session.wake_at,
        session.cells,
    )


def _cells(row: asyncpg.Record) -> bytes:
    return records.cells(
        status=Status[row["status"]],
        current=0,
        target=row["target"],
        wake_at_ms=records.ms(row["wake_at"]) if row["wake_at"] else 0,
        rev=0,
        own=row["cells"],
    )
