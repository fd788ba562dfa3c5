"""Which rows a statement locks, whom it waits for, and in which order: what keeps two who work at once apart."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple

import asyncpg
import pytest

from engine.catalog import drafts, life
from engine.core.settings import Settings
from engine.money import payments, refunds
from engine.notices import notices
from engine.orders import holds, orders, stock
from engine.rewards import rewards
from engine.stream import apply, dispatch, follow, recovery
from tests.support.ledger import Ledger, open_ledger
from tests.support.waiting import eventually

AT_ONCE = timedelta()

OVERDUE = "UPDATE orders SET pay_before = now() - interval '1 s'"
PAID = "UPDATE orders SET status = 'PAID'"
FAILED = "UPDATE instances SET status = 'FAILED'"
CHEAPER = """UPDATE instances SET status = 'SUCCESS', cells = '{"rebateFen": 5}'"""
DRAFT = "UPDATE play_configs SET status = 'DRAFT'"
REFUND = "INSERT INTO refunds (order_id, refund_no, amount_fen) SELECT id, 'r1', 990 FROM orders"
EVENT = "INSERT INTO gate_events (order_id, kind, config_id) SELECT id, 'paid', config_id FROM orders"
REWARD = """
INSERT INTO rewards (source, number, config_id, instance_id, order_id, user_id, kind, amount, unfreezes_at)
SELECT 's', 1, config_id, instance_id, id, user_id, 'CASH', 1, now() - interval '1 s' FROM orders
"""
UNBOUND = "UPDATE rewards SET order_id = NULL"
NOTICE = """
INSERT INTO notices (source, number, config_id, instance_id, user_id, topic, due_at)
SELECT 's', 1, config_id, instance_id, user_id, 'SALE_OPENS', now() FROM orders
"""


class World(NamedTuple):
    """One config on sale with its stock, one order in its session."""

    config: str
    instance: str
    order: str


class Case(NamedTuple):
    """A statement, its arguments (the fields of World by name), what there is before, and the table it locks in."""

    statement: str
    args: tuple[Any, ...]
    before: tuple[str, ...] = ()
    table: str = "orders"


LOCKS = {
    "who counts units": Case(stock.LOCK, (["config"],), (), "stock"),
    "who applies entries: the stock": Case(apply.LOCK_CONFIGS, (["config"],), (), "stock"),
    "who applies entries: the epoch": Case(apply.GET_EPOCH, (0,), (), "shards"),
    "who recovers a shard": Case(recovery.LOCK_EPOCH, (0,), (), "shards"),
    "who pays back what has failed": Case(follow.PAID_OF_ENDED, (["config"], ["instance"]), (PAID,)),
    "who settles what was paid": Case(follow.PAID_AFTERWARDS, (["order"], ["config"], ["FAILED"]), (PAID, FAILED)),
    "who is paid": Case(payments.LOCK_ORDER, ("order",)),
    "who cancels": Case(orders.LOCK_HOLD, ("order", "u1", False)),
    "who ends holds": Case(holds.OVERDUE_UNPAID, (10,), (OVERDUE,)),
    "who claims refunds": Case(refunds.LOCK_DUE, (10, 9, AT_ONCE, AT_ONCE), (REFUND,)),
    "who opens rebates": Case(refunds.OPEN_REBATES, (["config"], ["instance"], []), (PAID, CHEAPER)),
    "who settles rewards": Case(rewards.SETTLE_BOUND, (10, 9, 9, 9), (PAID, REWARD)),
    "who changes a config": Case(life.LOCK_OF_STORE, ("config", "1001"), (), "play_configs"),
    "who tells the gate of a config": Case(life.LOCK, ("config",), (), "play_configs"),
    "who upgrades a draft": Case(drafts.LOCK_DRAFT, ("config",), (DRAFT,), "play_configs"),
}
# Whoever sweeps leaves alone what somebody else is at.
PASSES_BY = {
    "holds": Case(holds.OVERDUE_UNPAID, (10,), (OVERDUE,)),
    "refunds": Case(refunds.LOCK_DUE, (10, 9, AT_ONCE, AT_ONCE), (REFUND,)),
    "rewards": Case(rewards.SETTLE_BOUND, (10, 9, 9, 9), (PAID, REWARD), "rewards"),
    "orders of rewards": Case(rewards.SETTLE_BOUND, (10, 9, 9, 9), (PAID, REWARD)),
    "rewards for no order": Case(rewards.GRANT_UNBOUND, (10,), (REWARD, UNBOUND), "rewards"),
    "events": Case(dispatch.SEND_NEW, (10,), (EVENT,), "gate_events"),
    "notices": Case(notices.CLAIM_DUE, (10, 9, AT_ONCE), (NOTICE,), "notices"),
}


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


async def on_sale(ledger: Ledger) -> World:
    config = await ledger.config()
    await ledger.pool.execute("INSERT INTO stock (config_id, total) VALUES ($1, 9)", config)
    return World(config, f"{config}.s1", await ledger.order(config))


def meant(args: tuple[Any, ...], world: World) -> list[Any]:
    """The arguments with what the fields of the world are in the place of their names."""
    known = world._asdict()
    return [[known.get(one, one) for one in arg] if isinstance(arg, list) else known.get(arg, arg) for arg in args]


@pytest.mark.parametrize("case", LOCKS.values(), ids=LOCKS)
async def test_what_is_worked_on_is_locked(ledger: Ledger, case: Case) -> None:
    """Nobody else can change the row until that transaction is over."""
    world = await on_sale(ledger)
    for each in case.before:
        await ledger.pool.execute(each)
    async with ledger.pool.acquire() as mine, ledger.pool.acquire() as other, mine.transaction():
        await mine.fetch(case.statement, *meant(case.args, world))
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.fetch(f"SELECT FROM {case.table} FOR NO KEY UPDATE NOWAIT")


@pytest.mark.parametrize("case", PASSES_BY.values(), ids=PASSES_BY)
async def test_what_somebody_is_at_is_passed_by(ledger: Ledger, case: Case) -> None:
    """It is found when nobody is, and while somebody is neither found nor waited for."""
    world = await on_sale(ledger)
    for each in case.before:
        await ledger.pool.execute(each)
    async with ledger.pool.acquire() as mine, ledger.pool.acquire() as other:
        await mine.execute("SET lock_timeout = '1s'")
        async with other.transaction():
            await other.fetch(f"SELECT FROM {case.table} FOR NO KEY UPDATE")
            assert await mine.fetch(case.statement, *meant(case.args, world)) == []
        assert len(await mine.fetch(case.statement, *meant(case.args, world))) == 1


@pytest.mark.parametrize("how", ["lock", "apply", "count"])
async def test_configs_are_locked_in_the_order_of_their_ids(ledger: Ledger, how: str) -> None:
    """Whatever order they are asked for or stand in: no two transactions ever wait for each other."""
    first, second = sorted([await ledger.config(), await ledger.config()])
    for config in (second, first):
        await ledger.pool.execute("INSERT INTO stock (config_id, total) VALUES ($1, 9)", config)

    async def work(connection: Any) -> None:
        if how == "count":
            columns = "SELECT c AS config_id, c || '.s1' AS instance_id, 1 AS quantity FROM unnest($1::text[]) AS c"
            await stock.take(connection, await connection.fetch(columns, [second, first]))
        else:
            await connection.fetch(stock.LOCK if how == "lock" else apply.LOCK_CONFIGS, [second, first])

    pool = ledger.pool
    async with pool.acquire() as mine, pool.acquire() as other, mine.transaction():
        async with other.transaction():
            await other.fetch("SELECT FROM stock WHERE config_id = $1 FOR UPDATE", second)
            working = asyncio.create_task(work(mine))
            await waits_for_a_lock(ledger, mine.get_server_pid())
            with pytest.raises(asyncpg.LockNotAvailableError):
                await pool.fetch("SELECT FROM stock WHERE config_id = $1 FOR NO KEY UPDATE NOWAIT", first)
        await working


async def waits_for_a_lock(ledger: Ledger, pid: int) -> None:
    """Return as soon as that session does."""
    await eventually(lambda: ledger.pool.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid), True)
