"""Litestar's doors before a market: everyone who may knock, and what they say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from api.app import create_app
from engine.access.tokens import Role
from engine.core.errors import AlreadyExists
from engine.core.settings import Settings
from tests.support.market import STORE, Market, open_market

OTHER_STORE = "1002"
NOBODY = "NOBODY"
# Everyone there is: (role, store); the second store's staff must see nothing of the first.
CALLERS: dict[str, tuple[Role, str | None]] = {
    "CONSUMER": (Role.CONSUMER, None),
    "HQ": (Role.HQ, None),
    "FINANCE": (Role.FINANCE, None),
    "STORE": (Role.STORE, STORE),
    "CLERK": (Role.CLERK, STORE),
    "OTHER_STORE": (Role.STORE, OTHER_STORE),
    "OTHER_CLERK": (Role.CLERK, OTHER_STORE),
}


class Doors:
    """Sends requests as somebody. `market` is the world behind the doors."""

    def __init__(self, market: Market, client: httpx.AsyncClient) -> None:
        self.market = market
        self.engine = market.engine
        self.client = client
        self.tokens = {
            caller: market.engine.access.tokens.issue(f"u{caller.lower()}", role, 600, store)[0]
            for caller, (role, store) in CALLERS.items()
        }

    async def send(self, caller: str, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """One request as `caller`; NOBODY sends no token."""
        headers = {} if caller == NOBODY else {"Authorization": f"Bearer {self.tokens[caller]}"}
        headers |= more.pop("headers", {})
        return await self.client.request(method, path, json=json, headers=headers, **more)

    async def service_id(self) -> str:
        """The service the market's store sells."""
        page = await self.engine.catalog.services.page(STORE, None, 1)
        return page.items[0].id

    async def draft(self, **changes: Any) -> str:
        """The id of a new draft of the store."""
        answer = await self.send("STORE", "POST", "/v1/store/play-configs", await self.draft_body(**changes))
        assert answer.status_code == 201, answer.text
        config_id: str = answer.json()["id"]
        return config_id

    async def draft_body(self, **changes: Any) -> dict[str, Any]:
        """A body for a new draft; a group buy of three, on sale for a day."""
        return {
            "templateCode": "GROUP_BUY",
            "serviceId": await self.service_id(),
            "title": "三人成团舞蹈课",
            "priceFen": 19900,
            "stock": 300,
            "rules": {"target": 3},
            "startsAt": moment(minutes=-1),
            "endsAt": moment(days=1),
            **changes,
        }


def moment(**away: float) -> str:
    """A time so far from now, as callers write it."""
    return (datetime.now(UTC) + timedelta(**away)).isoformat()


@asynccontextmanager
async def open_doors(settings: Settings) -> AsyncIterator[Doors]:
    """Doors before a market with a second, empty store."""
    async with open_market(settings) as market:
        with suppress(AlreadyExists):  # the database may have seen doors before
            await market.engine.catalog.stores.create("二店", "SH", OTHER_STORE)
        await market.engine.live.start()
        transport = httpx.ASGITransport(app=create_app(market.engine), raise_app_exceptions=False)  # type: ignore[arg-type]  # Litestar types its scope more narrowly
        async with httpx.AsyncClient(transport=transport, base_url="http://wanfa.test") as client:
            yield Doors(market, client)
        await market.engine.live.close()
