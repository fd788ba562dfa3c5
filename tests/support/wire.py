"""The real server, spoken to byte by byte: what a polite client library would never send."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec

from engine.core.settings import Settings, environment
from engine.local.embedded import free_port
from tests.support.hot import Room
from tests.support.market import Market, open_market
from tests.support.waiting import WAIT_S

Front = Literal["direct", "granian"]
LISTEN, NOBODYS = "0A", "0"  # a state and an inode in /proc/net/tcp
CHECKOUT = Path(__file__).resolve().parents[2]


class Wire:
    """Raw requests to a server of its own process, and the market behind it."""

    def __init__(self, market: Market, port: int, process: asyncio.subprocess.Process) -> None:
        self.market = market
        self.port = port
        self.process = process
        self._room = Room(market)

    async def say(self, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are, read one answer: (status, headers, body); status 0 when the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(WAIT_S):
                return await read_answer(reader, whole=not parts[0].startswith(b"HEAD"))
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0, {}, b""
        finally:
            writer.close()

    def connections(self) -> int:
        """How many the server holds open."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        return sum(line[1].endswith(f":{self.port:04X}") and line[3] != LISTEN and line[9] != NOBODYS for line in lines)

    def post(self, path: str, *headers: bytes, user: str = "u1") -> bytes:
        """The head of a POST by a user, or by nobody."""
        lines = [f"POST {path} HTTP/1.1".encode(), b"host: x", *headers]
        if user:
            lines.append(f"authorization: Bearer {self._room.token(user)}".encode())
        return b"\r\n".join(lines) + b"\r\n\r\n"


def descendants(pid: int) -> list[int]:
    """The processes below one, all generations."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += [int(child), *descendants(int(child))]
    return found


async def read_answer(reader: asyncio.StreamReader, *, whole: bool = True) -> tuple[int, dict[str, str], bytes]:
    """One HTTP/1.1 answer with a length, or just its head."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)) if whole else 0)
    return int(first.split()[1]), headers, body


async def until_up(wire: Wire) -> None:
    """Wait until the server answers, what is not hot as well."""
    for _ in range(round(WAIT_S / 0.05)):
        try:
            if (await wire.say(b"GET /v1/me/orders HTTP/1.1\r\nhost: x\r\n\r\n"))[0] == 401:
                return
        except OSError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("the server does not answer")


@asynccontextmanager
async def open_wire(settings: Settings, folder: Path, front: Front = "direct", **api: int) -> AsyncIterator[Wire]:
    """A server behind that front on the test's own servers, with one shard; a traceback in its log fails the test."""
    replace = msgspec.structs.replace
    port = free_port()
    changed = replace(settings.api, port=port, front=front)
    settings = replace(settings, gate=replace(settings.gate, shards=1), api=changed)
    async with open_market(settings) as market:
        besides = {f"WANFA_API_{name.upper()}": str(value) for name, value in api.items()}
        variables = {**os.environ, **environment(settings), **besides, "WANFA_ENV": "test"}
        with (folder / "serve.log").open("wb") as log:
            command = [sys.executable, "-m", "engine.cli.main", "serve"]
            process = await asyncio.create_subprocess_exec(
                *command, cwd=CHECKOUT, env=variables, stdout=log, stderr=log
            )
        try:
            opened = Wire(market, port, process)
            await until_up(opened)
            yield opened
            assert b"Traceback" not in (folder / "serve.log").read_bytes()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), WAIT_S)
