"""The catalog: what there is to sell, and what is on sale."""

import asyncpg

from engine.catalog.drafts import Drafts
from engine.catalog.life import Life
from engine.catalog.registry import Registry
from engine.catalog.services import Services
from engine.catalog.shops import Stores
from engine.catalog.templates import Templates
from engine.gate.gate import Gate


class Catalog:
    """One attribute a noun; what a store may call takes the store's id and sees nothing of other stores."""

    def __init__(self, pool: asyncpg.Pool, playbooks: Registry, gate: Gate, shards: int) -> None:
        self.stores = Stores(pool)
        self.services = Services(pool)
        self.templates = Templates(pool, playbooks, self.stores)
        self.configs = Drafts(pool, self.services, self.templates, shards)
        self.life = Life(pool, self.configs, self.templates, gate)

    async def warm_pending_configs(self, limit: int) -> int:
        """Tell the gate of up to `limit` changes it has not heard of; how many it now has. For the worker."""
        return await self.life.warm_pending_configs(limit)
