"""Fill ignored pixels smoothly, so that a filter may run over the mask's edge.

What is filled in is never counted; it only keeps a low-pass from ringing at the edge. But it hands
the noise of the pixels it is made from to their neighbours, and a gradient that contains a pixel's
own noise pulls the shift to zero. So only a narrow band along the edge is used to fill, and the
refinement leaves at least that band out (`inner`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.filters import gaussian, gaussian_taps
from maskreg.core.image.pyramid import eroded, halved
from maskreg.core.machine.some_rows import some_rows

BAND = 1
"""Width of the band along the mask's edge from which ignored pixels are filled, px."""

WIDTH = 2.0
"""Sigma of the window over which the band is averaged, px."""

REACH = 3.0
"""The window ends at this many sigma."""

ENOUGH = 0.02
"""A pixel is near the edge if the band is this part of its window."""

AT_ONCE = 2**18
"""Rows of about so many pixels are worked on together,"""

LEAST_ROWS = 64
"""but no fewer than these, for the window reaches beyond them."""


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
    out, known = np.empty_like(pixels), np.empty_like(mask)
    binned = []
    for rows in some_rows(mask, AT_ONCE, least=LEAST_ROWS, multiple=2):
        along, near = _along_edge(pixels, mask, rows)
        out[rows] = np.where(mask[rows], pixels[rows], along)
        known[rows] = mask[rows] | near
        binned.append(_halved(along, near))
    if known.all():
        return out
    sums, counts = (np.concatenate(parts) for parts in zip(*binned, strict=True))
    binned.clear()
    coarse = _filled_from(sums, counts)
    for rows in some_rows(mask, AT_ONCE, least=LEAST_ROWS, multiple=2):
        unknown = ~known[rows]
        out[rows][unknown] = _enlarged(coarse[rows.start // 2 : -(-rows.stop // 2)], unknown.shape)[unknown]
    return out


def _along_edge(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], rows: slice
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the band of some rows and the means near it, zero elsewhere, and where these are."""
    reach = BAND + len(gaussian_taps(WIDTH, REACH)) // 2
    around = slice(max(0, rows.start - reach), rows.stop + reach)
    valid = mask[around]
    band = valid & ~eroded(valid, BAND, beyond=True)
    source = np.where(band, pixels[around], np.float32(0))
    part = gaussian(band.astype(np.float32), WIDTH, REACH)
    mean = gaussian(source, WIDTH, REACH)
    near = ~valid & (part > ENOUGH)
    source[near] = mean[near] / part[near]
    here = slice(rows.start - around.start, rows.stop - around.start)
    return source[here], (band | near)[here]


def _filled_by_blocks(pixels: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill an image, zero where it is not known, from itself binned by two, filled in the same way."""
    if known.all():
        return pixels
    return np.where(known, pixels, _enlarged(_filled_from(*_halved(pixels, known)), pixels.shape))


def _filled_from(sums: NDArray[np.float32], counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill the means of blocks of which some have no known pixel."""
    means = (sums / np.maximum(counts, 1)).astype(np.float32, copy=False)
    return _filled_by_blocks(means, counts > 0)


def _halved(
    pixels: NDArray[np.float32], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return sums over blocks of two pixels a side, and how many are known; at far borders of fewer."""
    odd = [(0, n % 2) for n in pixels.shape]
    if any(rest for _, rest in odd):
        pixels, known = np.pad(pixels, odd), np.pad(known, odd)
    return halved(pixels), halved(known.astype(np.float32))


def _enlarged(coarse: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an image of the values of its blocks of two pixels a side."""
    for axis in range(coarse.ndim):
        coarse = np.repeat(coarse, 2, axis=axis)
    return coarse[tuple(slice(0, n) for n in shape)]
