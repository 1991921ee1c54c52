"""The lag of the greatest masked NCC, proven, without computing every lag's coefficient.

1. Images binned by some pixels bound the variances in the overlap from below, and the sums from above,
   for blocks of lags (`ncc.lag_blocks`).
2. The sums of products change quickly from lag to lag. They are transformed, in single precision, and give an
   upper bound of each block's coefficients.
3. A lag of the block of the highest bound is summed. Only lags whose bound reaches its coefficient stay.
4. These get exact variances from cumulated sums (`lags.race_kernels`). Those that rounding may have
   kept from the first place are summed directly.

Where that leaves too many lags (masks of scattered pixels), more sums are transformed
(`ncc.likeliest`). Two lags that are equal within rounding prove nothing, and the answer is None:
compute all lags then.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.ncc.centred import CentredImage
from maskreg.core.ncc.lag_blocks import LagBlocks, finer_blocks, lag_blocks
from maskreg.core.ncc.lag_sums import SINGLE, Transform, lag_sums, rounding, window_of_lags
from maskreg.core.ncc.likeliest import PossibleLags, lags_of_enough_overlap, likeliest_lags
from maskreg.core.ncc.overlap import overlap_sums

FEW_LAGS = 6
"""So many lags are summed directly: sooner than cumulated sums are made."""

MOST_DIRECT = 16
"""If more lags than this would have to be summed directly, transforming all sums is as quick."""

MANY_LAGS = 4000
"""Of more lags than this it is sooner to make the bounds finer than to take the sums."""

FINEST_BLOCK = 4
"""Finer bounds than those of blocks of this size are not made."""

MOST_OPENED = 2**14
"""If more lags than this would have to be looked at, transforming all sums is as quick."""

RACED_AT_ONCE = 256
"""So many lags are looked up by a thread at once."""

MOST_LOOKED_UP = 2_000_000
"""No more look-ups of rectangles of ignored pixels than this, for the same reason."""

EQUAL = 1e-9
"""Coefficients nearer than this may be equal but for rounding: which is greater is not proven."""


def greatest_ncc_lag(
    reference: CentredImage, moving: CentredImage, least: float, faint: float = 0.0
) -> tuple[int, ...] | None:
    """Return the lag of the greatest masked NCC.

    Parameters
    ----------
    reference, moving : CentredImage
        The same number of axes; shapes may differ.
    least : float
        Least overlap, as a fraction of the greatest of any lag.
    faint : float
        A lag does not count where both images' standard deviations times n, over the greatest of these
        products of any lag, are at most this.

    Returns
    -------
    tuple of int or None
        As `maskreg.geometry` counts lags; None where no single lag is proven to be the greatest,
        or the greatest is not positive.
    """
    if min(reference.energy, moving.energy) <= 0:
        return None
    race = _Race(reference, moving, faint)
    blocks = lag_blocks(reference, moving, float(least)) if reference.mask.ndim == 2 else None
    possible = None
    if blocks is not None:
        lags, spans = _finalists(race, blocks)
        if lags is not None:
            return race.among(lags, blocks.least_overlap)
        possible = None if spans is None else PossibleLags(spans, blocks.least_overlap)
    possible = possible or lags_of_enough_overlap(reference, moving, least)
    threshold = possible.least_overlap

    def reached(lag: tuple[int, ...]) -> float:
        race.add(lag, threshold)
        return race.best - EQUAL

    lags = likeliest_lags(reference, moving, possible, reached, MOST_DIRECT)
    return None if lags is None else race.among(lags, threshold)


class _Race:
    """Lags that are summed directly, and the one that is ahead."""

    def __init__(self, reference: CentredImage, moving: CentredImage, faint: float) -> None:
        self.images = reference, moving
        self._faint = faint * math.sqrt(reference.energy) * math.sqrt(moving.energy)
        self._sure: dict[tuple[int, ...], float] = {}
        self._doubtful: dict[tuple[int, ...], float] = {}

    @property
    def best(self) -> float:
        """The greatest coefficient so far; 0 if none was positive."""
        return max(0.0, *self._sure.values()) if self._sure else 0.0

    @property
    def winner(self) -> tuple[int, ...] | None:
        """The lag of the greatest coefficient; None if none is positive or another may be as great."""
        ahead = [lag for lag, value in self._sure.items() if value > max(self.best - EQUAL, 0)]
        doubt = any(value > self.best - EQUAL for value in self._doubtful.values())
        return ahead[0] if len(ahead) == 1 and not doubt else None

    def add(self, lag: tuple[int, ...], least_overlap: tuple[float, float]) -> None:
        """Sum a lag; of too little overlap it counts as 0, and where it may not count it is doubtful."""
        if lag in self._sure or lag in self._doubtful:
            return
        sums = overlap_sums(*self.images, lag)
        low, high = least_overlap
        column = self._doubtful if low <= sums.n < high or sums.root <= self._faint else self._sure
        column[lag] = sums.ncc if sums.n >= low else 0.0

    def among(self, lags: NDArray[np.intp], least_overlap: tuple[float, float]) -> tuple[int, ...] | None:
        """Return the winner of the race that these lags join."""
        for lag in lags.tolist():
            self.add(tuple(lag), least_overlap)
        return self.winner


def _finalists(
    race: _Race, blocks: LagBlocks
) -> tuple[NDArray[np.intp] | None, list[tuple[int, int]] | None]:
    """Return the lags that may be the greatest, None for too many of them; and the spans of what may be."""
    from maskreg.core.ncc.bound_kernels import block_maxima_2d, likely_lags_2d

    products, slack = _products(*race.images, blocks)
    first = np.array(blocks.first)
    spans = None
    found = np.empty((MOST_OPENED, 2), np.intp)
    while True:
        maxima = block_maxima_2d(products, blocks.size, blocks.possible.shape)
        upper = blocks.upper(maxima, slack)
        if spans is None:
            for likeliness in (upper, maxima):
                race.add(_likely_lag(blocks, products, likeliness), blocks.least_overlap)
            if race.best <= 0:
                return None, None
        enough = race.best - EQUAL
        hopeful = upper >= enough
        spans = blocks.spans_of(hopeful)
        # rounded down, so that the threshold loses no lag
        least = (enough * blocks.root - blocks.slack - slack).astype(np.float32)
        least = np.nextafter(least, np.float32(-np.inf))
        count = likely_lags_2d(products, blocks.size, hopeful, least, found)
        if 0 <= count <= MANY_LAGS:
            break
        finer = finer_blocks(*race.images, blocks, hopeful) if blocks.size > FINEST_BLOCK else None
        if finer is None:
            break
        blocks = finer
        start = np.array(blocks.first) - first
        products = products[start[0] :, start[1] :]
        first += start
    if count < 0:
        return None, spans
    row, column = found[:count].T
    sums = products[row, column].astype(np.float64)
    return _by_cumulated_sums(race, blocks, found[:count] + blocks.first, sums, slack), spans


def _products(
    reference: CentredImage, moving: CentredImage, blocks: LagBlocks
) -> tuple[NDArray[np.float32], float]:
    """Return the sum of products at every lag of the blocks, squares summing to 1, and its greatest error."""
    spans = [(f, f + blocks.size * n) for f, n in zip(blocks.first, blocks.possible.shape, strict=True)]
    # the blocks at the ends may hold lags at which the images do not touch: there the window is larger
    window, single = window_of_lags(reference.mask.shape, moving.mask.shape, spans), np.dtype(np.float32)
    a = Transform(reference.unit_deviations, window, single).kept(reference.kept, "transform for blocks")
    b = Transform(moving.unit_deviations, window, single)
    return lag_sums([a, b], [(0, 1)], window, spans, single)[0], rounding(window)


def _likely_lag(
    blocks: LagBlocks, products: NDArray[np.float32], likeliness: NDArray[Any]
) -> tuple[int, int]:
    """Return the lag of the greatest product in the block of the greatest likeliness."""
    b = blocks.size
    i, j = (b * int(n) for n in np.unravel_index(int(likeliness.argmax()), likeliness.shape))
    block = products[i : i + b, j : j + b]
    row, column = (int(n) for n in np.unravel_index(int(block.argmax()), block.shape))
    return blocks.first[0] + i + row, blocks.first[1] + j + column


def _by_cumulated_sums(
    race: _Race, blocks: LagBlocks, lags: NDArray[np.intp], products: NDArray[np.float64], rounding: float
) -> NDArray[np.intp] | None:
    """Return those of the lags, which are in order, that rounding alone keeps from being the greatest.

    None if more than `MOST_DIRECT` are left, or to look for them would take long.
    """
    from maskreg.core.lags.race_kernels import cumulated_2d, holes_2d, race_2d, wanted_rows_2d

    if len(lags) <= FEW_LAGS:
        return lags
    reference, moving = race.images
    kept = moving.kept_of_masks
    holes = [kept.get("holes of reference", (), partial(holes_2d, reference.mask))] * 2
    if moving.mask is not reference.mask:
        holes[1] = kept.get("holes of moving", (), partial(holes_2d, moving.mask))
    if len(lags) * (len(holes[0]) + len(holes[1])) > MOST_LOOKED_UP:
        return None
    low, high = int(lags[:, 0].min()), int(lags[:, 0].max()) + 1
    tables: list[tuple[NDArray[Any], ...]] = [()] * 2

    def cumulate(k: int) -> None:
        image, other = race.images[k], race.images[1 - k]
        first, end = ((low, high), (1 - high, 1 - low))[k]
        wanted = wanted_rows_2d(len(image.mask), len(other.mask), holes[1 - k], first, end)
        tables[k] = *cumulated_2d(image.unit, image.mask, wanted), holes[k]

    in_parallel(cumulate, 2)
    best = np.zeros(-(-len(lags) // RACED_AT_ONCE))
    possible = np.empty(len(lags))

    def look_up(k: int) -> None:
        some = slice(k * RACED_AT_ONCE, (k + 1) * RACED_AT_ONCE)
        best[k], possible[some] = race_2d(
            *tables[0],
            *tables[1],
            lags[some],
            products[some],
            rounding,
            4 * SINGLE,
            *blocks.least_overlap,
        )

    in_parallel(look_up, len(best))
    left = lags[possible >= max(best.max(), race.best) - EQUAL]
    return left if len(left) <= MOST_DIRECT else None
