"""The six sums of the masked NCC at every lag, by transforms, and the difference of two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.kept import Kept
from maskreg.core.machine.once import once
from maskreg.core.ncc.centred import CentredImage
from maskreg.core.ncc.coefficients import fill_ncc
from maskreg.core.ncc.deviations import Deviations
from maskreg.core.ncc.enough_overlap import error_of_overlap
from maskreg.core.ncc.lag_sums import SINGLE, Pair, Transform, lag_sums, lag_sums_2d, rounding, window_of_lags
from maskreg.core.transforms.wide import is_wide

A, AA, A_MASK, B, BB, B_MASK = range(6)
"""Images that meet in the sums: reference, its square and mask, and moving's."""

N, SUM_A, SUM_AA, SUM_B, SUM_BB, SUM_AB, DIFFERENCE = range(7)
"""The sums, that of a less that of b, and which images meet in each:"""

PAIRS: tuple[Pair, ...] = (
    (A_MASK, B_MASK),
    (A, B_MASK),
    (AA, B_MASK),
    (A_MASK, B),
    (A_MASK, BB),
    (A, B),
    (A, B_MASK, A_MASK, B),
)


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
    room : list of (int, int), optional
        Lags for which the transforms have room; default those of the spans.
    """

    reference: CentredImage
    moving: CentredImage
    dtype: Any
    spans: list[tuple[int, int]]
    overlap: NDArray[Any] | None = None
    room: list[tuple[int, int]] | None = None

    @once
    def window(self) -> tuple[int, ...]:
        """Lengths of the transforms."""
        return window_of_lags(self.reference.mask.shape, self.moving.mask.shape, self.room or self.spans)

    @once
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return tuple(end - first for first, end in self.spans)

    def empty(self) -> NDArray[Any]:
        """Return an array for a value of each lag: all axes but the last are laid end to end."""
        return np.empty((math.prod(self.shape[:-1]), self.shape[-1]), self.dtype)

    def narrowed(self, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the lags that these have in common with others, along the first axis and the last.

        Along axes between these all stay, so that rows of lags lie one after the other.
        """
        both = [
            (max(low, first), min(high, end))
            for (low, high), (first, end) in zip(self.spans, spans, strict=True)
        ]
        return [both[0], *self.spans[1:-1], both[-1]][-len(both) :]

    def place_of(self, narrowed: AllSums) -> tuple[slice, int]:
        """Return which rows of `empty` are those of narrowed lags, and the first column."""
        first, last = (narrowed.spans[axis][0] - self.spans[axis][0] for axis in (0, -1))
        above = first * math.prod(self.shape[1:-1]) if len(self.spans) > 1 else 0
        return slice(above, above + math.prod(narrowed.shape[:-1])), last

    def keeps(self, which: int) -> bool:
        """Return whether a sum is kept, or will be once it is computed."""
        kept, name = self._place(which)
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        return kept.find(name, (self.dtype, self.spans)) is not None or kept.takes(name, size)

    def at_lags(self, wanted: Sequence[int]) -> dict[int, NDArray[Any]]:
        """Return sums at every lag, each as `empty` is; those that can be are kept."""
        known = {which: self.known(which) for which in wanted}
        found = {which: values for which, values in known.items() if values is not None}
        fresh = [which for which in wanted if which not in found]
        if fresh:
            pairs = [PAIRS[which] for which in fresh]
            sums = lag_sums(self._images(pairs), pairs, self.window, self.spans, self.dtype)
            for which, values in zip(fresh, sums, strict=True):
                # a part of an array keeps all of it
                found[which] = values.copy() if self.keeps(which) and len(sums) > 1 else values
                kept, name = self._place(which)
                kept.put(name, (self.dtype, self.spans), found[which])
        return found

    def fill_ncc(self, limits: NDArray[Any], column: int, ncc: NDArray[Any], root: NDArray[Any]) -> bool:
        """Do what `transforms.ncc_kernels.ncc_2d` does, at these lags; sums that can be kept are."""
        known = self.at_lags(
            [which for which in range(6) if self.known(which) is not None or self.keeps(which)]
        )
        fresh = [which for which in range(6) if which not in known]
        pairs = [PAIRS[which] for which in fresh]
        images = self._images(pairs)
        if is_wide(self.window):
            kept = self.moving.kept_of_masks
            sums = lag_sums_2d(images, pairs, self.window, self.spans, self.dtype, kept)
            return sums.fill_ncc(known, fresh, limits, column, ncc, root)
        found = dict(zip(fresh, lag_sums(images, pairs, self.window, self.spans, self.dtype), strict=True))
        return fill_ncc([(known | found)[which] for which in range(6)], limits, column, ncc, root)

    def known(self, which: int) -> NDArray[Any] | None:
        """Return a sum that need not be computed, or None."""
        if which == N and self.overlap is not None:
            return self.overlap
        kept, name = self._place(which)
        found: NDArray[Any] | None = kept.find(name, (self.dtype, self.spans))
        return found

    def _place(self, which: int) -> tuple[Kept, str]:
        """Return where a sum is kept, and under what name."""
        names = {N: "overlap", SUM_A: "sum of a", SUM_AA: "sum of a^2"}
        if which not in names:  # of each moving image another
            return Kept(), ""
        return self.moving.kept_of_masks if which == N else self.moving.kept, names[which]

    def _images(self, pairs: Sequence[Pair]) -> list[Transform | NDArray[Any]]:
        """Return the transforms of the six images; of those that are used as they are kept."""
        used = {image for pair in pairs for image in pair}
        a, b = self.reference, self.moving

        def of(pixels: Deviations, *, squared: bool = False) -> Transform:
            return Transform(pixels, self.window, self.dtype, squared)

        images: list[Transform | NDArray[Any]] = [
            first := of(a.unit_deviations),
            of(a.unit_deviations, squared=True),
            mask := of(a.ones),
            of(b.unit_deviations),
            of(b.unit_deviations, squared=True),
            of(b.ones),
        ]
        if A in used:
            images[A] = first.kept(a.kept, "transform")
        if A_MASK in used or (B_MASK in used and a.mask is b.mask):
            # for all lags, and for those near zero, which stay possible in a series
            name = f"transform of reference's mask, {self.window}, {self.dtype}"
            images[A_MASK] = mask.kept(b.kept_of_masks, name)
        if a.mask is b.mask:
            images[B_MASK] = images[A_MASK]
        return images

    def errors(self) -> NDArray[np.float64]:
        """Return by how much each of the seven may be wrong, in single precision; n after it is rounded."""
        norms = np.empty(6)
        norms[[A, B]] = 1 + SINGLE
        norms[[AA, BB]] = self.reference.square_norm, self.moving.square_norm
        norms[[A_MASK, B_MASK]] = [math.sqrt(np.count_nonzero(x.mask)) for x in (self.reference, self.moving)]
        # products of which one is taken off the other are rounded once more
        each = rounding(self.window) + SINGLE
        errors = each * np.array(
            [sum(norms[i] * norms[j] for i, j in zip(pair[::2], pair[1::2], strict=True)) for pair in PAIRS]
        )
        errors[N] = error_of_overlap(self.reference, self.moving, self.window)
        return errors
