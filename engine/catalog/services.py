"""Services: what a store really sells, before any marketing. Each query names the store that asks."""

import asyncpg

from engine.catalog.model import AssetType, Service
from engine.core import ids
from engine.core.errors import NotFound
from engine.core.pages import Page, page_of, unmark
from engine.core.texts import Text

INSERT_SERVICE = """
INSERT INTO services (id, store_id, name, asset_type, unit_name, units_per_share)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING *
"""
GET_SERVICE = "SELECT * FROM services WHERE id = $1 AND store_id = $2"
LIST_SERVICES = """
SELECT * FROM services WHERE store_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3
"""


class Services:
    """The services of each store."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(
        self, store_id: str, *, name: str, asset_type: AssetType, unit_name: str, units_per_share: int
    ) -> Service:
        """A new service of the store. Raises NotFound (the store)."""
        values = (ids.new_id("v"), store_id, name, asset_type, unit_name, units_per_share)
        try:
            (row,) = await self._pool.fetch(INSERT_SERVICE, *values)
        except asyncpg.ForeignKeyViolationError:
            raise NotFound(Text("门店不存在", "There is no such store")) from None
        return Service(**dict(row))

    async def get(self, store_id: str, service_id: str) -> Service:
        """A service of this store. Raises NotFound, for another store's as well."""
        row = await self._pool.fetchrow(GET_SERVICE, service_id, store_id)
        if row is None:
            raise NotFound(Text("服务不存在", "There is no such service"))
        return Service(**dict(row))

    async def page(self, store_id: str, cursor: str | None, limit: int) -> Page[Service]:
        """The store's services, by id."""
        after = unmark(cursor, 1)
        rows = await self._pool.fetch(LIST_SERVICES, store_id, after[0] if after else None, limit + 1)
        return page_of([Service(**dict(row)) for row in rows], limit, lambda service: (service.id,))
