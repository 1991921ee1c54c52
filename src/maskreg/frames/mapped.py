"""Frames that are in memory already, mapped instead of copied, where a process may die of it.

To copy a frame moves it twice more through the caches that all workers share: alone a worker gains nothing
by a map, two beside each other do. But a file that shrinks while it is mapped kills the process that looks at
it. A worker that was forked for a series is replaced then, and the next one finds that the frame cannot be
read; no other process maps. What is not in memory is read, also what has just come from a disk because it was
asked for: pages that no processor has seen yet are copied sooner than they are looked at one by one.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.ahead import in_memory, was_asked_for
from maskreg.stream import is_replaceable

WORTH_MAPPING = 2**22
"""A frame of fewer bytes is copied: much of it stays in a processor's own cache."""

_POPULATE_READ = 22
"""Advice to map all pages at once, or say that they cannot be; Linux has it since 5.14."""


def mapped(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Return the array that starts `offset` bytes into a file, or None where it is better read.

    It may be written into; the file does not change.

    Parameters
    ----------
    path : Path
    offset : int
        Bytes.
    shape : tuple of int
    dtype : dtype
        As stored.
    """
    count = int(np.prod(shape, dtype=object))
    size = count * dtype.itemsize
    start = offset - offset % mmap.ALLOCATIONGRANULARITY
    if (
        not is_replaceable()
        or size < WORTH_MAPPING
        or was_asked_for(path, offset)
        or not dtype.isnative
        or (offset - start) % dtype.alignment
    ):
        return None
    try:
        with path.open("rb", buffering=0) as file:
            if not all(in_memory(file.fileno(), at) for at in (offset, offset + size - 1)):
                return None
            pages = mmap.mmap(file.fileno(), offset + size - start, access=mmap.ACCESS_COPY, offset=start)
        pages.madvise(_POPULATE_READ)
    except (OSError, ValueError):
        return None  # reading says what is wrong, if anything is
    return np.frombuffer(pages, dtype, count, offset - start).reshape(shape)
