"""The standard streams, whatever the program was started with: closed, narrow, or without a reader."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from io import TextIOWrapper


def open_what_is_closed() -> None:
    """Let streams that were closed (``>&-``, some schedulers) lead nowhere.

    The next file that is opened would have such a stream's number, and get what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 (to the end)


def print_any_name() -> None:
    """Let stdout escape what it cannot encode, as stderr does: a file may have any bytes for a name."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def complain(text: str) -> None:
    """Say something on stderr, if anybody listens."""
    with suppress(OSError):
        print(text, file=sys.stderr)


def is_reader_gone() -> bool:
    """Return whether whoever read stdout has gone (``maskreg info X | head``)."""
    try:
        sys.stdout.flush()
        if not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(sys.stdout, 0)  # where nothing waits to be flushed, the system knows
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except BrokenPipeError:
        return True
    except (OSError, ValueError):  # it is no file, but what a test or a notebook has put there
        return False


def lead_stdout_nowhere() -> None:
    """Let what is left for stdout go nowhere: the interpreter flushes it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
