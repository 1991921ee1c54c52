"""Work that is done in a process of its own, for what it leaves in files: the memory it took ends with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from maskreg.forking import SIGNALS, end_with, undisturbed

PATIENCE = 300.0
"""Longer than so many seconds it is not waited for: a lock of another thread may have stopped it for ever."""

LOOK = (0.002, 0.05)
"""Whether it is done is looked at after so many seconds, then ever less often, up to this."""


def done_apart(work: Callable[[], object]) -> bool:
    """Return whether some work was done in a process that was forked from this one; on Linux.

    It must need no lock but those of this thread, and write nothing but files.
    """
    child = _forked(work)
    if not child:
        return False
    try:
        return _ended_well(child)
    except BaseException:
        _end(child)
        raise


def begun_apart(work: Callable[[], object]) -> bool:
    """Return whether such work was begun; nobody waits for its end."""
    child = _forked(work)
    if child:  # on a thread, so that nothing is left of the process when it has ended
        threading.Thread(target=_let_end, args=(child,), name="maskreg_apart", daemon=True).start()
    return bool(child)


def _forked(work: Callable[[], object]) -> int:
    """Return the number of a process that does some work, and 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    child, parent = 0, os.getpid()
    try:
        with undisturbed():
            child = os.fork()
            if not child:
                _work_and_end(work, parent)
    except BaseException as error:
        if child:
            _end(child)
        elif isinstance(error, OSError):  # no memory, or no more processes
            return 0
        raise
    return child


def _work_and_end(work: Callable[[], object], parent: int) -> None:
    """Do the work in the forked process and end it, whatever happens."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if end_with(parent):
            work()
            code = 0
    finally:
        os._exit(code)


def _ended_well(child: int) -> bool:
    """Wait for a process and return whether it did its work."""
    end, pause = time.monotonic() + PATIENCE, LOOK[0]
    while time.monotonic() < end:
        try:
            ended, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:  # somebody else was told how it ended
            return False
        if ended:
            return status == 0
        time.sleep(pause)
        pause = min(1.2 * pause, LOOK[1])
    _end(child)
    return False


def _let_end(child: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


def _end(child: int) -> None:
    with suppress(OSError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
