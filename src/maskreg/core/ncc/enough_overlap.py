"""The lags at which two masks have enough in common.

The masks alone decide this, so that it is kept for all images behind them. What comes after it takes shorter
transforms: of 512 x 512 pixels, a quarter of them masked at random and a least overlap of 0.3, lags up to 307
are left, where the shapes alone leave 397.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.ncc.centred import CentredImage
from maskreg.core.ncc.lag_sums import Transform, lag_sums, rounding, window_of_lags
from maskreg.geometry import overlap_slices


@dataclass(frozen=True)
class EnoughOverlap:
    """The lags that may be allowed.

    Attributes
    ----------
    spans : list of (int, int)
        First lag of each axis, and the one after the last.
    n : (rows, cols) ndarray of float32
        The overlap at each of these lags, pixels, all axes but the last laid end to end.
    error : int
        By how much n may be wrong.
    least : (float, float)
        The threshold lies between these, pixels.
    """

    spans: list[tuple[int, int]]
    n: NDArray[np.float32]
    error: int
    least: tuple[float, float]

    @property
    def nbytes(self) -> int:
        """Of the overlap."""
        return self.n.nbytes


def enough_overlap(reference: CentredImage, moving: CentredImage, least: float) -> EnoughOverlap:
    """Return the lags whose overlap is at least this fraction of the greatest, and those among them."""
    return moving.kept_of_masks.get(
        "enough overlap", least, lambda: _enough_overlap(reference, moving, least)
    )


def _enough_overlap(reference: CentredImage, moving: CentredImage, least: float) -> EnoughOverlap:
    spans = allowed_by_shape(reference, moving, least)
    shape = [end - first for first, end in spans]
    window = window_of_lags(reference.mask.shape, moving.mask.shape, spans)
    single = np.dtype(np.float32)
    images = [Transform(reference.ones, window, single)] * 2
    if moving.mask is not reference.mask:
        images[1] = Transform(moving.ones, window, single)
    n = lag_sums(images, [(0, 1)], window, spans, single)[0]
    np.rint(n, out=n)
    error = error_of_overlap(reference, moving, window)
    most = float(n.max())
    threshold = least * (most - error), least * (most + error)
    lags = n.reshape(shape)
    axes = range(len(shape))
    possible = lags >= threshold[0] - error
    inside = []
    for axis in axes:
        where = np.flatnonzero(possible.any(axis=tuple(other for other in axes if other != axis)))
        inside.append(slice(int(where[0]), int(where[-1]) + 1))
    cut = np.ascontiguousarray(lags[tuple(inside)])
    return EnoughOverlap(
        [(first + part.start, first + part.stop) for (first, _), part in zip(spans, inside, strict=True)],
        cut.reshape(-1, cut.shape[-1]),
        error,
        threshold,
    )


def error_of_overlap(reference: CentredImage, moving: CentredImage, window: tuple[int, ...]) -> int:
    """Return by how much n may be wrong, by transforms in single precision, after it is rounded."""
    product = math.prod(math.sqrt(np.count_nonzero(image.mask)) for image in (reference, moving))
    error = rounding(window) * product
    # what is wrong by less than a half is right when it is rounded
    return 0 if error < 0.5 else math.ceil(error)


def allowed_by_shape(reference: CentredImage, moving: CentredImage, least: float) -> list[tuple[int, int]]:
    """Return, for each axis, between which lags the images meet in pixels enough.

    That is at least this fraction, from 0 to 1, of n at no shift: of the greatest n less cannot be enough.
    """
    shapes = list(zip(reference.mask.shape, moving.mask.shape, strict=True))
    here, there = overlap_slices(reference.mask.shape, moving.mask.shape, (0,) * len(shapes))
    most = min(np.count_nonzero(reference.mask), np.count_nonzero(moving.mask))
    needed = least * float(
        most if reference.mask is moving.mask else np.count_nonzero(reference.mask[here] & moving.mask[there])
    )
    area = math.prod(min(p, q) for p, q in shapes)
    spans = []
    for p, q in shapes:
        # as if the other axes met in full
        width = max(1, min(p, q, math.floor(needed * min(p, q) / area)))
        spans.append((width - q, p - width + 1))
    return spans
