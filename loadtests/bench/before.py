"""This checkout against another one, in turns: what a change of the engine costs or gains."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from engine.gate import keys
from loadtests.bench import joins, orders
from loadtests.bench.checkout import open_checkout
from loadtests.bench.cpu import LOAD_CORE, cpu_seconds, pinned
from loadtests.bench.joins import JOINS
from loadtests.bench.measure import Measurement, Plan, Row, Sample, compare, interleave
from loadtests.bench.processes import frozen
from loadtests.bench.stack import Stack, temporary_folder
from loadtests.bench.wrk import run_wrk
from loadtests.campaigns.crowd import at_most
from loadtests.client import Client

HERE = Path(__file__).resolve().parents[2]
CONNECTIONS = 256
PAYERS = 32  # payments under way at once
PAYMENTS_A_SECOND = 500  # of --seconds
EXPIRIES_A_SECOND = 5000
POLL_S = 0.1
FOLLOWED_TIMEOUT_S = 300

ORDERS = "SELECT id, user_id FROM orders WHERE config_id = $1"
HELD = "SELECT count(*) FROM orders WHERE config_id = $1 AND status = 'HELD'"
FOLLOWED = "SELECT count(*) FROM orders WHERE config_id = $1 AND status = $2 AND gate_state = $3"
OVERDUE_IN_S = "SELECT extract(epoch FROM max(pay_before) - now())::float FROM orders WHERE config_id = $1"
# Cheap, because what asks is measured as well: both are answered by an index of what is left to do.
UNDONE = """
SELECT EXISTS (SELECT FROM gate_events) OR EXISTS (SELECT FROM orders WHERE status = 'HELD' AND pay_before < now())
"""


class Pair(NamedTuple):
    """Both wanfas; while one is measured, all processes of the other stand still."""

    now: Stack
    before: Stack


class Work(NamedTuple):
    """What a row measures: `once` on either side, and the least ratio. Rounds to warm up do not count."""

    name: str
    unit: str
    target: float
    once: Callable[[Stack], Sample]
    warm_ups: int = 1


def against(before: Path, plan: Plan) -> list[Row]:
    """Joins, persisted orders, payments and expiries by this checkout, and by the one at `before`."""
    with _pair(before, plan, {}) as pair:
        rows = [_row(work, pair, plan) for work in _lasting(plan.seconds)]
    ttl_ms = round(5000 + 2500 * plan.seconds)  # enough to click for all holds and to drain them
    with _pair(before, plan, {"WANFA_GATE_HOLD_TTL_MS": str(ttl_ms)}) as pair:
        rows.append(_row(_expiring(plan.seconds), pair, plan))
    return rows


def _lasting(seconds: float) -> list[Work]:
    """What is measured while no hold ends."""
    everything = "CPU-s of all processes"
    payments = partial(_payments, count=round(PAYMENTS_A_SECOND * seconds))
    return [
        Work("joins", JOINS, 0.97, partial(joins.our_joins, connections=CONNECTIONS, seconds=seconds), warm_ups=2),
        Work("orders in Postgres", f"orders / {everything}", 0.97, partial(orders.ours, seconds=seconds)),
        Work("payments applied", f"payments / {everything}", 0.9, payments),
    ]


def _expiring(seconds: float) -> Work:
    expiries = partial(_expiries, count=round(EXPIRIES_A_SECOND * seconds))
    return Work("expiries applied", "expiries / CPU-s of worker, Valkey, Postgres", 0.9, expiries)


@contextmanager
def _pair(before: Path, plan: Plan, settings: dict[str, str]) -> Iterator[Pair]:
    with ExitStack() as opened:
        folder = opened.enter_context(temporary_folder())
        now = opened.enter_context(open_checkout(HERE, folder / "now", plan.people, settings))
        with _still(now):
            then = opened.enter_context(open_checkout(before.resolve(), folder / "before", plan.people, settings))
        plan.say(f"both serve: {HERE} on port {now.subject.port}, {before} on port {then.subject.port}")
        yield Pair(now, then)


def _row(work: Work, pair: Pair, plan: Plan) -> Row:
    def side(measured: Stack, idle: Stack) -> Sample:
        with _still(idle):
            return work.once(measured)

    sides: dict[str, Measurement] = {
        "now": partial(side, pair.now, pair.before),
        "before": partial(side, pair.before, pair.now),
    }
    for once in [*sides.values()] * work.warm_ups:
        once()
    name = f"{work.name}, now and before"
    return compare(name, work.unit, interleave(name, sides, plan), work.target)


@contextmanager
def _still(stack: Stack) -> Iterator[None]:
    """Clients before servers: nobody waits for an answer of something that stands still."""
    with frozen(stack.api.pid, stack.worker.pid, stack.postgres.pid, stack.valkey.pid):
        yield


def _payments(stack: Stack, count: int) -> Sample:
    """Held orders with a begun payment are paid; done when Redis has followed the last one."""
    config = _take_all(stack, count)
    begun = asyncio.run(_begin_payments(stack, config))
    pids = [stack.api.pid, stack.worker.pid, stack.valkey.pid, stack.postgres.pid]
    before, started = cpu_seconds(pids), time.monotonic()
    with pinned(LOAD_CORE):
        asyncio.run(_pay(stack, begun))
    spent, wall = cpu_seconds(pids) - before, time.monotonic() - started
    _check_followed(stack, config, count, "PAID", gate_state=2)
    return Sample(count, spent, wall)


def _expiries(stack: Stack, count: int) -> Sample:
    """Holds that are all overdue before the worker may sweep; done when Redis has followed the last one."""
    config = _take_all(stack, count)
    stack.worker.freeze()
    try:
        if (held := stack.subject.fetchval(HELD, config)) != count:
            raise RuntimeError(f"{count - held} of {count} holds had ended before the worker was frozen")
        time.sleep(max(0.0, stack.subject.fetchval(OVERDUE_IN_S, config)) + POLL_S)
        stack.api.freeze()
        pids = [stack.worker.pid, stack.valkey.pid, stack.postgres.pid]
        before, started = cpu_seconds(pids), time.monotonic()
        stack.worker.thaw()
        asyncio.run(_until_followed(stack))
        spent, wall = cpu_seconds(pids) - before, time.monotonic() - started
    finally:
        stack.worker.thaw()
        stack.api.thaw()
    _check_followed(stack, config, count, "EXPIRED", gate_state=0)
    return Sample(count, spent, wall)


def _take_all(stack: Stack, count: int) -> str:
    """A new sale of `count` units, each held by one order that Postgres has; its config id."""
    subject = stack.subject
    (config,) = subject.publish(stock=count)
    subject.wait_visible(config)
    while subject.left(config) > 0:
        run_wrk(subject.target(config), CONNECTIONS, 1)
    orders.wait(lambda: subject.orders(config) == count, f"{count} orders were rows")
    return config


async def _begin_payments(stack: Stack, config: str) -> list[str]:
    """Every order of the config with a begun payment."""
    tokens = stack.subject.tokens.read_text(encoding="utf-8").splitlines()
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        rows = await connection.fetch(ORDERS, config)
    finally:
        await connection.close()

    async with Client(f"http://127.0.0.1:{stack.subject.port}", PAYERS) as client:

        async def begin(row: Any) -> None:
            token = tokens[int(row["user_id"][1:], 16)]  # as the people were numbered when the tokens were written
            await _must(client, f"/v1/orders/{row['id'].hex}/payment", token)

        await at_most(PAYERS, rows, begin)
    return [row["id"].hex for row in rows]


async def _pay(stack: Stack, begun: list[str]) -> None:
    """Play the payer of every order, and wait until all is followed."""
    async with Client(f"http://127.0.0.1:{stack.subject.port}", PAYERS) as client:
        await at_most(PAYERS, begun, lambda order: _must(client, f"/v1/payments/sandbox/{order}/pay"))
    await _until_followed(stack)


async def _must(client: Client, path: str, token: str | None = None) -> None:
    answer = await client.request("POST", path, {}, token)
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status} {answer.body[:300]!r}")


async def _until_followed(stack: Stack) -> None:
    """Nothing is overdue, no event waits, every stream is drained."""
    redis, shards = stack.subject.redis, range(stack.subject.settings.gate.shards)
    connection = await asyncpg.connect(stack.postgres.url)
    deadline = time.monotonic() + FOLLOWED_TIMEOUT_S
    try:
        while await connection.fetchval(UNDONE) or any(redis.xlen(keys.intents(shard)) for shard in shards):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not followed after {FOLLOWED_TIMEOUT_S} s")
            await asyncio.sleep(POLL_S)
    finally:
        await connection.close()


def _check_followed(stack: Stack, config: str, count: int, status: str, gate_state: int) -> None:
    followed = stack.subject.fetchval(FOLLOWED, config, status, gate_state)
    if followed != count:
        raise RuntimeError(f"{count} orders were to be {status}, and Redis to know it; of {followed} that is so")
