"""The reference of the last call: a series against one reference computes once what is the reference's own.

Images and masks are compared by what they hold. The first call with a reference leaves a copy of it; from the
second one on what is computed of it is kept as well. Another reference takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.centred import CentredImage, exact_values
from maskreg.core.kept import Kept

MOST_KEPT = 2**27
"""Bytes that are kept of a reference, and as many of it beside a mask of moving."""


@dataclass(frozen=True)
class _Record:
    """A reference, the mask of moving, and what is kept of both."""

    reference: CentredImage
    moving_mask: NDArray[np.bool_]
    kept: Kept


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
        values, moving = exact_values(pixels[0]), pixels[1]
        record = self._record
        if record is None or not _same_image(record.reference, values, masks[0]):
            reference, moving_mask, kept = CentredImage.of(values, masks[0]), masks[1], Kept()
            own = values.copy() if np.may_share_memory(values, pixels[0]) else values
            self._record = _Record(replace(reference, values=own), moving_mask, kept)
            return reference, CentredImage.of(moving, moving_mask)
        reference = record.reference
        if not reference.kept.most:
            reference = replace(reference, kept=Kept(MOST_KEPT))
        moving_mask, kept = reference.mask if masks[1] is masks[0] else masks[1], Kept()
        if _same_mask(record.moving_mask, moving_mask):
            moving_mask, kept = record.moving_mask, record.kept if record.kept.most else Kept(MOST_KEPT)
        self._record = _Record(reference, moving_mask, kept)
        return reference, CentredImage.of(moving, moving_mask, kept)


def _same_image(image: CentredImage, values: NDArray[Any], mask: NDArray[np.bool_]) -> bool:
    """Return whether mask and valid values are the same to the last bit."""
    from maskreg.core.bound_kernels import same_values

    if image.values.dtype != values.dtype or not np.array_equal(image.mask, mask):
        return False
    bits = np.dtype(f"i{values.itemsize}")
    return bool(
        same_values(*(x.reshape(-1).view(bits) for x in (image.values, values)), image.mask.reshape(-1))
    )


def _same_mask(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    return mask is other or np.array_equal(mask, other)
