"""What the allocator does with memory that is freed: GNU's is told, others do as they like."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from threading import Lock

import numpy as np

GREATEST = 2**25
"""Bytes; the greatest block for which GNU's allocator raises its threshold (32 MB on 64 bits)."""

KEPT = GREATEST - 2**13
"""Bytes; a block just under that."""

LARGE = 2**22
"""Bytes; where memory is short, blocks of more come from the system and go back to it at once."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of mallopt(3): how much free memory is kept, and which blocks come from the system."""


def keep_freed_memory() -> None:
    """Let the allocator keep some freed memory, so that work arrays of transforms are not made of new pages.

    GNU's allocator gives freed memory back to the system beyond a threshold that follows the largest block
    that was ever freed (mallopt(3), M_MMAP_THRESHOLD: at most 32 MB, and twice that is kept). With the low
    threshold of a young process each work array is made of new pages, which takes twice as long as the
    transform that fills it. So a block of that size is freed. The next one comes from the memory that is
    kept, and NumPy asks the system for large pages there, as for all large arrays: to touch 2 MB for the
    first time is then one interruption and not 512, which were a seventh of the time of a first pair. Neither
    block is touched, so they cost nothing; other allocators do not care.
    """
    for _ in range(2):
        np.empty(KEPT, np.uint8)


@cache
def _gnu() -> ctypes.CDLL | None:
    """Return the C library if its allocator is GNU's."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "malloc_trim") else None


def give_back_free_memory() -> None:
    """Give free memory back to the system: the C library keeps what is let go, up to hundreds of MB."""
    library = _gnu()
    if library is not None:
        library.malloc_trim(0)


class Scarcity:
    """Says while memory is scarce, on any thread: then large blocks leave no holes too small for others.

    They come from the system and go back to it at once, and each is made of new pages. Afterwards the
    allocator keeps freed memory as `keep_freed_memory` lets it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._times = 0

    def begin(self) -> None:
        """From now on memory is scarce."""
        with self._lock:
            self._times += 1
            if self._times == 1:
                _take_from_system(LARGE)

    def end(self) -> None:
        """As often as it has begun."""
        with self._lock:
            self._times -= 1
            if not self._times:
                _take_from_system(GREATEST)


def _take_from_system(least: int) -> None:
    """Let blocks of so many bytes or more come from the system."""
    library = _gnu()
    if library is not None:
        library.mallopt(MMAP_THRESHOLD, least)
        library.mallopt(TRIM_THRESHOLD, 2 * least)


SCARCITY = Scarcity()
"""Of this process."""
