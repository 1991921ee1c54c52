"""The drift of a series: what contradicts it, where it jumps, and what lies between good frames.

Arithmetic on shifts and covariances, nothing else. A drift is smooth, or a walk of small steps,
or both, and now and then it jumps and stays where it jumped to. How rough it is, is measured on
the series itself: as the median size of its residuals, near each frame and over all, whichever is
largest. Medians, because a fifth of the frames may be wrong without moving them by much.

A frame is an **outlier** when it contradicts the middle between the frames before it and those
after it, beyond its own uncertainty and the roughness of the drift; where the drift jumps, when it
contradicts both sides. So a jump is no outlier (the frame agrees with one side), and two frames far
off at one place are: three that agree are taken for the drift. The first and the last frames are
never outliers, because what comes before or after them is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BESIDE = 5
"""How many good frames on each side a frame is compared with: two that are wrong together move no median."""
AGREE = 3
"""So many frames in a row that agree with each other are the drift, wherever they are."""
FEWEST_BESIDE = 2
"""With fewer good frames on one side a frame is not judged."""
FEWEST = 10
"""With fewer good frames nothing is known about the drift."""
NEAR = 51
"""Over how many frames the roughness and the slope of the drift are those of here."""
NEARER = 15
"""Where a drift turns rough, so many frames tell it sooner."""
LIMIT = 7.0
"""Deviations beyond so many sigma contradict. Steps of real drifts have heavier tails than noise."""
FLOOR = 1e-3
"""No drift is known to be smoother than this, px."""
ROUNDS = 10
"""Outliers found in one round no longer stand in the way in the next."""
TO_SIGMA = 1.4826
"""From the median of absolute values to the sigma of a normal distribution."""


@dataclass(frozen=True)
class Jump:
    """A place where the drift jumps and stays."""

    frame: int
    """The first good frame after it."""
    size: tuple[float, float]
    """By how much the shift changes, px, rows and columns."""


def find_outliers(shifts: Floats, covariances: Floats, good: Bools) -> Bools:
    """Return which of the good frames contradict their neighbours.

    Parameters
    ----------
    shifts : (n, 2) array
        px, in the order of the series.
    covariances : (n, 2, 2) array
        Of the shifts, px².
    good : (n,) array of bool
        Which of them are trusted otherwise; the rest is not looked at.

    Returns
    -------
    (n,) array of bool
    """
    places = np.flatnonzero(good)
    outlier = np.zeros(len(good), dtype=bool)
    if len(places) >= FEWEST:
        outlier[places] = _contradicting(shifts[places], covariances[places])
    return outlier


def find_jumps(shifts: Floats, covariances: Floats, good: Bools) -> list[Jump]:
    """Return the places where the drift jumps.

    The arguments are those of `find_outliers`, `good` without the outliers.

    A jump is known once two more frames have stayed where it led to.
    """
    places = np.flatnonzero(good)
    if len(places) < FEWEST:
        return []
    values, own = shifts[places], covariances[places]
    excess, roughness = _steps(values, places)
    variance = roughness**2 + FLOOR**2
    far = _distance(excess, own[1:] + own[:-1] + variance[:, :, None] * np.eye(2)) > LIMIT
    # the first and the last steps may be frames that are wrong; so may a step that is soon taken back
    far[: FEWEST_BESIDE - 1] = far[len(far) - FEWEST_BESIDE + 1 :] = False
    steps = np.flatnonzero(far)
    slope = (np.diff(values, axis=0) - excess)[steps] / np.diff(places)[steps, None]
    sizes = _levels(values, steps) - BESIDE * slope
    stays = (sizes * excess[steps]).sum(axis=1) > (excess[steps] ** 2).sum(axis=1) / 2
    return [
        Jump(int(places[step + 1]), (float(row), float(col)))
        for step, (row, col) in zip(steps[stays], sizes[stays], strict=True)
    ]


def interpolate(shifts: Floats, covariances: Floats, good: Bools) -> tuple[Floats, Floats]:
    """Return shifts for all frames, between the good ones next to each, and their uncertainty.

    Parameters
    ----------
    shifts, covariances, good
        See `find_outliers`; `good` without the outliers.

    Returns
    -------
    values : (n, 2) array
        px. A good frame keeps its own; without any good frame all are NaN.
    sigmas : (n, 2) array
        1 sigma per axis, px: the uncertainty of the frames next to it, the steps that the drift
        takes in between, and, where these jumped in between, the doubt on which side it is.
    """
    places = np.flatnonzero(good)
    frames = np.arange(len(good))
    if not len(places):
        return np.full((len(good), 2), np.nan), np.full((len(good), 2), np.nan)
    own = np.diagonal(covariances, axis1=1, axis2=2)[places]
    values = shifts[places]
    following = np.searchsorted(places, frames).clip(0, len(places) - 1)
    # at a good frame both are itself; before the first and after the last good one as well
    before = np.where((places[following] > frames) & (following > 0), following - 1, following)
    gap = (places[following] - places[before]).clip(1)
    weight = np.where(following > before, (frames - places[before]) / gap, 0.0)[:, None]
    away = np.where(following > before, weight[:, 0] * (1 - weight[:, 0]) * gap, abs(frames - places[before]))
    step = values[following] - values[before]
    walk = _walk(values, own, places)
    # a jump happened at one moment of the gap; nobody knows at which
    jump = (_jumps(values, places) ** 2)[following - 1] if len(places) > 1 else np.zeros(2)
    variance = (1 - weight) ** 2 * own[before] + weight**2 * own[following]
    variance += away[:, None] * walk[before] + weight * (1 - weight) * jump
    return values[before] + weight * step, np.sqrt(variance)


def _jumps(values: Floats, places: NDArray[np.intp]) -> Floats:
    """Return by how much each step jumps, px; 0 where it is a usual one."""
    excess, usual = _steps(values, places)
    return np.where(np.abs(excess) > LIMIT * np.hypot(usual, FLOOR), excess, 0.0)


def _contradicting(values: Floats, own: Floats) -> Bools:
    frames = np.arange(len(values), dtype=float)[:, None]
    outlier = np.zeros(len(values), dtype=bool)
    for _ in range(ROUNDS):
        (before, then), (after, later), judged = _sides(values, np.flatnonzero(~outlier))
        slope = _slope(values, ~outlier)
        kept = judged & ~outlier

        def far(residual: Floats, kept: Bools = kept) -> Bools:
            variance = _roughness(residual, kept) ** 2 + FLOOR**2
            return _distance(residual, own + variance[:, :, None] * np.eye(2)) > LIMIT

        middle = before + (after - before) * (frames - then) / (later - then)
        beside_both = far(values - before - slope * (frames - then)) & far(
            values - after - slope * (frames - later)
        )
        jump = far(after - before - slope * (later - then))
        found = judged & far(values - middle) & (beside_both | ~jump)
        found &= ~_agreeing(values, own, found)
        if np.array_equal(outlier, found):
            break
        outlier = found
    return outlier


def _agreeing(values: Floats, own: Floats, doubtful: Bools) -> Bools:
    """Return which frames stand in a row of frames that agree with each other: between two jumps, say."""
    steps = np.diff(values, axis=0)
    sure = ~(doubtful[1:] | doubtful[:-1])
    excess = steps - median_filter(steps, size=(NEAR, 1), mode="nearest")
    variance = _roughness(excess, sure) ** 2 + FLOOR**2
    apart = _distance(excess, own[1:] + own[:-1] + variance[:, :, None] * np.eye(2)) > LIMIT / 2
    row = np.concatenate([[0], np.cumsum(apart)])
    return np.asarray(np.bincount(row)[row] >= AGREE)


Side = tuple[Floats, Floats]
"""The median shift (n, 2) and the median place (n, 1) of the frames on one side."""


def _sides(values: Floats, kept: NDArray[np.intp]) -> tuple[Side, Side, Bools]:
    """Return what the kept frames before and after each frame tell, and whether both sides are known."""
    frames = np.arange(len(values))
    first = np.searchsorted(kept, frames, side="left")[:, None] - np.arange(BESIDE, 0, -1)
    then = np.searchsorted(kept, frames, side="right")[:, None] + np.arange(BESIDE)
    inside = [(beside >= 0) & (beside < len(kept)) for beside in (first, then)]
    judged = np.logical_and.reduce([known.sum(axis=1) >= FEWEST_BESIDE for known in inside])
    before, after = (
        _medians(values, kept[beside.clip(0, len(kept) - 1)], known | ~judged[:, None])
        for beside, known in zip((first, then), inside, strict=True)
    )
    return before, after, judged


def _medians(values: Floats, places: NDArray[np.intp], known: Bools) -> Side:
    """Return the medians of the shifts and places that are known, for each row of `places`."""
    told = np.concatenate([values[places], places[:, :, None]], axis=2)
    medians = np.nanmedian(np.where(known[:, :, None], told, np.nan), axis=1)
    return medians[:, :2], medians[:, 2:]


def _slope(values: Floats, kept: Bools) -> Floats:
    """Return the median step near each frame, px a frame."""
    places = np.flatnonzero(kept)
    steps = np.diff(values[places], axis=0)
    if len(steps) < FEWEST:
        return np.zeros_like(values)
    near = median_filter(steps, size=(NEAR, 1), mode="nearest")
    at = np.searchsorted(places, np.arange(len(values))).clip(0, len(steps) - 1)
    return np.asarray(near[at])


def _roughness(residual: Floats, kept: Bools) -> Floats:
    """Return the sigma of the residuals of the kept frames near each frame, or over all if that is larger."""
    places = np.flatnonzero(kept)
    if not len(places):
        return np.zeros_like(residual)
    sizes = np.abs(residual[places])
    near, nearer = (median_filter(sizes, size=(size, 1), mode="nearest") for size in (NEAR, NEARER))
    at = np.searchsorted(places, np.arange(len(residual))).clip(0, len(places) - 1)
    sigma: Floats = TO_SIGMA * np.maximum(np.maximum(near, nearer)[at], np.median(sizes, axis=0))
    return sigma


def _steps(values: Floats, places: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return by how much each step differs from the slope here, and what is usual, px.

    A step over frames that are missing may be larger.
    """
    gap = np.diff(places)[:, None].astype(float)
    steps = np.diff(values, axis=0)
    slope = median_filter(steps / gap, size=(NEAR, 1), mode="nearest")
    excess = steps - slope * gap
    usual = _roughness(excess / np.sqrt(gap), np.ones(len(steps), dtype=bool))
    return excess, usual * np.sqrt(gap)


def _walk(values: Floats, own: Floats, places: NDArray[np.intp]) -> Floats:
    """Return the variance of the drift's own steps near each good frame, px² a frame.

    A frame differs from the middle between the two next to it by half a step's variance, and by the
    noise of all three.
    """
    if len(values) < FEWEST:
        steps = np.diff(values, axis=0)
        spread = np.mean(steps**2, axis=0) if len(steps) else np.zeros(2)
        return np.tile(spread, (len(values), 1))
    gap = np.diff(places)[:, None].astype(float)
    weight = gap[:-1] / (gap[:-1] + gap[1:])
    residual = values[1:-1] - (1 - weight) * values[:-2] - weight * values[2:]
    noise = own[1:-1] + (1 - weight) ** 2 * own[:-2] + weight**2 * own[2:]
    # in units of one frame's walk, whatever is missing in between
    spread = gap[:-1] * gap[1:] / (gap[:-1] + gap[1:])
    usual = _roughness(residual / np.sqrt(spread), np.ones(len(residual), dtype=bool))
    walk = np.maximum(usual**2 - np.median(noise / spread, axis=0), FLOOR**2)
    return np.concatenate([walk[:1], walk, walk[-1:]])


def _levels(values: Floats, steps: NDArray[np.intp]) -> Floats:
    """Return by how much the frames after each step differ from those before it, px, as medians."""
    last = len(values) - 1
    before = values[(steps[:, None] - np.arange(BESIDE)).clip(0, last)]
    after = values[(steps[:, None] + 1 + np.arange(BESIDE)).clip(0, last)]
    return np.asarray(np.median(after, axis=1) - np.median(before, axis=1))


def _distance(residual: Floats, covariance: Floats) -> Floats:
    """Return the lengths of residuals (n, 2) in sigmas of covariances (n, 2, 2)."""
    solved = np.linalg.solve(covariance, residual[:, :, None])[:, :, 0]
    return np.asarray(np.sqrt(np.maximum((residual * solved).sum(axis=1), 0.0)))
