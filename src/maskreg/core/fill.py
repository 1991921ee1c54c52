"""Fill ignored pixels smoothly, so that a filter may run over the mask's edge.

What is filled in is never counted; it only keeps a low-pass from ringing at the edge. But it hands
the noise of the pixels it is made from to their neighbours, and a gradient that contains a pixel's
own noise pulls the shift to zero. So only a narrow band along the edge is used to fill, and the
refinement leaves at least that band out (`inner`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.filters import gaussian
from maskreg.core.pyramid import eroded, halved

BAND = 1
"""Width of the band along the mask's edge from which ignored pixels are filled, px."""

WIDTH = 2.0
"""Sigma of the window over which the band is averaged, px."""

REACH = 3.0
"""The window ends at this many sigma."""

ENOUGH = 0.02
"""A pixel is near the edge if the band is this part of its window."""


def inner(mask: NDArray[np.bool_], *, noisy: bool = False) -> NDArray[np.bool_]:
    """Return the valid pixels further than the band from ignored ones and from the border.

    Twice as far where noise makes most of the products of gradient and slope (`noisy`): it is taken off as
    it is far from edges, and next to them it is more.
    """
    return eroded(mask, 2 * BAND if noisy else BAND)


def filled(pixels: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return `pixels` with every ignored one replaced by a mean of the band along the edge.

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
    band = mask & ~eroded(mask, BAND, beyond=True)
    source = np.where(band, pixels, np.float32(0))
    part = gaussian(band.astype(np.float32), WIDTH, REACH)
    mean = gaussian(source, WIDTH, REACH)
    near = ~mask & (part > ENOUGH)
    source[near] = mean[near] / part[near]
    return np.where(mask, pixels, _filled_by_blocks(source, band | near))


def _filled_by_blocks(pixels: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill from the image binned by two, which is filled in the same way."""
    if known.all():
        return pixels
    padded = [(0, n % 2) for n in pixels.shape]
    counts = halved(np.pad(known, padded).astype(np.float32))
    sums = halved(np.pad(np.where(known, pixels, np.float32(0)), padded))
    means = (sums / np.maximum(counts, 1)).astype(np.float32)
    coarse = _filled_by_blocks(means, counts > 0)
    for axis in range(pixels.ndim):
        coarse = np.repeat(coarse, 2, axis=axis)
    return np.where(known, pixels, coarse[tuple(slice(0, n) for n in pixels.shape)])
