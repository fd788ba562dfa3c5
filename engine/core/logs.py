"""One log format for every process, and lines that are said seldom."""

import logging
import time

SAY_EVERY_S = 10.0

# `log.warning("… %d …", number, extra=SELDOM)`: for what is tried again and again while a server is away. Of all lines
# of a logger with the same words, whatever stands for %d, one in SAY_EVERY_S is said; it tells how many were not.
SELDOM = {"seldom": ""}


def seldom(about: str) -> dict[str, str]:
    """The same for the lines about this alone."""
    return {"seldom": about}


class Seldom(logging.Filter):
    """Lets a line marked SELDOM pass once in SAY_EVERY_S."""

    def __init__(self) -> None:
        super().__init__()
        # (logger, words, about) -> (when it was said, how many were not since)
        self._said: dict[tuple[str, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is said."""
        about = getattr(record, "seldom", None)
        if about is None:
            return True
        key, now = (record.name, str(record.msg), about), time.monotonic()
        said_at, unsaid = self._said.get(key, (-SAY_EVERY_S, 0))
        if now - said_at < SAY_EVERY_S:
            self._said[key] = said_at, unsaid + 1
            return False
        self._said[key] = now, 0
        if unsaid:
            record.msg = f"{record.msg} (and {unsaid} times since it was last said)"
        return True


class Brief(logging.Filter):
    """A library's line without its traceback, seldom; for what it tries again by itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True; what was raised becomes the end of the line."""
        if record.exc_info and (error := record.exc_info[1]):
            record.msg, record.args = f"{record.getMessage()}: {error!r}", ()
            record.exc_info, record.seldom = None, ""
        return True


BRIEF = Brief()


def configure_logs(level: str) -> None:
    """Log to stderr from `level` on."""
    logging.getLogger("asyncpg.pool").addFilter(BRIEF)  # whose connections it opens anew while Postgres is away
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
