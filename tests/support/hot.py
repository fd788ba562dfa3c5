"""The hot routes before a market: everything is real but the wire."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from api.hot.body import Bodies
from api.hot.clicks import Hot, answered
from api.hot.facts import FactReader
from engine.access.tokens import Role
from engine.catalog.drafts import Draft
from engine.core.settings import Settings
from engine.gate import keys
from tests.support.market import STORE, Market, open_market
from tests.support.waiting import until


class Body:
    """A request's body as the server hands it over: whole, or chunk by chunk."""

    def __init__(self, raw: bytes, chunk_bytes: int = 4096) -> None:
        self._raw = raw
        self._chunk_bytes = chunk_bytes
        self.read = 0  # bytes the handler has taken

    async def __call__(self) -> bytes:
        self.read = len(self._raw)
        return self._raw

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._raw), self._chunk_bytes):
            chunk = self._raw[start : start + self._chunk_bytes]
            self.read += len(chunk)
            yield chunk


class Headers(dict[str, str]):
    """A request's headers; a line break in a value makes it a header sent twice."""

    def get_all(self, name: str, /) -> list[str]:
        """Every line of a header."""
        return self[name].split("\n") if name in self else []


class Scope(msgspec.Struct):
    """What the server says of a request besides headers and body."""

    query_string: str = ""
    client: str = "192.0.2.1:40000"


class Answer(msgspec.Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """A problem's code, or a won click's outcome."""
        document = self.json()
        return str(document.get("code") or document.get("outcome"))


class Room:
    """Consumers in front of one API process's hot routes."""

    def __init__(self, market: Market, engine: Any = None) -> None:
        self.market = market
        self.engine = engine or market.engine
        self.live = self.engine.live
        self.hot = Hot(
            gate=self.engine.gate,
            live=self.live,
            tokens=self.engine.access.tokens,
            bodies=Bodies(bytes_max=self.engine.settings.api.body_bytes_max, timeout_s=10),
            facts=FactReader(self.engine.admission, address_header=self.engine.settings.api.address_header),
            missed=self.engine.missed,
            status_of=self.engine.orders.status_of,
            first_answer=self.engine.orders.first_answers.reply,
        )

    def token(self, user: str = "u1", role: Role = Role.CONSUMER, ttl_s: int = 600) -> str:
        """A valid token."""
        token: str = self.engine.access.tokens.issue(user, role, ttl_s)[0]
        return token

    async def send(
        self,
        method: str,
        path: str,
        raw: bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        query: str = "",
        client: str = Scope().client,
        announced: bool = True,
    ) -> Answer:
        """One request; its path must be a hot route."""
        handler = self.hot.find(method, path)
        assert handler is not None, path
        sent = Headers({**({"content-length": str(len(raw))} if announced else {}), **(headers or {})})
        status, replied, body = await answered(handler, sent, Body(raw), Scope(query, client))
        return Answer(status, dict(replied), body)

    async def post(self, path: str, body: Any, user: str = "u1") -> Answer:
        """A consumer's request with a JSON body."""
        return await self.send("POST", path, msgspec.json.encode(body), headers=self.bearer(user))

    def bearer(self, user: str = "u1") -> dict[str, str]:
        """The header of a consumer who is logged in."""
        return {"authorization": f"Bearer {self.token(user)}"}

    async def publish(self, code: str = "FLASH_SALE", *, on_sale: bool = True, **changes: Any) -> str:
        """The id of a config whose window and store a test chooses; `on_sale` False leaves it a draft."""
        now = datetime.now(UTC)
        rules = {"target": 2} if code == "GROUP_BUY" else {}
        fields: dict[str, Any] = {
            "service_id": self.market._service,
            "template_code": code,
            "title": "t",
            "price_fen": 990,
            "stock": 10,
            "rules": {"limitPerPerson": 0} | rules,
            "starts_at": now - timedelta(minutes=1),
            "ends_at": now + timedelta(days=1),
        }
        config = await self.engine.catalog.drafts.create(STORE, Draft(**fields | changes))
        if on_sale:
            await self.engine.catalog.life.publish(STORE, config.id)
        config_id: str = config.id
        return config_id

    async def join(self, instance_id: str, user: str = "u1", request: str = "r1", **more: Any) -> Answer:
        """Join an instance."""
        return await self.post(f"/v1/instances/{instance_id}/join", {"requestId": request, **more}, user)

    async def open(self, config_id: str, user: str = "u1", request: str = "r1", **more: Any) -> Answer:
        """Open an instance."""
        return await self.post(f"/v1/play-configs/{config_id}/instances", {"requestId": request, **more}, user)

    async def get(self, path: str, query: str = "", **headers: str) -> Answer:
        """Read something; nobody need be logged in."""
        return await self.send("GET", path, query=query, headers=headers)

    async def items(self, query: str = "", path: str = "/v1/instances") -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = (await self.get(path, f"{query}{cursor}")).json()
            found += page["items"]
            if page["nextCursor"] is None:
                return found
            cursor = f"&cursor={page['nextCursor']}"

    async def everything(self) -> dict[bytes, Any]:
        """All that Redis holds."""
        names = sorted(await self.market.redis.keys("*"))
        return {name: await self.market.redis.dump(name) for name in names}

    async def seen(self, what: Callable[[], Any]) -> None:
        """Wait until something becomes true of what this process has in memory."""
        await until(what)

    def wait_shortly(self) -> None:
        """From here on clicks that Redis does not decide at once hear PAUSED."""
        for lane in self.engine.gate.lanes:
            lane._timeout_s = 0.1

    async def caught_up(self) -> None:
        """Until the snapshot has read every change there is."""
        newest = float(await self.market.redis.zscore(keys.changed(0), "!") or 0)
        await self.seen(lambda: self.live._read_to[0] >= newest)


@asynccontextmanager
async def open_room(settings: Settings) -> AsyncIterator[Room]:
    """A room on the test's own servers, its snapshot kept fresh."""
    async with open_market(settings) as market:
        await market.engine.live.start()
        try:
            yield Room(market)
        finally:
            await market.engine.live.close()
