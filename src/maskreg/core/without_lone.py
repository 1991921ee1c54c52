"""Pixels that stand out by themselves, as hot and dead ones do: where they make a match, they are left out.

What a lens or a point spread has drawn is never one pixel wide; a defect is, and it stays where it is while
the pattern moves. A handful of hot pixels that meet themselves, at no shift, can outweigh a whole pattern
that has moved; one that meets a bright spot can, at any shift. Some that all meet at another shift have
moved: they are the pattern's.

Most frames are not asked: that some pixels make much of a match shows already at the level that found it.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.lone import less, pointed, stand_out
from maskreg.core.prepared import Prepared
from maskreg.core.pyramid import LevelImage, MaskPyramid
from maskreg.core.reference import MaskedSide
from maskreg.geometry import nearest_lag

PART = 1 / 50
"""Of the covariance; less of it, made by pixels that stand out, decides nothing."""

MOVED = 3
"""So many that meet at some shift have moved; fewer may meet by chance, for there are many shifts."""


class Clean(NamedTuple):
    """Both images without the pixels that stand out."""

    masked: MaskedSide
    moving: Prepared
    number: int
    """Of the pixels that were left out."""


def may_be_lone(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    part: float,
    reference: tuple[int, ...],
    there: tuple[int, ...],
) -> bool:
    """Whether pixels that stand out by themselves may make much of a match.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    b : int
        Bin of a level.
    part : float
        The greatest part that a pair of its pixels has in the covariance.
    reference, there : tuple of int
        Their places in both images.
    """
    if not PART < part < np.inf:
        return False
    if b <= 2:
        return True
    side, times = masked.side, b // 2
    return pointed(moving.level(2), there, times) or side.pointed(reference, times)


def without_lone(masked: MaskedSide, moving: Prepared, shift: NDArray[np.float64]) -> Clean | None:
    """Return both images without the pixels that stand out, if these make much of the match; else None.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    shift : (ndim,) ndarray
        Where they match, px.
    """
    lag, side = nearest_lag(shift), masked.side
    own, other = side.lone, stand_out(moving.level(1), side.noise_of_pixels)
    if any(lag):
        back = tuple(-s for s in lag)
        met = _meet(own, other, lag, moving.mask.shape), _meet(other, own, back, side.image.mask.shape)
        if np.count_nonzero(met[0]) >= MOVED:
            own, other = own[~met[0]], other[~met[1]]
    if not (len(own) or len(other)) or not _matter(masked, moving, lag, own, other):
        return None
    masks = MaskPyramid(less(moving.mask, other))
    clean = MaskedSide(side.without(own), masks)
    image = clean.side.image
    left = Prepared(moving.raw, masks, image.detector, image.mean, refined=clean.refines_pixels)
    return Clean(clean, left, len(own) + len(other))


def _meet(
    places: NDArray[np.intp], others: NDArray[np.intp], lag: tuple[int, ...], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return on which places one of the others, of an image of this shape, lands at a lag, to a pixel."""
    # by a map: of many pixels so many may stand out that their pairs would not fit into memory
    near = np.zeros([n + 2 for n in shape], bool)
    for step in itertools.product((0, 1, 2), repeat=len(shape)):
        near[tuple((others + step).T)] = True
    back = places - np.array(lag) + 1
    inside = ((back >= 0) & (back < near.shape)).all(axis=1)
    met = np.zeros(len(places), bool)
    met[inside] = near[tuple(back[inside].T)]
    return met


def _matter(
    masked: MaskedSide,
    moving: Prepared,
    lag: tuple[int, ...],
    own: NDArray[np.intp],
    other: NDArray[np.intp],
) -> bool:
    """Whether places of the reference and of moving make much of either image, or of the match at a lag."""
    images = masked.side.image.level(1), moving.level(1)
    if any(_part_of_variance(*of) > PART for of in zip(images, (own, other), strict=True)):
        return True
    places = np.unique(np.concatenate([own, other + np.array(lag)]), axis=0)
    at = [places, places - np.array(lag)]
    met = np.ones(len(places), bool)
    for image, where in zip(images, at, strict=True):
        inside = ((where >= 0) & (where < image.mask.shape)).all(axis=1)
        met[inside] &= image.mask[tuple(where[inside].T)]
        met &= inside
    sums = moving.sums_with(masked.side.image, lag)
    n = max(sums.n, 1.0)
    a, b = (
        image.pixels[tuple(where[met].T)] - total / n
        for image, where, total in zip(images, at, (sums.a, sums.b), strict=True)
    )
    return bool(np.abs(a * b).sum(dtype=np.float64) > PART * abs(sums.ab - sums.a * sums.b / n))


def _part_of_variance(image: LevelImage, places: NDArray[np.intp]) -> float:
    """Return the part that some places have in the squares of an image's pixels, whose mean is off."""
    squares = image.pixels[tuple(places.T)] ** 2
    whole = np.square(image.pixels, dtype=np.float64).sum()
    return float(squares.sum(dtype=np.float64) / max(float(whole), 1e-30))
