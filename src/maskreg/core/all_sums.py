"""All six sums of the masked NCC at every lag, by transforms, and the lags that may have the greatest.

For masks of scattered pixels, for images that no bound tells apart, and of any number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.centred import CentredImage
from maskreg.core.plan import window_length
from maskreg.core.spectra import lag_sums, rounding
from maskreg.geometry import overlap_slices


@dataclass(frozen=True)
class AllSums:
    """n, and the sums of a, a^2, b, b^2 and a b over the pixels that two images have in common.

    Attributes
    ----------
    images : list of ndarray of float
        a, a^2, b, b^2, and one or both masks.
    pairs : list of (int, int)
        Which of them meet in each sum.
    window : tuple of int
    spans : list of (int, int)
        First lag of each axis, and the one after the last.
    """

    images: list[NDArray[Any]]
    pairs: list[tuple[int, int]]
    window: tuple[int, ...]
    spans: list[tuple[int, int]]

    @classmethod
    def of(
        cls,
        a: NDArray[Any],
        a_mask: NDArray[np.bool_],
        b: NDArray[Any],
        b_mask: NDArray[np.bool_],
        spans: list[tuple[int, int]],
    ) -> AllSums:
        """Take images that are zero where ignored; two masks that are one array are transformed once."""
        images = [a, a * a, b, b * b, a_mask.astype(a.dtype)]
        here = there = len(images) - 1
        if a_mask is not b_mask:
            images.append(b_mask.astype(a.dtype))
            there += 1
        pairs = [(here, there), (0, there), (1, there), (here, 2), (here, 3), (0, 2)]
        shapes = zip(a.shape, b.shape, spans, strict=True)
        window = tuple(window_length(p, q, max(-first, end - 1)) for p, q, (first, end) in shapes)
        return cls(images, pairs, window, spans)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return tuple(end - first for first, end in self.spans)

    def empty(self) -> NDArray[Any]:
        """Return an array for a value of each lag: all axes but the last are laid end to end."""
        return np.empty((math.prod(self.shape[:-1]), self.shape[-1]), self.images[0].dtype)

    def bands(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield rows of the lags, and the (6, rows, columns) sums."""
        return lag_sums(self.images, self.pairs, self.window, self.spans)

    def errors(self) -> NDArray[np.float64]:
        """Return by how much each of the six may be wrong, in single precision."""
        norms = [math.sqrt(np.einsum("i,i->", x.ravel(), x.ravel(), dtype=float)) for x in self.images]
        return rounding(self.window) * np.array([norms[i] * norms[j] for i, j in self.pairs])


def likeliest_lags(
    reference: CentredImage,
    moving: CentredImage,
    spans: list[tuple[int, int]] | None,
    least: float,
    most: int,
) -> tuple[NDArray[np.intp] | None, tuple[float, float]]:
    """Return the lags that rounding alone keeps from being the greatest, and between what the threshold is.

    All sums are transformed, in single precision.

    Parameters
    ----------
    reference, moving : CentredImage
    spans : list of (int, int), optional
        First lag of each axis, and the one after the last; default all.
    least : float
        Least overlap, as a fraction of the greatest of any lag.
    most : int
        No more lags than this.

    Returns
    -------
    lags : (n, ndim) ndarray of int or None
        None for more than `most` of them, and where no lag is surely positive.
    least_overlap : (float, float)
        The threshold lies between these, pixels.
    """
    from maskreg.core.race_kernels import likeliest_2d, ncc_bounds_2d

    spans = spans or _allowed_spans(reference, moving, least)
    sums = AllSums.of(reference.unit, reference.mask, moving.unit, moving.mask, spans)
    errors = sums.errors()
    # what is wrong by less than a half is right when it is rounded
    errors[0] = 0 if errors[0] < 0.5 else math.ceil(errors[0])
    n, low, high = sums.empty(), sums.empty(), sums.empty()
    for rows, band in sums.bands():
        ncc_bounds_2d(band, errors, n[rows], low[rows], high[rows])
    error = float(errors[0])
    threshold = least * (float(n.max()) - error), least * (float(n.max()) + error)
    found = np.empty((most, 2), np.intp)
    kept = likeliest_2d(n, low, high, threshold[0] - error, threshold[1] + error, found)
    if kept < 0:
        return None, threshold
    row, column = found[:kept].T
    index = np.unravel_index(row * sums.shape[-1] + column, sums.shape)
    return np.stack([i + first for i, (first, _) in zip(index, spans, strict=True)], axis=-1), threshold


def _allowed_spans(reference: CentredImage, moving: CentredImage, least: float) -> list[tuple[int, int]]:
    """Return, for each axis, between which lags the images meet in pixels enough."""
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
