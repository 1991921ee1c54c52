"""Fill ignored pixels smoothly, so that a filter may run over the mask's edge.

What is filled in is never counted: it only keeps a low-pass from ringing at the edge.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.pyramid import block_sums

WIDTH = 2.0
"""Sigma of the window over which pixels near the edge are averaged, px."""

ENOUGH = 0.05
"""A pixel is near the edge if its window is valid to this part."""


def filled(pixels: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return `pixels` with every ignored one replaced by a mean of valid ones nearby.

    Near the edge a Gaussian mean; deep inside the mean of ever larger blocks.

    Parameters
    ----------
    pixels : ndarray of float32
        Zero where `mask` is False.
    mask : ndarray of bool
        Not all False.
    """
    if mask.all():
        return pixels
    part = scipy.ndimage.gaussian_filter(mask.astype(np.float32), WIDTH, mode="constant", truncate=3)
    mean = scipy.ndimage.gaussian_filter(pixels, WIDTH, mode="constant", truncate=3)
    near = ~mask & (part > ENOUGH)
    out = pixels.copy()
    out[near] = mean[near] / part[near]
    return _filled_by_blocks(out, mask | near)


def _filled_by_blocks(pixels: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill from the image binned by two, which is filled in the same way."""
    if known.all():
        return pixels
    padded = [(0, n % 2) for n in pixels.shape]
    counts = block_sums(np.pad(known, padded), 2, np.float32)
    sums = block_sums(np.pad(np.where(known, pixels, np.float32(0)), padded), 2, np.float32)
    coarse = _filled_by_blocks(sums / np.maximum(counts, 1), counts > 0)
    for axis in range(pixels.ndim):
        coarse = np.repeat(coarse, 2, axis=axis)
    return np.where(known, pixels, coarse[tuple(slice(0, n) for n in pixels.shape)])
