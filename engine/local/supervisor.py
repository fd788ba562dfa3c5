"""`wanfa up`: everything as children of one process, started in order, ended in reverse.

valkey, ready -> postgres, ready -> migrations, demo data -> api, listening -> worker -> /readyz says 200.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from engine.core.errors import ServerUnreachable, WanfaError
from engine.core.settings import Settings, environment
from engine.core.tasks import end_tasks
from engine.local.children import Child, Printer, Program
from engine.local.embedded import PostgresServer, ValkeyServer
from engine.local.health import Conditions, Health, get, health_of, warnings_of
from engine.local.programs import explain, tied_to_parent
from engine.local.running import Server, until_ready
from engine.local.state import Servers, StateFolder, with_servers
from engine.local.watch import Watch, named
from engine.runtime.serve import check_port, check_servers

LISTEN_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 90.0
CONDITIONS_EVERY_S = 2.0
EARLY_ENDS_MAX = 3  # ended this often before all was ready: it will not get better by itself
ALL_OPEN = '"shardsClosed":[]'  # /readyz says 200 from the first open shard on; a newcomer's click shall not wait
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # not an error: somebody asked us to end
    """A signal arrived while starting."""


class Supervisor:
    """One `wanfa up`. `show(name, line)` gets every child's output, `say(line)` our own steps.

    With `reload`, which loads the settings again, api and worker are started again whenever a file changes.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        show: Printer,
        say: Callable[[str], None],
        reload: Callable[[], Settings] | None = None,
    ) -> None:
        self.settings = settings
        self.state = StateFolder(Path(settings.state.home))
        self.health = Health()
        self._show = show
        self._say = say
        self._reload = reload
        self._parts: list[Child] = []
        self._children = AsyncExitStack()
        self._interrupt = asyncio.Event()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start all, call `when_ready`, wait for a signal, end all. WanfaErrors say why it can't be started."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupt.set)
        check_port(self.settings.api.host, self.settings.api.port)
        self.state.open()
        self.state.lock()
        watch = Watch() if self._reload else None  # made before anything is loaded, so that no change is missed
        try:
            async with self._children:
                await self._start_or_interrupt()
                when_ready()
                async with self._conditions_told():
                    await self._reload_until_interrupted(watch)
                self._say("ending")
        except Interrupted:
            self._say("interrupted while starting")
        finally:
            self.state.retract()
            self.state.unlock()

    async def _start_or_interrupt(self) -> None:
        starting = asyncio.create_task(self._start())
        interrupted = asyncio.create_task(self._interrupt.wait())
        await asyncio.wait((starting, interrupted), return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, WanfaError):
                await starting
            raise Interrupted
        starting.result()

    async def _start(self) -> None:
        hot_url = postgres_url = ""
        if not self.settings.redis.hot_url:
            valkey = ValkeyServer(self.state.home / "valkey", password=self.state.secret("valkey"), say=self._say)
            hot_url = await self._start_server(valkey)
        if not self.settings.postgres.url:
            postgres = PostgresServer(self.state.home / "postgres", password=self.state.secret("postgres"))
            postgres_url = await self._start_server(postgres)
        self.settings = with_servers(self.settings, self.state, hot_url, postgres_url)
        await check_servers(self.settings)
        self.state.publish(Servers(self.settings.redis.hot_url, self.settings.postgres.url))
        await self._prepare()
        self._parts.append(await self._start_part("serve", "api"))
        await self._until_answered("/livez", "", LISTEN_TIMEOUT_S)
        self._parts.append(await self._start_part("worker", "worker"))
        self._say("waiting until all shards are open")
        await self._until_ready()

    async def _reload_until_interrupted(self, watch: Watch | None) -> None:
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(self._interrupt.wait())]
        if watch is not None and self._reload is not None:
            waiting.append(asyncio.create_task(self._reload_when_changed(watch, self._reload)))
        done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()

    async def _reload_when_changed(self, watch: Watch, load: Callable[[], Settings]) -> None:
        """Never returns. A change that makes it impossible to start is said; the next one is tried again."""
        self._say("watching Python, Lua, SQL and settings: what is changed is loaded again")
        while True:
            self._say(f"changed: {named(await watch.changed())}")
            began = time.monotonic()
            try:
                hot_url, postgres_url = self.settings.redis.hot_url, self.settings.postgres.url
                self.settings = with_servers(load(), self.state, hot_url, postgres_url)
                await self._prepare_again()
                await asyncio.gather(*(part.restart() for part in self._parts))
                await self._until_answered("/livez", "", LISTEN_TIMEOUT_S)
                await self._until_ready()
                self._say(f"ready again in {time.monotonic() - began:.1f} s{self.health.limits}")
            except WanfaError as error:
                self._say(f"not ready: {error}; waiting for the next change")

    async def _until_ready(self) -> None:
        """Wait until all shards are open, and say what is sold without."""
        self.health = await health_of(self.settings, await self._until_answered("/readyz", ALL_OPEN, READY_TIMEOUT_S))
        for name, why in sorted(self.health.quarantined.items()):
            self._say(f"playbook {name} is quarantined: {why}")

    @contextlib.asynccontextmanager
    async def _conditions_told(self) -> AsyncIterator[None]:
        """Meanwhile, say what /readyz warns of as it comes and goes."""
        telling = asyncio.create_task(self._tell_conditions(), name="conditions")
        try:
            yield
        finally:
            await end_tasks([telling])

    async def _tell_conditions(self) -> None:
        conditions = Conditions()
        while True:
            try:
                answer = await get(self.settings.api.host, self.settings.api.port, "/readyz")
            except OSError:
                pass  # it is started again, which is said already
            else:
                for line in conditions.news(warnings_of(answer.partition(" ")[2])):
                    self._say(line)
            await asyncio.sleep(CONDITIONS_EVERY_S)

    async def _prepare(self) -> None:
        from engine.local.prepare import prepare

        self._say("looking after tables, playbooks and demo data")
        for line in await prepare(self.settings):
            self._say(line)

    async def _prepare_again(self) -> None:
        """The same in a process that has loaded what was changed."""
        child = Child(self._program("engine.local.prepare", "", "wanfa"), self._show)
        try:
            await child.start()
            await child.ended.wait()
        finally:
            await child.stop()

    async def _start_server(self, server: Server) -> str:
        """Start an embedded server and wait until it answers; its URL."""
        self._say(f"starting {server.name} on port {server.port}")
        await asyncio.to_thread(server.prepare)
        child = await self._start_child(
            Program(
                name=server.name,
                command=server.command,
                stop_signal=server.stop_signal,
                on_end=server.ended,
                cwd="/",
            )
        )
        if not await until_ready(server, child.ended.is_set):
            raise explain(server.name, server.port, self.state.home, child.last_lines)
        child.keep()
        return server.url

    async def _start_part(self, command: str, name: str) -> Child:
        """Start one of our own processes; it is kept running from now on."""
        self._say(f"starting {name}")
        child = await self._start_child(self._program("engine.cli.main", command, name))
        child.keep()
        return child

    def _program(self, module: str, command: str, name: str) -> Program:
        argv = [sys.executable, "-m", module, *command.split()]
        return Program(
            name=name,
            command=lambda: tied_to_parent(argv, signal.SIGTERM),
            environment=lambda: {**environment(self.settings), "PYTHONUNBUFFERED": "1"},
        )

    async def _start_child(self, program: Program) -> Child:
        child = Child(program, self._show)
        self._children.push_async_callback(child.stop)
        await child.start()
        return child

    async def _until_answered(self, path: str, wanted: str, timeout_s: float) -> str:
        """Wait until the API answers `path` with 200 and `wanted` in the body; the body."""
        answer = "no answer"
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for part in self._parts:
                        if part.restarts >= EARLY_ENDS_MAX:
                            raise ServerUnreachable(f"{part.name} keeps ending; its last line: {_last(part)}")
                    with contextlib.suppress(OSError):
                        answer = await get(self.settings.api.host, self.settings.api.port, path)
                        if answer.startswith("200") and wanted in answer:
                            return answer.removeprefix("200 ")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ServerUnreachable(f"{path} says {answer!r} after {timeout_s:.0f} s") from None


def _last(child: Child) -> str:
    return child.last_lines[-1] if child.last_lines else "none"
