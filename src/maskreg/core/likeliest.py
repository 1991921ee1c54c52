"""The lags that may have the greatest masked NCC, by transforms: the sums of squares come last.

1. n and the sums of a, b and a b at every lag of enough overlap, and what the energies are at least
   (`maskreg.core.least_energy`), say what no lag's coefficient exceeds.
2. The lag of the greatest sum of products is summed directly. Lags whose ceiling does not reach its
   coefficient are out.
3. The sums of squares are taken for what is left: directly for few lags close together, by transforms
   otherwise. Near the peak these are shorter; where no lag is out they cost no more than they would have at
   first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.all_sums import SUM_A, SUM_AA, SUM_AB, SUM_B, SUM_BB, AllSums, N
from maskreg.core.centred import CentredImage
from maskreg.core.enough_overlap import enough_overlap
from maskreg.core.in_parallel import in_parallel
from maskreg.core.least_energy import least_energies

NEAR = (1 / 8, 1 / 4, 1 / 2)
"""Transforms for lags near zero have room for this part of all: few sizes, so that the mask's are kept."""

SUMMED = 2**-16
"""By how much a sum of squares may be wrong that is taken directly: so many roundings in single precision as
`maskreg.core.race_kernels.CHAIN`, and twice that."""

FEW_LAGS = 2
"""So many lags are summed directly sooner than squares are."""

CLOSE_LAGS = 256
"""Squares of so many lags close together are summed sooner than they are transformed."""


@dataclass(frozen=True)
class PossibleLags:
    """The lags that may be the greatest.

    Attributes
    ----------
    spans : list of (int, int)
        First lag of each axis, and the one after the last.
    least_overlap : (float, float)
        The threshold lies between these, pixels.
    overlap : ndarray of float32, optional
        n at each lag, where it is known, and
    error : float
        by how much it may be wrong.
    """

    spans: list[tuple[int, int]]
    least_overlap: tuple[float, float]
    overlap: NDArray[np.float32] | None = None
    error: float = 0.0


def lags_of_enough_overlap(reference: CentredImage, moving: CentredImage, least: float) -> PossibleLags:
    """Return all lags of enough overlap; `least` is a fraction of the greatest of any lag."""
    enough = enough_overlap(reference, moving, least)
    return PossibleLags(enough.spans, enough.least, enough.n, enough.error)


def likeliest_lags(
    reference: CentredImage,
    moving: CentredImage,
    possible: PossibleLags,
    reached: Callable[[tuple[int, ...]], float],
    most: int,
) -> NDArray[np.intp] | None:
    """Return the lags that rounding alone keeps from being the greatest.

    Parameters
    ----------
    reference, moving : CentredImage
    possible : PossibleLags
    reached : callable
        Sums a lag directly, and returns a coefficient that the greatest one reaches.
    most : int
        No more lags than this.

    Returns
    -------
    (n, ndim) ndarray of int or None
        None for more than `most` of them, and where no lag is surely positive.
    """
    from maskreg.core.bound_kernels import ceilings_2d, hopeful_2d

    sums = AllSums(reference, moving, np.dtype(np.float32), possible.spans, possible.overlap)
    errors = sums.errors()
    if possible.overlap is not None:
        errors[N] = possible.error
    # of a series the squares of the reference are kept
    wanted = [N, SUM_A, SUM_B, SUM_AB, *([SUM_AA] if sums.keeps(SUM_AA) else [])]
    known = {which: sums.known(which) for which in wanted}
    maps = {which: sums.empty() if values is None else values for which, values in known.items()}
    ceilings = sums.empty()
    *_, b = bounds = least_energies(reference, moving, possible.spans, both=SUM_AA not in wanted)
    a = bounds[0]  # not used where the sum of squares is known
    none = np.empty((0, ceilings.shape[1]), np.float32)

    def take(rows: slice, some: tuple[NDArray[Any], ...]) -> None:
        here = dict(zip(wanted, some, strict=True))
        for which, values in here.items():
            if known[which] is None:
                maps[which][rows] = np.rint(values) if which == N else values
        five = here[N], here[SUM_A], here.get(SUM_AA, none), here[SUM_B], here[SUM_AB]
        ceilings_2d(five, errors, a.at(rows), b.at(rows), ceilings[rows])

    sums.each_band(take, wanted)
    best = max(0.0, reached(_lag(sums, int(maps[SUM_AB].argmax()))))
    rows, columns = (np.zeros(n, bool) for n in ceilings.shape)
    enough = np.float32(possible.least_overlap[0] - errors[N])
    enough, least = np.nextafter(enough, np.float32(-np.inf)), np.nextafter(np.float32(best), np.float32(0))
    count = hopeful_2d(maps[N], ceilings, enough, least, rows, columns)
    if count <= FEW_LAGS:
        row, column = np.nonzero((ceilings >= least) & (maps[N] >= enough))
        return np.array([_lag(sums, int(k)) for k in row * ceilings.shape[1] + column]).reshape(count, -1)
    return _by_squares(sums, possible, errors, maps, (rows, columns), most)


def _by_squares(
    sums: AllSums,
    possible: PossibleLags,
    errors: NDArray[np.float64],
    maps: dict[int, NDArray[np.float32]],
    left: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    most: int,
) -> NDArray[np.intp] | None:
    """Return the lags that all six sums leave, among rows and columns of lags."""
    from maskreg.core.race_kernels import likeliest_2d, ncc_bounds_2d

    marks = left[0].reshape(sums.shape[:-1])
    axes = range(marks.ndim)
    where = [marks.any(axis=tuple(other for other in axes if other != axis)) for axis in axes]
    inside = [slice(int(k[0]), int(k[-1]) + 1) for k in map(np.flatnonzero, (*where, left[1]))]
    firsts = [first for first, _ in sums.spans]
    spans = [(first + part.start, first + part.stop) for first, part in zip(firsts, inside, strict=True)]
    near = AllSums(sums.reference, sums.moving, sums.dtype, spans, room=_room(spans, sums.spans))

    def cut(which: int) -> NDArray[np.float32]:
        part = maps[which].reshape(sums.shape)[tuple(inside)]
        return np.ascontiguousarray(part).reshape(-1, part.shape[-1])

    six = {which: cut(which) for which in maps}
    n, low, high = near.empty(), near.empty(), near.empty()
    missing = [which for which in (SUM_AA, SUM_BB) if which not in maps]
    if n.size <= CLOSE_LAGS and len(spans) == 2:
        six.update(_summed_squares(near, missing))
        errors[missing] = SUMMED
        missing = []

    def take(rows: slice, some: tuple[NDArray[Any], ...]) -> None:
        here = {which: values[rows] for which, values in six.items()} | dict(zip(missing, some, strict=True))
        ncc_bounds_2d(tuple(here[which] for which in range(6)), errors, n[rows], low[rows], high[rows])

    if missing:
        near.each_band(take, missing)
    else:
        take(slice(None), ())
    error = float(errors[N])
    found = np.empty((most, 2), np.intp)
    lowest, highest = possible.least_overlap
    count = likeliest_2d(n, low, high, lowest - error, highest + error, found)
    if count < 0:
        return None
    return np.array([_lag(near, int(i * n.shape[1] + j)) for i, j in found[:count]]).reshape(count, -1)


def _summed_squares(near: AllSums, missing: list[int]) -> dict[int, NDArray[np.float32]]:
    """Return the sums of squares of two axes that are missing, each lag's summed directly."""
    from maskreg.core.race_kernels import squares_near_2d

    (top, bottom), (left, right) = near.spans
    a, b = near.reference, near.moving
    width = 4 * math.ceil((right - left) / 4)
    # moving meets reference at the negative lags, in descending order
    sides = {SUM_AA: (a.unit, b.mask, (top, left)), SUM_BB: (b.unit, a.mask, (1 - bottom, 1 - left - width))}
    found = {which: np.empty((bottom - top, width)) for which in missing}
    in_parallel(lambda k: squares_near_2d(*sides[missing[k]], found[missing[k]]), len(missing))
    if SUM_BB in found:
        found[SUM_BB] = found[SUM_BB][::-1, ::-1]
    return {which: values[:, : right - left].astype(np.float32) for which, values in found.items()}


def _room(spans: list[tuple[int, int]], every: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the least of a few spans about zero that holds these."""
    room = []
    for (first, end), (lowest, highest) in zip(spans, every, strict=True):
        reach, whole = max(-first, end - 1), max(-lowest, highest - 1)
        part = next((part for part in NEAR if reach <= part * whole), 1.0)
        farthest = int(part * whole)
        room.append((-farthest, farthest + 1))
    return room


def _lag(sums: AllSums, index: int) -> tuple[int, ...]:
    """Return the lag of an index into a map."""
    places = np.unravel_index(index, sums.shape)
    return tuple(int(k) + first for k, (first, _) in zip(places, sums.spans, strict=True))
