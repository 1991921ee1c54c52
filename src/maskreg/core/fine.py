"""Every lag of images of many pixels, in little memory.

The sum of products of the two images is exact at every lag: one transform back, made in place and row by
row of lags, so that no other map of all lags is kept but the significance, in half precision. What the
products are divided by, sums over the common pixels of either image and of its square, changes from one lag
to the next by no more than what enters and leaves at borders. It is summed over blocks of pixels, at lags of
whole blocks, and taken from straight lines between these. A few pixels that outshine all others would make
steps in it: those are left out first, and added lag by lag. The likeliest lags are summed directly in the
end, so what is told of them is exact.

Of masks with a pattern all sums are made at every lag, half of the lags at a time
(`maskreg.core.every_lag`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.correlate import TRUSTED_ROUNDING
from maskreg.core.every_lag import sums_of_products
from maskreg.core.likelihood import FEWEST_PIXELS, fisher_z
from maskreg.core.maxima import MOST_CANDIDATES
from maskreg.core.pyramid import halved
from maskreg.core.spectra import cross, sum_of_squares, transform
from maskreg.core.windows import window_sums
from maskreg.geometry import overlap_slices, smallest_first

BLOCKS = 2**16
"""Images are summed over the smallest blocks of 2, 4, 8, ... pixels a side that are no more than so many."""

ROWS = 64
"""So many rows of lags are made at once, and so many columns of a transform: what stays in the cache."""

OUTSHINES = 1e-4
"""A pixel with this part of the energy of an image is a spike,"""

MOST_SPIKES = 64
"""up to so many of the brightest."""

SAMPLED = 2**18
"""The chance level is read off about so many lags, of rows and columns drawn at random, always the same."""

SMOOTH_MASK = 0.02
"""Masks are smooth if the common pixels at most lags are those between lags of blocks, to this part."""

TRIED = 24
"""Lags at which that is looked at,"""

ENOUGH = 0.05
"""of those of at least this part of the greatest overlap."""

Counts = tuple[NDArray[np.float32], tuple[int, int], int]
"""Common pixels at lags of whole steps, where lag zero is in them, and the step."""

Sums = tuple[int, NDArray[np.float32], NDArray[np.float32], tuple[int, int], int, Counts]
"""What `maskreg.core.fine_kernels.fine_rows_2d` takes first, and what is known of the overlap."""

Spikes = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True)
class HalfMap:
    """The significance of every lag, from z in half precision, but for some z that are known exactly.

    Indexed as an array, it gives float32.
    """

    z: NDArray[np.float16]
    exact: dict[tuple[int, ...], float]
    median: float
    spread: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return self.z.shape

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        z = np.array(self.z[index], np.float32)
        for at, value in self.exact.items():
            if all(isinstance(i, slice) for i in index):
                inside = tuple(k - (i.start or 0) for k, i in zip(at, index, strict=True))
                if all(0 <= k < n for k, n in zip(inside, z.shape, strict=True)):
                    z[inside] = value
            else:
                z[(np.asarray(index[0]) == at[0]) & (np.asarray(index[1]) == at[1])] = value
        return (z - np.float32(self.median)) / np.float32(self.spread)


@dataclass(frozen=True)
class BlockSums:
    """Something known at lags of whole blocks, and by straight lines between.

    Indexed by an index, a slice or an array of indices along each axis, it gives float64.
    """

    values: NDArray[np.float32]
    middle: tuple[int, int]
    step: int
    first: tuple[int, int]
    shape: tuple[int, int]

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        """Return what is known at indices along each axis: numbers, slices or arrays."""
        (j, u), (k, v) = (self._between(i, axis) for axis, i in enumerate(index))
        values = self.values
        above, below = (
            values[np.ix_(rows, k)] + v * (values[np.ix_(rows, k + 1)] - values[np.ix_(rows, k)])
            for rows in (j, j + 1)
        )
        out = above + u[:, None] * (below - above)
        return out[tuple(0 if isinstance(i, int | np.integer) else slice(None) for i in index)]

    def max(self) -> float:
        """Return the greatest."""
        return float(self.values.max())

    def _between(self, index: Any, axis: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return which known value comes before each index along an axis, and how far beyond it that is."""
        lags = np.atleast_1d(np.arange(self.shape[axis])[index]) + self.first[axis]
        return lags // self.step + self.middle[axis], (lags % self.step) / self.step


@dataclass(frozen=True)
class HalfCounts:
    """How many pixels are common at each lag, to a part in a thousand; indexed as an array."""

    roots: NDArray[np.float16]
    """Their square roots, which half precision can hold."""
    first: tuple[int, ...]
    """The first lags."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return self.roots.shape

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        return np.rint(np.asarray(self.roots[index], np.float64) ** 2)


@dataclass(frozen=True)
class NccOfScores:
    """NCC of every lag, from the significance of each; indexed as `BlockSums` is."""

    score: HalfMap
    overlap: BlockSums | HalfCounts

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return self.score.shape

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        z = self.score[index] * np.float64(self.score.spread) + self.score.median
        return np.tanh(z / np.sqrt(np.maximum(self.overlap[index] - 3, 1)))


@dataclass(frozen=True)
class Searched:
    """Which lags may be chosen; indexed as `BlockSums` is."""

    score: HalfMap
    overlap: BlockSums | HalfCounts
    limits: tuple[float, ...] | None
    least: float
    some: bool

    def any(self) -> bool:
        """Whether any lag may be."""
        return self.some

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        out = (self.overlap[index] >= self.least) & ~np.isnan(self.score[index])
        for axis, (i, limit) in enumerate(zip(index, self.limits or (), strict=False)):
            lags = np.arange(self.overlap.shape[axis])[i] + self.overlap.first[axis]
            inside = np.abs(lags) <= limit
            if np.ndim(inside) and np.ndim(out) == 2:
                inside = inside[:, None] if axis == 0 else inside[None, :]
            out = out & inside
        return out


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
    best: dict[tuple[int, ...], float] = field(default_factory=dict)


class CommonPixels:
    """How many pixels of two masks are common at each lag: once for all searches behind these.

    Parameters
    ----------
    mask, moving_mask : ndarray of bool
    window : (int, int)
        Shape of transforms in which no lag meets another's copy.

    Attributes
    ----------
    first : (int, int)
        The first lags.
    blocks : _Blocks or None
        What is summed over blocks of pixels, if the masks are smooth.
    overlap : BlockSums or HalfCounts
        By lag.
    sampled : list of ndarray of int
        Indices of the rows and columns of lags that the chance level is read off.
    sampled_overlap : ndarray of float32
        Of these.
    greatest_overlap : float
        Of all.
    """

    def __init__(
        self, mask: NDArray[np.bool_], moving_mask: NDArray[np.bool_], window: tuple[int, ...]
    ) -> None:
        self.mask, self.window = mask, window
        # the very same, so that one transform does for both
        self.moving_mask = mask if np.array_equal(mask, moving_mask) else moving_mask
        self.first = tuple(-(n - 1) for n in moving_mask.shape)
        shape = tuple(p + q - 1 for p, q in zip(mask.shape, moving_mask.shape, strict=True))
        rng = np.random.default_rng(0)
        part = min(1.0, np.sqrt(SAMPLED / np.prod(shape)))
        self.sampled = [np.sort(rng.choice(n, max(1, int(part * n)), replace=False)) for n in shape]
        blocks = _Blocks(mask, moving_mask)
        counts = blocks.overlap
        self.blocks = blocks if _is_smooth(counts, mask, moving_mask) else None
        self.overlap: BlockSums | HalfCounts = counts
        if self.blocks is None:
            self.overlap = HalfCounts(np.empty(shape, np.float16), self.first)
            self.sampled_overlap, self.greatest_overlap = self._counted(self.overlap)
        else:
            self.sampled_overlap, self.greatest_overlap = counts[tuple(self.sampled)], counts.max()

    def _counted(self, every: HalfCounts) -> tuple[NDArray[np.float32], float]:
        """Count at every lag; return how many are common at the sampled ones, and where most are."""
        rows, columns = self.sampled
        out, greatest = np.empty((len(rows), len(columns)), np.float32), 0.0
        masks = [(self.mask, 1)], [(self.moving_mask, 1)]
        for first, sums in sums_of_products(*masks, [(0, 0)], self.window):
            counts = np.rint(np.maximum(self.ascending(sums)[0], 0))
            greatest = max(greatest, float(counts.max()))
            i = first - self.first[0]
            every.roots[i : i + len(counts)] = np.sqrt(counts)
            here = slice(*np.searchsorted(rows, (i, i + len(counts))))
            out[here] = counts[rows[here] - i][:, columns]
        return out, greatest

    def ascending(self, sums: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return sums at all column lags in ascending order, from those of a transform."""
        negative = sums.shape[-1] + self.first[1]
        return np.concatenate([sums[..., negative:], sums[..., : self.mask.shape[1]]], axis=-1)


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
        from maskreg.core.fine_kernels import fine_maxima_2d

        common = self.common
        z = np.empty(common.overlap.shape, np.float16)
        rows, columns = common.sampled
        sample = np.empty((len(rows), len(columns)), np.float32)
        top, left = common.first
        far = tuple(int(min(limit, 2**31)) for limit in limits)
        found: list[tuple[float, int, int]] = []
        before = np.full((2, z.shape[1]), np.nan, np.float32)
        for first, block, counts in self._rows(moving, floor):
            i = first - top
            z[i : i + len(block)] = block
            here = slice(*np.searchsorted(rows, (i, i + len(block))))
            sample[here] = block[rows[here] - i][:, columns]
            last = i + len(block) == len(z)
            together = np.concatenate([before, block, np.full((int(last), z.shape[1]), np.nan, np.float32)])
            bar = found[-1][0] if len(found) == 2 * MOST_CANDIDATES else 0.0
            y, x, likelihoods = fine_maxima_2d(
                together, first - 1, left, far, *counts, least, bar, 2 * MOST_CANDIDATES
            )
            found += zip(likelihoods.tolist(), y.tolist(), x.tolist(), strict=True)
            found = sorted(found, key=lambda one: -one[0])[: 2 * MOST_CANDIDATES]
            before = block[-2:] if len(block) > 1 else np.concatenate([before[-1:], block])
        return FineScores(z, sample, self._exact(moving, floor, [(y, x) for _, y, x in found]))

    def _exact(
        self, moving: NDArray[np.float32], floor: float, lags: list[tuple[int, int]]
    ) -> dict[tuple[int, ...], float]:
        """Return the indices and the exact z of some lags, the likeliest first."""
        from maskreg.core.likelihood import likelihood

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
    ) -> Iterator[tuple[int, NDArray[np.float32], Counts]]:
        """Yield the first of some row lags in ascending order, z there, and where the overlap is known."""
        from maskreg.core.fine_kernels import fine_rows_2d

        spikes, rest, energy = without_spikes(moving)
        common = self.common
        height, width = common.window
        rounding = 4 * np.finfo(np.float32).eps * np.sqrt(np.log2(height * width))
        least = tuple(np.float32(e * rounding / TRUSTED_ROUNDING) for e in (self._energy, energy))
        cap = np.float32(np.sqrt(1 - floor))
        sums = self._every_sum(rest) if common.blocks is None else self._between_blocks(rest, common.blocks)
        for first, products, known, middle, step, counts in sums:
            z = fine_rows_2d(
                products, first, known, middle, step,
                self._reference, common.mask, rest, common.moving_mask, self._spikes, spikes,
                least, np.float32(FEWEST_PIXELS), cap,
            )  # fmt: skip
            yield first, z, counts

    def _between_blocks(self, moving: NDArray[np.float32], blocks: _Blocks) -> Iterator[Sums]:
        """Yield sums that are known at lags of whole blocks, with products at every lag."""
        assert self._own is not None
        known = np.concatenate([blocks.of_moving(moving), blocks.counts[None], self._own])
        plane = self._products(moving)
        height, width = self.common.window
        for first, end in self._spans():
            at = first % height
            products = scipy.fft.irfft(plane[at : at + end - first], width)
            yield first, products, known, blocks.middle, blocks.step, (known[2], blocks.middle, blocks.step)

    def _every_sum(self, moving: NDArray[np.float32]) -> Iterator[Sums]:
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
            yield first, sums[0], known, (-first, left), 1, (counts, (2 - first, left), 1)

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
        from maskreg.core.race_kernels import times_conjugate_2d

        height, width = self.common.window
        p, q = len(self._reference), len(moving)
        plane = np.empty((max(height, p + q), width // 2 + 1), np.complex64)
        _transform_rows(_without(self._reference, *self._spikes[:2]), plane[:p], width)
        _transform_rows(moving, plane[p:], width)
        for k in range(0, plane.shape[1], ROWS):
            columns = plane[:, k : k + ROWS]
            a, b = (scipy.fft.fft(columns[s], height, axis=0) for s in (slice(0, p), slice(p, p + q)))
            columns[:height] = scipy.fft.ifft(times_conjugate_2d(a, b), axis=0, overwrite_x=True)
        return plane[:height]


def _transform_rows(image: NDArray[np.float32], plane: NDArray[np.complex64], width: int) -> None:
    for i in range(0, len(image), ROWS):
        some = image[i : i + ROWS]
        plane[i : i + len(some)] = scipy.fft.rfft(some, width)


class _Blocks:
    """Sums over the common pixels at lags of whole blocks, from sums over blocks of pixels.

    Attributes
    ----------
    step : int
        Side of the blocks.
    middle : (int, int)
        Where lag zero is.
    counts : (rows, columns) ndarray of float32
        Common pixels, with zeros around.
    overlap : BlockSums
        The same, by lag.
    """

    def __init__(self, mask: NDArray[np.bool_], moving_mask: NDArray[np.bool_]) -> None:
        self.step = block_side(mask.shape, moving_mask.shape)
        self._shapes = [tuple(-(-n // self.step) for n in m.shape) for m in (mask, moving_mask)]
        self.middle = self._shapes[1]
        valid = [self._of_blocks(m.astype(np.float32)) for m in (mask, moving_mask)]
        self._masks = [sums / self.step**2 for sums in valid]
        self.counts = self._at_lags(valid[0], self._masks[1]).astype(np.float32)
        shape = tuple(p + q - 1 for p, q in zip(mask.shape, moving_mask.shape, strict=True))
        first = tuple(-(n - 1) for n in moving_mask.shape)
        self.overlap = BlockSums(self.counts, self.middle, self.step, first, shape)

    def of_reference(self, reference: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return sums of the reference and its square."""
        images = reference, reference * reference
        sums = [self._at_lags(self._of_blocks(image), self._masks[1]) for image in images]
        return np.stack(sums).astype(np.float32)

    def of_moving(self, moving: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return sums of moving and its square."""
        images = moving, moving * moving
        sums = [self._at_lags(self._masks[0], self._of_blocks(image)) for image in images]
        return np.stack(sums).astype(np.float32)

    def _of_blocks(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return sums over blocks; those at the far borders may be of fewer pixels."""
        ragged = [(0, -n % self.step) for n in values.shape]
        if any(far for _, far in ragged):
            values = np.pad(values, ragged)
        side = 1
        while side < self.step:
            values, side = halved(values), 2 * side
        return values.astype(np.float64)

    def _at_lags(self, reference: NDArray[np.float64], moving: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums of products at every lag of whole blocks, and zeros around."""
        p, q = self._shapes
        window = tuple(scipy.fft.next_fast_len(m + n - 1, True) for m, n in zip(p, q, strict=True))
        sums = cross(transform(reference, window), transform(moving, window), window)
        lags = [np.arange(-(n - 1), m) % length for m, n, length in zip(p, q, window, strict=True)]
        return np.pad(sums[np.ix_(*lags)], 1)


def have_pattern(mask: NDArray[np.bool_], moving_mask: NDArray[np.bool_]) -> bool:
    """Return whether the common pixels of two masks change from lag to lag, as those of chessboards do."""
    return not _is_smooth(_Blocks(mask, moving_mask).overlap, mask, moving_mask)


def _is_smooth(overlap: BlockSums, mask: NDArray[np.bool_], moving_mask: NDArray[np.bool_]) -> bool:
    """Whether straight lines lead from the common pixels at lags of whole blocks to those between.

    Not those of masks with a pattern that meets itself at one lag and not at the next: a chessboard.
    """
    counts, (top, left), step = overlap.values, overlap.first, overlap.step
    rng = np.random.default_rng(1)
    enough = np.argwhere(counts >= ENOUGH * counts.max())
    tried = enough[rng.integers(len(enough), size=TRIED)] - overlap.middle
    off = []
    for lag in tried * step + rng.integers(step, size=tried.shape):
        y, x = (
            int(np.clip(s, f, f + n - 1)) for s, f, n in zip(lag, (top, left), overlap.shape, strict=True)
        )
        here, there = overlap_slices(mask.shape, moving_mask.shape, (y, x))
        n = np.count_nonzero(mask[here] & moving_mask[there])
        off.append(abs(n - float(overlap[y - top, x - left])) / float(counts.max()))
    return bool(np.quantile(off, 0.75) < SMOOTH_MASK)


def block_side(shape: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Return the side of the blocks over which images of these shapes are summed."""
    side = 2
    while max(np.prod(shape), np.prod(other)) / side**2 > BLOCKS:
        side *= 2
    return side


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
