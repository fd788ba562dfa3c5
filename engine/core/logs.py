"""One log format for every process: time, level, logger, message."""

import logging


def configure_logs(level: str) -> None:
    """Log to stderr from `level` on."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
