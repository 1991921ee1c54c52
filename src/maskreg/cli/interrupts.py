"""Ctrl-C and SIGTERM: an orderly end within two seconds, whatever the program is busy with.

Python notices a signal when the main thread is back in Python. A kernel that runs or is compiled
may keep it away for longer; then a thread that the system wakes ends the program. That is as safe
as being killed: what was committed is in the record.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from maskreg.cli import exits

PATIENCE = 1.5
"""How long the main thread may take to notice, s."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(farewell: Callable[[], str]) -> Iterator[None]:
    """Let SIGTERM be like Ctrl-C (`KeyboardInterrupt`), and end the program if it is not noticed.

    Parameters
    ----------
    farewell : callable
        Returns what to tell the user when the program is ended without having noticed.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    noticed = threading.Event()

    def notice(number: int, frame: FrameType | None) -> None:
        noticed.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, notice) for number in SIGNALS}
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    watched = signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    threading.Thread(
        target=_watch, args=(bell, noticed, farewell), name="maskreg-signals", daemon=True
    ).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(watched)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ringer)  # at which the thread ends


def _watch(bell: int, noticed: threading.Event, farewell: Callable[[], str]) -> None:
    """Wait for a signal, and end the program unless the main thread notices it in time."""
    try:
        while told := os.read(bell, 1):
            if told[0] in SIGNALS and not noticed.wait(PATIENCE):
                with suppress(OSError):
                    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{farewell()}\n".encode())
                os._exit(exits.INTERRUPTED)
    finally:
        os.close(bell)
