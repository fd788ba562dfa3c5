"""Drafts: play configs that only their store sees and may still change."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import asyncpg
import msgspec
from msgspec.structs import replace

from engine.catalog.configs import load_play_configs
from engine.catalog.model import PlayConfig
from engine.catalog.services import Services
from engine.catalog.templates import Templates
from engine.core import ids
from engine.core.errors import BadInput, NotFound, RulesInvalid, StateConflict
from engine.core.pages import YEAR_MAX, YEAR_MIN, Page, page_of, unmark_moment
from engine.core.plain import unkeepable
from engine.core.schema import ERRORS_MAX, FieldError
from engine.core.texts import Text
from engine.playbooks.consult import upgraded_rules

UPGRADES_AT_ONCE = 100

INSERT_DRAFT = """
INSERT INTO play_configs (id, store_id, shard, service_id, template_code, title, price_fen, stock, rules,
                          rules_version, starts_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
UPDATE_DRAFT = """
UPDATE play_configs
   SET service_id = $3, template_code = $4, title = $5, price_fen = $6, stock = $7, rules = $8,
       rules_version = $9, starts_at = $10, ends_at = $11, updated_at = now()
 WHERE id = $1 AND store_id = $2 AND status = 'DRAFT'
"""
DELETE_DRAFT = "DELETE FROM play_configs WHERE id = $1 AND store_id = $2 AND status = 'DRAFT'"
OF_STORE = "SELECT id FROM play_configs WHERE id = $1 AND store_id = $2"
LIST_OF_STORE = """
SELECT id FROM play_configs
 WHERE store_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
 ORDER BY created_at DESC, id DESC LIMIT $4
"""
# By id, so that drafts whose upgrade fails do not come again and again.
OLD_DRAFTS = """
SELECT c.id FROM play_configs c JOIN unnest($1::text[], $2::text[]) AS p(code, version) ON p.code = c.template_code
 WHERE c.status = 'DRAFT' AND c.rules_version <> p.version AND c.id > $3
 ORDER BY c.id LIMIT $4
"""
LOCK_DRAFT = "SELECT 1 FROM play_configs WHERE id = $1 AND status = 'DRAFT' FOR NO KEY UPDATE"
UPGRADE_DRAFT = "UPDATE play_configs SET rules = $2, rules_version = $3, updated_at = now() WHERE id = $1"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a store fills in. The rules are checked when it is published."""

    service_id: str
    template_code: str
    title: str
    price_fen: int
    stock: int
    rules: dict[str, Any]
    starts_at: datetime
    ends_at: datetime


class Drafts:
    """A store's play configs, and what may be done with them before they are on sale."""

    def __init__(self, pool: asyncpg.Pool, services: Services, templates: Templates, shards: int) -> None:
        self._pool = pool
        self._services = services
        self._templates = templates
        self._shards = shards

    async def create(self, store_id: str, draft: Draft) -> PlayConfig:
        """A new draft. Raises BadInput and NotFound, naming the field."""
        config_id = ids.new_config_id()
        values = await self._values(store_id, draft)
        shard = ids.shard_of(config_id, self._shards)
        await self._pool.execute(INSERT_DRAFT, config_id, store_id, shard, *values)
        return await self.get(store_id, config_id)

    async def edit(self, store_id: str, config_id: str, changes: dict[str, Any]) -> PlayConfig:
        """The draft with some fields of Draft changed. Raises as `create`, and StateConflict once it is no draft."""
        current = await self.get(store_id, config_id)
        fields = {name: changes.get(name, getattr(current, name)) for name in Draft.__struct_fields__}
        draft = Draft(**fields)
        # Rules that nobody has touched stay what they are, of the version they are of.
        same = "rules" not in changes and draft.template_code == current.template_code
        values = await self._values(store_id, draft, current.rules_version if same else None)
        done = await self._pool.execute(UPDATE_DRAFT, config_id, store_id, *values)
        if done == "UPDATE 0":
            raise StateConflict(Text("只有草稿可以修改", "Only a draft can be changed"))
        return await self.get(store_id, config_id)

    async def delete(self, store_id: str, config_id: str) -> None:
        """Raises NotFound, and StateConflict when it is no draft."""
        await self.get(store_id, config_id)
        if await self._pool.execute(DELETE_DRAFT, config_id, store_id) == "DELETE 0":
            raise StateConflict(Text("只有草稿可以删除", "Only a draft can be deleted"))

    async def get(self, store_id: str, config_id: str) -> PlayConfig:
        """A play config of this store, draft or not. Raises NotFound, for another store's as well."""
        found = await self._pool.fetchval(OF_STORE, config_id, store_id)
        configs = await load_play_configs(self._pool, [config_id], live_only=False) if found else []
        if not configs:
            raise NotFound(Text("营销商品不存在", "There is no such product"))
        return self._upgraded(configs[0])

    async def page(self, store_id: str, cursor: str | None, limit: int) -> Page[PlayConfig]:
        """The store's play configs, newest first."""
        rows = await self._pool.fetch(LIST_OF_STORE, store_id, *unmark_moment(cursor), limit + 1)
        configs = await load_play_configs(self._pool, [row["id"] for row in rows], live_only=False)
        configs.sort(key=lambda config: (config.created_at, config.id), reverse=True)
        configs = [self._upgraded(config) for config in configs]
        return page_of(configs, limit, lambda config: (config.created_at.isoformat(), config.id))

    async def upgrade_drafts(self) -> int:
        """Store every draft's rules as the loaded version of its playbook wants them; how many changed.

        Whoever reads a draft sees it upgraded anyway.
        """
        count, last = 0, ""
        while found := await self._old_drafts(last):
            count += sum([await self._upgrade(config_id) for config_id in found])
            last = found[-1]
        return count

    async def _old_drafts(self, after: str) -> list[str]:
        versions = self._templates.versions()
        rows = await self._pool.fetch(OLD_DRAFTS, list(versions), list(versions.values()), after, UPGRADES_AT_ONCE)
        return [row["id"] for row in rows]

    async def _upgrade(self, config_id: str) -> bool:
        async with self._pool.acquire() as conn, conn.transaction():
            if not await conn.fetchval(LOCK_DRAFT, config_id):
                return False
            (old,) = await load_play_configs(conn, [config_id], live_only=False)
            new = self._upgraded(old)
            if new.rules_version == old.rules_version:
                return False
            await conn.execute(UPGRADE_DRAFT, config_id, new.rules, new.rules_version)
        return True

    def _upgraded(self, config: PlayConfig) -> PlayConfig:
        """A draft as the loaded version of its playbook wants it; as it is where that cannot be had."""
        playbook = self._templates.loaded(config.template_code)
        if config.status != "DRAFT" or playbook is None:
            return config
        try:
            rules = upgraded_rules(playbook, config.rules, config.rules_version)
        except RulesInvalid:
            return config  # it has been logged, and publishing says so
        return replace(config, rules=rules, rules_version=playbook.version)

    async def _values(self, store_id: str, draft: Draft, rules_version: str | None = None) -> Sequence[Any]:
        """The columns from service_id to ends_at, checked as far as a draft has to be right."""
        check_window(draft.starts_at, draft.ends_at)
        if wrong := list(islice(unkeepable(draft.rules, "/rules"), ERRORS_MAX)):
            raise RulesInvalid(errors=wrong)
        try:
            await self._services.get(store_id, draft.service_id)
        except NotFound as error:
            raise NotFound(error.detail, errors=[FieldError("/serviceId", error.detail)]) from None
        playbook = await self._templates.usable(self._pool, draft.template_code, store_id)
        return (
            draft.service_id,
            draft.template_code,
            draft.title,
            draft.price_fen,
            draft.stock,
            draft.rules,
            rules_version or playbook.version,
            draft.starts_at,
            draft.ends_at,
        )


def check_window(starts_at: datetime, ends_at: datetime, now: datetime | None = None) -> None:
    """Raises BadInput when the window is empty, absurd, or (given `now`) over."""
    for pointer, moment in (("/startsAt", starts_at), ("/endsAt", ends_at)):
        if not YEAR_MIN <= moment.year < YEAR_MAX:
            zh = f"时间必须在 {YEAR_MIN} 年至 {YEAR_MAX} 年之间"
            _refuse(pointer, Text(zh, f"The time must lie between the years {YEAR_MIN} and {YEAR_MAX}"))
    if ends_at <= starts_at:
        _refuse("/endsAt", Text("结束时间必须晚于开始时间", "The end must come after the start"))
    if now is not None and ends_at <= now:
        _refuse("/endsAt", Text("结束时间必须晚于现在", "The end must lie in the future"))


def _refuse(pointer: str, message: Text) -> None:
    raise BadInput(message, errors=[FieldError(pointer, message)])
