"""A supervised child: its lines are shown, its end is noticed, and nothing of it is left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from engine.local import children
from engine.local.children import Child, Program
from engine.local.programs import tied_to_parent
from tests.support.waiting import until, until_true

Start = Callable[..., Child]


@pytest.fixture
def lines() -> list[str]:
    """What children printed."""
    return []


@pytest.fixture
async def child_of(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """`child_of("python source")`: not started; stopped at the end of the test."""
    monkeypatch.setattr(children, "STOP_TIMEOUT_S", 0.5)
    made: list[Child] = []

    def make(source: str, **fields: object) -> Child:
        argv = [sys.executable, "-u", "-c", source]
        program = Program(name="part", command=lambda: argv, **fields)  # type: ignore[arg-type]
        made.append(Child(program, lambda name, line: lines.append(f"{name}: {line}")))
        return made[-1]

    yield make
    for child in made:
        await child.stop()


async def test_lines_are_shown_under_its_name(child_of: Start, lines: list[str]) -> None:
    """Both streams, whole lines, also the last one without an end, and none longer than the limit."""
    source = "import sys; print('one'); print('two', file=sys.stderr); print('x' * 20000); print('end', end='')"
    child = child_of(source)
    await child.start()
    await child.ended.wait()
    assert [line for line in lines if "x" not in line] == ["part: one", "part: two", "part: end"]
    assert max(map(len, lines)) <= children.LINE_BYTES_MAX + len("part: ")


async def test_child_that_ends_stays_so_until_it_is_kept(child_of: Start) -> None:
    """A server that cannot start is not started again and again."""
    child = child_of("raise SystemExit(3)")
    await child.start()
    await child.ended.wait()
    await asyncio.sleep(0.3)
    assert (child.pid, child.restarts) == (None, 0)


async def test_kept_child_is_restarted_after_growing_pauses(child_of: Start, lines: list[str]) -> None:
    """0.2 s, then 0.4 s: a child that cannot live does not eat a core."""
    child = child_of("raise SystemExit(3)")
    started = time.monotonic()
    await child.start()
    child.keep()
    await until(lambda: child.restarts == 2)
    assert time.monotonic() - started > 0.6
    assert lines[:2] == [
        "part: ended by exit code 3; starts again in 0.2 s",
        "part: ended by exit code 3; starts again in 0.4 s",
    ]


async def test_killed_child_comes_back_as_another_process(child_of: Start, lines: list[str]) -> None:
    child = child_of("import time; time.sleep(60)")
    await child.start()
    child.keep()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.restarts == 1 and child.pid is not None)
    assert child.pid != first
    assert "part: ended by signal SIGKILL; starts again in 0.2 s" in lines


async def test_its_program_is_told_how_it_ended_before_it_starts_again(child_of: Start, lines: list[str]) -> None:
    child = child_of("raise SystemExit(3)", on_end=lambda code: lines.append(f"told {code}"))
    await child.start()
    child.keep()
    await until(lambda: child.restarts == 2)
    assert lines[:3] == [
        "part: ended by exit code 3; starts again in 0.2 s",
        "told 3",
        "part: ended by exit code 3; starts again in 0.4 s",
    ]


async def test_stop_waits_for_an_orderly_end(child_of: Start, lines: list[str]) -> None:
    """Its own stop signal, and time to say goodbye."""
    source = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (print('goodbye'), sys.exit()))\n"
        "print('up')\n"
        "time.sleep(60)"
    )
    child = child_of(source, stop_signal=signal.SIGINT)
    await child.start()
    child.keep()
    await until(lambda: "part: up" in lines)
    await child.stop()
    assert lines[-1] == "part: goodbye"
    assert child.restarts == 0


async def test_restarted_child_ends_in_order_and_begins_at_once(child_of: Start, lines: list[str]) -> None:
    """It may say goodbye, nothing is said of an end, and a later end finds the first pause again."""
    source = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('goodbye'), sys.exit()))\n"
        "print('up')\n"
        "time.sleep(60)"
    )
    child = child_of(source)
    await child.start()
    child.keep()
    await until(lambda: lines == ["part: up"])
    first = child.pid
    await child.restart()
    assert child.pid not in (None, first)
    await until(lambda: lines == ["part: up", "part: goodbye", "part: up"])
    assert child.restarts == 0


async def test_child_that_keeps_ending_is_restarted_without_its_pause(child_of: Start, lines: list[str]) -> None:
    """Whoever repaired it need not wait; and its count begins anew."""
    child = child_of("raise SystemExit(3)")
    await child.start()
    child.keep()
    await until(lambda: any(line.endswith("starts again in 0.8 s") for line in lines))
    lines.clear()
    await child.restart()
    assert child.restarts == 0
    await until(lambda: bool(lines))
    assert lines[0] == "part: ended by exit code 3; starts again in 0.2 s"


async def test_deaf_child_is_killed_and_restarted(child_of: Start) -> None:
    child = child_of("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    await child.start()
    child.keep()
    first = child.pid
    await child.restart()
    assert child.pid not in (None, first)


async def test_environment_is_asked_before_each_start(child_of: Start, lines: list[str]) -> None:
    """What has changed since then is what a restarted child sees."""
    said = iter(["one", "two"])
    source = "import os, time; print(os.environ['SAID']); time.sleep(60)"
    child = child_of(source, environment=lambda: {"SAID": next(said)})
    await child.start()
    child.keep()
    await until(lambda: lines == ["part: one"])
    await child.restart()
    await until(lambda: lines == ["part: one", "part: two"])


async def test_deaf_child_is_killed(child_of: Start, lines: list[str]) -> None:
    child = child_of("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)")
    await child.start()
    await until(lambda: "part: up" in lines)
    await child.stop()
    assert child.pid is None


async def test_what_a_killed_child_leaves_behind_is_killed_with_it(child_of: Start, lines: list[str]) -> None:
    """A grandchild would go on holding the port its parent's successor needs."""
    child = child_of("import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid); time.sleep(60)")
    await child.start()
    await until(lambda: bool(lines))
    grandchild = int(lines[0].removeprefix("part: "))
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await child.ended.wait()
    await until(lambda: not _lives(grandchild))


async def test_child_does_not_feel_the_terminals_ctrl_c(child_of: Start) -> None:
    """It has a session of its own; the supervisor decides when it ends."""
    child = child_of("import time; time.sleep(60)")
    await child.start()
    assert child.pid is not None
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_a_tied_program_ends_with_its_parent() -> None:
    """SIGKILL of the parent reaches the child, which is the program itself and no shell around it."""
    source = (
        "import subprocess, sys, time\n"
        "from engine.local.programs import tied_to_parent\n"
        "import signal\n"
        "child = subprocess.Popen(tied_to_parent(['/bin/sleep', '60'], signal.SIGTERM))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until_true(lambda: _command(child) == "/bin/sleep 60")
        parent.kill()
    until_true(lambda: not _lives(child))


def test_tying_to_a_parent_that_is_gone_starts_nothing() -> None:
    """The parent may die before the program is tied to it."""
    argv = tied_to_parent(["/bin/echo", "started"], signal.SIGTERM)
    argv[argv.index(str(os.getpid()))] = "1"  # as if somebody else were the parent
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
