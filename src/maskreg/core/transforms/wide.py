"""Lengths of the transforms of `transforms.wide_kernels`, and their tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray

LANES = 8

LINE = 64
"""Bytes."""

GROUP = 8
"""So many rows of frequencies of an image lie together."""

COST = {2: 0.5, 3: 0.75, 4: 0.75, 5: 0.95, 7: 1.25, 8: 1.0}
"""About how long a stage takes, by its radix,"""

PASSES = 2.0
"""and what comes besides its stages."""

KEPT_TABLES = 32
"""Of so many lengths."""


@dataclass(frozen=True)
class Stages:
    """The stages of a transform, and their factors.

    Attributes
    ----------
    radices : ndarray of int
    starts : ndarray of int
        Where the factors of each stage begin, in complex numbers, or vectors of these.
    twiddles : ndarray of float32 or float64
    places : ndarray of int
        Where each frequency is left, of columns.
    """

    radices: NDArray[np.int64]
    starts: NDArray[np.int64]
    twiddles: NDArray[Any]
    places: NDArray[np.int64]

    def taken(self, count: int) -> int:
        """Return how many parts of the first radix are not zero where the first so many numbers are not.

        At least half of them, rounded up.
        """
        radix, length = int(self.radices[0]), int(np.prod(self.radices))
        return max(-(-count * radix // length), -(-radix // 2))

    @property
    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        """Radices, starts, factors."""
        return self.radices, self.starts, self.twiddles


def is_wide(window: Sequence[int]) -> bool:
    """Return whether images in windows of this many axes are transformed by `transforms.wide_kernels`.

    Their vectors are those of a processor: without the compiler there are none.
    """
    return len(window) == 2 and not config.DISABLE_JIT


@lru_cache(2**12)
def wide_length(least: int) -> int:
    """Return a length that both axes can have: a multiple of 8, at least 16, that is soon transformed.

    It has no factor beyond 7.
    """
    shortest = max(2, -(-least // LANES))
    power = 1 << (shortest - 1).bit_length()
    return LANES * min((n for n in range(shortest, power + 1) if _is_smooth(n)), key=_cost)


def _is_smooth(n: int) -> bool:
    """Return whether a number has no factor beyond 7."""
    return math.prod(_radices(n)) == n


def _cost(vectors: int) -> float:
    """Return about how long a transform of so many vectors takes, of both axes, relative to others."""
    return vectors * (PASSES + sum(COST[radix] for both in (1, LANES) for radix in _radices(both * vectors)))


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an empty array that begins where a line of the cache does, as stores past the cache must."""
    size = math.prod(shape)
    room = np.empty(size + LINE // np.dtype(dtype).itemsize, dtype)
    start = -room.ctypes.data % LINE // room.itemsize
    return room[start : start + size].reshape(shape)


@lru_cache(KEPT_TABLES)
def stages_of_columns(length: int, dtype: Any) -> Stages:
    """Return the stages of transforms of which each lane is one."""
    radices = _radices(length)
    factors = [w.reshape(-1) for w in _factors(length, radices)]
    starts = np.cumsum([0, *(w.size for w in factors)])[:-1]
    twiddles = np.concatenate(factors)
    places = np.zeros(1, np.int64)  # of the frequencies of transforms that become longer
    for k in range(len(radices) - 1, -1, -1):
        shorter = math.prod(radices[k + 1 :])
        places = (places[:, np.newaxis] + shorter * np.arange(radices[k])).reshape(-1)
    return _stages(radices, starts, np.stack([twiddles.real, twiddles.imag], axis=-1), places, dtype)


@lru_cache(KEPT_TABLES)
def stages_of_rows(length: int, dtype: Any) -> Stages:
    """Return the stages of a transform over whole vectors, which leaves one of eight within each."""
    radices = _radices(length // LANES)
    factors = [
        w.reshape(-1, LANES, w.shape[1]).transpose(0, 2, 1).reshape(-1, LANES)
        for w in _factors(length, radices)
    ]
    starts = np.cumsum([0, *(len(w) for w in factors)])[:-1]
    twiddles = np.concatenate(factors)
    return _stages(
        radices, starts, np.stack([twiddles.real, twiddles.imag], axis=1), np.empty(0, np.int64), dtype
    )


def _radices(length: int) -> list[int]:
    """Return the factors of a length: as few as may be. A factor beyond 7 is left out.

    Sevens come first, or else an even number: of the first one, parts may be zero. An eight comes last, if
    there is another one to begin with.
    """
    twos = (length & -length).bit_length() - 1
    found = []
    for factor in (7, 5, 3):
        while length % factor == 0:
            found.append(factor)
            length //= factor
    sevens, rest = [x for x in found if x == 7], [x for x in found if x < 7]
    eights, left = [8] * (twos // 3), [2 ** (twos % 3)] * (twos % 3 > 0)
    if eights and (sevens or left or len(eights) > 1):
        return [*sevens, *eights[1:], *left, *rest, 8]
    return [*sevens, *eights, *left, *rest]


def _factors(length: int, radices: list[int]) -> list[NDArray[np.complex128]]:
    """Return, for each stage, exp(-2 pi i j q / n) of all j below n / radix and q from 1 to radix - 1."""
    found = []
    for radix in radices:
        j, q = np.arange(length // radix)[:, np.newaxis], np.arange(1, radix)
        found.append(np.exp(-2j * np.pi * (j * q % length) / length))
        length //= radix
    return found


def _stages(
    radices: list[int],
    starts: NDArray[Any],
    twiddles: NDArray[np.float64],
    places: NDArray[np.int64],
    dtype: Any,
) -> Stages:
    return Stages(np.array(radices), starts, np.ascontiguousarray(twiddles.reshape(-1), dtype), places)
