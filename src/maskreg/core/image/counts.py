"""Floats, or long integers, that hold counts: counts that were converted are still counts, and as noisy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepare_kernels import bits_of_counts, fill_with_counts

DTYPES = {16: np.uint16, 32: np.uint32}
"""By the bits that hold every count."""

COMPILED = [np.dtype(code) for code in "fdqQ"]
"""What counts are mostly converted to; shorter integers stay as they are."""


def as_counts(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """Return numbers that are whole, none negative, as short integers, 0 where ignored; others as they are.

    Parameters
    ----------
    pixels : ndarray
        Of real numbers, C-contiguous.
    valid : ndarray of bool
        Its mask, C-contiguous.
    """
    if _is_short(pixels):
        return pixels
    if pixels.dtype not in COMPILED:
        return plain_as_counts(pixels, valid)
    values, mask = pixels.reshape(-1), valid.reshape(-1)
    bits = bits_of_counts(values, mask)
    if not bits:
        return pixels
    counts = np.empty(pixels.shape, DTYPES[bits])
    fill_with_counts(values, mask, counts.reshape(-1))
    return counts


def plain_as_counts(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """Return what `as_counts` does, of any dtype, without its kernels."""
    if _is_short(pixels):
        return pixels
    values = pixels[valid]
    if not values.size or not ((values >= 0) & (values == np.floor(values))).all():
        return pixels
    greatest = values.max()
    dtype = next((kind for bits, kind in DTYPES.items() if greatest < 2.0**bits), None)
    return pixels if dtype is None else np.where(valid, pixels, 0).astype(dtype)


def _is_short(pixels: NDArray[Any]) -> bool:
    """Whether they are integers of 32 bits or less: most frames are, so no pixel of them is looked at."""
    return pixels.dtype.kind != "f" and pixels.dtype.itemsize <= 4
