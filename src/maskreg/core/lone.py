"""Pixels that stand out by themselves, as hot and dead ones do.

What a lens or a point spread has drawn is never one pixel wide; a defect is.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from maskreg.core.pyramid import LevelImage
from maskreg.core.search_kernels import most_of_block_2d
from maskreg.geometry import overlap_slices

STANDS_OUT = 3.0
"""A pixel stands out if it is so many times as far from its neighbours as these differ,"""

SURELY = 5.0
"""and so many standard deviations of the noise."""

COMMON = 5e-3
"""Where a greater part of the pixels stands out, that is what the picture is like."""

FEWEST_NEIGHBOURS = 3
"""So many tell how much they differ; on one axis there are two, which a peak of any width has alike."""

AT_ONCE = 2**17
"""Rows of about so many pixels are looked at together, which stay in the cache."""

MOST_OF_BLOCK = 0.5
"""What makes more of a block of a level than this may be one pixel."""


def stand_out(image: LevelImage, noise: float) -> NDArray[np.intp]:
    """Return the places of the pixels that stand out by themselves, (n, ndim); none if they are common.

    None on one axis, and none side by side, as where a hot pixel leaks into the next.

    Parameters
    ----------
    image : LevelImage
        Single pixels.
    noise : float
        Variance of a pixel's noise.
    """
    rows = len(image.mask)
    height = max(1, AT_ONCE * rows // image.mask.size)
    lone = np.zeros(image.mask.shape, bool)
    for first in range(0, rows, height):
        begin, end = max(0, first - 1), first + height
        here = slice(begin, end + 1)  # with the neighbours of the outermost rows
        found = _lone(image.pixels[here], image.mask[here], noise)
        lone[first:end] = found[first - begin : end - begin]
    places = np.argwhere(lone)
    return places if len(places) <= COMMON * np.count_nonzero(image.mask) else places[:0]


def _lone(pixels: NDArray[np.float32], mask: NDArray[np.bool_], noise: float) -> NDArray[np.bool_]:
    """Return which pixels stand out by themselves."""
    least, most, known = (np.full(mask.shape, fill, np.float32) for fill in (np.inf, -np.inf, 0))
    for step in itertools.product((-1, 0, 1), repeat=mask.ndim):
        if any(step):
            here, there = overlap_slices(mask.shape, mask.shape, step)
            values, valid = pixels[there], mask[there]
            np.minimum(least[here], values, out=least[here], where=valid)
            np.maximum(most[here], values, out=most[here], where=valid)
            known[here] += valid
    asked = mask & (known >= FEWEST_NEIGHBOURS)
    with np.errstate(invalid="ignore"):  # where no neighbour is valid nothing is asked
        off = np.maximum(pixels - most, least - pixels)
        return np.asarray(asked & (off > STANDS_OUT * (most - least)) & (off > SURELY * np.sqrt(noise)))


def less(mask: NDArray[np.bool_], places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return a mask without some places."""
    out = mask.copy()
    out[tuple(places.T)] = False
    return out


def pointed(level: LevelImage, place: tuple[int, ...], times: int) -> bool:
    """Whether one pixel may make most of a block of `times` pixels per axis."""
    look = most_of_block if len(place) == 2 else plain_most_of_block
    return look(level.pixels, place, times) > MOST_OF_BLOCK


def most_of_block(pixels: NDArray[np.float32], place: tuple[int, ...], times: int) -> float:
    """Return what `plain_most_of_block` does, of two axes."""
    top, left = place
    return float(most_of_block_2d(pixels, times * top, times * left, times))


def plain_most_of_block(pixels: NDArray[np.float32], place: tuple[int, ...], times: int) -> float:
    """Return which part of the sum of a block the greatest of its pixels makes beyond their mean."""
    block = pixels[tuple(slice(times * i, times * (i + 1)) for i in place)]
    total = float(block.sum(dtype=np.float64))
    greatest = float(block.max() if total > 0 else block.min())
    return (greatest - total / block.size) / total if total else 0.0
