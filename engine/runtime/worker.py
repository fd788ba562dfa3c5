"""The worker: drains, dispatches and sweeps in loops of its own, and runs arq's jobs. The only file that imports arq.

The truth is in Postgres; arq is the bell that rings every second, once among all workers, for work that
talks to the outside. A lost or doubled ring costs nothing. What every click waits for does not depend on arq.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec
import uvloop
from arq import cron
from arq.connections import RedisSettings
from arq.worker import Worker

from engine.core.logs import configure_logs
from engine.core.settings import Settings
from engine.money.refunds import Refunds
from engine.notices.notices import LogMessenger, Notices
from engine.orders.holds import Holds
from engine.runtime.bootstrap import Engine, open_engine
from engine.stream.gate_events import Dispatcher
from engine.stream.ownership import ShardOwner
from engine.stream.wake import Waker

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = logging.getLogger("wanfa.worker")

QUEUE = "wanfa:jobs"
JOB_TIMEOUT_S = 30
POLL_DELAY_S = 0.2
REFUNDS_MAX = 200  # attempts in one job
REWARDS_MAX = 1000  # settled in one job
NOTICES_MAX = 1000  # handed over in one job
WARMS_MAX = 100  # configs told to the gate in one job
BACK_OFF_MIN_S = 0.1
BACK_OFF_MAX_S = 2.0
STOP_S = 2.5  # what has not ended by then is left to the operating system

Loop = Callable[[], Awaitable[None]]


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; `settings` must be complete. Raises ServerUnreachable at the start only."""
    configure_logs(settings.log.level)
    uvloop.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with open_engine(settings) as engine:
        await work(engine, stop)


async def work(engine: Engine, stop: asyncio.Event) -> None:
    """Everything a worker does, until `stop` is set."""
    tasks = [asyncio.create_task(_forever(name, loop), name=name) for name, loop in _loops(engine).items()]
    log.info("worker started: %d shards", engine.settings.gate.shards)
    await stop.wait()
    for task in tasks:
        task.cancel()
    _done, late = await asyncio.wait(tasks, timeout=STOP_S)
    log.info("worker stopped%s", f"; not in time: {sorted(task.get_name() for task in late)}" if late else "")


def _loops(engine: Engine) -> dict[str, Loop]:
    holds = Holds(engine.pool, engine.payments.close, engine.settings.orders.sweep_max)
    waker = Waker(engine.pool, engine.gate)
    owner = ShardOwner(
        pool=engine.pool,
        redis=engine.hot,
        gate=engine.gate,
        playbooks=engine.playbooks.loaded,
        settings=engine.settings,
    )

    async def sweep() -> None:
        while True:
            await holds.expire_unpaid()
            await waker.wake_due()
            await asyncio.sleep(engine.settings.orders.sweep_ms / 1000)

    async def jobs() -> None:
        await _run_arq(engine, holds)

    async def settle_in() -> None:
        """Once: playbooks may have gone or got another version since the last start."""
        await engine.catalog.pause_orphans()
        await engine.catalog.upgrade_drafts()
        await asyncio.Event().wait()

    return {
        "owner": owner.run,
        "dispatcher": Dispatcher(engine.pool, engine.gate).run,
        "sweep": sweep,
        "arq": jobs,
        "playbooks": settle_in,
    }


async def _forever(name: str, loop: Loop) -> None:
    """Run a loop that should never end; when it fails, say so and run it again, less and less eagerly."""
    clock = asyncio.get_running_loop()
    wait_s = BACK_OFF_MIN_S
    while True:
        started = clock.time()
        try:
            await loop()
        except Exception as error:
            if clock.time() - started > BACK_OFF_MAX_S:
                wait_s = BACK_OFF_MIN_S
            log.warning("%s failed, again in %.1f s: %r", name, wait_s, error, exc_info=wait_s > 1)
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, BACK_OFF_MAX_S)


def _alone(job: Callable[[], Awaitable[object]]) -> "WorkerCoroutine":
    """The job as arq calls it; a ring while it is still at work is passed over."""
    lock = asyncio.Lock()

    async def rung(_ctx: dict[str, Any]) -> None:
        if not lock.locked():
            async with lock:
                await job()

    return cast("WorkerCoroutine", rung)


async def _run_arq(engine: Engine, holds: Holds) -> None:
    """arq's worker until it fails, as it does when its Redis goes away."""
    refunds = Refunds(engine.pool, engine.provider, engine.settings.money)
    notices = Notices(engine.pool, LogMessenger())

    jobs: dict[str, Callable[[], Awaitable[object]]] = {
        "expire_prepaid": holds.expire_prepaid,
        "pay_refunds": partial(refunds.pay_due, REFUNDS_MAX),
        "settle_rewards": partial(engine.rewards.settle_due, REWARDS_MAX),
        "send_notices": partial(notices.send_due, NOTICES_MAX),
        "warm_configs": partial(engine.catalog.warm_pending_configs, WARMS_MAX),
        "warm_up": engine.catalog.warm_up_due,
    }
    logging.getLogger("arq.worker").setLevel(logging.WARNING)  # a few jobs a second are no news
    every_second = set(range(60))
    worker = Worker(
        cron_jobs=[
            cron(
                _alone(job),
                name=name,
                second=every_second,
                unique=True,
                keep_result=0,
                timeout=JOB_TIMEOUT_S,
            )
            for name, job in jobs.items()
        ],
        queue_name=QUEUE,
        redis_settings=RedisSettings.from_dsn(engine.settings.redis.queue_url),
        handle_signals=False,
        job_timeout=JOB_TIMEOUT_S,
        keep_result=0,
        poll_delay=POLL_DELAY_S,
        # Not pickle: whoever can write to this Redis must not be able to run code here.
        job_serializer=msgspec.msgpack.encode,
        job_deserializer=msgspec.msgpack.decode,
        log_results=False,
    )
    try:
        await worker.async_run()
    finally:
        with suppress(Exception):  # it is on its way out, and its Redis may be away
            await worker.close()
