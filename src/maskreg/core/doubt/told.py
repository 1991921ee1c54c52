"""Where noise drowns the gradient of the reference, the map of the matched filter tells the place.

Its peak is the likeliest shift, and the log-likelihood of a shift s beside it is less by

    S(peak) (S(peak) - S(s))

for a match whose height S the noise, of unit spread, has left open. So every shift about the peak has its
probability; the place is their mean, and C, their covariance, its own for a filter that is the signal's. A
wider one makes a peak of less curvature, 1 / (S^2 C), than its noise has, N: then it is S^2 C N C. The
refinement does better where it sees the gradient: there signal that meets noise matters as well, which S
does not know of.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.masked_side import MaskedSide
from maskreg.core.search.peak import Candidate
from maskreg.core.search.search import LevelMap
from maskreg.core.stage import Place, nowhere
from maskreg.core.subpixel.normal_matrices import shows_all_directions
from maskreg.geometry import nearest_lag

DROWNED = 0.5
"""Where less than this part of the variance is common to both images, noise drowns their pixels."""

WIDTHS = 4
"""Shifts are looked at to so many widths of the filter to each side of the peak,"""

FARTHEST = 16
"""and to so many lags at most."""

BETWEEN = 4
"""Between lags the map is interpolated at so many places along each axis."""

FAINT_MATCH = 20.0
"""Where read noise was taken out of the values, their map tells more than the gradient up to this height."""

DIRECTIONS = 16
"""A peak is compared with its surroundings along so many lines,"""

LINE = (2, 6)
"""between these multiples of its reach from it."""

ALONG_LINES = 0.5
"""Parallel lines keep more than this part of the height along themselves."""

OPEN = 0.01
"""A place whose shifts are on the border of what was looked at with this probability is not told."""


def told_place(
    masked: MaskedSide, moving: Prepared, levels: list[LevelMap], found: Candidate
) -> Place | None:
    """Return the place that a map tells; None where the reference's gradient tells it, or neither does.

    The spectrum is taken for the same in all directions, which that of parallel lines is not: where noise
    hides the energy of the gradient, and the peak is long, the place is in doubt.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    levels : list of LevelMap
        Of the search.
    found : Candidate
        What they have found.
    """
    b = min(level.bin for level in levels)
    shift, lag = found.shift, nearest_lag(found.shift / b)
    normal = masked.normal(b, None, lag)
    matched = levels[0].matched
    faint = matched and levels[0].restored and levels[0].near(shift) < FAINT_MATCH
    if normal is not None and not normal.blind.size and not faint:
        return None
    common = moving.sums_with(masked.side.image, nearest_lag(shift)).ncc
    if not common**2 <= DROWNED:
        return None
    shown = shows_all_directions(masked.side.template(b), masked.usable(b).mask, lag)
    alone = matched and stands_alone(levels[0], shift)
    if not (shown or alone) and not (matched and normal is None):
        return None
    level = levels[0] if matched else masked.search(b, faint=True)(moving)
    if not level.near(shift) > level.line:
        return None
    shifts, probability = _likely(level, shift)
    border = np.ones(probability.shape, bool)
    border[tuple(slice(BETWEEN, -BETWEEN) for _ in shift)] = False
    if probability[border].sum() > OPEN:
        return None
    mean = np.tensordot(shifts, probability, len(shift))
    off = shifts - mean.reshape((-1,) + (1,) * len(shift))
    covariance = np.tensordot(off * probability, off, (range(1, off.ndim),) * 2)
    covariance = _of_noise(covariance, level.slope * level.near(shift))
    covariance += np.eye(len(shift)) / (12 * BETWEEN**2)
    holes = masked.holes(b)
    if holes is not None:
        # where one mask of scattered pixels meets itself more pairs are valid: maps lean to that lag
        lean = np.count_nonzero(holes.places) / np.count_nonzero(holes.usable | holes.places)
        covariance += np.eye(len(shift)) * lean * level.reach**2 / 3
    return Place(
        b * mean, float(b) ** 2 * covariance, b, True, nowhere(len(shift)), doubted=not (shown or alone)
    )


def stands_alone(level: LevelMap, shift: NDArray[np.float64]) -> bool:
    """Return whether a peak of a matched filter, of two axes, falls along every line through it."""
    if len(shift) != 2:
        return False
    nearest, farthest = (k * (level.reach + 1) for k in LINE)
    distance = np.arange(nearest, farthest + 1)
    distance = np.concatenate([-distance[::-1], distance])
    angle = np.pi * np.arange(DIRECTIONS)[:, None] / DIRECTIONS
    lines = np.rint(np.stack([distance * np.sin(angle), distance * np.cos(angle)])).astype(int)
    lines += np.reshape(level.index_of(shift), (2, 1, 1))
    shape = np.reshape(level.score.shape, (2, 1, 1))
    inside = ((lines >= 0) & (lines < shape)).all(axis=0)
    score = np.where(inside, level.score[tuple(np.clip(lines, 0, shape - 1))], np.nan)
    known = np.count_nonzero(~np.isnan(score), axis=1)
    mean = np.nansum(score, axis=1) / np.maximum(known, 1)
    return bool(((known == distance.size) & (mean < ALONG_LINES * level.near(shift))).all())


def _of_noise(covariance: NDArray[np.float64], slope: float) -> NDArray[np.float64]:
    """Return the covariance of a peak whose own gives it less curvature than noise of this slope has."""
    variances, axes = np.linalg.eigh(covariance)
    return np.asarray((axes * np.maximum(variances, (slope * variances) ** 2)) @ axes.T)


def _likely(level: LevelMap, shift: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shifts about a peak, (ndim, ...) level pixels, and how probable each is."""
    radius = min(FARTHEST, WIDTHS * (level.reach + 1))
    window = tuple(slice(max(0, i - radius), i + radius + 1) for i in level.index_of(shift))
    score = level.score[window].astype(np.float64)
    score = np.where(np.isnan(score), np.nanmin(score), score)
    places = [np.arange(BETWEEN * (n - 1) + 1) / BETWEEN for n in score.shape]
    grid = np.stack(np.meshgrid(*places, indexing="ij"))
    height = scipy.ndimage.map_coordinates(score, grid, order=3)
    peak = float(height.max())
    probability = np.exp(peak * (height - peak))
    first = [w.start + int(axis[0]) for w, axis in zip(window, level.lags, strict=True)]
    return grid + np.reshape(first, (-1,) + (1,) * len(first)), probability / probability.sum()
