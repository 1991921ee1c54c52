"""Lines of a detector, rows or columns, that stand out from those beside them, as dead and hot ones do.

What a lens has drawn is not one pixel wide, as long as the image and along its pixels; a defect of the
readout is. In both images at the same place it is the detector's, and holds a match along one axis.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.line_sample import FEWEST, across, sampled
from maskreg.core.image.prepared import Prepared

REACH = 3
"""So many lines on either side are looked at;"""

WITH = 2
"""so many of them may stand out with it: two or three dead columns side by side."""

STANDS_OUT, LIKELY_STANDS_OUT = 3.0, 1.5
"""It is so many times as far from the others as these are from each other; so many the mean of two lines, one
of which may be it, and a line that stands out in another image."""

SURELY, LIKELY = 6.0, 3.0
"""It is off by so many standard deviations of the noise, and one of another image by so many."""

CONSISTENT = 0.75
"""So many of its pixels are off to the same side: a few bright spots make no line."""

COMMON, HANDFUL = 0.02, 6
"""More lines than this part, and than so many, are what the picture is like."""


class Line(NamedTuple):
    """The pixels of one index along an axis."""

    axis: int
    at: int
    brighter: bool


def lines(image: Prepared, noise: float) -> frozenset[Line]:
    """Return the lines of an image of two axes that stand out; none of an image of other axes.

    Parameters
    ----------
    image : Prepared
    noise : float
        Variance of the noise of a pixel.
    """
    if image.mask.ndim != 2 or min(image.mask.shape) < 2 * FEWEST:
        return frozenset()
    return frozenset(line for axis in (0, 1) for line in _along(image, noise, axis))


def standing(known: Collection[Line], image: Prepared, noise: float) -> frozenset[Line]:
    """Return which lines that stand out in another image, if any, stand out in this one as well.

    Parameters
    ----------
    known : collection of Line
    image : Prepared
    noise : float
        Variance of the noise of a pixel.
    """
    shape = image.mask.shape
    inside = [line for line in known if line.at < shape[line.axis] and min(shape) >= 2 * FEWEST]
    return frozenset(
        line
        for line in inside
        if (by := _by(image, noise, line.axis, line.at, LIKELY_STANDS_OUT, LIKELY))
        and line.brighter == (by > 0)
    )


def less_lines(mask: NDArray[np.bool_], without: Collection[Line]) -> NDArray[np.bool_]:
    """Return a mask without some lines."""
    out = mask.copy()
    for line in without:
        np.moveaxis(out, line.axis, 0)[line.at] = False
    return out


def _along(image: Prepared, noise: float, axis: int) -> list[Line]:
    """Return the lines that stand out among those along an axis: pairs first, then lines of these."""
    n, length = image.mask.shape[axis], image.mask.shape[1 - axis]
    level, at = image.level(2), sampled(length // 2)
    pixels, mask = np.take(level.pixels, at, 1 - axis), np.take(level.mask, at, 1 - axis)
    pairs = np.flatnonzero(_off(*across(pixels, mask, axis), LIKELY_STANDS_OUT, SURELY**2 * noise / 4))
    found = []
    for k in (2 * pair + one for pair in pairs.tolist() for one in (0, 1)):
        by = _by(image, noise, axis, k, STANDS_OUT, SURELY)
        if by:
            found.append(Line(axis, k, by > 0))
    return found if len(found) <= max(HANDFUL, COMMON * n) else []


def _by(image: Prepared, noise: float, axis: int, k: int, times: float, surely: float) -> float:
    """Return by how much line `k` along an axis stands out with most of its pixels; 0 if it does not."""
    n, length = image.mask.shape[axis], image.mask.shape[1 - axis]
    beside, at = np.arange(max(0, k - REACH), min(k + REACH + 1, n)), sampled(length)
    places = np.ix_(beside, at) if axis == 0 else np.ix_(at, beside)
    values, valid = across(image.values(places), image.mask[places], axis)
    here = k - int(beside[0])
    by = float(_off(values, valid, times, surely**2 * noise)[here])
    return by if by and _most_are(values, valid, here, by) else 0.0


def _off(
    values: NDArray[np.float32], valid: NDArray[np.bool_], times: float, scatter: float
) -> NDArray[np.float64]:
    """Return by how much the mean of each line stands out from those beside it; 0 where it does not.

    It does by so many `times` the range of the others, and by more than pixels of a variance of `scatter` do.
    """
    number = np.count_nonzero(valid, axis=0)
    mean = np.where(number >= FEWEST, values.sum(0, dtype=np.float64) / np.maximum(number, 1), np.nan)
    line, known = np.arange(len(mean)), ~np.isnan(mean)
    padded, steps = np.pad(mean, REACH, constant_values=np.nan), [s for s in range(-REACH, REACH + 1) if s]
    beside = np.sort([padded[REACH + step : REACH + step + len(line)] for step in steps], axis=0)
    others = np.count_nonzero(~np.isnan(beside), axis=0)
    known &= others >= WITH + 2
    least_off, out = np.sqrt(2 * scatter / np.maximum(number, 1)), np.zeros(len(line))
    for sign in (1, -1):
        # those that are furthest to its side may stand out with it
        first = np.where(known & (sign < 0), WITH, 0)
        last = np.where(known, others - 1 - (WITH if sign > 0 else 0), 0)
        least, most = beside[first, line], beside[last, line]
        by = mean - most if sign > 0 else least - mean
        stands = known & (by > least_off) & (by > times * (most - least))
        out[stands] = sign * by[stands]
    return out


def _most_are(values: NDArray[np.float32], valid: NDArray[np.bool_], k: int, by: float) -> bool:
    """Whether most pixels of line `k` are off those of the others to the side of `by`."""
    others = np.count_nonzero(valid, axis=1) - valid[:, k]
    known = valid[:, k] & (others > WITH)
    off = values[known, k] - (values[known].sum(1) - values[known, k]) / others[known]
    same = np.count_nonzero(off > 0 if by > 0 else off < 0)
    return bool(same >= CONSISTENT * max(FEWEST, len(off)))
