"""Pixels that stand out by themselves, as hot and dead ones do.

What a lens or a point spread has drawn is never one pixel wide; a defect is.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.detector.lone_kernels import most_of_block_2d, off_most_2d
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.image.sample import sampled_rows
from maskreg.geometry import overlap_slices

STANDS_OUT = 3.0
"""A pixel stands out if it is so many times as far from its neighbours as these differ,"""

ALONE = 10.0
"""or so many times where they do by more than noise: of a spot as sharp as a pixel they have their part,"""

ALIKE = 6.0
"""as they do by so many standard deviations of the noise;"""

BLOCK = 3.0
"""and so many times as far where some stand out with it: a spot as sharp as two pixels fills that, too,"""

SURELY = 5.0
"""by so many standard deviations of the noise."""

STEPS = 2.0
"""Counts in unknown units have a noise of so many steps, at least, as far as single pixels are asked."""

COMMON = 5e-3
"""Where a greater part of the pixels stands out, that is what the picture is like,"""

HANDFUL = 6
"""if they are more than so many."""

FEWEST_NEIGHBOURS = 3
"""So many tell how much they differ,"""

LEFT = 2
"""or so many that do not stand out with a pixel."""

REACH = {1: 3}
"""So far are neighbours along an axis that is the only one; of more axes those next to a pixel are enough."""

AT_ONCE = 2**17
"""Pixels of about so many rows are looked at together, which stay in the cache."""

MOST_OF_BLOCK = 0.5
"""What makes more of a block of a level than this may be one pixel."""


def stand_out(image: LevelImage, noise: float, least: float = 0.0) -> NDArray[np.intp]:
    """Return the places of the pixels that stand out by themselves, (n, ndim); none if they are common.

    Of the neighbours of each some may stand out with it, as many as make a block of two pixels along every
    axis: pixels side by side, where a hot one leaks into the next or along its column.

    Parameters
    ----------
    image : LevelImage
        Single pixels.
    noise : float
        Variance of a pixel's noise.
    least : float, optional
        Variance of which chance makes single pixels differ, at least (`least_of_lone`).
    """
    line = SURELY * math.sqrt(max(noise, least))
    look = off_most_2d if image.mask.ndim == 2 else plain_off_most
    places = np.argwhere(look(image.pixels, image.mask, line, most_with(image.mask.ndim)))
    some = [places[k : k + AT_ONCE] for k in range(0, len(places), AT_ONCE)]
    places = (
        np.concatenate([part[_lone(image, part, line, ALIKE * math.sqrt(noise))] for part in some])
        if some
        else places
    )
    most = max(HANDFUL, COMMON * np.count_nonzero(image.mask))
    few = len(places) <= most or groups(places, image.mask.shape) <= most
    return places if few else places[:0]


def groups(places: NDArray[np.intp], shape: tuple[int, ...]) -> int:
    """Return how many groups of pixels side by side some places are, in an image of this shape."""
    there = np.zeros(shape, bool)
    there[tuple(places.T)] = True
    labels = np.asarray(scipy.ndimage.label(there, np.ones((3,) * len(shape), bool))[0])
    return int(labels.max(initial=0))


def least_of_lone(image: Prepared) -> float:
    """Return the variance below which chance makes single pixels stand out, as single electrons do.

    Where most hold none the noise that is usual tells nothing of them. Stabilised counts have a noise of one;
    other values may be counts as well, in units of their least step.
    """
    if image.detector.counts:
        return 1.0
    rows = sampled_rows(image.mask)
    steps = np.diff(np.unique(image.raw[rows][image.mask[rows]]))
    return float(STEPS * steps.min() / image.scale) ** 2 if steps.size else 0.0


def most_with(ndim: int) -> int:
    """Return how many neighbours may stand out with a pixel."""
    return (1 << ndim) - 1


def neighbours(ndim: int) -> list[tuple[int, ...]]:
    """Return the steps to the neighbours of a pixel."""
    reach = REACH.get(ndim, 1)
    steps = itertools.product(range(-reach, reach + 1), repeat=ndim)
    return [step for step in steps if any(step)]


def plain_off_most(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], line: float, most_with: int
) -> NDArray[np.bool_]:
    """Return which valid pixels are above, or below, all but so many neighbours, by more than a line."""
    above, below, known = (np.zeros(mask.shape, np.int8) for _ in range(3))
    for step in neighbours(mask.ndim):
        here, there = overlap_slices(mask.shape, mask.shape, step)
        off, valid = pixels[here] - pixels[there], mask[there]
        above[here] += valid & (off > np.float32(line))
        below[here] += valid & (off < -np.float32(line))
        known[here] += valid
    return mask & (np.maximum(above, below) >= known - most_with)


def _lone(image: LevelImage, places: NDArray[np.intp], line: float, alike: float) -> NDArray[np.bool_]:
    """Return which of some places stand out by themselves, by more than a line.

    From neighbours of which is known that noise alone makes them differ by no more than `alike`, or whatever
    makes them differ.
    """
    there = places[:, None] + np.array(neighbours(image.mask.ndim))
    inside = ((there >= 0) & (there < image.mask.shape)).all(axis=2)
    there[~inside] = 0
    at = tuple(np.moveaxis(there, 2, 0))
    values = np.sort(np.where(inside & image.mask[at], image.pixels[at], np.float32(np.nan)), axis=1)
    known = np.count_nonzero(~np.isnan(values), axis=1)  # these come first
    value, row, lone = image.pixels[tuple(places.T)], np.arange(len(places)), np.zeros(len(places), bool)
    in_block = np.clip(known - LEFT, 0, most_with(image.mask.ndim))
    for others, block in ((0 * known, 1.0), (in_block, BLOCK)):
        for first, last, sign in ((0 * known, known - 1 - others, 1), (others, known - 1, -1)):
            least, most = values[row, first], values[row, last]
            off, differ = value - most if sign > 0 else least - value, most - least
            times = block * np.where(differ < alike, STANDS_OUT, ALONE)
            lone |= (off > times * differ) & (off > line)
    return np.asarray(lone & (known >= FEWEST_NEIGHBOURS))


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
