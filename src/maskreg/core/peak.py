"""Choose the place: the most likely lag, and the best other place that a valley separates from it.

The likelihood at different lags is scored on different pixels, which favours large overlaps by a
little. Between two separate peaks that little can decide, so they are compared on the pixels that
are valid at both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.search import LevelMap
from maskreg.geometry import overlap_slices

MOST_CANDIDATES = 8
"""So many of the likeliest local maxima are looked at."""

VALLEY = 3.0
"""Two peaks are separate where the significance between them falls this far below the lesser."""

COMMON_PIXELS = 0.5
"""Peaks are compared on common pixels if these are at least this part of both overlaps."""


@dataclass(frozen=True)
class Choice:
    """The chosen lag at one level, and its best rival.

    Attributes
    ----------
    lag : tuple of int
        Level pixels.
    significance : float
        S of the chosen lag.
    rival : tuple of int or None
        Lag of the best other place, level pixels.
    gap : float
        Log-likelihood of the choice less that of the rival, chance-calibrated; inf without a rival.
    """

    lag: tuple[int, ...]
    significance: float
    rival: tuple[int, ...] | None
    gap: float


def choose(level: LevelMap) -> Choice:
    """Return the most likely place of a level at which at least one lag is allowed."""
    candidates = local_maxima(level)
    winner, rival, gap = candidates[0], None, np.inf
    for other in candidates[1:]:
        if not _separate(level, winner, other):
            continue
        other_gap = _gap(level, winner, other)
        if other_gap < 0:
            winner, other, other_gap = other, winner, -other_gap
            rival, gap = other, other_gap
        elif other_gap < gap:
            rival, gap = other, other_gap
    return Choice(
        level.lag(winner),
        float(level.score[winner]),
        None if rival is None else level.lag(rival),
        float(gap),
    )


def local_maxima(level: LevelMap) -> list[tuple[int, ...]]:
    """Return indices of the likeliest local maxima, best first; of equal ones the smallest shift first."""
    assert level.best is not None
    values = level.likelihood
    peaks = np.isfinite(values) & (values == scipy.ndimage.maximum_filter(values, 3, mode="constant", cval=-np.inf))
    found = np.argwhere(peaks)
    shifts = np.stack([axis[found[:, i]] for i, axis in enumerate(level.lags)], axis=1).astype(np.int64)
    order = np.lexsort((*shifts.T[::-1], (shifts**2).sum(axis=1), -values[peaks]))
    ranked = [tuple(int(i) for i in found[k]) for k in order[:MOST_CANDIDATES]]
    return [level.best, *(index for index in ranked if index != level.best)]


def _separate(level: LevelMap, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the significance falls into a valley on the straight line between two lags."""
    a, b = np.array(one), np.array(other)
    steps = int(np.abs(b - a).max())
    points = np.rint(a + (b - a) * (np.arange(steps + 1)[:, None] / max(1, steps))).astype(int)
    on_line = np.nan_to_num(level.score[tuple(points.T)], nan=-np.inf)
    return bool(on_line.min() < min(level.score[one], level.score[other]) - VALLEY)


def _gap(level: LevelMap, one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return by how much the log-likelihood of `one` exceeds that of `other`, in units of chance.

    On the pixels valid at both lags where there are enough; else from their significances.
    """
    by_score = (level.score[one] ** 2 - level.score[other] ** 2) / 2
    common = _common_ncc(level, level.lag(one), level.lag(other))
    least = COMMON_PIXELS * max(level.overlap[one], level.overlap[other])
    if common is None or common[2] < least or not np.isfinite(common[:2]).all():
        return float(by_score)
    # a peak between two lags shows less than its height: add what a parabola says is missing
    heights = [r + _missing_height(level, index) for r, index in zip(common[:2], (one, other), strict=True)]
    left = [max(1 - min(max(r, 0.0), 1.0) ** 2, level.floor) for r in heights]
    # the spread of z says how many pixels are worth one independent pixel
    z = np.arctanh(min(max(float(level.ncc[one]), 1e-3), np.sqrt(1 - level.floor)))
    independent = common[2] * (level.score[one] / (z * np.sqrt(max(level.overlap[one] - 3, 1)))) ** 2
    return float(0.5 * min(independent, common[2]) * np.log(left[1] / left[0]))


def _common_ncc(
    level: LevelMap, one: tuple[int, ...], other: tuple[int, ...]
) -> tuple[float, float, int] | None:
    """Return the masked NCC at two lags over the pixels valid at both, and their number."""
    reference, moving = level.reference, level.moving
    shape = reference.pixels.shape
    both = np.zeros(shape, bool)
    views: list[NDArray[np.float32]] = []
    for k, lag in enumerate((one, other)):
        here, there = overlap_slices(shape, moving.pixels.shape, lag)
        valid = np.zeros(shape, bool)
        valid[here] = reference.mask[here] & moving.mask[there]
        both = valid if k == 0 else both & valid
        view = np.zeros(shape, np.float32)
        view[here] = moving.pixels[there]
        views.append(view)
    n = int(np.count_nonzero(both))
    if n < 3:
        return None
    a = reference.pixels[both].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [_ncc(a, view[both].astype(np.float64)) for view in views]
    return values[0], values[1], n


def _ncc(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _missing_height(level: LevelMap, index: tuple[int, ...]) -> float:
    """Return how much higher the vertex of a parabola through the peak is, summed over the axes."""
    missing = 0.0
    for axis in range(level.ncc.ndim):
        here = list(index)
        values = []
        for step in (-1, 0, 1):
            here[axis] = index[axis] + step
            inside = 0 <= here[axis] < level.ncc.shape[axis]
            values.append(float(level.ncc[tuple(here)]) if inside else np.nan)
        left, mid, right = values
        curvature = 2 * mid - left - right
        if np.isfinite(curvature) and curvature > 0 and max(left, right) <= mid:
            missing += (right - left) ** 2 / (8 * curvature)
    return missing
