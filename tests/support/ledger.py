"""What a shop's Postgres holds, written down by hand: for tests about money and people that need no Redis."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg

from engine.core import ids
from engine.core.connections import open_pool
from engine.core.settings import Settings
from engine.core.transact import transact
from engine.money.money import Money
from engine.money.providers.sandbox import Sandbox
from engine.money.refunds import open_rebates
from engine.orders.moves import OWE, Moves
from engine.rewards.rewards import Rewards
from engine.runtime.consequences import OF_MOVES
from engine.sdk import Playbook, Rules, States, View

PRICE_FEN = 990
PLAIN, RESEATING = "PLAIN", "RESEATING"  # two playbooks; the second takes late payers in

PLACE = """
INSERT INTO shards (id) VALUES (0) ON CONFLICT DO NOTHING;
INSERT INTO stores (id, name, city) VALUES ('1001', '一店', 'BJ');
INSERT INTO services (id, store_id, name, asset_type, unit_name, units_per_share)
VALUES ('v1', '1001', '舞蹈课', 'COURSE', '节', 10);
"""
ADD_CONFIG = """
INSERT INTO play_configs (id, store_id, service_id, template_code, title, price_fen, stock, rules, rules_version,
                          starts_at, ends_at, status, shard)
VALUES ($1, '1001', 'v1', $2, 't', $3, 1000, '{}', '1.0.0', now() - interval '1 d', now() + interval '1 d',
        'PUBLISHED', 0)
"""
ADD_INSTANCE = """
INSERT INTO instances (id, config_id, suffix, status, current, target, cells, rev)
VALUES ($1 || '.' || $2, $1, $2, $3, 0, 0, $4, 1)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, cells = excluded.cells, rev = instances.rev + 1
"""
ADD_ORDER = """
INSERT INTO orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, reason, gate_state,
                    fingerprint, receipt, pay_before, created_at)
VALUES ($1, $2, $2 || '.' || $3, $4, $5, $6, $7, $8, $9, 0, 0, '{1,0,0}', now() + interval '5 min', now())
"""
ADD_PERSON = "INSERT INTO people (config_id, user_id, cells, rev) VALUES ($1, $2, $3, 1)"
ADD_REWARD = """
INSERT INTO rewards (source, number, config_id, instance_id, order_id, user_id, kind, amount, unfreezes_at)
VALUES ($1, 1, $2, $2 || '.s1', $3, $4, $5, $6, now() - interval '1 s' * $7)
"""


def sandbox_of(money: Money) -> Sandbox:
    """The provider of every test."""
    assert isinstance(money.provider, Sandbox)
    return money.provider


class Ledger:
    """The rows, the sandbox that plays the payer, and whoever settles."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, playbooks: Mapping[str, Playbook]) -> None:
        self.pool = pool
        self.moves = Moves(OF_MOVES)
        self.money = Money(pool, self.moves, playbooks, settings.money)
        self.sandbox, self.payments, self.refunds = sandbox_of(self.money), self.money.payments, self.money.refunds
        self.rewards = Rewards(pool, settings.rewards)
        self._numbers = itertools.count()

    async def config(self, code: str = PLAIN, *, price_fen: int = PRICE_FEN) -> str:
        """The id of a config on sale, with one open session `s1`."""
        config_id = ids.new_config_id()
        await self.pool.execute(ADD_CONFIG, config_id, code, price_fen)
        await self.instance(config_id)
        return config_id

    async def instance(self, config_id: str, suffix: str = "s1", *, status: str = "ACTIVE", **cells: Any) -> str:
        """The id of an instance, which is from now on as said."""
        await self.pool.execute(ADD_INSTANCE, config_id, suffix, status, cells)
        return ids.instance_id(config_id, suffix)

    async def order(
        self,
        config_id: str,
        user: str = "u1",
        *,
        suffix: str = "s1",
        status: str = "HELD",
        reason: str | None = None,
        quantity: int = 1,
        amount_fen: int | None = None,
    ) -> str:
        """The id of an order."""
        request = f"r{next(self._numbers)}"
        order_id = ids.click_id(config_id, user, request)
        amount = PRICE_FEN * quantity if amount_fen is None else amount_fen
        await self.pool.execute(ADD_ORDER, order_id, config_id, suffix, user, request, quantity, amount, status, reason)
        return order_id

    async def paid(self, config_id: str, user: str = "u1", *, payer: str | None = None, **order: Any) -> str:
        """The id of an order that was paid for."""
        order_id = await self.order(config_id, user, **order)
        await self.payments.prepay(order_id, user)
        await self.sandbox.pay(order_id, payer=payer)
        return order_id

    async def person(self, config_id: str, user: str, **cells: Any) -> None:
        """What a playbook remembers of somebody."""
        await self.pool.execute(ADD_PERSON, config_id, user, cells)

    async def reward(
        self,
        config_id: str,
        user: str,
        order_id: str | None = None,
        *,
        kind: str = "CASH",
        amount: int = 100,
        due_s: float = 1,
    ) -> str:
        """The source of a frozen promise that is due since `due_s` seconds."""
        source = f"{order_id or 'c.s'}:paid{next(self._numbers)}"
        await self.pool.execute(ADD_REWARD, source, config_id, order_id, user, kind, amount, due_s)
        return source

    async def rebate(self, *instances: str, orders: tuple[str, ...] = ()) -> None:
        """What a drain does when instances or orders have changed."""
        pairs = [(ids.split_instance_id(instance)[0], instance) for instance in instances]
        await transact(self.pool, lambda connection: open_rebates(connection, instances=pairs, orders=orders))

    async def take_back(self, *order_ids: str) -> None:
        """What a drain does when instances have failed: PAID orders are owed what is left of their money."""
        work = partial(self.moves.make, move=OWE, order_ids=order_ids, why="INSTANCE_FAILED", by="test")
        await transact(self.pool, work)

    async def status(self, order_id: str) -> tuple[str, str | None]:
        """(status, reason) of an order."""
        row = await self.pool.fetchrow("SELECT status, reason FROM orders WHERE id = $1", order_id)
        assert row is not None
        return row["status"], row["reason"]

    async def owed(self, order_id: str) -> dict[str, tuple[int, str]]:
        """Kind -> (fen, status) of an order's refunds."""
        rows = await self.pool.fetch("SELECT kind, amount_fen, status FROM refunds WHERE order_id = $1", order_id)
        return {row["kind"]: (row["amount_fen"], row["status"]) for row in rows}

    async def paid_back(self, order_id: str) -> dict[str, int]:
        """Refund number -> fen, in the sandbox's own ledger."""
        rows = await self.pool.fetch("SELECT * FROM sandbox_refunds WHERE out_trade_no = $1", order_id)
        return {row["refund_no"]: row["amount_fen"] for row in rows}

    async def wait(self, minutes: float = 61) -> None:
        """Let time pass for refunds."""
        passed = f"interval '{minutes * 60} s'"
        await self.pool.execute(
            f"UPDATE refunds SET next_attempt_at = next_attempt_at - {passed}, attempted_at = attempted_at - {passed}"
        )


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """A ledger on the test's own database."""
    pool = await open_pool(settings.postgres.url, size_max=8)
    try:
        await pool.execute(PLACE)
        yield Ledger(pool, settings, {code: _playbook(code) for code in (PLAIN, RESEATING)})
    finally:
        await pool.close()


def _playbook(code: str) -> Playbook:
    return Playbook(
        code=code,
        name=code,
        version="1.0.0",
        unit_name="份",
        rules=Rules,
        states=States(moves={}),
        step="return {}",
        view=View(join="参加", actions={"claim": "领取"}),
        actions=("claim",),
        reserves=("open", "join", "claim"),
        reseats=code == RESEATING,
    )
