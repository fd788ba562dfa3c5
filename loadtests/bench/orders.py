"""Row b: orders from the click to the committed row, against one BullMQ job and one INSERT an order."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import cast

from engine.gate import keys
from loadtests.bench.cpu import cpu_seconds
from loadtests.bench.measure import Measurement, Plan, Row, Sample, compare, interleave
from loadtests.bench.peer import Peer
from loadtests.bench.processes import Program
from loadtests.bench.stack import Stack
from loadtests.bench.wrk import run_wrk

CONNECTIONS = 256
CONCURRENCIES = (20, 50)
PERSISTED_TIMEOUT_S = 300
POLL_S = 0.1
TARGET = 6.0
JOBS = "bull:orders:"


def persisted(stack: Stack, plan: Plan) -> list[Row]:
    """Orders per CPU-second of all processes: API, worker, Valkey and Postgres."""
    sides: dict[str, Measurement] = {"wanfa": partial(ours, stack, plan.seconds)}
    note = ""
    with ExitStack() as opened:
        if stack.peer:
            peer = Peer(stack.folder, stack.valkey.url, stack.postgres.url, orders="bullmq")
            peer.tokens = stack.peer.tokens
            api = opened.enter_context(peer.api())
            best = _best_concurrency(stack, peer, api, plan)
            worker = opened.enter_context(peer.worker(best, create_table=False))
            worker.wait_for_line("listening ")
            sides["BullMQ"] = partial(_peers, stack, peer, api, worker, plan.seconds)
            note = f"BullMQ concurrency {best}, the better of {CONCURRENCIES}"
        for once in sides.values():
            once()
        samples = interleave("persisted orders", sides, plan)
    return [compare("orders in Postgres", "orders / CPU-s of all processes", samples, TARGET, note)]


def _best_concurrency(stack: Stack, peer: Peer, api: Program, plan: Plan) -> int:
    rates: dict[int, float] = {}
    for number, concurrency in enumerate(CONCURRENCIES):
        with peer.worker(concurrency, create_table=number == 0) as worker:
            worker.wait_for_line("listening ")
            _peers(stack, peer, api, worker, 1)  # V8's warm-up
            rates[concurrency] = _peers(stack, peer, api, worker, plan.seconds).rate
        plan.say(f"BullMQ with concurrency {concurrency}: {rates[concurrency]:,.0f} orders per CPU-second")
    return max(rates, key=lambda concurrency: rates[concurrency])


def ours(stack: Stack, seconds: float) -> Sample:
    """Orders by wanfa, clicked for and drained into Postgres."""
    subject, stock = stack.subject, 5_000_000
    (config,) = subject.publish(stock=stock)
    subject.wait_visible(config)
    shard = subject.shard(config)
    pids = [stack.api.pid, stack.worker.pid, stack.valkey.pid, stack.postgres.pid]
    before, started = cpu_seconds(pids), time.monotonic()
    run = run_wrk(subject.target(config), CONNECTIONS, seconds)

    def done() -> bool:
        return not cast("int", subject.redis.xlen(keys.intents(shard)))

    wait(done, "wanfa's stream was drained")
    spent, wall = cpu_seconds(pids) - before, time.monotonic() - started
    orders = subject.orders(config)
    if orders != stock - subject.left(config) or orders != subject.reserved(config) or orders < run.good:
        raise RuntimeError(
            f"wrk saw {run.good} wins, Postgres has {orders} orders and {subject.reserved(config)} units"
        )
    return Sample(orders, spent, wall)


def _peers(stack: Stack, peer: Peer, api: Program, worker: Program, seconds: float) -> Sample:
    config, stock = f"c{time.time_ns():x}", 5_000_000
    peer.open_sale(config, stock)
    # wanfa's idle processes must not cost the peer's Valkey and Postgres anything.
    stack.worker.freeze()
    stack.api.freeze()
    try:
        pids = [api.pid, worker.pid, stack.valkey.pid, stack.postgres.pid]
        before, started = cpu_seconds(pids), time.monotonic()
        run = run_wrk(peer.target(int(api.wait_for_line("listening ")), config), CONNECTIONS, seconds)
        wait(lambda: not _jobs(peer), "BullMQ's queue was empty")
        spent, wall = cpu_seconds(pids) - before, time.monotonic() - started
    finally:
        stack.api.thaw()
        stack.worker.thaw()
    orders = stock - peer.left(config)
    peer.drop_sale(config)
    if orders < run.good:
        raise RuntimeError(f"wrk saw {run.good} wins, Redis reserved {orders} units")
    rows = stack.subject.fetchval("SELECT count(*) FROM peer_orders WHERE config_id = $1", config)
    if rows != orders:
        raise RuntimeError(f"Redis reserved {orders} units, Postgres has {rows} rows")
    return Sample(orders, spent, wall)


def _jobs(peer: Peer) -> int:
    waiting = cast("int", peer.redis.llen(JOBS + "wait")) + cast("int", peer.redis.llen(JOBS + "active"))
    return (
        waiting + cast("int", peer.redis.zcard(JOBS + "delayed")) + cast("int", peer.redis.zcard(JOBS + "prioritized"))
    )


def wait(done: Callable[[], bool], what: str) -> None:
    """Ask until it is done; RuntimeError when that takes too long."""
    deadline = time.monotonic() + PERSISTED_TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it took more than {PERSISTED_TIMEOUT_S} s until {what}")
        time.sleep(POLL_S)
