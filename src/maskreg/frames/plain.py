"""Frames that lie in a file as they are in memory: one seek, one read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.mapped import mapped

_GREATEST_RATIO = 1000
"""By how much a header may exceed the file it heads: about what deflate makes of a blank frame."""

PREALLOCATED = 10**6
"""The same for formats in which a series may be announced long before it is written."""

ALWAYS_FINE = 2**28
"""Claims below this many bytes are never absurd: a tiny file may well be a blank frame."""

_TURNED_AT_ONCE = 2**21
"""Bytes that are read before these are turned round: few enough to be in the processor's cache still."""


def read_plain(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the array of `shape` and `dtype` that starts `offset` bytes into the file, in native byte order.

    In a worker process it may be `mapped`; else it is copied.

    Raises
    ------
    ValueError
        When the file ends before the array does; found out before any memory is taken.
    """
    needed = offset + int(np.prod(shape, dtype=object)) * dtype.itemsize
    size = path.stat().st_size
    if needed > size:
        raise ValueError(f"the file is cut short: it has {size} bytes, this frame ends at {needed}")
    found = mapped(path, offset, shape, dtype)
    if found is not None:
        return found
    native = np.empty(shape, dtype.newbyteorder("="))
    flat = native.reshape(-1)
    step = flat.size if dtype.isnative else _TURNED_AT_ONCE // dtype.itemsize
    # unbuffered: straight into the array, and without holding the interpreter's lock
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        for first in range(0, flat.size, max(1, step)):
            part = flat[first : first + step]
            _fill(part.view(np.uint8).data, file)
            if not dtype.isnative:
                # in place, and several times as fast as ndarray.byteswap
                part[...] = part.view(dtype)
    return native


def _fill(buffer: memoryview, file: Any) -> None:
    """Read until `buffer` is full; systems read at most 2 GB a call."""
    filled = 0
    while filled < len(buffer):
        count = file.readinto(buffer[filled:])
        if not count:
            raise ValueError("the file became shorter while it was read")
        filled += count


def check_credible(claimed: int, size: int, ratio: int = _GREATEST_RATIO) -> None:
    """Raise `ValueError` when a header claims absurdly more bytes than its file could hold.

    Parameters
    ----------
    claimed : int
        Bytes of the decoded pixels that the header announces.
    size : int
        Bytes of the file.
    ratio : int
        How many times `size` is still believed.
    """
    if claimed > max(ALWAYS_FINE, ratio * size):
        raise ValueError(f"its header claims {claimed:.3g} bytes of pixels in a file of {size} bytes")
