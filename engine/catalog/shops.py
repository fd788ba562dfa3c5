"""Stores: only HQ makes them."""

import asyncpg

from engine.catalog.model import Store
from engine.core import ids
from engine.core.errors import AlreadyExists, NotFound
from engine.core.pages import Page, page_of, unmark
from engine.core.texts import Text

INSERT_STORE = "INSERT INTO stores (id, name, city) VALUES ($1, $2, $3) RETURNING *"
GET_STORE = "SELECT * FROM stores WHERE id = $1"
LIST_STORES = "SELECT * FROM stores WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2"
MISSING_STORES = "SELECT id FROM unnest($1::text[]) AS id WHERE id NOT IN (SELECT id FROM stores)"


class Stores:
    """The stores there are."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(self, name: str, city: str, store_id: str | None = None) -> Store:
        """A new store; without `store_id` it gets one. Raises AlreadyExists."""
        try:
            (row,) = await self._pool.fetch(INSERT_STORE, store_id or ids.new_id("s"), name, city)
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(Text(f"门店 {store_id} 已存在", f"The store {store_id} exists already")) from None
        return Store(**dict(row))

    async def get(self, store_id: str) -> Store:
        """Raises NotFound."""
        row = await self._pool.fetchrow(GET_STORE, store_id)
        if row is None:
            raise NotFound(Text("门店不存在", "There is no such store"))
        return Store(**dict(row))

    async def page(self, cursor: str | None, limit: int) -> Page[Store]:
        """Every store, by id."""
        after = unmark(cursor, 1)
        rows = await self._pool.fetch(LIST_STORES, after[0] if after else None, limit + 1)
        return page_of([Store(**dict(row)) for row in rows], limit, lambda store: (store.id,))

    async def missing(self, store_ids: list[str]) -> list[str]:
        """Those of `store_ids` that are no stores."""
        return [row["id"] for row in await self._pool.fetch(MISSING_STORES, store_ids)]
