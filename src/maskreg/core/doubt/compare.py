"""Compare two refined places on the pixels that are valid at both.

Scored on its own pixels, the place of larger overlap has an advantage that says nothing about it;
and between whole lags a sharp peak shows less than its height. So the images are compared below
the pixel, on one set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.doubt.compare_kernels import matches_2d
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.runs import Region
from maskreg.core.image.shifted import shifted_mask
from maskreg.core.image.windows import CommonSums, window_sums
from maskreg.core.likelihood import LEAST_UNEXPLAINED
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import Beginning
from maskreg.core.search.search import LevelMap
from maskreg.core.stage import Place
from maskreg.core.subpixel.moments import moments, where_taps_are_inside
from maskreg.core.subpixel.template import Template
from maskreg.geometry import nearest_lag

AMBIGUOUS = float(np.log(20.0))
"""A place less than this below another one in log-likelihood (odds 20 to 1) is not beaten by it."""

HOPELESS = 10 * AMBIGUOUS
"""A place that begins so far below another one, whatever refinement may gain, is not refined."""

RESOLVED = 4
"""A place is beaten if it is so many level pixels from the best: less may be a period not resolved there."""

CHANCE_SPREADS = 3.0
"""A gap within this many of its standard deviations is none: the places are equal."""

UNEVEN_HEIGHT = 0.07
"""The heights of two places of the same structure differ by so much of the greater for what a mask hides."""

UNEVEN = 0.02
"""Matches that differ by less than this part are equal: interpolation may make as much."""

CLEAR = 0.5
"""Filtered images that share more than this part of their variance where they match hold little noise."""

FEW_ROWS = 4
"""One in so many rows tells what is hopeless."""

OPEN = 0.5
"""The vertex of a parabola is known to this part of a pixel: about as wide as the parabola is."""

COMMON_PART = 0.5
"""The common set must keep this part of either place's own."""


def resolved(step: NDArray[np.float64], b: int) -> bool:
    """Whether level `b` tells places that are a step apart, px."""
    return bool(np.abs(step).max() >= RESOLVED * b)


def likelihood_gap(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    one: Place,
    other: Place,
) -> float | None:
    """Return by how much the log-likelihood of place `one` surely exceeds that of `other`.

    Where both places show the same structure, as two periods of a lattice do, the noise that meets
    the noise differs, and the likelihoods by about the square root of the number of pixels. What
    that can make is taken off; the result is 0 where it could make all. Nor does it count what either
    place leaves unexplained because it is known to its uncertainty only: two exact copies would be told
    apart by how well each was refined.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    b : int
        Level at which to compare.
    one, other : Place

    Returns
    -------
    float or None
        None where the two places have too few pixels in common.
    """
    found = _both(masked, moving, b, one.shift, other.shift)
    if found is None:
        return None
    misplaced = max(
        _misplaced(match.around, place.covariance / b**2)
        for match, place in zip(found, (one, other), strict=True)
    )
    first, second = (min(1.0, max(_unexplained(match), misplaced)) for match in found)
    return _sure_gap(found[0].n, first, second)


def hopeless_gap(masked: MaskedSide, moving: Prepared, one: Place, other: Beginning) -> float | None:
    """Return by how much place `one` is at least likelier than another one, if that need not be refined.

    None where it must be. The place that refinement would lead to may match better than where it begins, by
    what it may be off; and few rows tell, and count for no more than they are.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    one : Place
    other : Beginning
        They are compared at its level.

    Returns
    -------
    float or None
    """
    b = other.bin
    if not (one.refined and resolved(one.shift - other.shift, b)):
        return None
    found = _both(masked, moving, b, one.shift, other.shift, FEW_ROWS)
    if found is None:
        return None
    first = max(_unexplained(found[0]), _misplaced(found[0].around, one.covariance / b**2))
    open_ = np.eye(len(other.shift)) * (OPEN / CHANCE_SPREADS) ** 2
    second = _unexplained(found[1]) - _misplaced(found[1].around, open_)
    gap = _sure_gap(found[0].n, min(1.0, first), max(second, LEAST_UNEXPLAINED))
    return gap if gap >= HOPELESS else None


def _both(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    every: int = 1,
) -> list[Match] | None:
    """Return how well two shifts match at level `b`, on common pixels; None if these are too few."""
    template, usable, shifts = masked.side.template(b), masked.usable(b).mask, np.stack([one / b, other / b])
    try:
        return matches(template, masked.interpolable(moving, b), usable, shifts, every)
    finally:
        moving.as_it_was()


def _sure_gap(n: float, first: float, second: float) -> float:
    """Return how much likelier one place is, for what either leaves unexplained; 0 if it may be chance."""
    gap = 0.5 * (n - 2) * math.log(second / first)
    sure = abs(gap) - CHANCE_SPREADS * _chance_gap(n, min(first, second))
    return math.copysign(sure, gap) if sure > 0 else 0.0


@dataclass(frozen=True)
class Match:
    """Sums over the pixels that are valid at both places, at one of them.

    Attributes
    ----------
    n, r, rr : float
        Number of pixels, sums of reference and its square.
    u, ru : float
        Sums of moving between its pixels, at the shift, and of its product with reference.
    around : list of CommonSums
        At the lag nearest to the shift and its neighbours, 3^ndim in all, the last axis fastest.
    off : list of float
        The shift less that lag.
    """

    n: float
    r: float
    rr: float
    u: float
    ru: float
    around: list[CommonSums]
    off: list[float]


def matches(
    template: Template,
    moving: NDArray[np.float32],
    usable: NDArray[np.bool_],
    shifts: NDArray[np.float64],
    every: int = 1,
) -> list[Match] | None:
    """Return how well two places match on the pixels that are valid at both; None if these are too few.

    Parameters
    ----------
    template : Template
    moving : ndarray of float32
        Zero or continued where ignored.
    usable : ndarray of bool
        Where moving may be interpolated.
    shifts : (2, ndim) ndarray of float64
        Level pixels.
    every : int
        Of one in so many rows of the reference.
    """
    if moving.ndim != 2:
        return plain_matches(template, moving, usable, shifts, every)
    lags = np.rint(shifts).astype(np.int64)
    numbers, own, of_place = matches_2d(template.pixels, template.mask, moving, usable, shifts, lags, every)
    one, other, n = numbers.tolist()
    if _too_few(n, one, other):
        return None
    r, rr = own.tolist()
    return [
        _match(n, r, rr, sums, shift - lag) for sums, shift, lag in zip(of_place, shifts, lags, strict=True)
    ]


def _match(n: int, r: float, rr: float, sums: NDArray[np.float64], off: NDArray[np.float64]) -> Match:
    u, ru, *around = sums.tolist()
    each = zip(around[:9], around[9:18], around[18:], strict=True)
    return Match(n, r, rr, u, ru, [CommonSums(n, r, rr, *sums) for sums in each], off.tolist())


def plain_matches(
    template: Template,
    moving: NDArray[np.float32],
    usable: NDArray[np.bool_],
    shifts: NDArray[np.float64],
    every: int = 1,
) -> list[Match] | None:
    """Return what `matches` does, for any number of axes."""
    near = [nearest_lag(shift) for shift in shifts]
    valid = template.mask.copy()
    valid[np.arange(len(valid)) % every > 0] = False
    own = [valid & shifted_mask(usable, lag, valid.shape) for lag in near]
    common = own[0] & own[1]
    for shift in shifts:
        common &= where_taps_are_inside(shift, common.shape, moving.shape)
    if _too_few(*(int(np.count_nonzero(mask)) for mask in (common, *own))):
        return None
    found = []
    for shift, lag in zip(shifts, near, strict=True):
        # the common pixels on the grid of moving
        there = Region(shifted_mask(common, tuple(-s for s in lag), usable.shape))
        between = moments(template, moving, there, shift, lag)
        sums = window_sums(template.pixels, common, moving, usable, lag, 1)
        parts = (sums.n, sums.a, sums.aa, sums.b, sums.bb, sums.ab)
        around = [CommonSums(*map(float, each)) for each in zip(*(p.flat for p in parts), strict=True)]
        off = (shift - np.array(lag)).tolist()
        found.append(Match(between.n, between.r, between.rr, between.u, between.ru, around, off))
    return found


def _too_few(n: int, *own: int) -> bool:
    return n < 3 or n < COMMON_PART * max(own)


def matched_gap(level: LevelMap, one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return by how much the log-likelihood of shift `one` surely exceeds that of `other`, as a level tells.

    Where noise drowns single pixels their likelihoods tell nothing, but the map of the matched filter does:
    its Fisher z has unit noise. The noises of two places are at most independent; the result is 0 where
    they could make the difference. Where the filter leaves hardly any noise, a place of larger overlap is
    higher for its pixels alone: both count as of the fewer.

    Parameters
    ----------
    level : LevelMap
        Of a search by a matched filter.
    one, other : (ndim,) ndarray
        Shifts, px.
    """
    tops = [level.top(shift) for shift in (one, other)]
    if max(ncc for ncc, _ in tops) ** 2 > CLEAR:
        fewer = min(number for _, number in tops)
        tops = [(ncc, fewer) for ncc, _ in tops]
    heights = [level.z_of(*top) for top in tops]
    best, gap = max(heights), heights[0] - heights[1]
    sure = abs(gap) - CHANCE_SPREADS * np.sqrt(2) - UNEVEN * abs(best)
    return float(np.copysign(best * sure, gap)) if sure > 0 and best > 0 else 0.0


def height_doubt(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much less likely than the highest peak of a matched filter others are, in log-likelihood.

    Either height has unit noise, and a pattern behind a mask is not the same at both.
    """
    best = heights.max()
    return np.asarray((best - heights) ** 2 / (2 * (2 + (UNEVEN_HEIGHT * best) ** 2)))


def _chance_gap(n: float, unexplained: float) -> float:
    """Return the standard deviation of the gap between two equally good places of a noisy structure.

    The gap is half the difference of the sums of squared residuals of unit variance (Vuong,
    Econometrica 57, 307, 1989): its variance is n (1 - c^2), c being the correlation of the two
    residuals. Where the structure makes the part r of the variance of either image, and repeats
    exactly, c = 1 - r^2 / (1 + r).
    """
    squared = 1 - unexplained
    c = 1 - squared / (1 + math.sqrt(squared))
    return math.sqrt(n * (1 - c**2))


def _unexplained(match: Match) -> float:
    """Return 1 - r^2, not below what rounding leaves; 1 for a negative correlation.

    The covariance is taken between the pixels, where the shift is; the variance of moving from
    whole pixels: interpolation averages noise, the more the nearer to half a pixel, and would
    favour such shifts.
    """
    n = max(match.n, 1.0)
    covariance = (match.ru - match.r * match.u / n) / n
    energies = (match.rr / n - (match.r / n) ** 2) * _variance_at(match.around, match.off)
    if covariance <= 0 or energies <= 0:
        return 1.0
    return max(1 - covariance**2 / energies, LEAST_UNEXPLAINED)


def _misplaced(around: list[CommonSums], covariance: NDArray[np.float64]) -> float:
    """Return what a place so uncertain, level pixels, may leave unexplained by being off.

    Between whole lags that grows at most as straight lines do: those of white pixels, interpolated.
    """
    out, middle = UNEVEN, len(around) // 2
    here = _shared(around[middle])
    for variance, step in zip(covariance.diagonal().tolist(), _strides(len(covariance)), strict=True):
        beside = (_shared(around[middle - step]) + _shared(around[middle + step])) / 2
        out += CHANCE_SPREADS * math.sqrt(variance) * max(0.0, here - beside)
    return out


def _shared(sums: CommonSums) -> float:
    """Return r^2; 0 without variance."""
    ncc = sums.ncc
    return 0.0 if math.isnan(ncc) else ncc**2


def _strides(ndim: int) -> list[int]:
    """Return by how many elements neighbours along each axis are apart in a flat window of three lags."""
    return [3**axis for axis in reversed(range(ndim))]


def _variance_at(around: list[CommonSums], off: list[float]) -> float:
    """Return the variance of moving on the common pixels, between whole lags by linear interpolation.

    The pixels of a lattice that a fixed set cuts out vary with the lag, and so does their variance.
    """
    weights = {len(around) // 2: 1.0}
    for part, step in zip(off, _strides(len(off)), strict=True):
        there = step if part >= 0 else -step
        weights = {
            k + move: weight * share
            for k, weight in weights.items()
            for move, share in ((0, 1 - abs(part)), (there, abs(part)))
        }
    return sum(weight * around[k].variances[1] for k, weight in weights.items())
