"""Every lag of images of many pixels, in little memory.

The sum of products of the two images is exact at every lag: one transform back, made in place and row by
row of lags, so that no other map of all lags is kept but the significance, in half precision. What the
products are divided by, sums over the common pixels of either image and of its square, changes from one lag
to the next by no more than what enters and leaves at borders. It is summed over blocks of pixels, at lags of
whole blocks, and taken from straight lines between these. A few pixels that outshine all others would make
steps in it: those are left out first, and added lag by lag. The likeliest lags are summed directly in the
end, so what is told of them is exact.

Of masks with a pattern all sums are made at every lag, half of the lags at a time
(`lags.every_lag`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.image.windows import window_sums
from maskreg.core.lags.common_pixels import Blocks, CommonPixels
from maskreg.core.lags.correlate import TRUSTED_ROUNDING
from maskreg.core.lags.every_lag import ROWS, sums_of_products, transform_rows
from maskreg.core.lags.maxima import MOST_CANDIDATES
from maskreg.core.lags.spectra import sum_of_squares
from maskreg.core.likelihood import FEWEST_PIXELS, fisher_z, likelihood
from maskreg.geometry import smallest_first

OUTSHINES = 1e-4
"""A pixel with this part of the energy of an image is a spike,"""

MOST_SPIKES = 64
"""up to so many of the brightest."""

Spikes = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Rows and columns of pixels that outshine all others, and their values."""


class AtSteps(NamedTuple):
    """What is known at row and column lags that are whole steps: where lag zero is in it, and the step."""

    values: NDArray[np.float32]
    middle: tuple[int, int]
    step: int


class SomeRows(NamedTuple):
    """What is known of a few rows of lags.

    Attributes
    ----------
    first : int
        The first row lag.
    products : (rows, width) ndarray of float32
        At every lag, column lag s at s modulo the width.
    sums : AtSteps
        The five others, see `lags.fine_kernels.fine_rows_2d`.
    overlap : AtSteps
        Common pixels.
    """

    first: int
    products: NDArray[np.float32]
    sums: AtSteps
    overlap: AtSteps


@dataclass(frozen=True)
class FineScores:
    """What a fine search finds.

    Attributes
    ----------
    z : (rows, columns) ndarray of float16
        Of every lag; NaN where forbidden or not trusted.
    sample : ndarray of float32
        Some of them, to read the chance level off.
    best : dict of (int, int) to float
        Indices of the likeliest local maxima, best first, and the exact z there.
    """

    z: NDArray[np.float16]
    sample: NDArray[np.float32]
    best: dict[tuple[int, ...], float]


class FineLags:
    """The lags of two images of two axes: what depends on the reference and the masks, computed once.

    Parameters
    ----------
    reference : ndarray of float32
        Background off, zero where ignored.
    common : CommonPixels
        Of the masks of both.
    """

    def __init__(self, reference: NDArray[np.float32], common: CommonPixels) -> None:
        self.common = common
        self._reference = reference
        self._spikes, rest, self._energy = without_spikes(reference)
        self._own = None if common.blocks is None else common.blocks.of_reference(rest)

    def __call__(
        self, moving: NDArray[np.float32], floor: float, limits: tuple[float, ...], least: float
    ) -> FineScores:
        """Return the scores of every lag.

        Parameters
        ----------
        moving : ndarray of float32
            Background off, zero where ignored.
        floor : float
            eps of the likelihood, which caps z.
        limits : tuple of float
            Greatest lags that may be chosen, and
        least : float
            the fewest common pixels.
        """
        from maskreg.core.lags.fine_kernels import fine_maxima_2d

        common = self.common
        z = np.empty(common.overlap.shape, np.float16)
        rows, columns = common.sampled
        sample = np.empty((len(rows), len(columns)), np.float32)
        top, left = common.first
        far = tuple(int(min(limit, 2**31)) for limit in limits)
        found: list[tuple[float, int, int]] = []
        before = np.full((2, z.shape[1]), np.nan, np.float32)
        for first, block, overlap in self._rows(moving, floor):
            i = first - top
            z[i : i + len(block)] = block
            here = slice(*np.searchsorted(rows, (i, i + len(block))))
            sample[here] = block[rows[here] - i][:, columns]
            last = i + len(block) == len(z)
            together = np.concatenate([before, block, np.full((int(last), z.shape[1]), np.nan, np.float32)])
            bar = found[-1][0] if len(found) == 2 * MOST_CANDIDATES else 0.0
            y, x, likelihoods = fine_maxima_2d(
                together, first - 1, left, far, *overlap, least, bar, 2 * MOST_CANDIDATES
            )
            found += zip(likelihoods.tolist(), y.tolist(), x.tolist(), strict=True)
            found = sorted(found, key=lambda one: -one[0])[: 2 * MOST_CANDIDATES]
            before = block[-2:] if len(block) > 1 else np.concatenate([before[-1:], block])
        return FineScores(z, sample, self._exact(moving, floor, [(y, x) for _, y, x in found]))

    def _exact(
        self, moving: NDArray[np.float32], floor: float, lags: list[tuple[int, int]]
    ) -> dict[tuple[int, ...], float]:
        """Return the indices and the exact z of some lags, the likeliest first."""
        known, common = [], self.common
        for lag in lags:
            sums = window_sums(self._reference, common.mask, moving, common.moving_mask, lag, 0)
            ncc, n = float(sums.ncc.flat[0]), float(sums.n.flat[0])
            if ncc > 0 and n > FEWEST_PIXELS:
                known.append((lag, float(likelihood(ncc, n, floor)), float(fisher_z(ncc, n, floor))))
        if not known:
            return {}
        order = smallest_first(np.array([lag for lag, *_ in known]), -np.array([one[1] for one in known]))
        top, left = common.first
        chosen = [known[k] for k in order[:MOST_CANDIDATES]]
        return {(y - top, x - left): z for (y, x), _, z in chosen}

    def _rows(
        self, moving: NDArray[np.float32], floor: float
    ) -> Iterator[tuple[int, NDArray[np.float32], AtSteps]]:
        """Yield the first of some row lags in ascending order, z there, and where the overlap is known."""
        from maskreg.core.lags.fine_kernels import fine_rows_2d

        spikes, rest, energy = without_spikes(moving)
        common = self.common
        height, width = common.window
        rounding = 4 * np.finfo(np.float32).eps * np.sqrt(np.log2(height * width))
        least = tuple(np.float32(e * rounding / TRUSTED_ROUNDING) for e in (self._energy, energy))
        cap = np.float32(np.sqrt(1 - floor))
        known = self._every_sum(rest) if common.blocks is None else self._between_blocks(rest, common.blocks)
        for first, products, sums, overlap in known:
            z = fine_rows_2d(
                products, first, *sums,
                self._reference, common.mask, rest, common.moving_mask, self._spikes, spikes,
                least, np.float32(FEWEST_PIXELS), cap,
            )  # fmt: skip
            yield first, z, overlap

    def _between_blocks(self, moving: NDArray[np.float32], blocks: Blocks) -> Iterator[SomeRows]:
        """Yield sums that are known at lags of whole blocks, with products at every lag."""
        assert self._own is not None
        sums = np.concatenate([blocks.of_moving(moving), blocks.counts[None], self._own])
        known, overlap = (AtSteps(of, blocks.middle, blocks.step) for of in (sums, blocks.counts))
        plane = self._products(moving)
        height, width = self.common.window
        for first, end in self._spans():
            at = first % height
            yield SomeRows(first, scipy.fft.irfft(plane[at : at + end - first], width), known, overlap)

    def _every_sum(self, moving: NDArray[np.float32]) -> Iterator[SomeRows]:
        """Yield sums of which all are known at every lag."""
        common = self.common
        rest = _without(self._reference, *self._spikes[:2])
        reference = [(rest, 1), (rest, 2), (common.mask, 1)]
        others = [(moving, 1), (moving, 2), (common.moving_mask, 1)]
        # products; moving and its square under the reference's mask, reference and its square
        pairs = [(0, 0), (2, 0), (2, 1), (0, 2), (1, 2)]
        top, left = (-lag for lag in common.first)
        before = np.zeros((2, left + len(common.mask[0]) + 1), np.float32)
        for first, sums in sums_of_products(reference, others, pairs, common.window):
            rows = slice(first + top, first + top + sums.shape[1])
            known = np.zeros((5, sums.shape[1] + 1, before.shape[1]), np.float32)
            known[[0, 1, 3, 4], :-1, :-1] = common.ascending(sums[1:])
            known[2, :-1, :-1] = common.overlap[rows, :]
            counts = np.concatenate([before, known[2]])
            before = counts[-3:-1]
            overlap = AtSteps(counts, (2 - first, left), 1)
            yield SomeRows(first, sums[0], AtSteps(known, (-first, left), 1), overlap)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield first and end of spans of row lags, none across zero."""
        lowest = self.common.first[0]
        end = lowest + self.common.overlap.shape[0]
        for start, stop in ((lowest, 0), (0, end)):
            for first in range(start, stop, ROWS):
                yield first, min(first + ROWS, stop)

    def _products(self, moving: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Return the sums of products, transformed along rows of lags only; made in place.

        Each image is transformed row by row, into rows of its own; then a few columns at a time are
        transformed, multiplied and transformed back.
        """
        from maskreg.core.lags.race_kernels import times_conjugate_2d

        height, width = self.common.window
        p, q = len(self._reference), len(moving)
        plane = np.empty((max(height, p + q), width // 2 + 1), np.complex64)
        transform_rows(_without(self._reference, *self._spikes[:2]), 1, plane, width)
        transform_rows(moving, 1, plane[p:], width)
        for k in range(0, plane.shape[1], ROWS):
            columns = plane[:, k : k + ROWS]
            a, b = (scipy.fft.fft(columns[s], height, axis=0) for s in (slice(0, p), slice(p, p + q)))
            columns[:height] = scipy.fft.ifft(times_conjugate_2d(a, b), axis=0, overwrite_x=True)
        return plane[:height]


def without_spikes(pixels: NDArray[np.float32]) -> tuple[Spikes, NDArray[np.float32], float]:
    """Return the pixels that outshine all others, the image without them, and its sum of squares."""
    flat = pixels.ravel()
    at = np.empty(0, np.int64)
    while True:
        rows, columns = np.unravel_index(at, pixels.shape)
        rest = _without(pixels, rows, columns)
        energy = sum_of_squares(rest)
        bright = np.sqrt(np.float32(OUTSHINES * energy))
        more = np.flatnonzero((rest.ravel() > bright) | (rest.ravel() < -bright))
        room = MOST_SPIKES - at.size
        if not more.size or room <= 0:
            break
        at = np.concatenate([at, more[np.argsort(-np.abs(flat[more]), kind="stable")][:room]])
    return (rows.astype(np.int64), columns.astype(np.int64), flat[at]), rest, energy


def _without(
    pixels: NDArray[np.float32], rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return an image with some pixels set to zero; the very same if there are none."""
    if not rows.size:
        return pixels
    out = pixels.copy()
    out[rows, columns] = 0
    return out
