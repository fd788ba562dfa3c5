"""Bytes as no polite client would send them, and what each of our two fronts answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from engine.core.settings import Settings
from tests.integration.front.corpus import CASES, Case
from tests.support.waiting import WAIT_S
from tests.support.wire import Wire, open_wire, read_answer

AT_ONCE = 16


@pytest.fixture
async def wire(settings: Settings, tmp_path: Path) -> AsyncIterator[Wire]:
    async with open_wire(settings, tmp_path) as opened:
        yield opened


async def statuses(port: int, sent: bytes) -> tuple[int, ...]:
    """Those of all that is answered until the server closes; interim answers left out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got: list[int] = []
    try:
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(WAIT_S):
            while True:
                bodiless = sent.startswith(b"HEAD") and not got
                status, _, _ = await read_answer(reader, whole=not bodiless)
                if status >= 200:
                    got.append(status)
    except (asyncio.IncompleteReadError, ConnectionError):
        return tuple(got)
    finally:
        writer.close()


async def wrong_of(port: int, cases: Sequence[Case]) -> list[str]:
    """What was not answered as the corpus says."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def told(case: Case) -> str:
        async with turn:
            got = await statuses(port, case.sent)
        return "" if got == case.statuses else f"{case.name}: {got}, not {case.statuses}"

    return [wrong for wrong in await asyncio.gather(*map(told, cases)) if wrong]


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) >= 200
    assert len(set(names)) == len(names)


async def test_every_case_gets_the_answer_it_must_get(wire: Wire) -> None:
    """And afterwards the server serves on."""
    wrong = await wrong_of(wire.port, CASES)
    assert not wrong, "\n".join(wrong)
    assert (await wire.say(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"))[0] == 200
