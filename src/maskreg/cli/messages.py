"""What maskreg says on stderr while it works: by the standard `logging`, a line a message."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEVELS = {-1: logging.ERROR, 0: logging.INFO, 1: logging.DEBUG}


@contextmanager
def send_to_stderr(verbosity: int) -> Iterator[None]:
    """Show the package's messages: errors only (-1), notes too (0), everything (1 or more)."""
    logger = logging.getLogger("maskreg")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logger.addHandler(handler)
    logger.setLevel(LEVELS[max(-1, min(verbosity, 1))])
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Line(logging.Formatter):
    """``maskreg: text``, and ``maskreg: warning: text`` for what the user should look at."""

    def format(self, record: logging.LogRecord) -> str:
        kind = "warning: " if record.levelno >= logging.WARNING else ""
        return f"maskreg: {kind}{super().format(record)}"
