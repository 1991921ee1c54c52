"""Which files of a watched folder may be read: a decision over what was seen and when.

No file is touched here. A file may be read once its writer has closed it, where the file system
tells so, or once its size and time have stayed the same for a while. A file that changes after it
was read is read again; so one that was only half there when its writer paused does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple

from maskreg.frames.order import natural_key


class Stamp(NamedTuple):
    """By what a change of a file shows."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Time of its last change, ns."""


@dataclass
class _File:
    stamp: Stamp
    since: float
    """When it was first seen like this, s."""
    closed: bool = False
    """Whether its writer has closed it since."""


class Arrivals:
    """The files of a folder, from when they are first seen to when they may be read.

    Parameters
    ----------
    settle : float
        How long a file must not have changed before it is read, s, unless it is known to be closed.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._done: dict[str, Stamp | None] = {}
        self._files: dict[str, _File] = {}
        self._unread: set[str] = set()  # far fewer than there are files, when a night is over
        self._now = float("-inf")
        self.last_change = float("-inf")
        """When a file was last seen to arrive or to change, s."""

    def resume(self, done: Mapping[str, Stamp | None]) -> None:
        """Take note of what is in the record: these files, and no others, need not be read.

        A file that differs from its stamp is read again; None stands for whatever it is like.
        """
        self._done = dict(done)
        self._unread = {name for name, file in self._files.items() if not self._is_done(name, file.stamp)}

    def listed(self, folder: Mapping[str, Stamp], now: float) -> None:
        """Take note of all files in the folder as they are now; those that are gone are forgotten."""
        for name in self._files.keys() - folder.keys():
            del self._files[name]
            self._unread.discard(name)
        for name, stamp in folder.items():
            self._seen(name, stamp, now)

    def closed(self, name: str, stamp: Stamp, now: float) -> None:
        """Take note that the writer of a file has closed it, and what it is like now."""
        self._seen(name, stamp, now)
        self._files[name].closed = True

    def ready(self) -> list[str]:
        """Return the files that may be read, by order of their names."""
        return sorted(filter(self._is_ready, self._unread), key=_order)

    def settling(self) -> list[str]:
        """Return the files that have not been read as they are now and may not be yet."""
        return [name for name in self._unread if not self._is_ready(name)]

    def take(self, name: str) -> Stamp:
        """Hand out a file to be read: it is ready no more, unless it changes. Return what it is like."""
        self._unread.discard(name)
        return self._files[name].stamp

    def first(self) -> str | None:
        """Return the first, by order of the names, of the files that have not been read as they are now."""
        return min(self._unread, key=_order, default=None)

    def _seen(self, name: str, stamp: Stamp, now: float) -> None:
        file = self._files.get(name)
        if file is None or file.stamp != stamp:
            self._files[name] = _File(stamp, now)
            if file is not None or not self._is_done(name, stamp):
                self._unread.add(name)
                self.last_change = now
        self._now = now

    def _is_done(self, name: str, stamp: Stamp) -> bool:
        return name in self._done and self._done[name] in (None, stamp)

    def _is_ready(self, name: str) -> bool:
        file = self._files[name]
        return file.closed or self._now - file.since >= self._settle


def comes_before(name: str, other: str) -> bool:
    """Whether a file comes before another by order of their names."""
    return _order(name) < _order(other)


def in_order(names: Iterable[str]) -> list[str]:
    """Return names of files in the order that their frames have in the series."""
    return sorted(names, key=_order)


@lru_cache(maxsize=2**16)
def _order(name: str) -> tuple[object, ...]:
    return natural_key(PurePath(name))
