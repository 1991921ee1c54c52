"""Settle the place on one fixed set of pixels.

Within a broad peak the masked NCC leans to zero shift, because different lags are scored on
different pixels. So the lags of a small window are compared on one set that is valid at every
one of them; the set moves with the best lag until the best lag is its centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.likelihood import FEWEST_PIXELS, likelihood
from maskreg.core.search import LevelImage
from maskreg.core.windows import window_sums

RADIUS = 2
"""The window reaches this many lags to each side."""

FIXED_PART = 0.25
"""The fixed set must keep this part of the overlap; else (scattered masks) each lag keeps its own."""

MOST_MOVES = 64
"""A climb longer than this is no climb within one peak."""


@dataclass(frozen=True)
class Place:
    """A settled place at one level.

    Attributes
    ----------
    lag : tuple of int
        Level pixels.
    vertex : ndarray of float64
        Sub-lag offset of a parabola's vertex, within half a lag per axis.
    settled : bool
        Whether the climb ended.
    """

    lag: tuple[int, ...]
    vertex: NDArray[np.float64]
    settled: bool


def eroded(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Return where all pixels within `radius` (a box) are valid; beyond the border none is."""
    return np.asarray(
        scipy.ndimage.binary_erosion(mask, np.ones((2 * radius + 1,) * mask.ndim, bool), border_value=0)
    )


def settle(
    reference: LevelImage, moving: LevelImage, lag: tuple[int, ...], safe: NDArray[np.bool_]
) -> Place:
    """Climb from `lag` to the best lag on one fixed set of pixels.

    Parameters
    ----------
    reference, moving : LevelImage
        Stabilised, background left on: on a fixed set it pulls nowhere.
    lag : tuple of int
        Where to start, level pixels.
    safe : ndarray of bool
        ``eroded(moving.mask, RADIUS)``: computed once for a static mask.
    """
    seen = set()
    centre = (RADIUS,) * len(lag)
    while lag not in seen and len(seen) < MOST_MOVES:
        seen.add(lag)
        scores = _window_scores(reference, moving, lag, safe)
        best = _best(scores, lag)
        if best is None:
            return Place(lag, np.zeros(len(lag)), False)
        if best == centre:
            return Place(lag, _vertex(scores), True)
        lag = tuple(s + i - RADIUS for s, i in zip(lag, best, strict=True))
    return Place(lag, np.zeros(len(lag)), False)


def _window_scores(
    reference: LevelImage, moving: LevelImage, lag: tuple[int, ...], safe: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the NCC of every lag of the window on the fixed set; or their likelihoods without one."""
    fixed = window_sums(reference.pixels, reference.mask, moving.pixels, safe, lag, RADIUS)
    own = window_sums(reference.pixels, reference.mask, moving.pixels, moving.mask, lag, 0)
    if fixed.n.flat[0] >= max(FEWEST_PIXELS + 1, FIXED_PART * own.n.flat[0]):
        return fixed.ncc
    ncc = np.full((2 * RADIUS + 1,) * len(lag), np.nan)
    n = np.zeros(ncc.shape)
    for index in np.ndindex(ncc.shape):
        near = tuple(s + i - RADIUS for s, i in zip(lag, index, strict=True))
        sums = window_sums(reference.pixels, reference.mask, moving.pixels, moving.mask, near, 0)
        ncc[index], n[index] = sums.ncc.flat[0], sums.n.flat[0]
    scores = likelihood(ncc, n)
    return np.where(np.isfinite(scores), scores, np.nan)


def _best(scores: NDArray[np.float64], lag: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the index of the best score; of equal ones the smallest shift."""
    if not np.isfinite(scores).any():
        return None
    ties = np.argwhere(scores == np.nanmax(scores))
    shifts = ties - RADIUS + np.array(lag)
    order = np.lexsort((*shifts.T[::-1], (shifts**2).sum(axis=1)))
    return tuple(int(i) for i in ties[order[0]])


def _vertex(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the offset of a parabola's vertex along each axis, at most half a lag."""
    offsets = np.zeros(scores.ndim)
    for axis in range(scores.ndim):
        line = scores[tuple(slice(None) if k == axis else RADIUS for k in range(scores.ndim))]
        left, mid, right = line[RADIUS - 1 : RADIUS + 2]
        curvature = 2 * mid - left - right
        if np.isfinite(curvature) and curvature > 0:
            offsets[axis] = np.clip(0.5 * (right - left) / curvature, -0.5, 0.5)
    return offsets
