"""Room for few frames at once where all lags of many pixels are searched: each takes memory.

Threads of one process wait for each other here; processes that share their places, at locks of a file
without a name, which the system releases however a process ends.
"""

from __future__ import annotations

import os
from threading import Condition
from types import TracebackType

from maskreg.core.machine.memory import SCARCITY, give_back_free_memory
from maskreg.core.plan import Plan

_shared: int | None = None
"""The file on whose bytes processes hold locks, one byte for each place; None where there is one process."""


def share_places() -> None:
    """Let this process and those that will be forked from it wait for the same places; on Linux."""
    global _shared
    if _shared is None:
        _shared = os.memfd_create("maskreg-places")


def _hold(places: int) -> int | None:
    """Wait until one of so many places is no other process's, and return which is now this one's."""
    if _shared is None:
        return None
    import fcntl

    for place in range(places):
        try:
            fcntl.lockf(_shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            continue
        return place
    place = os.getpid() % places
    fcntl.lockf(_shared, fcntl.LOCK_EX, 1, place)
    return place


def _leave(place: int | None) -> None:
    if place is not None and _shared is not None:
        import fcntl

        fcntl.lockf(_shared, fcntl.LOCK_UN, 1, place)


class Rooms:
    """What all frames share: how many are being registered, how many of these have a place, who is alone."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._working = 0
        self._placed = 0
        self._lone = 0

    def enter(self) -> None:
        """Begin to register a frame; none is begun while one is alone, or waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lone)
            self._working += 1

    def leave(self) -> None:
        """End it."""
        self._count(working=-1)

    def take(self, places: int, *, alone: bool) -> None:
        """Wait until less than so many frames have a place; `alone`, until all others wait or are done."""
        self._count(working=-1, lone=alone)
        with self._changed:
            self._changed.wait_for(lambda: self._placed < places and not (alone and self._working))
            self._working += 1
            self._placed += 1

    def give_back(self, *, alone: bool) -> None:
        """Leave the place to another frame."""
        self._count(placed=-1, lone=-alone)

    def _count(self, *, working: int = 0, placed: int = 0, lone: int = 0) -> None:
        with self._changed:
            self._working += working
            self._placed += placed
            self._lone += lone
            self._changed.notify_all()


class Room:
    """The place of one frame, which it waits for when it first needs it, and keeps until it is done.

    Parameters
    ----------
    rooms : Rooms
    scarce : bool
        Whether memory is scarce even without a place.
    """

    def __init__(self, rooms: Rooms, *, scarce: bool = False) -> None:
        self._rooms = rooms
        self._scarce = scarce
        self._taken = False
        self._alone = False
        self._place: int | None = None

    def take(self, plan: Plan, *, alone: bool = False) -> bool:
        """Wait for a place and return True, if there is none yet; from then on memory is scarce.

        One that is `alone` has it where no other frame is registered at the same time.
        """
        if self._taken:
            return False
        self._rooms.take(plan.fine_at_once, alone=alone)
        self._place = _hold(plan.fine_at_once)
        self._taken, self._alone = True, alone
        SCARCITY.begin()
        self.give_back()
        return True

    @property
    def alone(self) -> bool:
        """Whether no other frame is registered at the same time."""
        return self._taken and self._alone

    def give_back(self) -> None:
        """Give free memory back to the system, if a place is taken: the C library keeps what is let go."""
        if self._taken:
            give_back_free_memory()

    def __enter__(self) -> Room:
        self._rooms.enter()
        if self._scarce:
            SCARCITY.begin()
            give_back_free_memory()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._taken:
            SCARCITY.end()
            self._taken = False
            _leave(self._place)
            self._rooms.give_back(alone=self._alone)
        if self._scarce:
            SCARCITY.end()
        self._rooms.leave()
