"""Settle the place on one fixed set of pixels.

Within a broad peak the masked NCC leans to zero shift, because different lags are scored on
different pixels. So the lags of a small window are compared on one set that is valid at every
one of them; the set moves with the best lag until the best lag is its centre. A move must be worth
it: among K lags of pure noise the best beats the centre by about log K.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.pyramid import LevelImage
from maskreg.core.image.windows import window_sums
from maskreg.core.likelihood import FEWEST_PIXELS, LEAST_UNEXPLAINED, likelihood
from maskreg.core.subpixel.settle_kernels import EVERY, FEW_ROWS, settle_2d
from maskreg.geometry import nearest_lag, smallest_first

MOST_MOVES = 32
"""A climb longer than this is no climb within one peak."""

WORTH = 2.0
"""A move must win this much log-likelihood beyond what the best of so many lags wins by chance."""


class Settled(NamedTuple):
    """Where a climb has ended.

    Attributes
    ----------
    lag : tuple of int
        The settled lag.
    vertex : ndarray of float64 or None
        Sub-lag offset of a parabola's vertex, within half a lag per axis; None where noise hides the
        peak (the settled lag is not the best of its window) or nothing can be compared.
    likelihood : float
        Of the lag, a pixel, on the fixed set; 0 without a peak.
    """

    lag: tuple[int, ...]
    vertex: NDArray[np.float64] | None
    likelihood: float = 0.0

    def start(self, before: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where a refinement starts, level pixels: where the climb began if it tells no better."""
        if self.vertex is not None:
            return np.asarray(np.array(self.lag) + self.vertex)
        return before if self.lag == nearest_lag(before) else np.array(self.lag, np.float64)


def settle(
    reference: LevelImage,
    moving: LevelImage,
    lag: tuple[int, ...],
    safe: NDArray[np.bool_],
    radius: int,
    *,
    reach: float = math.inf,
    scattered: bool = False,
    few: bool = False,
) -> Settled:
    """Climb from `lag` to the best lag on one fixed set of pixels.

    Parameters
    ----------
    reference, moving : LevelImage
        Stabilised, background left on: on a fixed set it pulls nowhere.
    lag : tuple of int
        Where to start, level pixels.
    safe : ndarray of bool
        ``eroded(moving.mask, radius)``: computed once for a static mask.
    radius : int
        The window reaches this many lags to each side.
    reach : float
        A climb to more lags than this from its start along an axis has left the peak that was found: then
        the lag stays where it is.
    scattered : bool
        Hardly any pixel has a valid neighbourhood: no fixed set, each lag keeps its own.
    few : bool
        A few rows of the reference are enough; not of volumes, nor where pixels are scattered.

    Returns
    -------
    Settled
    """
    if len(lag) != 2 or scattered:
        return plain_settle(reference, moving, lag, safe, radius, reach=reach, scattered=scattered)
    told, *found, peak, vertex, a_pixel = settle_2d(
        reference.pixels, reference.mask, moving.pixels, safe, *lag, radius, float(reach), few,
        FEWEST_PIXELS, LEAST_UNEXPLAINED, WORTH, MOST_MOVES,
    )  # fmt: skip
    if not told:  # each lag on its own pixels, then
        return plain_settle(reference, moving, lag, safe, radius, reach=reach, few=few)
    return Settled(tuple(found), vertex if peak else None, a_pixel)


def plain_settle(
    reference: LevelImage,
    moving: LevelImage,
    lag: tuple[int, ...],
    safe: NDArray[np.bool_],
    radius: int,
    *,
    reach: float = math.inf,
    scattered: bool = False,
    few: bool = False,
) -> Settled:
    """Do what `settle` does, for any number of axes, and where there is no fixed set."""
    if few and len(lag) == 2 and not scattered:
        taken = np.arange(len(reference.mask)) % EVERY < FEW_ROWS
        reference = LevelImage(reference.pixels, reference.mask & taken[:, None])
    start, centre = lag, (radius,) * len(lag)
    seen: set[tuple[int, ...]] = set()
    while lag not in seen and len(seen) < MOST_MOVES:
        seen.add(lag)
        scores, n = window_likelihood(reference, moving, lag, safe, radius, scattered=scattered)
        best = _best(scores, lag, radius)
        if best is None:
            return Settled(lag, None)
        if best == centre:
            return Settled(lag, _vertex(scores, radius), float(scores[centre] / n[centre]))
        if np.isfinite(scores[centre]) and scores[best] - scores[centre] < np.log(scores.size) + WORTH:
            return Settled(lag, None)
        lag = tuple(s + i - radius for s, i in zip(lag, best, strict=True))
        if max(abs(s - o) for s, o in zip(lag, start, strict=True)) > reach:
            return Settled(start, None)
    return Settled(lag, None)


def window_likelihood(
    reference: LevelImage,
    moving: LevelImage,
    lag: tuple[int, ...],
    safe: NDArray[np.bool_],
    radius: int,
    *,
    scattered: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log-likelihood of each lag of a window, NaN if forbidden, and its pixels; as in `settle`."""
    ncc, n = _on_fixed_set(reference, moving, lag, safe, radius)
    if scattered or n.flat[0] <= FEWEST_PIXELS:
        ncc, n = _on_own_sets(reference, moving, lag, radius)
    values = likelihood(ncc, n, LEAST_UNEXPLAINED)
    return np.where(np.isfinite(values), values, np.nan), n


def _on_fixed_set(
    reference: LevelImage, moving: LevelImage, lag: tuple[int, ...], safe: NDArray[np.bool_], radius: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return NCC and overlap of every lag of the window, on the pixels valid at all of them."""
    sums = window_sums(reference.pixels, reference.mask, moving.pixels, safe, lag, radius)
    return sums.ncc, sums.n


def _on_own_sets(
    reference: LevelImage, moving: LevelImage, lag: tuple[int, ...], radius: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return NCC and overlap of every lag of the window, each on its own pixels."""
    ncc = np.full((2 * radius + 1,) * len(lag), np.nan)
    n = np.zeros(ncc.shape)
    for index in np.ndindex(ncc.shape):
        near = tuple(s + i - radius for s, i in zip(lag, index, strict=True))
        sums = window_sums(reference.pixels, reference.mask, moving.pixels, moving.mask, near, 0)
        ncc[index], n[index] = sums.ncc.flat[0], sums.n.flat[0]
    return ncc, n


def _best(scores: NDArray[np.float64], lag: tuple[int, ...], radius: int) -> tuple[int, ...] | None:
    """Return the index of the best score; of equal ones the smallest shift."""
    if not np.isfinite(scores).any():
        return None
    ties = np.argwhere(scores == np.nanmax(scores))
    shifts = ties - radius + np.array(lag)
    return tuple(int(i) for i in ties[smallest_first(shifts)[0]])


def _vertex(scores: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Return the offset of a parabola's vertex along each axis, at most half a lag."""
    offsets = np.zeros(scores.ndim)
    for axis in range(scores.ndim):
        line = scores[tuple(slice(None) if k == axis else radius for k in range(scores.ndim))]
        left, mid, right = line[radius - 1 : radius + 2]
        curvature = 2 * mid - left - right
        if np.isfinite(curvature) and curvature > 0:
            offsets[axis] = np.clip(0.5 * (right - left) / curvature, -0.5, 0.5)
    return offsets
