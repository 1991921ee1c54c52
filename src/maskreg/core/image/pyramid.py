"""Images binned by powers of two, with their masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from maskreg.core.image.kernels import halved_2d
from maskreg.core.image.runs import Region
from maskreg.core.plan import CHEAP_PIXELS

if TYPE_CHECKING:
    from maskreg.core.image.detail import BinnedPlane, LocalPlane

SCATTERED_PART = 1 / 16
"""Ignored pixels are scattered if so many blocks of two by two lack some."""

SMOOTH_PX = 2.5
"""Sigma of the window of the local plane that is binned apart, px,"""

SMOOTH_BINNED_PX = 10.0
"""and of images too large to be searched cheaply, of which it is fitted to binned ones."""

SHADINGS, SHADING_PX = 16, 5.0
"""The shading of an image is as smooth as a window of a sigma that goes so many times into its shortest side,
at least so many px."""


@dataclass(frozen=True)
class LevelImage:
    """One image at one level of the pyramid.

    Attributes
    ----------
    pixels : ndarray of float32
        Binned, zero where ignored.
    mask : ndarray of bool
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_]


class MaskPyramid:
    """A mask at every level; for a static mask made once for all frames. Thread-safe.

    A block of a level is valid when at least half of it is, so that scattered dead pixels vanish
    instead of spreading.

    Parameters
    ----------
    mask : ndarray of bool
        True = valid.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self.mask = mask
        self._lock = RLock()
        self._counts: dict[int, NDArray[np.float32]] = {}
        self._masks: dict[int, NDArray[np.bool_]] = {1: mask}
        self._weights: dict[int, NDArray[np.float32]] = {}

    @cached_property
    def some(self) -> bool:
        """Whether any pixel is valid."""
        return bool(self.mask.any())

    @cached_property
    def scattered(self) -> bool:
        """Whether many blocks lack single pixels, so that their means are not those of their middles."""
        counts = self.counts(2)
        partial = np.count_nonzero((counts > 0) & (counts < 2**self.mask.ndim))
        return bool(partial > SCATTERED_PART * np.count_nonzero(counts))

    @cached_property
    def plane(self) -> LocalPlane | BinnedPlane:
        """The operator that tells the smooth part of an image with this mask."""
        from maskreg.core.image.detail import BinnedPlane, LocalPlane

        if self.mask.ndim == 2 and self.mask.size > CHEAP_PIXELS:
            return BinnedPlane(self.mask, SMOOTH_BINNED_PX)
        return LocalPlane(self.mask, SMOOTH_PX)

    @cached_property
    def broad(self) -> BinnedPlane:
        """The operator that tells the shading of an image with this mask (`image.shading`)."""
        from maskreg.core.image.detail import BinnedPlane

        return BinnedPlane(self.mask, max(SHADING_PX, min(self.mask.shape) / SHADINGS))

    @cached_property
    def region(self) -> Region:
        """The mask with its runs."""
        return Region(self.mask)

    @cached_property
    def edge_blocks(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """The blocks of two by two pixels of which only a part is valid, row by row.

        Where those of each row begin in the list of all, (rows + 1,), their columns, and their `weights`.
        """
        counts = self.counts(2)
        blocks = np.flatnonzero((counts > 0) & (counts < 4))
        rows, columns = np.divmod(blocks, counts.shape[1])
        first = np.searchsorted(rows, np.arange(counts.shape[0] + 1)).astype(np.int64)
        return first, columns.astype(np.int32), self.weights(2).ravel()[blocks]

    def counts(self, b: int) -> NDArray[np.float32]:
        """Return how many pixels of each block of `b` per axis are valid."""
        with self._lock:
            if b not in self._counts:
                self._counts[b] = halved(self.counts(b // 2)) if b > 2 else self._counts_of_pixels(b)
            return self._counts[b]

    def _counts_of_pixels(self, b: int) -> NDArray[np.float32]:
        """Return the counts of blocks of one pixel or two: as bytes, a mask of large numbers takes longer."""
        ones = self.mask.view(np.uint8)
        return (ones if b == 1 else plain_halved(ones)).astype(np.float32)

    def level(self, b: int) -> NDArray[np.bool_]:
        """Return which blocks of `b` pixels per axis are valid."""
        with self._lock:
            if b not in self._masks:
                self._masks[b] = 2 * self.counts(b) >= b**self.mask.ndim
            return self._masks[b]

    def weights(self, b: int) -> NDArray[np.float32]:
        """Return by what the sum of each block is multiplied to give its mean; 0 if it is not valid."""
        with self._lock:
            if b not in self._weights:
                counts = np.maximum(self.counts(b), 1)
                self._weights[b] = np.where(self.level(b), 1 / counts, 0).astype(np.float32)
            return self._weights[b]


class ImagePyramid:
    """The means over the valid pixels of ever larger blocks.

    Parameters
    ----------
    sums : dict of int to ndarray of float32
        Sums over blocks of so many pixels per axis, zero where ignored; the coarser ones follow.
    masks : MaskPyramid
    levels : dict of int to ndarray of float32, optional
        Means that are known already.
    smooth : dict of int to ndarray of float32, optional
        As `sums`, of a part of the image that all pixels have, ignored ones too, and that is not in these.
        Where single pixels are ignored, the mean of the others is not that of the block's middle: on a slope
        the mask itself would show, and stand still.
    """

    def __init__(
        self,
        sums: dict[int, NDArray[np.float32]],
        masks: MaskPyramid,
        levels: dict[int, NDArray[np.float32]] | None = None,
        smooth: dict[int, NDArray[np.float32]] | None = None,
    ) -> None:
        self.masks = masks
        self._lock = RLock()
        self._sums = sums
        self._smooth = smooth
        self._levels = {b: LevelImage(means, masks.level(b)) for b, means in (levels or {}).items()}

    def level(self, b: int) -> LevelImage:
        """Return the image binned by `b`, a power of two; rows that do not fill a block are left out."""
        with self._lock:
            if b not in self._levels:
                sums = _block_sums(self._sums, b)
                means = sums if b == 1 else sums * self.masks.weights(b)
                if self._smooth is not None:
                    part = np.float32(1 / b**self.masks.mask.ndim)
                    means += self.masks.level(b) * (part * _block_sums(self._smooth, b))
                self._levels[b] = LevelImage(means, self.masks.level(b))
            return self._levels[b]


def _block_sums(sums: dict[int, NDArray[np.float32]], b: int) -> NDArray[np.float32]:
    """Return the sums over blocks of `b` pixels per axis, and keep those on the way."""
    if b not in sums:
        sums[b] = halved(_block_sums(sums, b // 2))
    return sums[b]


def eroded(mask: NDArray[np.bool_], radius: int, *, beyond: bool = False) -> NDArray[np.bool_]:
    """Return where all pixels within `radius` (a box) are valid; `beyond` the border all or none are."""
    padded = np.full([n + 2 * radius for n in mask.shape], beyond)
    padded[tuple(slice(radius, radius + n) for n in mask.shape)] = mask
    flat = padded.ravel()  # what runs over the end of a row is not taken: one long row is faster
    for stride in (step // padded.itemsize for step in padded.strides):
        # runs of 2, 4, 8, ... valid pixels, then of all 2 radius + 1
        length = 1
        while length < 2 * radius + 1:
            step = min(length, 2 * radius + 1 - length)
            flat = flat[: flat.size - step * stride] & flat[step * stride :]
            length += step
    return as_strided(flat, mask.shape, padded.strides).copy()


def halved(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sums over blocks of two pixels along every axis; a last odd row is left out."""
    if values.ndim == 3:
        from maskreg.core.image.volume_kernels import halved_3d

        return np.asarray(halved_3d(values))
    if values.ndim != 2:
        return plain_halved(values)
    return np.asarray(halved_2d(values))


def block_sums(values: NDArray[np.float32], b: int) -> NDArray[np.float32]:
    """Return sums over blocks of `b` pixels per axis, a power of two."""
    return values if b == 1 else block_sums(halved(values), b // 2)


def plain_halved(values: NDArray[Any]) -> NDArray[Any]:
    """Return what `halved` does, by slices, for any number of axes."""
    out = values
    for axis in range(values.ndim):
        length = out.shape[axis] // 2 * 2
        even, odd = (
            tuple(slice(start, length, 2) if k == axis else slice(None) for k in range(values.ndim))
            for start in (0, 1)
        )
        out = out[even] + out[odd]
    return out
