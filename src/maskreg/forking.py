"""Fork without being disturbed by signals, or by a warning, and end with the process that has forked."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_PR_SET_PDEATHSIG = 1


@contextmanager
def undisturbed() -> Iterator[None]:
    """Fork in here: signals that come meanwhile are handled at the end, by the process that they came to.

    Python lets no exception out of its hooks around a fork, so a Ctrl-C that is handled in one of these is
    lost. So signals are blocked; in the new process too, until that has its own handlers and unblocks
    `SIGNALS`. Where there are other threads the system gives a signal to one that has not blocked it, and
    Python runs the handler in the main thread all the same: so there handlers only take note as well.

    Python 3.12 and later warn of any other thread, also of those of the linear algebra, which are stopped
    before and started after.
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    handlers = {}
    if threading.current_thread() is threading.main_thread():  # in which alone handlers run
        handlers = {n: handler for n in SIGNALS if callable(handler := signal.getsignal(n))}
    for number in handlers:
        signal.signal(number, note)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # what is pending is noted now
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def end_with(parent: int) -> bool:
    """Have this process end when the thread ends that has forked it; on Linux.

    Nobody waits for it then, but for what it holds open, as a pipe.

    Parameters
    ----------
    parent : int
        The number of the process that has forked this one.

    Returns
    -------
    bool
        Whether that is still there.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent
