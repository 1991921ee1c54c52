"""An image made ready: stabilised, mean off, float32, with its pyramid."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepare_kernels import (
    counted_sums_2d,
    packed_counts_2d,
    stabilised_2d,
    stabilised_halves_2d,
)
from maskreg.core.image.pyramid import ImagePyramid, LevelImage, MaskPyramid, halved
from maskreg.core.image.sample import sampled_rows
from maskreg.core.image.stabilise import Detector
from maskreg.core.image.standard import is_flat, standard
from maskreg.core.image.surround import Continued, Surround
from maskreg.core.image.windows import CommonSums, window_sums
from maskreg.core.machine.room import Room

COUNTED_BYTES = 4
"""Counts of so many bytes are stabilised in float32, unless they are"""

GREATEST_COUNT = 2**24
"""about greater than this: float32 does not hold each whole number beyond."""


class Prepared:
    """One image, as the search and the refinement want it.

    Parameters
    ----------
    pixels : ndarray
        Checked (`image.checked`).
    masks : MaskPyramid
        Of its mask.
    detector : Detector
    mean : float, optional
        What to take off stabilised counts; default about their masked mean. Frames take off the
        reference's, so that their own need not be known first.

    Attributes
    ----------
    raw : ndarray
        As given.
    pixels : ndarray of float32
        Stabilised, mean off, zero where ignored; for data that are not counts also scaled to unit
        variance. Where a coarser level will do, counts are never stabilised at full resolution.
    mean, scale : float
        What was taken off, and by what the values were divided before.
    flat : bool
        Whether the valid pixels have no variance, or there are none.
    filled : dict of int to ndarray of float32
        Levels whose scattered ignored pixels were filled in (`image.holes`),
    refilled : dict of int to ndarray of float32
        and those that are filled with what the reference shows at the place that is being refined.
    room : Room, optional
        Its place among the few frames that may take much memory at once.
    pointed : bool
        Whether few pixels may have made its match.
    patterned : bool
        Whether what its match leaves may be more than noise.
    unlike : bool
        Whether it is more.
    pulled_to : ndarray of float64 or None
        Where parts that stand still had pulled its match, px, if it is that of the others.
    shaded : bool
        Whether shading pulls its match, or may hide its place.
    spread : bool
        Whether its match is away from no shift, or surely more than one of single pixels.
    """

    def __init__(
        self,
        pixels: NDArray[Any],
        masks: MaskPyramid,
        detector: Detector,
        mean: float | None = None,
        *,
        refined: bool = False,
    ) -> None:
        self.raw = pixels
        self.masks = masks
        self.mask = masks.mask
        self.detector = detector
        self.room: Room | None = None
        self.pointed = False
        self.patterned = True
        self.unlike = False
        self.pulled_to: NDArray[np.float64] | None = None
        self.shaded = False
        self.spread = True
        self.filled: dict[int, NDArray[np.float32]] = {}
        self.refilled: dict[int, NDArray[np.float32]] = {}
        self._continued: tuple[int, Continued] | None = None
        self._sums: dict[tuple[Prepared, tuple[int, ...]], CommonSums] = {}
        self._terms: tuple[np.float32, ...] | None = None
        if detector.counts and pixels.ndim == 2 and pixels.dtype.itemsize <= COUNTED_BYTES:
            self.scale = 1.0
            self.mean = _masked_mean(detector, pixels, self.mask) if mean is None else mean
            self._terms = _terms(detector, self.mean)
        if self._terms is not None:
            if not masks.scattered:
                halves, quarters, whole, self.flat = _levels_of_counts(pixels, masks, self._terms, refined)
                if refined:
                    self.pixels = whole
                self._pyramid = ImagePyramid({4: quarters}, masks, {2: halves})
                return
            self.flat = is_flat(pixels[self.mask])
        else:
            self.pixels, self.mean, self.scale, self.flat = standard(detector, pixels, self.mask)
        self._pyramid = _binned(self.pixels, masks)

    @cached_property
    def pixels(self) -> NDArray[np.float32]:
        """Stabilised, mean off, zero where ignored; of counts made when first needed."""
        assert self._terms is not None
        return np.asarray(stabilised_2d(self.raw, *self.masks.region.runs, *self._terms))

    def forget(self) -> None:
        """Let go of what is made again when it is needed: the pixels of counts, and what was filled in."""
        self.filled.clear()
        self.refilled.clear()
        if self._terms is not None:
            self.__dict__.pop("pixels", None)

    def values(self, places: tuple[NDArray[np.intp], ...] | tuple[slice, ...]) -> NDArray[np.float32]:
        """Return the `pixels` at some places, without making all of them; anything where ignored."""
        if "pixels" in self.__dict__:
            return np.asarray(self.pixels[places])
        return np.asarray(self.detector.stabilised(self.raw[places]) - self.mean, np.float32)

    @cached_property
    def packed(self) -> tuple[NDArray[np.int16], NDArray[np.float64], NDArray[np.float64]] | None:
        """Counts as `pixels`, of two axes, as 16-bit numbers: half the bytes for each frame to wait for.

        The numbers, (rows, columns), the step of each row, and number, sum and squares of the valid ones.
        What rounding adds to the squares is at most the part columns / (12 x 32767^2) of them. None of
        other data.
        """
        if self._terms is None:
            return None
        numbers, steps, sums = packed_counts_2d(self.raw, *self.masks.region.runs, *self._terms)
        return numbers, steps, sums

    def sums_with(self, reference: Prepared, lag: tuple[int, ...]) -> CommonSums:
        """Return the sums over the pixels that are valid in both at one lag; they are summed once."""
        if (reference, lag) not in self._sums:
            self._sums[reference, lag] = self._sums_with(reference, lag)
        return self._sums[reference, lag]

    def _sums_with(self, reference: Prepared, lag: tuple[int, ...]) -> CommonSums:
        if self._terms is None or "pixels" in self.__dict__ or reference.packed is None:
            sums = window_sums(reference.pixels, reference.mask, self.pixels, self.mask, lag, 0)
            return CommonSums(
                *(float(s.flat[0]) for s in (sums.n, sums.a, sums.aa, sums.b, sums.bb, sums.ab))
            )
        runs = reference.masks.region.runs, self.masks.region.runs
        found = counted_sums_2d(*reference.packed, *runs[0], self.raw, *runs[1], *self._terms, *lag)
        return CommonSums(*found.tolist())

    @cached_property
    def typical(self) -> float | None:
        """The median of the valid grey values, of a sample of rows if there are many; None without any."""
        rows = sampled_rows(self.mask)
        values = self.raw[rows][self.mask[rows]]
        return float(np.median(values)) if values.size else None

    def continued(self, b: int, surround: Surround) -> NDArray[np.float32]:
        """Return the pixels of a level, its ignored ones beside valid ones continued, until `as_it_was`.

        Of one level at a time.
        """
        if self._continued is None or self._continued[0] != b:
            self.as_it_was()
            self._continued = b, surround.continued(self.level(b).pixels)
            self._continued[1].__enter__()
        return self.level(b).pixels

    def as_it_was(self) -> None:
        """Forget what is `continued`: the pixels are zero again where ignored."""
        if self._continued is not None:
            self._continued[1].__exit__()
            self._continued = None

    def level(self, b: int) -> LevelImage:
        """Return the image binned by `b`."""
        return LevelImage(self.pixels, self.mask) if b == 1 else self._pyramid.level(b)


def _masked_mean(detector: Detector, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Return about the masked mean: enough for what is left to be small."""
    rows = sampled_rows(mask)
    values = pixels[rows][mask[rows]]
    return float(detector.stabilised(values).mean()) if values.size else 0.0


def _terms(detector: Detector, mean: float) -> tuple[np.float32, ...] | None:
    """Return slope and start of what is under the root, and what is taken off it; None for great counts."""
    if detector.unstabilised(np.full(1, mean, np.float32))[0] > GREATEST_COUNT:
        return None
    slope, start = 4 * detector.gain, 4 * (detector.pad - detector.offset * detector.gain)
    return np.float32(slope), np.float32(start), np.float32(mean)


def _levels_of_counts(
    pixels: NDArray[Any], masks: MaskPyramid, terms: tuple[np.float32, ...], whole: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], bool]:
    """Return level 2 of stabilised counts, their sums of 4 by 4, themselves, and if all valid ones are equal.

    Unless `whole` only two rows of them are left.
    """
    halves, quarters, stabilised, differ = stabilised_halves_2d(
        pixels, masks.mask, *masks.region.runs, *masks.edge_blocks, *terms, whole
    )
    return halves, quarters, stabilised, not differ


def _binned(pixels: NDArray[np.float32], masks: MaskPyramid) -> ImagePyramid:
    """Return the pyramid of stabilised pixels; where ignored ones are scattered, the smooth part apart."""
    if not masks.scattered:
        return ImagePyramid({1: pixels}, masks)
    smooth = masks.plane(pixels)
    binned = halved(smooth)
    left = np.subtract(pixels, smooth, out=smooth)
    left[~masks.mask] = 0
    return ImagePyramid({2: halved(left)}, masks, smooth={2: binned})
