"""The grey value that only the brightest few of an image's pixels exceed, if these hold much of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.sample import sampled_rows
from maskreg.core.lags.scores import SPREAD_OF_MAD

BRIGHT = ((10.0, 0.02), (5.0, 0.04), (3.0, 0.12))
"""A pixel is bright so many spreads of the usual pixels above their median; if more than this part of the
pixels are, the brightest of them. The first time, and where that tells too little, the others."""

PART = 1 / 50
"""Of the variance: less of it is not much."""


class Ceiling(NamedTuple):
    """The grey value that few bright pixels exceed."""

    value: float
    every: bool
    """Whether all bright pixels exceed it; else there are more, and what is left of them is bright."""


def ceiling(image: Prepared, time: int) -> Ceiling | None:
    """Return the value that few bright pixels exceed, of the pixels as they were given; else None.

    Parameters
    ----------
    image : Prepared
        Some pixels are valid.
    time : int
        Of `BRIGHT`.
    """
    far, few = BRIGHT[time]
    rows = sampled_rows(image.mask)
    values = image.raw[rows][image.mask[rows]].astype(np.float64)
    middle = float(np.median(values))
    spread = SPREAD_OF_MAD * float(np.median(np.abs(values - middle)))
    if image.raw.dtype.kind != "f":
        spread = max(spread, 1.0)  # of sparse counts most are zero
    bright = middle + far * spread
    limit = max(bright, float(np.quantile(values, 1 - few, method="higher")))
    # of moving, what is off is the reference's mean
    pixels = image.level(1).pixels[image.mask]
    squares = np.square(pixels - pixels.mean(dtype=np.float64).astype(np.float32))
    part = squares[image.raw[image.mask] > limit].sum(dtype=np.float64)
    much = float(part) > PART * float(squares.sum(dtype=np.float64))
    return Ceiling(limit, limit == bright) if much else None


def clipped(raw: NDArray[Any], limit: Ceiling) -> NDArray[Any]:
    """Return an image without what its pixels exceed a value by, in its own type."""
    return np.asarray(np.minimum(raw, raw.dtype.type(limit.value)))
