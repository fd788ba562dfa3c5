"""The worker as a process: it does by itself what other tests do step by step, and stops when told."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from arq.connections import RedisSettings, create_pool

from engine.core.settings import Settings, environment
from engine.money.providers.port import TradeState
from engine.runtime.worker import QUEUE
from tests.support.market import Market, open_market
from tests.support.waiting import WAIT_S, eventually

PROGRAM = "import sys; from engine.cli.main import main; sys.argv = ['wanfa', 'worker']; main()"

PROMISES = """
INSERT INTO rewards (source, number, config_id, instance_id, user_id, kind, amount, unfreezes_at)
VALUES ('s', 1, 'c', 'c.s1', 'u1', 'CASH', 100, now());
INSERT INTO notices (source, number, config_id, instance_id, user_id, topic, due_at)
VALUES ('s', 1, 'c', 'c.s1', 'u1', 'SALE_OPENS', now());
"""


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """One shard."""
    replace = msgspec.structs.replace
    return replace(settings, gate=replace(settings.gate, shards=1))


@asynccontextmanager
async def worker(
    settings: Settings, program: str = PROGRAM, *, stderr: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`wanfa worker` on these settings; killed at the end if it still runs."""
    variables = {**os.environ, **environment(settings), "WANFA_ENV": "test", "WANFA_GATE_SHARDS": "1"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=variables, stderr=stderr)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


OVERDUE = "UPDATE orders SET pay_before = now() - interval '1 s' WHERE user_id <> $1"


async def test_everything_by_itself(quick: Settings) -> None:
    """Held, paid, expired, refunded, rewarded and told by arq, recovered after a loss; and gone after SIGTERM."""
    async with open_market(quick) as market, worker(quick) as process:
        config = await market.publish("GROUP_BUY")
        leader = await market.hold(config, "u1", verb="open")
        idle = await market.hold(config, "u2", verb="open")
        order = market.engine.orders.get
        await eventually(lambda: status(market, leader), "HELD")
        await market.pay(leader, "u1")
        await eventually(lambda: market.order(leader), ("PAID", None, 2))
        await eventually(lambda: status(market, idle), "HELD")
        await market.pool.execute(OVERDUE, "u1")
        await eventually(lambda: market.order(idle), ("EXPIRED", "NOT_PAID_IN_TIME", 0))
        await market.end_group(f"{config}.{leader[:16]}")
        await eventually(lambda: status(market, leader), "REFUNDED")
        assert (await market.sandbox.query(leader)).state is TradeState.REFUNDED
        await eventually(lambda: market.stock(config), (0, 10))
        await market.redis.flushall()
        await market.redis.script_flush()
        last = await market.hold(config, "u3", verb="open")
        await eventually(lambda: status(market, last), "HELD")
        assert (await order(last, "u3")).source_instance_id == f"{config}.{last[:16]}"
        await market.pool.execute(PROMISES)
        await eventually(lambda: market.pool.fetchval("SELECT status FROM rewards"), "GRANTED")
        await eventually(lambda: market.pool.fetchval("SELECT status FROM notices"), "SENT")
        assert await market.redis.zcard(QUEUE) <= 2 * 6, "no more than two rings of each bell wait"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0


async def status(market: Market, order_id: str) -> str | None:
    """The order's status; None while it is not a row."""
    found: str | None = await market.pool.fetchval("SELECT status FROM orders WHERE id = $1", order_id)
    return found


async def test_another_worker_goes_on(quick: Settings) -> None:
    """One of two workers is killed: what it had begun and all that follows becomes rows."""
    async with open_market(quick) as market, worker(quick) as one, worker(quick):
        config = await market.publish(stock=400)
        for number in range(100):
            await market.hold(config, f"u{number}")
            if number == 50:
                one.kill()
        count = "SELECT count(*) FROM orders"
        await eventually(lambda: market.pool.fetchval(count), 100)
        await market.pool.execute(OVERDUE, "nobody")
        await eventually(market.statuses, {"EXPIRED": 100})
        await eventually(lambda: market.stock(config), (0, 400))


FAILING = """
import asyncio, sys
from engine.cli.main import main
from engine.runtime import jobs, worker

async def fail(engine):
    raise ZeroDivisionError("dice")

async def hang(engine):
    await asyncio.sleep(3600)

jobs.JOBS = worker.JOBS = (*jobs.JOBS, jobs.Job("dice", 1, fail), jobs.Job("endless", 1, hang))
worker.JOB_TIMEOUT_S = 1
sys.argv = ["wanfa", "worker"]
main()
"""


async def test_a_job_that_fails_or_hangs_is_told_of_and_harms_no_other(quick: Settings) -> None:
    """And one that is no job of ours, whose failure arq writes down: it can. The other jobs go on."""
    async with open_market(quick) as market, worker(quick, FAILING, stderr=asyncio.subprocess.PIPE) as process:
        assert process.stderr is not None
        said = b""
        redis = RedisSettings.from_dsn(quick.redis.queue_url)
        queue = await create_pool(redis, default_queue_name=QUEUE, job_serializer=msgspec.msgpack.encode)
        await queue.enqueue_job("nobody")
        await queue.aclose()
        wanted = (b"job dice failed", b"TimeoutError", b"'nobody' not found")
        async with asyncio.timeout(WAIT_S):
            while not all(words in said for words in wanted):
                said += await process.stderr.read(4096)
        await market.pool.execute(PROMISES)
        await eventually(lambda: market.pool.fetchval("SELECT status FROM notices"), "SENT")
        process.send_signal(signal.SIGTERM)
        said += (await asyncio.wait_for(process.communicate(), WAIT_S))[1]
    assert b"ZeroDivisionError: dice" in said
    assert b"serializ" not in said, said.decode()
