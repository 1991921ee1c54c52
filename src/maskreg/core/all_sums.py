"""All six sums of the masked NCC at every lag, by transforms, and the lags that may have the greatest.

For masks of scattered pixels, for images that no bound tells apart, and of any number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.centred import CentredImage
from maskreg.core.lag_sums import SINGLE, Columns, lag_sums, rounding
from maskreg.core.plan import window_length
from maskreg.geometry import overlap_slices

A, AA, A_MASK, B, BB, B_MASK = range(6)
"""Images that meet in the sums: reference, its square and mask, and moving's."""

OF_REFERENCE = (A_MASK, B_MASK), (A, B_MASK), (AA, B_MASK)
"""Pairs whose sums reference and moving's mask alone decide: n, and the sums of a and a^2."""

OF_BOTH = (A_MASK, B), (A_MASK, BB), (A, B)
"""Pairs of the sums of b, b^2 and a b."""


@dataclass(frozen=True)
class AllSums:
    """n, and the sums of a, a^2, b, b^2 and a b over the pixels that two images have in common.

    Attributes
    ----------
    reference, moving : CentredImage
        Two masks that are one array are transformed once.
    dtype : dtype
        Float32 or float64: of the transforms.
    spans : list of (int, int)
        First lag of each axis, and the one after the last.
    """

    reference: CentredImage
    moving: CentredImage
    dtype: Any
    spans: list[tuple[int, int]]

    @property
    def window(self) -> tuple[int, ...]:
        """Lengths of the transforms."""
        shapes = zip(self.reference.mask.shape, self.moving.mask.shape, self.spans, strict=True)
        return tuple(window_length(p, q, max(-first, end - 1)) for p, q, (first, end) in shapes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return tuple(end - first for first, end in self.spans)

    def empty(self, *outer: int) -> NDArray[Any]:
        """Return an array for a value of each lag: all axes but the last are laid end to end."""
        return np.empty((*outer, math.prod(self.shape[:-1]), self.shape[-1]), self.dtype)

    def each_band(self, use: Callable[[slice, tuple[NDArray[Any], ...]], None]) -> None:
        """Call `use` with rows of the lags, and the six sums at these, as `maskreg.core.lag_sums` does."""
        kept, key = self.moving.kept, (self.dtype, self.spans)
        known = kept.find("sums of reference", key)
        pairs = OF_BOTH if known is not None else (*OF_REFERENCE, *OF_BOTH)
        size = 3 * math.prod(self.shape) * np.dtype(self.dtype).itemsize
        fresh = self.empty(3) if known is None and kept.takes("sums of reference", size) else None

        def take(rows: slice, sums: NDArray[Any]) -> None:
            if fresh is not None:
                fresh[:, rows] = sums[:3]
            use(rows, (*(() if known is None else (x[rows] for x in known)), *sums))

        lag_sums(self._images(), pairs, self.window, self.spans, self.dtype, take)
        if fresh is not None:
            kept.put("sums of reference", key, fresh)

    def _images(self) -> list[Sequence[NDArray[Any]]]:
        """Return the transforms of the six images, those of the reference as they are kept."""
        a, b = self.reference, self.moving
        made = [
            Columns(make, self.window, self.dtype)
            for make in (
                lambda: a.scaled(self.dtype),
                lambda: a.scaled(self.dtype) ** 2,
                lambda: a.mask.astype(self.dtype),
                lambda: b.scaled(self.dtype),
                lambda: b.scaled(self.dtype) ** 2,
                lambda: b.mask.astype(self.dtype),
            )
        ]
        images: list[Sequence[NDArray[Any]]] = [*made]
        images[A] = made[A].kept(a.kept, "transform")
        images[A_MASK] = made[A_MASK].kept(a.kept, "transform of mask")
        if a.mask is b.mask:
            images[B_MASK] = images[A_MASK]
        return images

    def errors(self) -> NDArray[np.float64]:
        """Return by how much each of the six may be wrong, in single precision."""
        norms = np.empty(6)
        norms[[A, B]] = 1 + SINGLE
        norms[[AA, BB]] = self.reference.square_norm, self.moving.square_norm
        norms[[A_MASK, B_MASK]] = [math.sqrt(np.count_nonzero(x.mask)) for x in (self.reference, self.moving)]
        return rounding(self.window) * np.array([norms[i] * norms[j] for i, j in (*OF_REFERENCE, *OF_BOTH)])


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
    sums = AllSums(reference, moving, np.dtype(np.float32), spans)
    errors = sums.errors()
    # what is wrong by less than a half is right when it is rounded
    errors[0] = 0 if errors[0] < 0.5 else math.ceil(errors[0])
    n, low, high = sums.empty(), sums.empty(), sums.empty()
    sums.each_band(lambda rows, six: ncc_bounds_2d(six, errors, n[rows], low[rows], high[rows]))
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
