"""Stripes: rows or columns that are brighter or darker as a whole, in each frame others, as of a readout.

Such noise is not that of single pixels: summed along a line it grows as the line is long, and pulls a match
across the lines. What a scene has of it, both frames have, where they match: that is left. Of stripes it is
taken off by how much each line is higher than those about it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.filters import gaussian
from maskreg.core.line_sample import FEWEST, SAMPLE, across, sampled
from maskreg.core.prepared import Prepared
from maskreg.core.scores import SPREAD_OF_MAD
from maskreg.core.spectra import cross
from maskreg.registration import Registration

STRIPED = 3.0
"""Lines are striped if their means differ by so many times the variance that single pixels make."""

COMMON, CHANCE = 0.3, 4.0
"""It is the scene if the means of both frames, laid over each other, correlate by more than this, and by so
many times what chance makes."""

BROAD, REACH = 8.0, 3.0
"""The lines about a line are those under a Gaussian of this sigma, px, that ends at so many sigma."""

TINY = 1e-30


class Stripes(NamedTuple):
    """Across which axes there are stripes."""

    axes: tuple[int, ...]


class Profile(NamedTuple):
    """By how much each pair of lines differs from those beside it.

    Attributes
    ----------
    values : (n,) ndarray of float64
        Zero where `known` is.
    known : (n,) ndarray of float64
        One where there are enough valid pixels, else zero.
    striped : bool
        Whether the values are more than single pixels make.
    """

    values: NDArray[np.float64]
    known: NDArray[np.float64]
    striped: bool


def profiles(image: Prepared) -> tuple[Profile, ...]:
    """Return the profile along each axis of an image of two axes; none of an image of other axes."""
    if image.mask.ndim != 2:
        return ()
    return tuple(_profile(image, axis) for axis in range(2))


def stripes(
    reference: tuple[Profile, ...], moving: tuple[Profile, ...], found: Registration
) -> Stripes | None:
    """Return across which axes there are stripes that two images do not have in common; None if across none.

    Parameters
    ----------
    reference, moving : tuple of Profile
    found : Registration
        Of these.
    """
    axes = []
    for axis, (one, other) in enumerate(zip(reference, moving, strict=True)):
        scene = found.status.keeps_shift and _share(one, other, float(found.shift[axis]))
        if (one.striped or other.striped) and not scene:
            axes.append(axis)
    return Stripes(tuple(axes)) if axes else None


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


def _profile(image: Prepared, axis: int) -> Profile:
    """Return the profile of the lines of level 2 along an axis."""
    level = image.level(2)
    at = sampled(level.mask.shape[1 - axis])
    values, valid = across(np.take(level.pixels, at, 1 - axis), np.take(level.mask, at, 1 - axis), axis)
    sums = _step_sums(values, valid)
    steps = _mean_steps(sums)
    off = np.full(values.shape[1], np.nan)
    off[1:-1] = (steps[:-1] - steps[1:]) / 2
    known = ~np.isnan(off)
    pairs = valid[1:] & valid[:-1]
    striped = False
    if known.sum() >= FEWEST and pairs.any():
        squares = np.where(pairs, np.diff(values, axis=0), 0) ** 2
        of_pixels = float(np.median(squares.sum(0)[known] / np.maximum(pairs.sum(0)[known], 1))) / 2
        spread = SPREAD_OF_MAD * float(np.median(np.abs(off[known] - np.median(off[known]))))
        striped = spread**2 > STRIPED * 1.5 * of_pixels / float(np.median(sums[1][sums[1] >= FEWEST]))
    return Profile(np.where(known, off, 0), known.astype(np.float64), striped)


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


def _share(one: Profile, other: Profile, shift: float) -> bool:
    """Whether the profiles of two images correlate at a shift, px."""
    size = len(one.values) + len(other.values)
    (a, aa, n), (b, bb, m) = (np.fft.rfft([p.values, p.values**2, p.known], size) for p in (one, other))
    pairs = cross(n, m, (size,))
    power = np.maximum(cross(aa, m, (size,)), TINY) * np.maximum(cross(n, bb, (size,)), TINY)
    enough = np.maximum(COMMON, CHANCE / np.sqrt(np.maximum(pairs, 1)))
    share = (pairs > FEWEST) & (cross(a, b, (size,)) > enough * np.sqrt(power))
    near = round(shift / 2)
    return bool(share[np.arange(near - 1, near + 2) % size].any())
