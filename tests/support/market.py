"""A whole engine on one shard, driven step by step: nothing happens in the background that a test did not ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engine.catalog.drafts import Draft
from engine.core import ids
from engine.core.errors import AlreadyExists
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply
from engine.runtime.bootstrap import Engine, open_engine
from engine.stream.drain import Drain
from engine.stream.recovery import make_shards
from tests.support.history import broken_histories
from tests.support.ledger import sandbox_of
from tests.support.waiting import until

STORE = "1001"
PRICE_FEN = 990


class Market:
    """One store with configs on sale, people who click on them, and a worker that works when it is told to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pool = engine.pool
        self.redis: Any = engine.hot  # redis-py's types do not tell its asyncio client from the other one
        self.sandbox = sandbox_of(engine.money)
        self.applier = engine.stream.applier
        self.recovery = engine.stream.recovery
        self.holds = engine.orders.holds
        self.dispatcher = engine.stream.dispatcher
        self.refunds = engine.money.refunds
        self.waker = engine.stream.waker
        self._service = ""
        self.moves_orders_by_itself = True  # False: a test writes an order's status by hand, so its history has a hole

    async def begin(self) -> None:
        """A store, a service and an open shard."""
        await make_shards(self.pool, 1)
        await self.recover()
        with suppress(AlreadyExists):  # the database may have seen a market before
            await self.engine.catalog.stores.create("一店", "BJ", STORE)
        service = await self.engine.catalog.services.create(
            STORE, name="舞蹈课", asset_type="COURSE", unit_name="节", units_per_share=10
        )
        self._service = service.id

    async def clear(self) -> None:
        """Nothing on sale, nothing sold, nothing in Redis but an open shard."""
        sold = "orders, order_events, actions, gate_events, dead_intents"
        paid = "payments, refunds, stray_payments, sandbox_trades, sandbox_refunds"
        kept = "people, rewards, notices"
        on_sale = "instances, session_stock, stock, play_configs"
        await self.pool.execute(f"TRUNCATE {sold}, {paid}, {kept}, {on_sale}")
        await self.redis.flushall()
        await self.redis.script_flush()
        await self.recover()

    async def publish(self, code: str = "FLASH_SALE", *, stock: int = 10, limit: int = 0, **rules: Any) -> str:
        """The id of a config on sale; group buys are for two."""
        rules = {"limitPerPerson": limit} | ({"target": 2} if code == "GROUP_BUY" else {}) | rules
        now = datetime.now(UTC)
        draft = Draft(
            service_id=self._service,
            template_code=code,
            title="t",
            price_fen=PRICE_FEN,
            stock=stock,
            rules=rules,
            starts_at=now - timedelta(minutes=1),
            ends_at=now + timedelta(days=1),
        )
        config = await self.engine.catalog.drafts.create(STORE, draft)
        published = await self.engine.catalog.life.publish(STORE, config.id)
        assert not published.warm_pending
        return config.id

    async def click(
        self,
        config_id: str,
        user: str,
        *,
        verb: str = "join",
        suffix: str = "s1",
        quantity: int = 1,
        request: str = "r",
    ) -> Reply:
        """A consumer's click, as the API sends it."""
        order_id = ids.click_id(config_id, user, request)
        suffix = ids.opened_suffix(order_id) if verb == "open" else suffix
        print_ = ids.fingerprint(verb, suffix, quantity)
        return await self.engine.gate.click(0, config_id, verb, suffix, user, order_id, print_, quantity, request)

    async def hold(self, config_id: str, user: str, **click: Any) -> str:
        """The id of the order of a click that was won."""
        reply = await self.click(config_id, user, **click)
        assert reply.outcome == Outcome.RESERVED
        return ids.click_id(config_id, user, click.get("request", "r"))

    def drain(self, consumer: str = "market") -> Drain:
        """A drain of the shard."""
        return Drain(
            shard=0,
            redis=self.redis,
            pool=self.pool,
            applier=self.applier,
            settings=self.engine.settings.orders,
            consumer=consumer,
        )

    async def drain_all(self) -> None:
        """All intents become rows."""
        drain = self.drain()
        while await drain.step():
            pass

    async def recover(self) -> int:
        """Recover the shard; its new epoch."""
        return await self.recovery.recover(0, self.drain())

    async def settle(self) -> None:
        """Drain and dispatch until nothing is left to do."""
        await self.drain_all()
        while await self.dispatcher.send_new():
            await self.drain_all()

    async def pay(self, order_id: str, user: str, **how: Any) -> None:
        """Begin the payment and play the payer."""
        await self.engine.money.payments.prepay(order_id, user)
        await self.sandbox.pay(order_id, **how)

    async def age(self, *order_ids: str) -> None:
        """Let the time to pay be over."""
        late = "UPDATE orders SET pay_before = now() - interval '1 s' WHERE id = ANY($1::uuid[])"
        await self.pool.execute(late, order_ids)

    async def end_group(self, instance_id: str) -> None:
        """Let a group's deadline be over, and wake it."""
        config_id, suffix = ids.split_instance_id(instance_id)
        key = keys.cells(0, config_id)
        cells = msgspec.msgpack.decode(await self.redis.hget(key, suffix) or b"")
        await self.redis.hset(key, suffix, msgspec.msgpack.encode(cells | {"endsAt": 1, "wakeAt": 1}))
        await self.pool.execute("UPDATE instances SET wake_at = now() - interval '1 s' WHERE id = $1", instance_id)
        assert await self.waker.wake_due() >= 1

    async def order(self, order_id: str) -> tuple[str, str | None, int]:
        """(status, reason, gate_state)."""
        row = await self.pool.fetchrow("SELECT status, reason, gate_state FROM orders WHERE id = $1", order_id)
        assert row is not None
        return tuple(row)

    async def statuses(self) -> dict[str, int]:
        """How many orders have each status."""
        rows = await self.pool.fetch("SELECT status, count(*) FROM orders GROUP BY status")
        return {row["status"]: row["count"] for row in rows}

    async def stock(self, config_id: str) -> tuple[int, int]:
        """(units reserved in Postgres, units left in Redis)."""
        reserved = await self.pool.fetchval("SELECT reserved FROM stock WHERE config_id = $1", config_id)
        left = await self.redis.hget(keys.cells(0, config_id), "left")
        return reserved, int(left or -1)

    async def count(self, table: str) -> int:
        """Rows of a table."""
        return int(await self.pool.fetchval(f"SELECT count(*) FROM {table}"))

    async def instance(self, instance_id: str) -> tuple[str, int, int]:
        """(status, current, target) in Postgres."""
        row = await self.pool.fetchrow("SELECT status, current, target FROM instances WHERE id = $1", instance_id)
        assert row is not None
        return tuple(row)


@asynccontextmanager
async def open_market(settings: Settings) -> AsyncIterator[Market]:
    """A market on the test's own servers, with one shard."""
    replace = msgspec.structs.replace
    async with open_engine(replace(settings, gate=replace(settings.gate, shards=1))) as engine:
        market = Market(engine)
        await market.begin()
        await until(lambda: all(lane.open for lane in engine.gate.lanes))  # they ask for the epoch now and then
        yield market
        if market.moves_orders_by_itself and not market.pool.is_closing():
            assert await broken_histories(market.pool) == []
