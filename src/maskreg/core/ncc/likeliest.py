"""The lags that may have the greatest masked NCC, by transforms: the sums of squares come last.

1. n, the sum of a b and that of a less that of b at every lag of enough overlap, and what the energies are
   at least (`ncc.least_energy`), say what no lag's coefficient exceeds. Of a series the sums of the
   reference are kept: there both sums are known.
2. The lag of the greatest sum of products is summed directly. Lags whose ceiling does not reach its
   coefficient are out.
3. The sums of squares are taken for what is left: directly for few lags close together, by transforms
   otherwise, with whatever sum is missing. Near the peak these are shorter; where no
   lag is out they cost no more than they would have at first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.ncc.all_sums import DIFFERENCE, SUM_A, SUM_AA, SUM_AB, SUM_B, SUM_BB, AllSums, N
from maskreg.core.ncc.centred import CentredImage
from maskreg.core.ncc.enough_overlap import enough_overlap
from maskreg.core.ncc.least_energy import LeastEnergy, least_energies

NEAR = (1 / 8, 1 / 4, 1 / 2)
"""Transforms for lags near zero have room for this part of all: few sizes, so that the mask's are kept."""

SUMMED = 2**-16
"""By how much a sum of squares may be wrong that is taken directly: so many roundings in single precision as
`lags.race_kernels.CHAIN`, and twice that."""

TOGETHER = 128
"""So many rows of lags are bounded at once."""

FEW_LAGS = 2
"""So many lags are summed directly sooner than squares are."""

MOST_SUMMED = 128
"""Squares of so many lags are summed sooner than they are transformed, if they are close together:"""

CLOSE_LAGS = 512
"""from the first to the last along each axis there are no more than these."""


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
    sums = AllSums(reference, moving, np.dtype(np.float32), possible.spans, possible.overlap)
    errors = sums.errors()
    if possible.overlap is not None:
        errors[N] = possible.error
    series = sums.keeps(SUM_A)
    squares = [SUM_AA] if series and sums.keeps(SUM_AA) else []
    wanted = [N, SUM_AB, *([SUM_A, SUM_B] if series else [DIFFERENCE]), *squares]
    maps = sums.at_lags(wanted)
    if possible.overlap is None:
        maps[N] = np.rint(maps[N])
    energies = least_energies(reference, moving, possible.spans, both=not squares)
    left = _Left(sums, maps, errors, energies[0], energies[-1])
    ceilings = sums.empty()
    rows = [slice(k, k + TOGETHER) for k in range(0, len(ceilings), TOGETHER)]
    in_parallel(lambda k: left.put_ceilings(rows[k], ceilings[rows[k]]), len(rows))
    best = max(0.0, reached(_lag(sums, int(maps[SUM_AB].argmax()))))
    enough = np.nextafter(np.float32(possible.least_overlap[0] - errors[N]), np.float32(-np.inf))
    limits = enough, np.nextafter(np.float32(best), np.float32(0))
    count, marks, found = left.hopeful(ceilings, limits)
    where: NDArray[np.intp] | None = found
    if count > FEW_LAGS:
        few = count <= MOST_SUMMED and left.close(marks)
        where = left.by_squares(found, limits[1]) if few else None
    if where is None or len(where) > most:
        return _by_transforms(left.cut(marks), possible, most)
    return _lags(sums, where)


@dataclass(frozen=True)
class _Left:
    """Lags that may be the greatest, and what is known of them.

    Attributes
    ----------
    sums : AllSums
    maps : dict of int to (rows, columns) ndarray of float32
        The sums that are known.
    errors : (7,) ndarray of float64
        By how much these may be wrong.
    of_a, of_b : LeastEnergy
        Of reference, not used where the sums of both images and of reference's squares are known, and moving.
    """

    sums: AllSums
    maps: dict[int, NDArray[np.float32]]
    errors: NDArray[np.float64]
    of_a: LeastEnergy
    of_b: LeastEnergy

    def put_ceilings(self, rows: slice, out: NDArray[np.float32]) -> None:
        """Fill `out` with the ceilings of some rows of lags."""
        from maskreg.core.ncc.bound_kernels import ceilings_2d, ceilings_by_difference_2d

        bounds = self.of_a.at(rows), self.of_b.at(rows)
        if DIFFERENCE in self.maps:
            three = [N, DIFFERENCE, SUM_AB]
            known = tuple(self.maps[which][rows] for which in three)
            ceilings_by_difference_2d(known, self.errors[three], *bounds, out)
            return
        none = np.empty((0, out.shape[1]), np.float32)
        squares = self.maps[SUM_AA][rows] if SUM_AA in self.maps else none
        n, a, b, ab = (self.maps[which][rows] for which in (N, SUM_A, SUM_B, SUM_AB))
        ceilings_2d((n, a, squares, b, ab), self.errors, *bounds, out)

    def hopeful(
        self, ceilings: NDArray[np.float32], limits: tuple[np.float32, np.float32]
    ) -> tuple[int, _Marks, NDArray[np.intp]]:
        """Return how many lags have this overlap and such a ceiling or more, and in which rows and columns.

        And row and column of the first `MOST_SUMMED` of them.
        """
        from maskreg.core.ncc.bound_kernels import hopeful_2d

        rows, columns = (np.zeros(n, bool) for n in ceilings.shape)
        found = np.empty((MOST_SUMMED, 2), np.intp)
        count = int(hopeful_2d(self.maps[N], ceilings, *limits, rows, columns, found))
        return count, (rows, columns), found[:count]

    def close(self, marks: _Marks) -> bool:
        """Return whether marked lags are of two axes, and close together."""
        extents = (stretch.stop - stretch.start for stretch in map(_stretch, marks))
        return len(self.sums.shape) == 2 and math.prod(extents) <= CLOSE_LAGS

    def by_squares(self, where: NDArray[np.intp], least: np.float32) -> NDArray[np.intp]:
        """Return those of the lags of two axes, in order, that the sums of squares leave, summed directly.

        Of each its row and column.
        """
        row, column = where.T
        # one row of lags, whatever rows they are of
        maps = {which: values[row, column][np.newaxis] for which, values in self.maps.items()}
        missing = [which for which in (SUM_AA, SUM_BB) if which not in maps]
        firsts = [first for first, _ in self.sums.spans]
        summed = _summed_squares(self.sums, row + firsts[0], column + firsts[1], missing)
        exact = {which: LeastEnergy.exact(values[np.newaxis], SUMMED) for which, values in summed.items()}
        some = replace(self, maps=maps, of_a=exact.get(SUM_AA, self.of_a), of_b=exact[SUM_BB])
        ceilings = np.empty((1, row.size), np.float32)
        some.put_ceilings(slice(None), ceilings)
        return np.compress(ceilings[0] >= least, where, axis=0)

    def cut(self, marks: _Marks) -> _Left:
        """Return what is left between the first and the last marked lag along each axis."""
        shape, axes = self.sums.shape, range(len(self.sums.shape) - 1)
        outer = marks[0].reshape(shape[:-1])
        along = [np.asarray(outer.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
        inside = tuple(_stretch(line) for line in (*along, marks[1]))
        spans = [
            (first + part.start, first + part.stop)
            for (first, _), part in zip(self.sums.spans, inside, strict=True)
        ]
        maps = {}
        for which, values in self.maps.items():
            part = np.ascontiguousarray(values.reshape(shape)[inside])
            maps[which] = part.reshape(-1, part.shape[-1])
        near = replace(self.sums, spans=spans, overlap=None, room=_room(spans, self.sums.spans))
        return replace(self, sums=near, maps=maps)


_Marks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Of lags the rows, all axes but the last laid end to end, and the columns."""


def _stretch(line: NDArray[np.bool_]) -> slice:
    """Return from where to where there is any True."""
    return slice(int(line.argmax()), int(line.size - line[::-1].argmax()))


def _by_transforms(left: _Left, possible: PossibleLags, most: int) -> NDArray[np.intp] | None:
    """Return the lags that all six sums leave."""
    from maskreg.core.lags.race_kernels import likeliest_2d, ncc_bounds_2d

    near = left.sums
    errors = left.errors.copy()
    needed = [SUM_AA, SUM_BB]
    if DIFFERENCE in left.maps:
        needed.append(SUM_A)
        errors[SUM_B] = errors[SUM_A] + errors[DIFFERENCE]
    missing = [which for which in needed if which not in left.maps]
    maps = left.maps | near.at_lags(missing)
    if DIFFERENCE in maps:
        maps[SUM_B] = maps[SUM_A] - maps[DIFFERENCE]
    n, low, high = near.empty(), near.empty(), near.empty()
    rows = [slice(k, k + TOGETHER) for k in range(0, len(n), TOGETHER)]

    def bound(k: int) -> None:
        here = tuple(maps[which][rows[k]] for which in range(6))
        ncc_bounds_2d(here, errors, n[rows[k]], low[rows[k]], high[rows[k]])

    in_parallel(bound, len(rows))
    error = float(errors[N])
    found = np.empty((most, 2), np.intp)
    lowest, highest = possible.least_overlap
    count = likeliest_2d(n, low, high, lowest - error, highest + error, found)
    return None if count < 0 else _lags(near, found[:count])


def _summed_squares(
    sums: AllSums, row: NDArray[np.intp], column: NDArray[np.intp], wanted: list[int]
) -> dict[int, NDArray[np.float32]]:
    """Return sums of squares at lags (row, column), which are in order, each summed directly."""
    from maskreg.core.lags.race_kernels import squares_near_2d

    fours: list[tuple[int, int]] = []
    place = np.empty(row.size, np.intp)
    for k, (r, c) in enumerate(zip(row.tolist(), column.tolist(), strict=True)):
        if not fours or fours[-1][0] != r or fours[-1][1] + 4 <= c:
            fours.append((r, c))
        place[k] = 4 * len(fours) - 4 + c - fours[-1][1]
    lags = np.array(fours)
    a, b = sums.reference, sums.moving
    found: dict[int, NDArray[np.float32]] = {}

    def sum_squares(k: int) -> None:
        which, out = wanted[k], np.zeros((len(fours), 4))
        if which == SUM_AA:
            squares_near_2d(a.unit, b.mask, lags, out)
        else:  # moving meets reference at the negative lags, in descending order
            squares_near_2d(b.unit, a.mask, -lags - (0, 3), out)
            out = out[:, ::-1]
        found[which] = out.reshape(-1)[place].astype(np.float32)

    in_parallel(sum_squares, len(wanted))
    return found


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


def _lags(sums: AllSums, where: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the lags of rows, all axes but the last laid end to end, and columns of a map."""
    places = np.unravel_index(where[:, 0] * sums.shape[-1] + where[:, 1], sums.shape)
    return np.stack([k + first for k, (first, _) in zip(places, sums.spans, strict=True)], axis=-1)
