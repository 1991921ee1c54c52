"""Room for few frames at once where all lags of many pixels are searched: each takes memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from threading import BoundedSemaphore, Lock
from types import TracebackType

from maskreg.core.plan import Plan


@cache
def _trim() -> Callable[[int], int] | None:
    """Return glibc's function that gives free memory back; None with another C library."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None


def give_back_free_memory() -> None:
    """Give free memory back to the system: the C library keeps what is let go, up to hundreds of MB."""
    trim = _trim()
    if trim is not None:
        trim(0)


class Rooms:
    """What all frames share."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: BoundedSemaphore | None = None

    def places(self, plan: Plan) -> BoundedSemaphore:
        """Return the places; so many as the first plan has."""
        with self._lock:
            if self._places is None:
                self._places = BoundedSemaphore(plan.fine_at_once)
            return self._places


class Room:
    """The place of one frame, which it waits for when it first needs it, and keeps until it is done.

    Parameters
    ----------
    rooms : Rooms
    """

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._taken: BoundedSemaphore | None = None

    def take(self, plan: Plan) -> None:
        """Wait for a place, if there is none yet; then there is no memory that is free and kept."""
        if self._taken is None:
            places = self._rooms.places(plan)
            places.acquire()
            self._taken = places
        self.give_back()

    def give_back(self) -> None:
        """Give free memory back to the system, if a place is taken: the C library keeps what is let go."""
        if self._taken is not None:
            give_back_free_memory()

    def __enter__(self) -> Room:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._taken is not None:
            self._taken.release()
            self._taken = None
