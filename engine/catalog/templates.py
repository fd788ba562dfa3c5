"""Templates: the loaded playbooks, as HQ offers them to stores."""

from typing import Any

import asyncpg
import msgspec

from engine.catalog.configs import Rows
from engine.catalog.model import PlayTemplate
from engine.catalog.shops import Stores
from engine.core.errors import BadInput, NotFound, RulesInvalid, StateConflict
from engine.core.schema import NO_DATE, FieldError, Schema, is_about_a_time, pointer_of
from engine.core.texts import Text, alike
from engine.playbooks.registry import Registry
from engine.sdk import Playbook, Rules

# A playbook without a row is enabled for every store.
LOAD_TEMPLATES = "SELECT code, enabled, store_ids FROM templates"
SAVE_TEMPLATE = """
INSERT INTO templates (code, enabled, store_ids) VALUES ($1, $2, $3)
ON CONFLICT (code) DO UPDATE SET enabled = excluded.enabled, store_ids = excluded.store_ids
"""


class Templates:
    """What may be sold how, and by whom."""

    def __init__(self, pool: asyncpg.Pool, playbooks: Registry, stores: Stores) -> None:
        self._pool = pool
        self._playbooks = playbooks
        self._stores = stores
        self._schemas: dict[str, Schema] = {}

    async def every(self, rows: Rows | None = None) -> list[PlayTemplate]:
        """Every loaded playbook as a template, by code."""
        saved = {row["code"]: row for row in await (rows or self._pool).fetch(LOAD_TEMPLATES)}
        return [self._template(playbook, saved.get(code)) for code, playbook in sorted(self._playbooks.loaded.items())]

    async def offered_to(self, store_id: str, rows: Rows | None = None) -> list[PlayTemplate]:
        """The templates this store may use, by code."""
        return [template for template in await self.every(rows) if _offered(template, store_id)]

    async def usable(self, rows: Rows, code: str, store_id: str) -> Playbook:
        """The playbook behind a template this store may use. Raises BadInput, which names the field."""
        if code not in {template.code for template in await self.offered_to(store_id, rows)}:
            message = Text(
                f"玩法 {code} 不存在、未能加载或未向本门店开放",
                f"The playbook {code} does not exist, could not be loaded, or is not open to this store",
            )
            raise BadInput(message, errors=[FieldError("/templateCode", message)])
        return self._playbooks.loaded[code]

    def loaded(self, code: str) -> Playbook | None:
        """The playbook with this code, whoever may use it."""
        return self._playbooks.loaded.get(code)

    def versions(self) -> dict[str, str]:
        """Code of each loaded playbook -> its version."""
        return {code: playbook.version for code, playbook in self._playbooks.loaded.items()}

    def check_loaded(self, code: str) -> None:
        """Raises StateConflict while the playbook is not installed or could not be loaded."""
        if code not in self._playbooks.loaded:
            raise StateConflict(
                Text(
                    f"玩法 {code} 未安装或加载失败，恢复该玩法后才能继续售卖",
                    f"The playbook {code} is not installed or not loaded; nothing of it is sold until it is back",
                )
            )

    async def change(
        self,
        code: str,
        *,
        enabled: bool | msgspec.UnsetType,
        store_ids: list[str] | msgspec.UnsetType | None,
    ) -> PlayTemplate:
        """Switch a template on or off, or choose its stores (None: every one). Raises NotFound, BadInput.

        What is on sale already stays on sale; a template that is off cannot be published or resumed.
        """
        current = next((template for template in await self.every() if template.code == code), None)
        if current is None:
            raise NotFound(Text("玩法模板不存在", "There is no such template"))
        if enabled is msgspec.UNSET:
            enabled = current.enabled
        if store_ids is msgspec.UNSET:
            store_ids = current.store_ids
        elif store_ids and (missing := await self._stores.missing(store_ids)):
            message = Text(f"门店 {missing[0]} 不存在", f"There is no store {missing[0]}")
            raise BadInput(message, errors=[FieldError("/storeIds", message)])
        await self._pool.execute(SAVE_TEMPLATE, code, enabled, store_ids)
        return msgspec.structs.replace(current, enabled=enabled, store_ids=store_ids)

    def decode_rules(self, playbook: Playbook, rules: dict[str, Any]) -> Rules:
        """Rules as the playbook's own Struct, defaults filled in. Raises RulesInvalid, which names each field."""
        if errors := self.schema(playbook).errors(rules, at="/rules"):
            raise RulesInvalid(errors=errors)
        try:
            return msgspec.convert(rules, playbook.rules)
        except msgspec.ValidationError as error:  # what a schema cannot say: its own __post_init__
            found = str(error)
            message = NO_DATE if is_about_a_time(found) else alike(found.split(" - at ", maxsplit=1)[0])
            raise RulesInvalid(errors=[FieldError(f"/rules{pointer_of(found)}", message)]) from None

    def schema(self, playbook: Playbook) -> Schema:
        """The compiled schema of a playbook's rules."""
        if playbook.code not in self._schemas:
            self._schemas[playbook.code] = Schema(playbook.rules)
        return self._schemas[playbook.code]

    def _template(self, playbook: Playbook, row: asyncpg.Record | None) -> PlayTemplate:
        schema = self.schema(playbook)
        return PlayTemplate(
            code=playbook.code,
            name=playbook.name,
            version=playbook.version,
            unit_name=playbook.unit_name,
            rule_schema=schema.document,
            defaults=schema.defaults,
            enabled=row["enabled"] if row else True,
            store_ids=row["store_ids"] if row else None,
        )


def _offered(template: PlayTemplate, store_id: str) -> bool:
    return template.enabled and (template.store_ids is None or store_id in template.store_ids)
