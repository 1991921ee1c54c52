"""Ctrl-C and SIGTERM: an orderly end within two seconds, whatever the program is busy with.

Python notices a signal when the main thread is back in Python. A kernel that runs or is compiled
may keep it away for longer; then a thread that the system wakes ends the program. That is as safe
as being killed: what was committed is in the record.

It is noticed wherever the thread is just then: in a destructor or in the callback of a weak reference, where
Python drops what is raised, or in a library that catches everything. So an interrupt that is gone before
the program is about to end comes again.
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
from maskreg.errors import MaskregError, interrupts_as_such

PATIENCE = 1.5
"""How long the main thread may take to notice, s."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


_LOST = 0
"""What the watching thread is told when an interrupt was dropped; no signal has this number."""

PAUSE = 0.02
"""How long what dropped an interrupt is given to be over, before it comes again, s."""


class Interrupt(KeyboardInterrupt):
    """A `KeyboardInterrupt` that tells when nobody raises or handles it any more.

    Parameters
    ----------
    gone : callable
        Called then, without any argument.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        super().__init__()
        self._gone = gone

    def __del__(self) -> None:
        self._gone()


@contextmanager
def interruptible(farewell: Callable[[], str]) -> Iterator[None]:
    """Let SIGTERM be like Ctrl-C (`KeyboardInterrupt`), and end the program if it is not noticed.

    What was made of an interrupt on its way is that interrupt.

    Parameters
    ----------
    farewell : callable
        Returns what to tell the user when the program is ended without having noticed.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        with interrupts_as_such():  # only the main thread may say what signals do
            yield
        return
    came, noticed, left = threading.Event(), threading.Event(), threading.Event()

    def gone() -> None:
        if not left.is_set():
            os.write(ringer, bytes([_LOST]))

    def notice(number: int, frame: FrameType | None) -> None:
        came.set()
        noticed.set()
        raise Interrupt(gone)

    def tell_of_others(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Interrupt):
            tell(dropped)

    before = {number: signal.signal(number, notice) for number in SIGNALS}
    tell, sys.unraisablehook = sys.unraisablehook, tell_of_others
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    watched = signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    threading.Thread(
        target=_watch, args=(bell, noticed, left, farewell), name="maskreg-signals", daemon=True
    ).start()
    try:
        with interrupts_as_such():
            yield
    except Exception as error:
        # what breaks in the hands of a library, as an import does, breaks because of the interrupt
        if not came.is_set() or isinstance(error, MaskregError | OSError):
            raise
        raise KeyboardInterrupt from error
    finally:
        left.set()
        sys.unraisablehook = tell
        signal.set_wakeup_fd(watched)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ringer)  # at which the thread ends


def _watch(bell: int, noticed: threading.Event, left: threading.Event, farewell: Callable[[], str]) -> None:
    """Wait for a signal, and end the program unless the main thread notices it in time."""
    main = threading.main_thread().ident
    try:
        while told := os.read(bell, 1):
            if told[0] == _LOST and main is not None:
                if not left.wait(PAUSE):
                    noticed.clear()
                    signal.pthread_kill(main, signal.SIGINT)
            elif told[0] in SIGNALS and not noticed.wait(PATIENCE):
                with suppress(OSError):
                    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{farewell()}\n".encode())
                os._exit(exits.INTERRUPTED)
    finally:
        os.close(bell)
