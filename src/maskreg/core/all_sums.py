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
from maskreg.core.enough_overlap import enough_overlap, error_of_overlap, window_of
from maskreg.core.kept import Kept
from maskreg.core.lag_sums import SINGLE, Columns, lag_sums, rounding

A, AA, A_MASK, B, BB, B_MASK = range(6)
"""Images that meet in the sums: reference, its square and mask, and moving's."""

OF_MASKS = ((A_MASK, B_MASK),)
"""The pair whose sums are n."""

OF_REFERENCE = (A, B_MASK), (AA, B_MASK)
"""Pairs whose sums reference and moving's mask alone decide: the sums of a and a^2."""

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
    overlap : ndarray, optional
        n at these lags, where it is known.
    """

    reference: CentredImage
    moving: CentredImage
    dtype: Any
    spans: list[tuple[int, int]]
    overlap: NDArray[Any] | None = None

    @property
    def window(self) -> tuple[int, ...]:
        """Lengths of the transforms."""
        return window_of(self.reference, self.moving, self.spans)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return tuple(end - first for first, end in self.spans)

    def empty(self, *outer: int) -> NDArray[Any]:
        """Return an array for a value of each lag: all axes but the last are laid end to end."""
        return np.empty((*outer, math.prod(self.shape[:-1]), self.shape[-1]), self.dtype)

    def each_band(self, use: Callable[[slice, tuple[NDArray[Any], ...]], None]) -> None:
        """Call `use` with rows of the lags, and the six sums at these, as `maskreg.core.lag_sums` does."""
        parts = [
            self._part(self.moving.kept_of_masks, "overlap", OF_MASKS),
            self._part(self.moving.kept, "sums of reference", OF_REFERENCE),
            _Part(OF_BOTH),
        ]
        if self.overlap is not None:
            parts[0] = _Part(OF_MASKS, self.overlap[np.newaxis])
        pairs = [pair for part in parts if part.known is None for pair in part.pairs]

        def take(rows: slice, sums: NDArray[Any]) -> None:
            six: list[NDArray[Any]] = []
            computed = iter(sums)
            for part in parts:
                if part.known is not None:
                    six += [x[rows] for x in part.known]
                    continue
                these = [next(computed) for _ in part.pairs]
                if part.fresh is not None:
                    for x, to in zip(these, part.fresh, strict=True):
                        to[rows] = x
                six += these
            use(rows, tuple(six))

        lag_sums(self._images(), pairs, self.window, self.spans, self.dtype, take)
        for part in parts:
            part.keep()

    def _part(self, kept: Kept, name: str, pairs: tuple[tuple[int, int], ...]) -> _Part:
        """Return the sums of these pairs as they are kept, or room for them where they will be."""
        key = self.dtype, self.spans
        known = kept.find(name, key)
        size = len(pairs) * math.prod(self.shape) * np.dtype(self.dtype).itemsize
        if known is not None or not kept.takes(name, size):
            return _Part(pairs, known)
        fresh = self.empty(len(pairs))
        return _Part(pairs, None, fresh, lambda: kept.put(name, key, fresh))

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
        images[A_MASK] = made[A_MASK].kept(b.kept_of_masks, "transform of reference's mask")
        if a.mask is b.mask:
            images[B_MASK] = images[A_MASK]
        return images

    def errors(self) -> NDArray[np.float64]:
        """Return by how much each of the six may be wrong, in single precision; n after it is rounded."""
        norms = np.empty(6)
        norms[[A, B]] = 1 + SINGLE
        norms[[AA, BB]] = self.reference.square_norm, self.moving.square_norm
        norms[[A_MASK, B_MASK]] = [math.sqrt(np.count_nonzero(x.mask)) for x in (self.reference, self.moving)]
        pairs = (*OF_MASKS, *OF_REFERENCE, *OF_BOTH)
        errors = rounding(self.window) * np.array([norms[i] * norms[j] for i, j in pairs])
        errors[0] = error_of_overlap(self.reference, self.moving, self.window)
        return errors


@dataclass(frozen=True)
class _Part:
    """Some of the sums.

    Attributes
    ----------
    pairs : tuple of (int, int)
    known : (pairs, ...) ndarray, optional
        They themselves.
    fresh : (pairs, ...) ndarray, optional
        Where they are put as they are computed,
    keep : callable
        and what keeps them then.
    """

    pairs: tuple[tuple[int, int], ...]
    known: NDArray[Any] | None = None
    fresh: NDArray[Any] | None = None
    keep: Callable[[], None] = lambda: None


def likeliest_lags(
    reference: CentredImage,
    moving: CentredImage,
    least: float,
    most: int,
    within: tuple[list[tuple[int, int]], tuple[float, float]] | None = None,
) -> tuple[NDArray[np.intp] | None, tuple[float, float]]:
    """Return the lags that rounding alone keeps from being the greatest, and between what the threshold is.

    All sums are transformed, in single precision.

    Parameters
    ----------
    reference, moving : CentredImage
    least : float
        Least overlap, as a fraction of the greatest of any lag.
    most : int
        No more lags than this.
    within : (spans, threshold), optional
        First lag of each axis, and the one after the last, of those that may be the greatest; and between
        what the threshold lies. Default: all lags of enough overlap.

    Returns
    -------
    lags : (n, ndim) ndarray of int or None
        None for more than `most` of them, and where no lag is surely positive.
    least_overlap : (float, float)
        The threshold lies between these, pixels.
    """
    from maskreg.core.race_kernels import likeliest_2d, ncc_bounds_2d

    overlap = None
    if within is None:
        enough = enough_overlap(reference, moving, least)
        within, overlap = (enough.spans, enough.least), enough.n
    spans, threshold = within
    sums = AllSums(reference, moving, np.dtype(np.float32), spans, overlap)
    errors = sums.errors()
    if overlap is not None:
        errors[0] = enough.error
    n, low, high = sums.empty(), sums.empty(), sums.empty()
    sums.each_band(lambda rows, six: ncc_bounds_2d(six, errors, n[rows], low[rows], high[rows]))
    error = float(errors[0])
    found = np.empty((most, 2), np.intp)
    kept = likeliest_2d(n, low, high, threshold[0] - error, threshold[1] + error, found)
    if kept < 0:
        return None, threshold
    row, column = found[:kept].T
    index = np.unravel_index(row * sums.shape[-1] + column, sums.shape)
    return np.stack([i + first for i, (first, _) in zip(index, spans, strict=True)], axis=-1), threshold
