"""Where the images match in single pixels only, the place is a whole number of them.

A picture that is white up to the finest frequency, as random numbers are, has no gradient that its pixels
could tell, and one image alone cannot tell it from noise. Two that match show by their match that it is
none: one lag stands out from all that are not next to it. The shift is that lag, and anywhere within half a
pixel of it. At no shift at all the fixed pattern of a detector matches just so, whatever the scene does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.masked_side import MaskedSide
from maskreg.core.stage import Place, nowhere
from maskreg.core.subpixel.settle import settle, window_likelihood
from maskreg.geometry import nearest_lag

RADIUS = 2
"""A lag is compared with those so many away."""

STANDS_OUT = 25.0
"""Its log-likelihood must exceed theirs by this: the best of all lags reaches 15 by chance."""


WITHIN_HALF = 1 / 12
"""Variance of what is evenly likely within half a pixel, px squared."""


LITTLE = 0.25
"""What is left there is at most this part of it; half a pixel beside the lag of white pixels, 0.1 is."""


class _Window(TypedDict):
    """How a window of lags is compared, see `settle`."""

    safe: NDArray[np.bool_]
    radius: int
    scattered: bool


def worse_than_whole_pixel(known: Place) -> bool:
    """Whether a place is known less well than the nearest whole pixel would be."""
    return not known.refined or bool(np.diagonal(known.covariance).max() > WITHIN_HALF)


def whole_pixel(masked: MaskedSide, moving: Prepared, b: int, shift: NDArray[np.float64]) -> Place | None:
    """Return the place of the one lag that stands out near a shift that level `b` found; None if none does.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    b : int
    shift : (ndim,) ndarray of float64
        To about one pixel of that level, px.
    """
    ndim = len(shift)
    for finer in _down_from(b):
        compared, window = _compared(masked, moving, finer), _window(masked, finer)
        lag = settle(*compared, nearest_lag(shift / finer), **window).lag
        shift = finer * np.array(lag, np.float64)
    scores = np.nan_to_num(window_likelihood(*compared, lag, **window)[0])
    inner = (slice(1, -1),) * ndim
    best = scores[inner].max()
    if scores[(RADIUS,) * ndim] != best:
        return None
    scores[inner] = 0.0
    gap = float(best - scores.max())
    if not (gap > STANDS_OUT and scores.max() < LITTLE * best):
        return None
    # evenly likely within half a pixel; and a parabola that falls by the gap over the radius is so wide
    variance = WITHIN_HALF + RADIUS**2 / (2 * gap)
    return Place(shift, variance * np.eye(ndim), 1, True, nowhere(ndim), fixed=not shift.any())


def _down_from(b: int) -> Iterator[int]:
    """Yield a level's bin and those of all finer ones."""
    while b >= 1:
        yield b
        b //= 2


def _compared(masked: MaskedSide, moving: Prepared, b: int) -> tuple[LevelImage, LevelImage]:
    return masked.side.image.level(b), moving.level(b)


def _window(masked: MaskedSide, b: int) -> _Window:
    return _Window(safe=masked.safe(b, RADIUS), radius=RADIUS, scattered=masked.scattered(b))
