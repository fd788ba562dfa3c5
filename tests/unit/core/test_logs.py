"""What is tried again and again while a server is away does not fill the log."""

import logging

import pytest

from engine.core import logs
from engine.core.logs import SELDOM, Seldom, seldom


class Lines(logging.Handler):
    """What is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.addFilter(Seldom())
        self.log = logging.Logger("test")  # noqa: LOG001  # one that no other test has
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_what_is_tried_again_is_said_once(lines: Lines) -> None:
    """Whatever number stands in it; other words, and what is not marked, are said as always."""
    for number in range(40):
        lines.log.warning("shard %d is away", number, extra=SELDOM)
        lines.log.warning("order %d is late", number)
    lines.log.warning("shard %d is closed", 1, extra=SELDOM)
    assert [line for line in lines.said if "shard" in line] == ["shard 0 is away", "shard 1 is closed"]
    assert len([line for line in lines.said if "late" in line]) == 40


def test_a_line_tells_how_often_it_was_not_said(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        lines.log.warning("shard %d is away", number, extra=SELDOM)
    monkeypatch.setattr(logs, "SAY_EVERY_S", 0.0)
    lines.log.warning("shard %d is away", 7, extra=SELDOM)
    lines.log.warning("shard %d is away", 8, extra=SELDOM)
    assert lines.said == [
        "shard 0 is away",
        "shard 7 is away (and 2 times since it was last said)",
        "shard 8 is away",
    ]


def test_what_is_about_something_else_is_said(lines: Lines) -> None:
    for name in ("drain", "holds", "drain"):
        lines.log.warning("%s failed", name, extra=seldom(name))
    assert lines.said == ["drain failed", "holds failed"]


def test_every_process_says_it_seldom() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure_logs("INFO")
        assert [type(one) for handler in root.handlers for one in handler.filters] == [Seldom]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_a_pool_that_waits_for_postgres_takes_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """asyncpg tells of each connection that it could not open again, with a traceback."""
    root, pool = logging.getLogger(), logging.getLogger("asyncpg.pool")
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure_logs("INFO")
        for _ in range(3):
            error = ConnectionRefusedError("no 100% answer")
            pool.warning("Failed to restore the pool connection floor; retrying", exc_info=error)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("floor; retrying: ConnectionRefusedError('no 100% answer')")
