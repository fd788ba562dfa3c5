"""How a worker goes on: loops with their pauses, failures with longer ones, what is done once, and arq's bells."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from redis.exceptions import RedisError

from engine.core.errors import Unavailable
from engine.runtime import jobs, worker
from engine.runtime.jobs import Job, Loop
from engine.runtime.worker import BACK_OFF_MAX_S, BACK_OFF_MIN_S

SOON_S = 10.0
TURNS_MAX = 20  # more than any of these makes
LONG_S = BACK_OFF_MAX_S + 1


class Enough(BaseException):
    """Ends what would go on for ever."""


class Clock:
    """The pauses that were made, none of which takes any time; after so many it is enough."""

    def __init__(self, pauses_max: int) -> None:
        self.pauses: list[float] = []
        self.now = 0.0
        self._max = pauses_max

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) >= self._max:
            raise Enough

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Clock]:
    def install(pauses_max: int) -> Clock:
        clock = Clock(pauses_max)
        parts = vars(asyncio) | {"sleep": clock.sleep, "get_running_loop": lambda: clock}
        monkeypatch.setattr(worker, "asyncio", SimpleNamespace(**parts))
        return clock

    return install


class Failing:
    """Work that fails at once; one that is never let rest ends the test."""

    def __init__(self) -> None:
        self.turns = 0

    def __call__(self, _engine: Any) -> Awaitable[object]:
        self.turns += 1
        if self.turns > TURNS_MAX:
            raise Enough
        raise KeyError("unforeseen")


async def test_a_loop_pauses_between_its_turns(clock: Callable[[int], Clock]) -> None:
    """As long as its table says; one that has no pause goes on by itself."""
    pauses, turns = clock(3), 0

    async def work(_engine: object) -> None:
        nonlocal turns
        turns += 1
        if turns > TURNS_MAX:
            raise Enough

    with pytest.raises(Enough):
        await worker._repeat(Loop("x", lambda _settings: 7.0, work), SimpleNamespace(settings=None))  # type: ignore[arg-type]
    assert (turns, pauses.pauses) == (3, [7.0, 7.0, 7.0])


async def test_what_fails_is_done_again_less_and_less_eagerly(clock: Callable[[int], Clock]) -> None:
    made = clock(8)
    with pytest.raises(Enough):
        await worker._forever("x", Failing(), SimpleNamespace())  # type: ignore[arg-type]
    expected = [min(BACK_OFF_MIN_S * 2**n, BACK_OFF_MAX_S) for n in range(8)]
    assert made.pauses == expected


async def test_what_had_worked_for_long_is_done_again_soon(clock: Callable[[int], Clock]) -> None:
    """One that fails after a while has not failed for the tenth time."""
    made, turns = clock(8), 0

    async def work(_engine: object) -> None:
        nonlocal turns
        turns += 1
        if turns == 7:
            made.now += LONG_S
        raise KeyError("unforeseen")

    with pytest.raises(Enough):
        await worker._forever("x", work, SimpleNamespace())  # type: ignore[arg-type]
    assert made.pauses[5:] == [BACK_OFF_MAX_S, BACK_OFF_MIN_S, 2 * BACK_OFF_MIN_S]


async def test_what_is_done_at_the_start_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And then it waits, or it would be done again as if it had failed."""
    done: list[object] = []

    async def work(engine: object) -> None:
        done.append(engine)

    monkeypatch.setattr(worker, "AT_START", (work, work))
    starting = asyncio.create_task(worker._at_start("engine"))  # type: ignore[arg-type]
    for _ in range(20):
        await asyncio.sleep(0)
    assert (done, starting.done()) == (["engine", "engine"], False)
    starting.cancel()


async def test_a_job_is_not_done_beside_itself() -> None:
    """A ring while it is at work is passed over; the next one is heard, also after a failure."""
    began, go_on, failing = [0], asyncio.Event(), [False]

    async def work(_engine: object) -> None:
        began[0] += 1
        if failing[0]:
            raise KeyError("unforeseen")
        await go_on.wait()

    rung: Any = worker._alone(Job("x", 1, work), SimpleNamespace())  # type: ignore[arg-type]
    first = asyncio.create_task(rung({}))
    await asyncio.sleep(0)
    await asyncio.wait_for(rung({}), SOON_S)
    assert began == [1]
    go_on.set()
    await first
    failing[0] = True
    await rung({})
    await rung({})
    assert began == [3]


@pytest.mark.parametrize(
    ("error", "traced"),
    [
        (asyncpg.CannotConnectNowError("the database system is starting up"), False),
        (asyncpg.ConnectionDoesNotExistError("closed"), False),
        (ConnectionRefusedError(), False),
        (RedisError("away"), False),
        (Unavailable(), False),
        (KeyError("unforeseen"), True),
    ],
)
async def test_a_server_that_is_away_takes_no_traceback(
    error: Exception, traced: bool, clock: Callable[[int], Clock], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither of a job nor of a loop, however long it is; what nobody foresaw is shown with its place."""

    async def work(_engine: object) -> None:
        raise error

    rung: Any = worker._alone(Job("x", 1, work), SimpleNamespace())  # type: ignore[arg-type]
    await rung({})
    clock(8)
    with pytest.raises(Enough):
        await worker._forever("y", work, SimpleNamespace())  # type: ignore[arg-type]

    job, *_, loop = caplog.records
    assert [bool(one.exc_info) for one in (job, loop)] == [traced, traced]
    assert job.getMessage().startswith("job x failed")


async def test_of_all_workers_one_does_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """arq is told so of each; and of each how often."""
    made: dict[str, Any] = {}

    class Bell:
        def __init__(self, **how: Any) -> None:
            made.update(how)

        async def async_run(self) -> None:
            """Over at once."""

        async def close(self) -> None:
            """Nothing to close."""

    monkeypatch.setattr(worker, "Worker", Bell)
    await worker._run_arq(SimpleNamespace(settings=SimpleNamespace(redis=SimpleNamespace(queue_url="redis://h"))))  # type: ignore[arg-type]
    bells = {bell.name: (bell.unique, bell.second) for bell in made["cron_jobs"]}
    assert bells == {job.name: (True, set(range(0, 60, job.every_s))) for job in jobs.JOBS}


def test_a_job_that_a_restart_has_cut_short_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """arq calls it a failure for good; it is rung for again in a second."""
    arq = logging.getLogger("arq.worker")
    with caplog.at_level(logging.WARNING, "arq.worker"):
        arq.addFilter(worker._is_news)
        arq.warning("%6.2fs ! %s max retries %d exceeded", 1.0, "abc:ask_again", 1)
        arq.warning("job %s, function %r not found", "abc", "nobody")
    assert [record.getMessage() for record in caplog.records] == ["job abc, function 'nobody' not found"]


def test_everything_that_goes_on_has_its_place() -> None:
    """Every loop, the bells of the jobs, and what is done once."""
    assert set(worker._tasks()) == {loop.name for loop in jobs.LOOPS} | {"arq", "start"}
