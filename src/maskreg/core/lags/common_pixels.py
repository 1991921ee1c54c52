"""How many pixels of two masks of many pixels are common at each lag, and what else changes with that.

It changes from one lag to the next by no more than what enters and leaves at borders: it is summed over
blocks of pixels, at lags of whole blocks, and taken from straight lines between these. Of masks with a
pattern it is summed at every lag.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.image.pyramid import block_sums
from maskreg.core.lags.every_lag import sums_of_products
from maskreg.core.lags.lean_maps import BlockSums, HalfCounts
from maskreg.core.lags.spectra import cross, transform
from maskreg.geometry import overlap_slices

BLOCKS = 2**16
"""Images are summed over the smallest blocks of 2, 4, 8, ... pixels a side that are no more than so many."""

SAMPLED = 2**18
"""The chance level is read off about so many lags, of rows and columns drawn at random, always the same."""

SMOOTH_MASK = 0.02
"""Masks are smooth if the common pixels at most lags are those between lags of blocks, to this part."""

TRIED = 24
"""Lags at which that is looked at,"""

ENOUGH = 0.05
"""of those of at least this part of the greatest overlap."""


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
    blocks : Blocks or None
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
        blocks = Blocks(mask, moving_mask)
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


class Blocks:
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
        return block_sums(values, self.step).astype(np.float64)

    def _at_lags(self, reference: NDArray[np.float64], moving: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums of products at every lag of whole blocks, and zeros around."""
        p, q = self._shapes
        window = tuple(scipy.fft.next_fast_len(m + n - 1, True) for m, n in zip(p, q, strict=True))
        sums = cross(transform(reference, window), transform(moving, window), window)
        lags = [np.arange(-(n - 1), m) % length for m, n, length in zip(p, q, window, strict=True)]
        return np.pad(sums[np.ix_(*lags)], 1)


def have_pattern(mask: NDArray[np.bool_], moving_mask: NDArray[np.bool_]) -> bool:
    """Return whether the common pixels of two masks change from lag to lag, as those of chessboards do."""
    return not _is_smooth(Blocks(mask, moving_mask).overlap, mask, moving_mask)


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
