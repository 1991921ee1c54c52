"""Whether images match in single pixels only at no shift, as the fixed pattern of a detector does.

Gains and hot pixels differ from one pixel to the next and stay where they are, wherever the scene goes; what
a lens or a point spread has drawn is never one pixel wide. So where a scene matches, lags next to the best
one match as well: of the fall of its covariance C over three lags,

    C(0) - C(3),

that over one, C(0) - C(1), is a third where spots are as sharp as a pixel, and a ninth where they are wide. A
fixed pattern falls at once. What is broad, as the light of a lamp, is in neither. A scene may show beside a
pattern: where lags next to no shift are significant by themselves, it has told the place.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import eroded
from maskreg.core.image.windows import window_sums
from maskreg.core.likelihood import LEAST_UNEXPLAINED
from maskreg.core.search.search import LevelMap
from maskreg.core.standing.held import middle_of

FAR = 3
"""Lags so far away share what is broad."""

AT_ONCE = 0.65
"""What falls by more than this part of it from one lag to the next is of single pixels,"""

SURE = 4.0
"""if it falls by so many of what chance makes that scatter."""

FEWEST = 1000
"""Of fewer pixels nothing is read off."""


def tells_beside(level: LevelMap) -> bool:
    """Return whether a level is as sure of the lags next to no shift, along each axis, as of a place.

    A matched filter makes neighbours alike, whatever they show.
    """
    middle = level.index_of(np.zeros(len(level.lags)))
    beside = [
        [float(level.score[k]) for k in _beside(middle, axis, 1) if 0 <= k[axis] < len(lags)]
        for axis, lags in enumerate(level.lags)
    ]
    return not level.matched and all(sum(scores) >= level.line * len(scores) for scores in beside)


def of_single_pixels(reference: Prepared, moving: Prepared) -> bool:
    """Return whether images that match at no shift surely do so in single pixels only, along any axis.

    Parameters
    ----------
    reference, moving : Prepared
        Of equal axes.
    """
    shape = tuple(map(min, reference.mask.shape, moving.mask.shape))
    middle = tuple(slice(*along) for along in middle_of(shape))
    one, other = (np.ascontiguousarray(image.values(middle)) for image in (reference, moving))
    common = reference.mask[middle] & moving.mask[middle]
    sums = window_sums(one, common, other, eroded(common, FAR), (0,) * common.ndim, FAR)
    n = float(sums.n.flat[0])
    if n < FEWEST:
        return False
    covariance, none = (sums.ab - sums.a * sums.b / n) / n, (FAR,) * common.ndim
    if 1 - sums.ncc[none] ** 2 < LEAST_UNEXPLAINED:  # a copy: its noise is where its scene is
        return False
    at_once = 0.0
    for axis in range(common.ndim):
        near, far = (np.mean([covariance[k] for k in _beside(none, axis, step)]) for step in (1, FAR))
        fall, whole = (float(covariance[none] - there) for there in (near, far))
        if fall > AT_ONCE * whole:
            at_once = max(at_once, fall)
    return at_once > 0 and at_once > SURE * _scatter(one[common], other[common], n)


def _scatter(one: NDArray[np.float32], other: NDArray[np.float32], n: float) -> float:
    """Return by how much chance makes the fall of the covariance of so many pixels scatter.

    One lag and the mean of two others have the variance of one and a half.
    """
    products = (one - one.mean(dtype=np.float64)) * (other - other.mean(dtype=np.float64))
    return math.sqrt(1.5 * float(np.square(products).mean()) / n)


def _beside(middle: tuple[int, ...], axis: int, step: int) -> list[tuple[int, ...]]:
    """Return the indices so many steps from a middle one along an axis, both ways."""
    return [(*middle[:axis], middle[axis] + k, *middle[axis + 1 :]) for k in (-step, step)]
