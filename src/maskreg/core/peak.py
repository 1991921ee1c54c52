"""Choose the place: the most likely lag, and the best other place that a valley separates from it.

Every level of the search proposes places; a place is judged by the evidence of all levels. The
evidence of one level for a place is S^2 / 2 - log K, S being the greatest significance among the K
lags where the place may be: the log-likelihood in units of chance, less what the best of K chance
values reaches. A coarse level thus finds a place, and a finer one moves it only if it knows better.

The likelihood at different lags is scored on different pixels, which favours large overlaps by a
little. Between two separate peaks that little could decide, so the winner and a rival are compared
on the pixels that are valid at both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.search import LevelMap
from maskreg.geometry import overlap_slices

MOST_CANDIDATES = 6
"""So many of the likeliest local maxima of each level are looked at."""

VALLEY = 3.0
"""Two peaks are separate where the significance between them falls this far below the lesser."""

COMMON_PIXELS = 0.5
"""Peaks are compared on common pixels if these are at least this part of both overlaps."""

INFORMATIVE = 3.0
"""A level whose evidence for a place exceeds this may move it (odds 20 to 1)."""


@dataclass(frozen=True)
class Candidate:
    """A place proposed by the search.

    Attributes
    ----------
    shift : ndarray of float64
        Px.
    bin : int
        The finest level that knows the place.
    evidence : float
        Summed over the levels.
    """

    shift: NDArray[np.float64]
    bin: int
    evidence: float


@dataclass(frozen=True)
class Choice:
    """The chosen place and its best rival.

    Attributes
    ----------
    shift : ndarray of float64
        Px, to about a pixel of level `bin`.
    bin : int
        The finest level that knows the place.
    rival : tuple of int or None
        Shift of the best other place, px.
    gap : float
        Log-likelihood of the choice less that of the rival, in units of chance; inf without a rival.
    """

    shift: NDArray[np.float64]
    bin: int
    rival: tuple[int, ...] | None
    gap: float


def choose(levels: list[LevelMap]) -> Choice:
    """Return the most likely place; at least one level has a lag that is allowed."""
    ranked = candidates(levels)
    winner, rival, gap = ranked[0], None, np.inf
    for other in ranked[1:]:
        level = most_significant(levels, winner.shift)
        one, two = (level.index_of(c.shift) for c in (winner, other))
        if not _separate(level, one, two):
            continue
        other_gap, on_common_pixels = _gap(level, one, two)
        if other_gap < 0 and on_common_pixels:
            winner, rival, gap = other, winner, -other_gap
        elif max(other_gap, 0.0) < gap:
            rival, gap = other, max(other_gap, 0.0)
    where = None if rival is None else tuple(int(s) for s in np.rint(rival.shift))
    return Choice(winner.shift, winner.bin, where, float(gap))


def most_significant(levels: list[LevelMap], shift: NDArray[np.float64]) -> LevelMap:
    """Return the level at which a place exceeds the line of chance by most."""
    return max(levels, key=lambda level: level.near(shift) - level.line)


def candidates(levels: list[LevelMap]) -> list[Candidate]:
    """Return the proposed places, the one of most evidence first; of equal ones the smallest shift."""
    fine_first = sorted((level for level in levels if level.best is not None), key=lambda level: level.bin)
    found: dict[tuple[float, ...], Candidate] = {}
    for level in fine_first:
        for index in local_maxima(level):
            candidate = _with_evidence(fine_first, level, index)
            found.setdefault(tuple(candidate.shift), candidate)
    return sorted(found.values(), key=lambda c: (-c.evidence, float((c.shift**2).sum()), tuple(c.shift)))


def _with_evidence(fine_first: list[LevelMap], origin: LevelMap, index: tuple[int, ...]) -> Candidate:
    """Follow a place from its level to the finer ones, and look it up in the coarser ones."""
    shift = origin.bin * np.array(origin.lag(index), np.float64)
    b = origin.bin
    evidence = max(0.0, float(origin.score[index]), 0.0) ** 2 / 2
    for level in (lv for lv in reversed(fine_first) if lv.bin < origin.bin):
        value, better = _evidence(level, shift, int(np.ceil(b / level.bin)))
        if value > INFORMATIVE:
            shift, b = better, level.bin
            evidence += value
    for level in (lv for lv in fine_first if lv.bin > origin.bin):
        evidence += max(0.0, _evidence(level, shift, 1)[0])
    return Candidate(shift, b, evidence)


def _evidence(
    level: LevelMap, shift: NDArray[np.float64], radius: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the evidence of a level for a place known to `radius` lags, and the best lag there, px."""
    index = level.index_of(shift)
    window = tuple(slice(max(0, i - radius), i + radius + 1) for i in index)
    scores = np.where(level.searched[window], level.score[window], -np.inf)
    at = np.unravel_index(int(np.argmax(scores)), scores.shape)
    best = max(0.0, float(scores[at]))
    found = tuple(int(w.start + i) for w, i in zip(window, at, strict=True))
    return best**2 / 2 - float(np.log(scores.size)), level.bin * np.array(level.lag(found), np.float64)


def local_maxima(level: LevelMap) -> list[tuple[int, ...]]:
    """Return indices of the likeliest local maxima, best first; of equal ones the smallest shift first."""
    values = level.likelihood
    highest = scipy.ndimage.maximum_filter(values, 3, mode="constant", cval=-np.inf)
    peaks = np.isfinite(values) & (values == highest)
    found = np.argwhere(peaks)
    shifts = np.stack([axis[found[:, i]] for i, axis in enumerate(level.lags)], axis=1).astype(np.int64)
    order = np.lexsort((*shifts.T[::-1], (shifts**2).sum(axis=1), -values[peaks]))
    return [tuple(int(i) for i in found[k]) for k in order[:MOST_CANDIDATES]]


def _separate(level: LevelMap, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the significance falls into a valley on the straight line between two lags."""
    a, b = np.array(one), np.array(other)
    steps = int(np.abs(b - a).max())
    points = np.rint(a + (b - a) * (np.arange(steps + 1)[:, None] / max(1, steps))).astype(int)
    on_line = np.nan_to_num(level.score[tuple(points.T)], nan=-np.inf)
    return bool(on_line.min() < min(level.score[one], level.score[other]) - VALLEY)


def _gap(level: LevelMap, one: tuple[int, ...], other: tuple[int, ...]) -> tuple[float, bool]:
    """Return by how much the log-likelihood of `one` exceeds that of `other`, in units of chance.

    And whether that was found on the pixels valid at both lags, rather than from their significances.
    """
    scores = [max(0.0, float(np.nan_to_num(level.score[index]))) for index in (one, other)]
    by_score = (scores[0] ** 2 - scores[1] ** 2) / 2
    common = _common_ncc(level, level.lag(one), level.lag(other))
    least = COMMON_PIXELS * max(level.overlap[one], level.overlap[other])
    if common is None or common[2] < least or not np.isfinite(common[:2]).all():
        return by_score, False
    # a peak between two lags shows less than its height: add what a parabola says is missing
    heights = [r + _missing_height(level, index) for r, index in zip(common[:2], (one, other), strict=True)]
    left = [max(1 - min(max(r, 0.0), 1.0) ** 2, level.floor) for r in heights]
    return 0.5 * common[2] / level.pixels_per_chance * float(np.log(left[1] / left[0])), True


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
