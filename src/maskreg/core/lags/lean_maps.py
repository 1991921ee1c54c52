"""Maps of what is known of every lag that take little memory: each indexed as the array that it stands for.

An index, a slice or an array of indices along each axis is made into numbers when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HalfMap:
    """The significance of every lag, from z in half precision, but for some z that are known exactly.

    Indexed as an array, it gives float32.
    """

    z: NDArray[np.float16]
    exact: dict[tuple[int, ...], float]
    median: float
    spread: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return self.z.shape

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        z = np.array(self.z[index], np.float32)
        for at, value in self.exact.items():
            if all(isinstance(i, slice) for i in index):
                inside = tuple(k - (i.start or 0) for k, i in zip(at, index, strict=True))
                if all(0 <= k < n for k, n in zip(inside, z.shape, strict=True)):
                    z[inside] = value
            else:
                z[(np.asarray(index[0]) == at[0]) & (np.asarray(index[1]) == at[1])] = value
        return (z - np.float32(self.median)) / np.float32(self.spread)


@dataclass(frozen=True)
class BlockSums:
    """Something known at lags of whole blocks, and by straight lines between.

    Indexed by an index, a slice or an array of indices along each axis, it gives float64.
    """

    values: NDArray[np.float32]
    middle: tuple[int, int]
    step: int
    first: tuple[int, int]
    shape: tuple[int, int]

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        """Return what is known at indices along each axis: numbers, slices or arrays."""
        (j, u), (k, v) = (self._between(i, axis) for axis, i in enumerate(index))
        values = self.values
        above, below = (
            values[np.ix_(rows, k)] + v * (values[np.ix_(rows, k + 1)] - values[np.ix_(rows, k)])
            for rows in (j, j + 1)
        )
        out = above + u[:, None] * (below - above)
        return out[tuple(0 if isinstance(i, int | np.integer) else slice(None) for i in index)]

    def max(self) -> float:
        """Return the greatest."""
        return float(self.values.max())

    def _between(self, index: Any, axis: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return which known value comes before each index along an axis, and how far beyond it that is."""
        lags = np.atleast_1d(np.arange(self.shape[axis])[index]) + self.first[axis]
        return lags // self.step + self.middle[axis], (lags % self.step) / self.step


@dataclass(frozen=True)
class HalfCounts:
    """How many pixels are common at each lag, to a part in a thousand; indexed as an array."""

    roots: NDArray[np.float16]
    """Their square roots, which half precision can hold."""
    first: tuple[int, ...]
    """The first lags."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return self.roots.shape

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        return np.rint(np.asarray(self.roots[index], np.float64) ** 2)


@dataclass(frozen=True)
class NccOfScores:
    """NCC of every lag, from the significance of each; indexed as `BlockSums` is."""

    score: HalfMap
    overlap: BlockSums | HalfCounts

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return self.score.shape

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        z = self.score[index] * np.float64(self.score.spread) + self.score.median
        return np.tanh(z / np.sqrt(np.maximum(self.overlap[index] - 3, 1)))


@dataclass(frozen=True)
class Searched:
    """Which lags may be chosen; indexed as `BlockSums` is."""

    score: HalfMap
    overlap: BlockSums | HalfCounts
    limits: tuple[float, ...] | None
    least: float
    some: bool

    def any(self) -> bool:
        """Whether any lag may be."""
        return self.some

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        out = (self.overlap[index] >= self.least) & ~np.isnan(self.score[index])
        for axis, (i, limit) in enumerate(zip(index, self.limits or (), strict=False)):
            lags = np.arange(self.overlap.shape[axis])[i] + self.overlap.first[axis]
            inside = np.abs(lags) <= limit
            if np.ndim(inside) and np.ndim(out) == 2:
                inside = inside[:, None] if axis == 0 else inside[None, :]
            out = out & inside
        return out
