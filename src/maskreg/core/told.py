"""Where noise drowns the gradient of the reference, the map of the matched filter tells the place.

Its peak is the likeliest shift, and the log-likelihood of a shift s beside it is less by

    S(peak) (S(peak) - S(s))

for a match whose height S the noise, of unit spread, has left open. So every shift about the peak has its
probability; the place is their mean, and its covariance theirs. The refinement does better where it sees the
gradient: there signal that meets noise matters as well, which S does not know of.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.peak import Candidate
from maskreg.core.place import Place, nowhere
from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide
from maskreg.core.refine import shows_all_directions
from maskreg.core.search import LevelMap
from maskreg.geometry import nearest_lag

DROWNED = 0.5
"""Where less than this part of the variance is common to both images, noise drowns their pixels."""

WIDTHS = 4
"""Shifts are looked at to so many widths of the filter to each side of the peak,"""

FARTHEST = 16
"""and to so many lags at most."""

BETWEEN = 4
"""Between lags the map is interpolated at so many places along each axis."""

OPEN = 0.01
"""A place whose shifts are on the border of what was looked at with this probability is not told."""


def told_place(
    masked: MaskedSide, moving: Prepared, levels: list[LevelMap], found: Candidate
) -> Place | None:
    """Return the place that a map tells; None where the reference's gradient tells it, or neither does.

    The spectrum is taken for the same in all directions, which that of parallel lines is not: where noise
    hides the energy of the gradient as well the place is in doubt.

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
    if normal is not None and not normal.blind.size:
        return None
    common = float(moving.sums_with(masked.side.image, nearest_lag(shift)).ncc.flat[0])
    if not common**2 <= DROWNED:
        return None
    matched = levels[0].matched
    shown = shows_all_directions(masked.side.template(b), masked.usable(b).mask, lag)
    if not shown and not (matched and normal is None):
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
    covariance += np.eye(len(shift)) / (12 * BETWEEN**2)
    if masked.holes(b) is not None:
        # where one mask of scattered pixels meets itself more pairs are valid: maps lean to that lag
        covariance += np.eye(len(shift)) * level.reach**2 / 3
    return Place(b * mean, float(b) ** 2 * covariance, b, True, nowhere(len(shift)), doubted=not shown)


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
