"""The reference and the masks of the last call: what is theirs alone is computed once for those that follow.

Images and masks are compared by what they hold. The first call with a reference leaves a copy of it; from the
second one on what is computed of it is kept as well. Another reference takes its place; what the masks alone
decide is kept until another mask comes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.kept import Kept
from maskreg.core.ncc.centred import CentredImage, exact_values

MOST_KEPT = 17 * 2**23
"""Bytes that are kept of a reference, and as many of it beside a mask of moving.

As many as two sums of 2048 x 2048 pixels take at all lags of an overlap of 0.3 or more.
"""

MOST_KEPT_OF_MASKS = 19 * 2**24
"""Bytes that are kept of both masks, among them room to work in."""


@dataclass(frozen=True)
class _Record:
    """A reference, the mask of moving, and what is kept of both, and of both masks."""

    reference: CentredImage
    moving_mask: NDArray[np.bool_]
    kept: Kept
    kept_of_masks: Kept


class LastReference:
    """Centres pairs of images. Threads may share it: the record is replaced as a whole."""

    def __init__(self) -> None:
        self._record: _Record | None = None

    def forget(self) -> None:
        """Free the memory."""
        self._record = None

    def pair(
        self,
        pixels: tuple[NDArray[Any], NDArray[Any]],
        masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    ) -> tuple[CentredImage, CentredImage]:
        """Return reference and moving, with what is kept.

        Parameters
        ----------
        pixels : (reference, moving)
        masks : (reference_mask, moving_mask)
            One and the same array where they are equal.
        """
        values, last = exact_values(pixels[0]), self._record
        mask, moving_mask = masks
        same_mask = last is not None and np.array_equal(last.reference.mask, mask)
        same_masks = same_mask and last is not None and _same_mask(last.moving_mask, moving_mask)
        if last is not None and same_mask:
            moving_mask = last.reference.mask if moving_mask is mask else moving_mask
            mask = last.reference.mask
        if last is not None and same_masks:
            moving_mask = last.moving_mask
        if last is not None and same_mask and _same_values(last.reference, values):
            reference = own = last.reference
            if not own.kept.most:
                reference = own = replace(own, kept=Kept(MOST_KEPT))
            kept = _more_of(last.kept, MOST_KEPT) if same_masks else Kept()
        else:
            reference, kept = CentredImage.of(values, mask), Kept()
            own = (
                replace(reference, values=values.copy())
                if np.may_share_memory(values, pixels[0])
                else reference
            )
        kept_of_masks = (
            _more_of(last.kept_of_masks, MOST_KEPT_OF_MASKS) if last is not None and same_masks else Kept()
        )
        self._record = _Record(own, moving_mask, kept, kept_of_masks)
        return reference, CentredImage.of(pixels[1], moving_mask, kept, kept_of_masks)


def _more_of(kept: Kept, most: int) -> Kept:
    """Return what is kept, or what keeps something from now on."""
    return kept if kept.most else Kept(most)


def _same_values(image: CentredImage, values: NDArray[Any]) -> bool:
    """Return whether the valid values are the same to the last bit."""
    from maskreg.core.ncc.bound_kernels import same_values

    if image.values.dtype != values.dtype:
        return False
    bits = np.dtype(f"i{values.itemsize}")
    return bool(
        same_values(*(x.reshape(-1).view(bits) for x in (image.values, values)), image.mask.reshape(-1))
    )


def _same_mask(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    return mask is other or np.array_equal(mask, other)
