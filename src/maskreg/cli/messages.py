"""What maskreg says on stderr while it works: by the standard `logging`, a line a message."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEVELS = {-1: logging.ERROR, 0: logging.INFO, 1: logging.DEBUG}

CHATTY = ("tifffile",)
"""Packages whose own messages about broken files are shown only on ``-v``: the row says what is wrong."""


@contextmanager
def send_to_stderr(verbosity: int) -> Iterator[None]:
    """Show the package's messages: errors only (-1), notes too (0), everything (1 or more)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    levels = {"maskreg": LEVELS[max(-1, min(verbosity, 1))]}
    levels |= dict.fromkeys(CHATTY, logging.WARNING if verbosity > 0 else logging.CRITICAL + 1)
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(level)


class _Line(logging.Formatter):
    """``maskreg: text``, and ``maskreg: warning: text`` for what the user should look at.

    What another package says goes by that package's name.
    """

    def format(self, record: logging.LogRecord) -> str:
        kind = "warning: " if record.levelno >= logging.WARNING else ""
        return f"{record.name.partition('.')[0]}: {kind}{super().format(record)}"
