"""A lane: the clicks of one shard, one batch in flight at a time.

Clicks that arrive while a batch is with Redis form the next batch, so the batch grows with the load
and an idle lane answers at once. A batch whose outcome is unknown is sent again as it was: every click
carries an id that Redis has seen or not, so a second sending changes nothing.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from redis.exceptions import NoScriptError, RedisError, ResponseError

from engine.core.errors import Overloaded, Paused
from engine.core.logs import SELDOM
from engine.core.settings import GateSettings
from engine.core.tasks import end_tasks
from engine.gate import keys
from engine.gate.connection import HotConnection
from engine.gate.failures import StepFailures
from engine.gate.wire import Batch, Click, Reply, pack, unpack

log = logging.getLogger("wanfa.gate")

RETRY_S = 0.05  # between two attempts while the shard is closed or Redis is away

SEED_BITS = 31
_draw = random.SystemRandom().getrandbits  # nobody who clicks may foresee what a step draws


class Ticket(Protocol):
    """Whoever waits for the reply to a click: a future, or what behaves like one."""

    def done(self) -> bool:
        """Whether nobody waits any more."""

    def set_result(self, reply: Any, /) -> None:
        """The reply: an `int | Reply`."""

    def set_exception(self, error: Any, /) -> None:
        """There is none: Paused."""


Waiting = tuple[Click, Ticket]


class Lane:
    """Decides the clicks of one shard. `epoch_of` asks Postgres which epoch the shard is open in."""

    def __init__(
        self,
        shard: int,
        url: str,
        script_sha: str,
        settings: GateSettings,
        epoch_of: Callable[[int], Awaitable[int]],
        failures: StepFailures,
    ) -> None:
        self.shard = shard
        self._failures = failures
        self.open = False
        self._seen_open = False
        self._stuck = False  # closed for so long that clicks need not wait for it
        self._settings = settings
        self._timeout_s = settings.click_timeout_ms / 1000
        self._sha = script_sha
        self._epoch_of = epoch_of
        self._epoch = b"0"
        self._connection = HotConnection(url, timeout_s=self._timeout_s)
        self._waiting: deque[Waiting] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._shared_keys = (keys.epoch(shard), keys.intents(shard), keys.changed(shard))
        self._keys: dict[str, tuple[str, str]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin deciding; call it inside the running loop."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name=f"lane-{self.shard}")

    async def close(self) -> None:
        """Stop; clicks still waiting are told PAUSED, and a retry of theirs is safe."""
        if self._task is not None:
            await end_tasks([self._task])
        self._stuck = True  # and so is whoever comes too late
        self._fail(self._waiting)
        self._waiting.clear()
        await self._connection.close()

    def submit(self, click: Click) -> "asyncio.Future[int | Reply]":
        """The future reply; of a refusal its outcome alone. Raises Overloaded or Paused."""
        future = self._loop.create_future()
        self.enter(click, future)
        return future

    def enter(self, click: Click, ticket: Ticket) -> None:
        """Have a click decided; `ticket` is told. Raises Overloaded or Paused."""
        if len(self._waiting) >= self._settings.inflight_max:
            raise Overloaded
        if self._stuck:
            raise Paused
        self._waiting.append((click, ticket))
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def _run(self) -> None:
        while True:
            if self.open and not self._waiting:
                self._idle = self._loop.create_future()
                await self._idle
                self._idle = None
            batch = self._take()  # empty while the shard is closed and nobody clicks: a probe
            try:
                await self._decide(batch)
            except asyncio.CancelledError:
                self._fail(batch)
                raise
            except Exception:
                # Nothing may end a lane: the clicks are told, the cause is logged, the next batch is tried.
                log.exception("shard %d: a batch failed", self.shard, extra=SELDOM)
                await self._connection.close()
                self._fail(batch)

    def _take(self) -> list[Waiting]:
        waiting = self._waiting
        if len(waiting) <= self._settings.batch_max:
            batch = list(waiting)
            waiting.clear()
            return batch
        return [waiting.popleft() for _ in range(self._settings.batch_max)]

    async def _decide(self, batch: list[Waiting]) -> None:
        arguments = self._pack(batch)
        started = self._loop.time()
        while True:
            try:
                answer = unpack(await self._call(arguments))
            except NoScriptError:
                await self._closed("Redis does not know the script: it was restarted")
            except ResponseError as error:
                await self._closed(str(error))
            except (RedisError, OSError, TimeoutError) as error:
                await self._connection.close()
                await self._closed(f"Redis is away: {error or type(error).__name__}")
            else:
                break
            if self._loop.time() - started > self._timeout_s:
                self._stuck = True
                self._fail(batch)
                self._fail(self._waiting)
                self._waiting.clear()
                return
        self._stuck = False
        self._reopened()
        for (_click, ticket), reply in zip(batch, answer.replies, strict=True):
            if not ticket.done():
                ticket.set_result(reply)
        if answer.failures:
            self._failures.add(answer.failures)

    def _pack(self, batch: list[Waiting]) -> tuple[Any, ...]:
        """The words after the epoch are the same however often the batch is sent."""
        numbers: dict[str, int] = {}
        names: list[str] = []
        clicks = []
        for click, _ticket in batch:
            config_id = click.config
            number = numbers.get(config_id)
            if number is None:
                number = numbers[config_id] = len(numbers) + 1
                names += self._keys_of(config_id)
            click.config = number
            clicks.append(click)
        settings = self._settings
        seed = _draw(SEED_BITS) if batch else 0
        packed = Batch(settings.hold_ttl_ms, settings.reopen_ms, settings.person_effects_max, seed, clicks)
        return (len(names) + 3, *self._shared_keys, *names), pack(packed)

    def _keys_of(self, config_id: str) -> tuple[str, str]:
        found = self._keys.get(config_id)
        if found is None:
            if len(self._keys) > 50_000:
                self._keys.clear()
            found = keys.cells(self.shard, config_id), keys.people(self.shard, config_id)
            self._keys[config_id] = found
        return found

    async def _call(self, arguments: tuple[Any, ...]) -> Any:
        names, packed = arguments
        return await self._connection.command("EVALSHA", self._sha, *names, self._epoch, packed)

    async def _closed(self, why: str) -> None:
        """Wait a moment, then learn which epoch a worker has opened the shard in meanwhile."""
        if self.open:
            log.warning("shard %d paused: %s", self.shard, why)
        self.open = False
        await asyncio.sleep(RETRY_S)
        try:
            async with asyncio.timeout(self._timeout_s):
                self._epoch = str(await self._epoch_of(self.shard)).encode()
        except Exception as error:  # noqa: BLE001  # Postgres is away as well: keep the epoch and keep trying
            log.warning("shard %d: no epoch from Postgres: %r", self.shard, error, extra=SELDOM)

    def _reopened(self) -> None:
        if not self.open:
            level = logging.INFO if self._seen_open else logging.DEBUG  # that it opens at the start is no news
            log.log(level, "shard %d open in epoch %s", self.shard, self._epoch.decode())
            self.open = self._seen_open = True

    def _fail(self, batch: Iterable[Waiting]) -> None:
        for _click, ticket in batch:
            if not ticket.done():
                ticket.set_exception(Paused())
