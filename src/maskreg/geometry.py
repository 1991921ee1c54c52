"""Lags and what they mean: which pixels of two images meet at a shift.

A lag s is a candidate shift: what to apply to *moving* so that it lands on *reference*. At lag s
the pixel x of reference meets the pixel x - s of moving; pixel [0, 0] of both coincide at s = 0,
whatever the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def lag_axis(reference_length: int, moving_length: int) -> NDArray[np.intp]:
    """Return every lag along one axis at which the images touch, ascending."""
    return np.arange(-(moving_length - 1), reference_length)


def overlap_slices(
    reference_shape: Sequence[int], moving_shape: Sequence[int], lag: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the slices of reference and moving that meet at a whole-pixel `lag` (maybe empty)."""
    of_reference, of_moving = [], []
    for length, other, s in zip(reference_shape, moving_shape, lag, strict=True):
        start, stop = max(0, s), min(length, other + s)
        stop = max(start, stop)
        of_reference.append(slice(start, stop))
        of_moving.append(slice(start - s, stop - s))
    return tuple(of_reference), tuple(of_moving)


def nearest_lag(shift: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the whole-pixel lag nearest to a shift."""
    # Python's own rounding, to even as NumPy's, is quicker for a few numbers
    return tuple(map(round, shift.tolist()))


def straight_way(one: NDArray[np.intp], other: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
    """Return the indices of the elements on the straight line from one to another, both included."""
    steps = int(np.abs(other - one).max())
    way = np.rint(one + (other - one) * (np.arange(steps + 1)[:, None] / max(1, steps)))
    return tuple(way.astype(np.intp).T)


def smallest_first(shifts: NDArray[np.integer], *before: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the order of equal candidates: the smallest shift first, then the lowest coordinates.

    Parameters
    ----------
    shifts : (n, ndim) ndarray of int
    *before : (n,) ndarray
        What is sorted by first, ascending, if anything.
    """
    squared = (shifts.astype(np.int64) ** 2).sum(axis=1)
    return np.lexsort((*shifts.T[::-1], squared, *before))
