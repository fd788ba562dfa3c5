"""The worker: drains, dispatches and sweeps in loops of its own, and runs arq's jobs. The only file that imports arq.

The truth is in Postgres; arq is the bell that rings every second, once among all workers, for work that
talks to the outside. A lost or doubled ring costs nothing. What every click waits for does not depend on arq.
"""

import asyncio
import logging
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec
import uvloop
from arq import cron
from arq.connections import RedisSettings
from arq.worker import Worker
from redis.exceptions import RedisError

from engine.core.errors import Unavailable
from engine.core.logs import configure_logs, seldom
from engine.core.settings import Settings
from engine.core.tasks import end_tasks
from engine.core.transact import UNDONE, UNREACHABLE
from engine.runtime.bootstrap import Engine, open_engine
from engine.runtime.jobs import AT_START, JOBS, LOOPS, Job, Loop, Work

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = logging.getLogger("wanfa.worker")

QUEUE = "wanfa:jobs"
# A server of ours is away: a line says so, and where in our code it was missed is no news.
AWAY = (RedisError, Unavailable, *UNREACHABLE, *UNDONE)
JOB_TIMEOUT_S = 30
POLL_DELAY_S = 0.2
BACK_OFF_MIN_S = 0.1
BACK_OFF_MAX_S = 2.0
CANCEL_AGAIN_S = 1.0  # the owner of shards ends its drains first, one cancellation of theirs may be lost as well
STOP_S = 2.5  # what has not ended by then is named in the log
END_S = 6.0  # and by then the process ends, whatever still hangs: somebody waits for its locks


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; `settings` must be complete. Raises ServerUnreachable at the start only.

    Told to end, the process has ended after END_S: by SIGALRM, for which Python is not needed, if nothing else.
    """
    configure_logs(settings.log.level)
    uvloop.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if not stop.is_set():
            signal.setitimer(signal.ITIMER_REAL, END_S)
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told)
    async with open_engine(settings) as engine:
        await work(engine, stop)


async def work(engine: Engine, stop: asyncio.Event) -> None:
    """Everything a worker does, until `stop` is set."""
    tasks = [asyncio.create_task(_forever(name, work, engine), name=name) for name, work in _tasks().items()]
    log.info("worker started: %d shards", engine.settings.gate.shards)
    await stop.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await end_tasks(tasks, again_s=CANCEL_AGAIN_S)
    late = sorted(task.get_name() for task in tasks if not task.done())
    log.info("worker stopped%s", f"; not in time: {late}" if late else "")


def _tasks() -> dict[str, Work]:
    """Everything that goes on at the same time, by name."""
    return {
        **{loop.name: partial(_repeat, loop) for loop in LOOPS},
        "arq": _run_arq,
        "start": _at_start,
    }


async def _repeat(loop: Loop, engine: Engine) -> None:
    """The loop's work, again and again."""
    while True:
        await loop.work(engine)
        if loop.every_s is not None:
            await asyncio.sleep(loop.every_s(engine.settings))


async def _at_start(engine: Engine) -> None:
    """What is done once; tried again until it is."""
    for work in AT_START:
        await work(engine)
    await asyncio.Event().wait()


async def _forever(name: str, work: Work, engine: Engine) -> None:
    """Do work that should never end; when it fails, say so and do it again, less and less eagerly."""
    clock = asyncio.get_running_loop()
    wait_s = BACK_OFF_MIN_S
    while True:
        started = clock.time()
        try:
            await work(engine)
        except Exception as error:
            if clock.time() - started > BACK_OFF_MAX_S:
                wait_s = BACK_OFF_MIN_S
            traced = wait_s > 1 and not isinstance(error, AWAY)
            log.warning("%s failed, trying again: %r", name, error, exc_info=traced, extra=seldom(name))
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, BACK_OFF_MAX_S)


def _encode(job: Any) -> bytes:
    """A job or its result. What MessagePack does not know, such as the error of a job that took too long, as words."""
    return msgspec.msgpack.encode(job, enc_hook=repr)


def _alone(job: Job, engine: Engine) -> "WorkerCoroutine":
    """The job as arq calls it; a ring while it is still at work is passed over, and arq hears of no failure."""
    lock = asyncio.Lock()

    async def rung(_ctx: dict[str, Any]) -> None:
        if lock.locked():
            return
        async with lock:
            try:
                await job.work(engine)
            except AWAY as error:  # it is rung for again in a moment
                log.warning("job %s failed, trying again: %r", job.name, error, extra=seldom(job.name))
            except Exception:
                log.exception("job %s failed", job.name, extra=seldom(job.name))

    return cast("WorkerCoroutine", rung)


def _is_news(record: logging.LogRecord) -> bool:
    """Not that a job was cut short by the end of its worker, as if it had failed for good: it is rung for again."""
    return "max retries" not in str(record.msg)


async def _run_arq(engine: Engine) -> None:
    """arq's worker until it fails, as it does when its Redis goes away."""
    logging.getLogger("arq.worker").setLevel(logging.WARNING)  # a few jobs a second are no news
    logging.getLogger("arq.worker").addFilter(_is_news)
    worker = Worker(
        cron_jobs=[
            cron(
                _alone(job, engine),
                name=job.name,
                second=set(range(0, 60, job.every_s)),
                unique=True,
                keep_result=0,
                timeout=JOB_TIMEOUT_S,
            )
            for job in JOBS
        ],
        queue_name=QUEUE,
        redis_settings=RedisSettings.from_dsn(engine.settings.redis.queue_url),
        handle_signals=False,
        job_timeout=JOB_TIMEOUT_S,
        keep_result=0,
        poll_delay=POLL_DELAY_S,
        # Not pickle: whoever can write to this Redis must not be able to run code here.
        job_serializer=_encode,
        job_deserializer=msgspec.msgpack.decode,
        log_results=False,
    )
    try:
        await worker.async_run()
    finally:
        with suppress(Exception):  # it is on its way out, and its Redis may be away
            await worker.close()
