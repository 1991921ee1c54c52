"""Chunks that hold many frames are decoded once, not once for every frame that lies in them.

A slab is the frames that share their chunks, or as many of them as may be held. The slabs that
were decoded last are kept, within one limit for all files of the process together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from math import prod
from threading import Lock
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.navigation import Stack

LIMIT = 256_000_000
"""Most bytes of slabs that are kept; two of the largest fit, for frames are read side by side."""

Slices = tuple[slice, ...]

_numbers = count()


class Slabs:
    """The frames of one chunked array.

    Parameters
    ----------
    stack : Stack
        How the array is a series.
    chunks : tuple of int or None
        The lengths of a chunk along all axes; None where frames are not stored in chunks.
    itemsize : int
        Bytes of a pixel.
    read : callable
        Returns a part of the array, for slices of its leading axes. Many threads may call it.
    """

    def __init__(
        self, stack: Stack, chunks: tuple[int, ...] | None, itemsize: int, read: Callable[[Slices], Any]
    ) -> None:
        most = LIMIT // 2 // (prod(stack.frame) * itemsize)
        self.__setstate__((stack, _lengths(stack, chunks or (), most), read))

    def __getstate__(self) -> tuple[Any, ...]:
        return self._stack, self._lengths, self._read

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take what is known of the array; what is kept of it is that of this process."""
        self._stack, self._lengths, self._read = state
        self._lock = Lock()
        self._number = next(_numbers)
        finalize(self, _kept.drop, self._number)

    @property
    def held(self) -> int:
        """Bytes of all slabs that may be kept, of this array and others; none if a frame is a slab."""
        return LIMIT if prod(self._lengths) > 1 else 0

    def frame(self, index: int) -> NDArray[Any]:
        """Return frame `index`."""
        position = self._stack.position(index)
        if prod(self._lengths) == 1:
            one = tuple(slice(place, place + 1) for place in position)
            return np.asarray(self._read(one)).reshape(self._stack.frame)
        begin = tuple(place // length * length for place, length in zip(position, self._lengths, strict=True))
        within = tuple(place - first for place, first in zip(position, begin, strict=True))
        with self._lock:  # who waits for this slab finds it afterwards
            slab = _kept.get((self._number, begin))
            if slab is None:
                ends = zip(begin, self._lengths, strict=True)
                slab = np.asarray(self._read(tuple(slice(first, first + length) for first, length in ends)))
                _kept.put((self._number, begin), slab)
        return np.array(slab[within])  # a view would keep all of the slab


class _Kept:
    """The slabs that were used last."""

    def __init__(self) -> None:
        self._slabs: OrderedDict[tuple[int, tuple[int, ...]], NDArray[Any]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[int, tuple[int, ...]]) -> NDArray[Any] | None:
        with self._lock:
            if key in self._slabs:
                self._slabs.move_to_end(key)
            return self._slabs.get(key)

    def put(self, key: tuple[int, tuple[int, ...]], slab: NDArray[Any]) -> None:
        with self._lock:
            self._slabs[key] = slab
            while len(self._slabs) > 1 and sum(kept.nbytes for kept in self._slabs.values()) > LIMIT:
                self._slabs.popitem(last=False)

    def drop(self, number: int) -> None:
        with self._lock:
            for key in [key for key in self._slabs if key[0] == number]:
                del self._slabs[key]


_kept = _Kept()


def _lengths(stack: Stack, chunks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return the lengths of a slab along the leading axes: those of a chunk, no more than `most` frames."""
    lengths: list[int] = []
    for axis in reversed(range(len(stack.navigation))):  # the last one runs fastest
        length = min(chunks[axis], stack.navigation[axis]) if chunks else 1
        lengths.insert(0, max(1, min(length, most)))
        most //= lengths[0]
    return tuple(lengths)
