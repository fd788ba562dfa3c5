"""The catalog's parts as one object, and what a worker asks of them."""

from collections.abc import Sequence

import asyncpg

from engine.catalog.archive import Archive
from engine.catalog.drafts import Drafts
from engine.catalog.life import Life, Published
from engine.catalog.services import Services
from engine.catalog.shops import Stores
from engine.catalog.templates import Templates
from engine.core.settings import GateSettings
from engine.gate.gate import Gate
from engine.playbooks.registry import Registry


class Catalog:
    """One attribute a noun; what a store may call takes the store's id and sees nothing of other stores."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        playbooks: Registry,
        gate: Gate,
        published: Sequence[Published],
        settings: GateSettings,
    ) -> None:
        self.stores = Stores(pool)
        self.services = Services(pool)
        self.templates = Templates(pool, playbooks, self.stores)
        self.drafts = Drafts(pool, self.services, self.templates, settings.shards)
        self.life = Life(pool, self.drafts, self.templates, gate, published)
        self.archive = Archive(pool, gate, settings.archive_after_s)
        self._playbooks = playbooks

    async def warm_pending_configs(self, limit: int) -> int:
        """Tell the gate of up to `limit` changes it has not heard of; how many it now has. For the worker."""
        return await self.life.warm_pending_configs(limit)

    async def warm_up_due(self) -> int:
        """Have the gate hear once more of what starts within minutes; how many. For the worker."""
        return await self.life.warm_up_due()

    async def archive_ended(self, limit: int) -> int:
        """Look at up to `limit` products that are over; how many are archived now. For the worker."""
        return await self.archive.archive_ended(limit)

    async def upgrade_drafts(self) -> int:
        """Store drafts as the loaded versions of their playbooks want them; how many. For the worker's start."""
        return await self.drafts.upgrade_drafts()

    async def pause_orphans(self) -> int:
        """Pause what is on sale by playbooks that are not loaded; how many. For the worker's start."""
        return await self.life.pause_orphans(self._playbooks.loaded)

    async def orphans(self) -> dict[str, int]:
        """Code of a playbook that is not loaded -> how many of its configs are paused for that."""
        return await self.life.orphans(self._playbooks.loaded)
