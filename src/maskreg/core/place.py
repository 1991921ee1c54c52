"""From a chosen lag to a shift below the pixel: coarse to fine, each stage with its own covariance.

A stage is a level of the pyramid and a width of the low-pass. The first is as wide as the level
that found the place; each next one is narrower or finer, down to what refines best. Before a stage
refines, it settles within what the one before left open.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide
from maskreg.core.refine import refine
from maskreg.core.settle import settle

TAPS_REACH = 3
"""Pixels that six-tap interpolation reaches to either side."""

NARROWING = 2.5
"""From stage to stage at one level the low-pass narrows by this factor."""

FINE_ENOUGH = 3.0
"""A level is fine enough where the best low-pass is this many of its pixels wide."""

WIDEST_WINDOW = 4
"""Settling looks at most this many level pixels to each side."""

UNREFINED = 0.5
"""1 sigma where no stage could refine, pixels of the level that found the place."""


def place(
    masked: MaskedSide, moving: Prepared, b: int, shift: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shift and covariance from a place that level `b` found.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    b : int
        Bin of the finest level at which the place is significant.
    shift : (ndim,) ndarray
        About one pixel of that level from the answer, px.

    Returns
    -------
    shift : (ndim,) ndarray of float64
        Px.
    covariance : (ndim, ndim) ndarray of float64
        Px squared.
    """
    covariance = np.eye(len(shift)) * float(b) ** 2
    refined = False
    for level, width in stages(masked, b):
        found = _stage(masked, moving, level, width, shift, covariance)
        if found is not None:
            shift, covariance = found
            refined = True
    return shift, covariance if refined else np.eye(len(shift)) * (UNREFINED * b) ** 2


def stages(masked: MaskedSide, b: int) -> Iterator[tuple[int, float]]:
    """Yield (level, width in its pixels), coarse to fine, for a place that level `b` found."""
    side = masked.side
    level = min(b, masked.plan.start)
    best = side.width(level)
    width = b / level
    while width > NARROWING * best:
        yield level, width
        width /= NARROWING
    yield level, best
    while level > 1 and best < FINE_ENOUGH:
        level //= 2
        best = side.width(level)
        yield level, best


def _stage(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    width: float,
    shift: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Settle and refine at one stage; None where it has nothing better to say."""
    image = moving.level(b)
    open_px = 3 * np.sqrt(np.diagonal(covariance).max())
    radius = int(np.clip(np.ceil(open_px / b), 1, WIDEST_WINDOW))
    before = tuple(int(s) for s in np.rint(shift / b))
    lag, vertex = settle(masked.side.image.level(b), image, before, masked.safe(b, radius), radius)
    if lag != before or vertex is not None:
        shift = b * (np.array(lag) + (np.zeros(len(lag)) if vertex is None else vertex))
    found = refine(
        masked.side.template(b, width), image.pixels, image.mask, masked.safe(b, TAPS_REACH), shift / b
    )
    if found is None or not found.converged:
        return None
    moved = np.abs(b * found.shift - shift)
    if (moved > np.maximum(open_px, 2 * b)).any():
        return None
    return b * found.shift, b**2 * found.covariance
