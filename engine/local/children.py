"""One supervised child: started, watched, started again after a pause when it ends by itself."""

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine.local.programs import is_being_tied

PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 5.0
STABLE_S = 10.0
STOP_TIMEOUT_S = 8.0
LAST_WORDS_TIMEOUT_S = 1.0
LINES_KEPT = 40
LINE_BYTES_MAX = 8192

Printer = Callable[[str, str], None]


def _nothing(_code: int) -> None: ...


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a child runs. `command` and `environment`, which is added to ours, are asked before each start.

    `on_end` is told the exit code, or the negative signal, before it starts again.
    """

    name: str
    command: Callable[[], Sequence[str]]
    stop_signal: signal.Signals = signal.SIGTERM
    environment: Callable[[], Mapping[str, str]] = dict
    on_end: Callable[[int], None] = _nothing
    cwd: str | None = None


class Child:
    """Runs one program until `stop`; hands every line it prints to `show(name, line)`."""

    def __init__(self, program: Program, show: Printer) -> None:
        self.program = program
        self.name = program.name
        self.restarts = 0
        self.last_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.ended = asyncio.Event()  # set while it does not run
        self._show = show
        self._kept = False
        self._stopping = False
        self._again = asyncio.Event()  # set by `restart` until it has begun again
        self._begun = asyncio.Event()  # set from then on
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return None if self._process is None or self.ended.is_set() else self._process.pid

    async def start(self) -> None:
        """Start it; when it ends it stays so, unless `keep` was called by then."""
        output = await self._spawn()
        self._watcher = asyncio.create_task(self._watch(output), name=f"watch-{self.name}")

    def keep(self) -> None:
        """From now on, start it again whenever it ends."""
        self._kept = True

    async def restart(self) -> None:
        """End it as `stop` does and start it again, at once and as if for the first time; it must be kept."""
        self._begun.clear()
        self._again.set()
        if self.pid is not None:
            await self._end(self.pid)
        await self._begun.wait()

    async def stop(self) -> None:
        """End it: its own signal first, SIGKILL after STOP_TIMEOUT_S."""
        self._stopping = True
        if self._watcher is None:
            return
        if self.pid is not None:
            await self._end(self.pid)
        else:
            self._watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watcher

    async def _end(self, pid: int) -> None:
        # Not yet the program, it knows none of the program's signals and has nothing to lose.
        self._send(signal.SIGKILL if is_being_tied(pid) else self.program.stop_signal)
        try:
            await asyncio.wait_for(self.ended.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._show(self.name, f"did not end within {STOP_TIMEOUT_S:.0f} s: killed")
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                self._process.send_signal(number)

    async def _spawn(self) -> "asyncio.Task[None]":
        command = await asyncio.to_thread(self.program.command)  # it may have files to look through
        # A pipe of our own: asyncio's would delay the news of the end until all who inherited it are gone.
        read_end, write_end = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # so that a Ctrl-C in the terminal reaches only the supervisor
                cwd=self.program.cwd,
                env={**os.environ, **self.program.environment()},
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self.ended.clear()
        return asyncio.create_task(self._read(read_end), name=f"read-{self.name}")

    async def _watch(self, output: "asyncio.Task[None]") -> None:
        pause_s = PAUSE_FIRST_S
        while self._process is not None:
            started = time.monotonic()
            code = await self._process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # what it left behind may hold its port
            await asyncio.wait([output], timeout=LAST_WORDS_TIMEOUT_S)
            output.cancel()
            self.ended.set()
            if self._stopping or not self._kept:
                return
            if time.monotonic() - started > STABLE_S:
                pause_s = PAUSE_FIRST_S
            if not self._again.is_set():
                self._show(self.name, f"ended by {_cause(code)}; starts again in {pause_s:.1f} s")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), pause_s)
            pause_s = min(PAUSE_MAX_S, 2 * pause_s)
            self.restarts += 1
            if self._again.is_set():
                self._again.clear()
                pause_s, self.restarts = PAUSE_FIRST_S, 0
            self.program.on_end(code)
            output = await self._spawn()
            self._begun.set()

    async def _read(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )
        rest = b""
        try:
            while chunk := await reader.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._print(line)
                if len(rest) > LINE_BYTES_MAX:
                    self._print(rest)
                    rest = b""
            self._print(rest)
        finally:
            transport.close()

    def _print(self, line: bytes) -> None:
        text = line[:LINE_BYTES_MAX].decode(errors="replace").rstrip()
        if text:
            self.last_lines.append(text)
            self._show(self.name, text)


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
