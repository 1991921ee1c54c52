"""Work that takes too long for the page's own thread: done beside it, the newest wish alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from maskreg.errors import MaskregError


class Background:
    """Works in one thread; a wish that was overtaken by another is dropped.

    Parameters
    ----------
    deliver : callable
        Called in that thread with a function without arguments, to be called in the page's own.
    """

    def __init__(self, deliver: Callable[[Callable[[], None]], object]) -> None:
        self._deliver = deliver
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="maskreg-page")
        self._newest = 0
        self._lock = Lock()

    def ask(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call `work` beside the page, then `then` in it: with what came of it, or why nothing did."""
        self._thread.submit(self._work, self._next(), work, then)

    def close(self) -> None:
        """Start nothing more, deliver nothing more."""
        self._next()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> int:
        with self._lock:
            self._newest += 1
            return self._newest

    def _work(self, number: int, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        if number != self._newest:
            return
        try:
            result = work()
        except MaskregError as error:
            result = error
        if number == self._newest:
            self._deliver(lambda: then(result))
