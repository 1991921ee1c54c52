"""Bytes of a file that will be read soon are asked for, so that they come while something else is computed.

A system reads ahead for whoever reads on and on; a reader that opens its file anew for each frame, or maps
what happens to be in memory, gets little of that. Where a system cannot be asked nothing happens.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

PIECE = 2**17
"""Bytes that are asked for at once: Linux forgets all of a request beyond what it reads ahead by itself, or
the device takes at once; 128 kB is the least of the usual settings."""

MOST = 2**28
"""Bytes of one frame that are asked for at most: memory is for others, too."""

_asked: deque[tuple[Path, int, int]] = deque(maxlen=8)
"""What was asked for last: which file, from where, to where."""


def ask_for(path: Path, offset: int = 0, size: int | None = None) -> None:
    """Ask the system to read bytes of a file that are not in memory; never raises.

    Parameters
    ----------
    path : Path
    offset, size : int
        In bytes; to the end of the file if no size is told.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # reading says what is wrong
    try:
        end = os.fstat(descriptor).st_size if size is None else offset + size
        if not all(in_memory(descriptor, at) for at in (offset, end - 1)):
            _asked.append((path, offset, end))
            for start in range(offset, min(end, offset + MOST), PIECE):
                os.posix_fadvise(descriptor, start, min(PIECE, end - start), os.POSIX_FADV_WILLNEED)
    except (OSError, OverflowError):
        pass  # a pipe, a file system that takes no advice, or a place that a broken file names
    finally:
        os.close(descriptor)


def was_asked_for(path: Path, at: int) -> bool:
    """Return whether this process has just asked for a byte that was not in memory."""
    return any(start <= at < end and asked == path for asked, start, end in list(_asked))


def in_memory(descriptor: int, at: int) -> bool:
    """Return whether a byte of a file can be had without waiting for a disk; not where nobody can tell."""
    try:
        return os.preadv(descriptor, [bytearray(1)], at, os.RWF_NOWAIT) == 1
    except (AttributeError, OSError, OverflowError):
        return False
