"""The least energy that an image may have in any overlap, without its sum at every lag.

The pixels of an overlap lie in a rectangle, and the other image's ignored pixels are missing from it. The sum
of min(x^2, t) over the n that are left is at least t n - sum of max(t - x^2, 0) over all valid pixels of the
rectangle, for any t: n comes from the masks, and the sum over a rectangle from a table. Rectangles are
rounded outwards to blocks, which only lowers the bound. A quarter of the pixels missing at random leaves
about 0.28 of the energy of white noise certain, where 0.75 is true: enough to say that a lag far from the
peak is no rival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.ncc.centred import CentredImage

BLOCK = 8
"""Rectangles begin and end at multiples of this, pixels."""

SAMPLED = 1024
"""Of so many pixels the level t is told: any number will do, the best one is a quantile of the squares."""


@dataclass(frozen=True)
class Rectangles:
    """Where in an image the rectangle of an overlap lies, rounded outwards to blocks.

    Attributes
    ----------
    ranges : list of (begin, stop)
        Of each axis, the first block and the one after the last, of several rectangles.
    of_row, of_column : ndarray of int
        Which rectangle belongs to a lag, all axes but the last laid end to end.
    """

    ranges: list[tuple[NDArray[np.intp], NDArray[np.intp]]]
    of_row: NDArray[np.intp]
    of_column: NDArray[np.intp]

    @property
    def nbytes(self) -> int:
        """Of all arrays."""
        return self.of_row.nbytes + self.of_column.nbytes + sum(x.nbytes + y.nbytes for x, y in self.ranges)


@dataclass(frozen=True)
class LeastEnergy:
    """level * n - short[of_row[i], of_column[j]] is the least sum of squares at the lag (i, j).

    Attributes
    ----------
    level : float
    short : (m, n) ndarray of float32
        By how much squares fall short of the level, summed over rectangles.
    slip : float
        By how much the arithmetic may be wrong.
    rectangles : Rectangles
    """

    level: float
    short: NDArray[np.float32]
    slip: float
    rectangles: Rectangles

    @classmethod
    def exact(cls, energies: NDArray[np.float32], slip: float) -> LeastEnergy:
        """Return what is known of lags at which the sum of squares is known but for `slip`."""
        of_row, of_column = map(np.arange, energies.shape)
        return cls(0.0, -energies, slip, Rectangles([], of_row, of_column))

    def at(self, rows: slice) -> tuple[float, float, NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return what `ncc.bound_kernels.ceilings_2d` takes for rows of the lags."""
        return self.level, self.slip, self.short, self.rectangles.of_row[rows], self.rectangles.of_column


def least_energies(
    reference: CentredImage, moving: CentredImage, spans: list[tuple[int, int]], *, both: bool
) -> tuple[LeastEnergy, ...]:
    """Return the bounds for reference, if both are asked for, and moving, at each lag of the spans.

    The squares of each image sum to 1.

    Parameters
    ----------
    reference, moving : CentredImage
    spans : list of (int, int)
        First lag of each axis, and the one after the last.
    both : bool
    """
    kept, key = moving.kept_of_masks, tuple(spans)
    shapes = reference.mask.shape, moving.mask.shape
    of_moving = kept.get("rectangles of moving", key, lambda: _rectangles(shapes[1], shapes[0], spans, -1))
    bounds = [_least_energy(moving, reference, of_moving)]
    if both:
        of_reference = kept.get("rectangles of reference", key, lambda: _rectangles(*shapes, spans, 1))
        bounds.insert(0, _least_energy(reference, moving, of_reference))
    return tuple(bounds)


def _rectangles(
    own: tuple[int, ...], other: tuple[int, ...], spans: list[tuple[int, int]], sign: int
) -> Rectangles:
    """Return the rectangles of an image; pixel x meets the other's pixel x - sign * lag."""
    ranges = []
    of_row, of_axis = np.zeros(1, np.intp), np.zeros(1, np.intp)
    for axis, (p, q, (first, end)) in enumerate(zip(own, other, spans, strict=True)):
        lags = sign * np.arange(first, end)
        begin = np.clip(lags, 0, p) // BLOCK
        stop = np.maximum(begin, -(-np.clip(lags + q, 0, p) // BLOCK))
        new = np.concatenate([[True], (np.diff(begin) != 0) | (np.diff(stop) != 0)])
        of_axis = np.cumsum(new) - 1
        ranges.append((begin[new], stop[new]))
        if axis < len(own) - 1:
            of_row = (of_row[:, np.newaxis] * np.count_nonzero(new) + of_axis).reshape(-1)
    return Rectangles(ranges, of_row, of_axis)


def _least_energy(image: CentredImage, other: CentredImage, rectangles: Rectangles) -> LeastEnergy:
    from maskreg.core.ncc.bound_kernels import short_of_level_2d

    level = _level(image, np.count_nonzero(other.mask) / other.mask.size)
    shape = image.mask.shape
    down = BLOCK if len(shape) == 2 else 1
    table = short_of_level_2d(
        image.unit.reshape(-1, shape[-1]), image.mask.reshape(-1, shape[-1]), level, down, BLOCK
    )
    if down == 1:
        table = table.reshape(*shape[:-1], table.shape[-1])
    for axis, (begin, stop) in enumerate(rectangles.ranges):
        if axis < table.ndim - 1 and down == 1:
            table = np.add.reduceat(table, np.arange(0, shape[axis], BLOCK), axis=axis)
        summed = np.zeros([n + (k == axis) for k, n in enumerate(table.shape)])
        np.cumsum(table, axis=axis, out=summed[(slice(None),) * axis + (slice(1, None),)])
        table = np.take(summed, stop, axis=axis) - np.take(summed, begin, axis=axis)
    slip = 2.0**-20 * max(1.0, level * np.count_nonzero(image.mask))
    return LeastEnergy(level, table.reshape(-1, table.shape[-1]).astype(np.float32), slip, rectangles)


def _level(image: CentredImage, left: float) -> float:
    """Return what a fraction of the squares, those that are left, does not exceed."""
    step = max(1, image.mask.size // SAMPLED) | 1  # odd: not the same columns of each row
    some = np.abs(image.unit.reshape(-1)[::step][image.mask.reshape(-1)[::step]])
    place = int(left * (some.size - 1))
    return float(np.partition(some, place)[place]) ** 2 if some.size else 0.0
