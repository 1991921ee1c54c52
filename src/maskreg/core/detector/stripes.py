"""Stripes: rows or columns that are brighter or darker as a whole, in each frame others, as of a readout.

Such noise is not that of single pixels: summed along a line it grows as the line is long, and pulls a match
across the lines. What a scene has of it, both frames have, where they match: that is left. Of stripes it is
taken off by how much each line is higher than those about it.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.filters import gaussian
from maskreg.core.image.line_sample import FEWEST, SAMPLE, across, sampled
from maskreg.core.image.prepared import Prepared
from maskreg.core.lags.scores import SPREAD_OF_MAD
from maskreg.geometry import nearest_lag, overlap_slices
from maskreg.registration import Registration

STRIPED = 3.0
"""Lines are striped if their means differ by so many times the variance that single pixels make."""

COMMON, CHANCE, CHANCE_ANYWHERE = 0.3, 4.0, 6.0
"""It is the scene if lines of both frames differ alike where they meet: correlate by more than this, and by
so many times what chance makes; by so many at the best of all lags where no place is known."""

BROAD, REACH = 8.0, 3.0
"""The lines about a line are those under a Gaussian of this sigma, px, that ends at so many sigma."""

TINY = 1e-30
"""Instead of nothing, by which nothing is divided."""


class Stripes(NamedTuple):
    """Along which axes lines are higher or lower."""

    axes: tuple[int, ...]


def striped_axes(image: Prepared) -> frozenset[int]:
    """Return the axes of an image of two axes along which lines differ by more than single pixels make them.

    None of an image of other axes. It may be the scene that does.
    """
    return frozenset(axis for axis in range(2) if image.mask.ndim == 2 and _is_striped(image, axis))


def stripes_of_both(own: Mapping[int, NDArray[np.float64]], moving: Prepared) -> Stripes | None:
    """Return along which axes a reference has stripes that moving has not, wherever they match; or None.

    Parameters
    ----------
    own : dict of int to ndarray of float64
        The `lines_off` of the reference, along each axis where it may be striped.
    moving : Prepared
    """
    return _made([axis for axis, off in own.items() if not _share_anywhere(off, lines_off(moving, axis))])


def are_of_scene(known: Stripes, reference: Prepared, moving: Prepared, found: Registration) -> bool:
    """Return whether what was taken for stripes of two images is the scene: both have it where they match."""
    if not found.status.keeps_shift:
        return False
    lag = nearest_lag(found.shift)
    return any(_share(reference, moving, lag, axis) for axis in known.axes)


def stripes_of_moving(
    own: Container[int], reference: Prepared, moving: Prepared, found: Registration
) -> Stripes | None:
    """Return along which axes moving has stripes that a reference without any has not; or None.

    Parameters
    ----------
    own : container of int
        The axes along which the reference may be striped.
    reference, moving : Prepared
    found : Registration
        Of these.
    """
    others = [axis for axis in striped_axes(moving) if axis not in own]
    if found.status.keeps_shift:
        lag = nearest_lag(found.shift)
        return _made([axis for axis in others if not _share(reference, moving, lag, axis)])
    offs = {axis: [lines_off(image, axis) for image in (reference, moving)] for axis in others}
    return _made([axis for axis, pair in offs.items() if not _share_anywhere(*pair)])


def _made(axes: list[int]) -> Stripes | None:
    return Stripes(tuple(sorted(axes))) if axes else None


def without_stripes(image: Prepared, known: Stripes) -> NDArray[np.floating]:
    """Return grey values without stripes, zero where ignored; float32 if that holds them, else float64."""
    values = image.raw.astype(np.result_type(image.raw.dtype, np.float32))
    ignored = ~image.mask
    values[ignored] = 0
    for axis in known.axes:
        height = np.concatenate([[0.0], np.cumsum(np.nan_to_num(_all_steps(values, image.mask, axis)))])
        height -= height.mean()  # off before float32 is all there is
        number = np.count_nonzero(image.mask, axis=1 - axis)
        sums, numbers = (gaussian(f.astype(np.float32), BROAD, REACH) for f in (height * number, number))
        height -= sums / np.maximum(numbers, TINY)
        values -= np.expand_dims(height.astype(values.dtype), 1 - axis)
    values[ignored] = 0
    return values


def _all_steps(values: NDArray[np.floating], mask: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """Return the mean steps from line to line along an axis, of all pixels, some at a time."""
    sums = np.zeros((2, mask.shape[axis] - 1))
    for first in range(0, mask.shape[1 - axis], SAMPLE):
        part = slice(first, first + SAMPLE)
        place = (slice(None), part) if axis == 0 else (part, slice(None))
        sums += _step_sums(*across(values[place], mask[place], axis))
    return _mean_steps(sums)


def _is_striped(image: Prepared, axis: int) -> bool:
    """Whether the lines of level 2 along an axis differ by more than their pixels do."""
    level = image.level(2)
    at = sampled(level.mask.shape[1 - axis])
    values, valid = across(np.take(level.pixels, at, 1 - axis), np.take(level.mask, at, 1 - axis), axis)
    sums = _step_sums(values, valid)
    off = _off(_mean_steps(sums))
    known = ~np.isnan(off)
    pairs = valid[1:] & valid[:-1]
    if np.count_nonzero(known) < FEWEST or not pairs.any():
        return False
    squares = np.where(pairs, np.diff(values, axis=0), 0) ** 2
    of_pixels = float(np.median(squares.sum(0)[1:-1][known] / np.maximum(pairs.sum(0)[1:-1][known], 1))) / 2
    spread = SPREAD_OF_MAD * float(np.median(np.abs(off[known] - np.median(off[known]))))
    return spread**2 > STRIPED * 1.5 * of_pixels / float(np.median(sums[1][sums[1] >= FEWEST]))


def _share(reference: Prepared, moving: Prepared, lag: tuple[int, ...], axis: int) -> bool:
    """Whether lines of both images differ alike where these meet at a lag; so if that is hard to tell."""
    parts = overlap_slices(reference.mask.shape, moving.mask.shape, lag)
    places = [_looked_at(part, axis) for part in parts]
    both = reference.mask[places[0]] & moving.mask[places[1]]
    one, other = (_lines_off(*of, both, axis) for of in zip((reference, moving), places, strict=True))
    return _alike(np.atleast_1d(np.nansum(one * other)), one, other, CHANCE)


def _share_anywhere(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether lines of two images differ alike at any lag; so if that is hard to tell."""
    shared = np.correlate(np.nan_to_num(one), np.nan_to_num(other), "full")
    return _alike(shared, one, other, CHANCE_ANYWHERE)


def _alike(
    shared: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64], chance: float
) -> bool:
    """Whether the greatest of sums of products of lines is more than so many times what chance makes."""
    n = min(np.count_nonzero(~np.isnan(off)) for off in (one, other))
    if n < FEWEST:
        return True
    power = math.sqrt(np.nansum(one**2) * np.nansum(other**2))
    return bool(shared.max() > max(COMMON, chance / math.sqrt(n)) * power)


def lines_off(image: Prepared, axis: int) -> NDArray[np.float64]:
    """Return by how much the lines of an image along an axis are off those beside them, NaN if unknown."""
    place = _looked_at(tuple(slice(0, n) for n in image.mask.shape), axis)
    return _lines_off(image, place, image.mask[place], axis)


def _looked_at(part: tuple[slice, ...], axis: int) -> tuple[NDArray[np.intp], ...]:
    """Return a sample of the pixels of all lines of a part along an axis."""
    lengths = [along.stop - along.start for along in part]
    sample = [np.arange(n) if k == axis else sampled(n) for k, n in enumerate(lengths)]
    return np.ix_(*(k + along.start for k, along in zip(sample, part, strict=True)))


def _lines_off(
    image: Prepared, place: tuple[NDArray[np.intp], ...], valid: NDArray[np.bool_], axis: int
) -> NDArray[np.float64]:
    """Return by how much lines along an axis are off those beside them."""
    return _off(_mean_steps(_step_sums(*across(image.values(place), valid, axis))))


def _step_sums(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the sums of the steps from line to line, and of how many pixels, (2, lines - 1).

    Of pixels that are valid in both lines: on a slope others would make steps of their own.
    """
    both = valid[:, 1:] & valid[:, :-1]
    total = np.sum(np.diff(values, axis=1), axis=0, dtype=np.float64, where=both)
    return np.stack([total, np.count_nonzero(both, axis=0)])


def _mean_steps(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean steps, NaN where they are of too few pixels."""
    total, number = sums
    return np.where(number >= FEWEST, total / np.maximum(number, 1), np.nan)


def _off(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much each line is off the mean of those beside it, of all but the first and the last."""
    return (steps[:-1] - steps[1:]) / 2
