"""Pixels that stand out by themselves, as hot and dead ones do: where they make a match, they are left out.

What a lens or a point spread has drawn is never one pixel wide; a defect is, and it stays where it is while
the pattern moves. A handful of hot pixels that meet themselves, at no shift, can outweigh a whole pattern
that has moved; one that meets a bright spot can, at any shift. Some that all meet at another shift have
moved: they are the pattern's.

Most frames are not asked: that some pixels make much of a match shows already at the level that found it. Of
many hot pixels none makes much: at no shift those are asked that stand out in the reference.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.lone import groups, less, pointed
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage, MaskPyramid
from maskreg.core.masked_side import MaskedSide
from maskreg.geometry import nearest_lag
from maskreg.registration import Registration

PART = 1 / 50
"""Of the covariance; less of it, made by pixels that stand out, decides nothing."""

MOVED = 3
"""So many, apart from each other, that meet at some shift have moved; fewer may meet by chance, for there are
many shifts."""

SPREAD = 0.25
"""Where a spot as sharp as a pixel lies between four, each shows so much of it."""

STAY = 0.5
"""Hot pixels stay hot: so many of those of the reference, at least, are in moving; electrons do not."""

HELD = 1
"""They hold an image where they are, to so many pixels: the pattern may still pull at it."""

ASKED = 0.5
"""Half of what matters is asked: the variance of moving is taken for the reference's."""


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


def may_be_held(masked: MaskedSide, moving: Prepared, found: Registration) -> bool:
    """Whether pixels of the reference that stand out, however many, may hold an image where they are.

    Or, if where they are they match by more than the images do, carry it to what they meet.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    found : Registration
        Of these.
    """
    side, held = masked.side, max(map(abs, nearest_lag(found.shift))) <= HELD
    if not held and side.band(1).structure < ASKED * found.score * side.variance:
        return False
    places = side.lone
    inside = np.asarray((places < moving.mask.shape).all(axis=1))
    inside[inside] = moving.mask[tuple(places[inside].T)]
    at = tuple(places[inside].T)
    own, other = side.image.level(1).pixels[at], moving.values(at)
    if not len(own) or np.count_nonzero(other / own > STAY) < STAY * len(own):
        return False
    n = found.overlap * masked.greatest_overlap
    return float((own * other).sum()) > ASKED * (PART if held else 1) * found.score * n * side.variance


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
    own, other = side.lone, side.lone_of(moving)
    if any(lag):
        back = tuple(-s for s in lag)
        images = side.image.level(1), moving.level(1)
        met = _met(images[0], own, images[1], lag), _met(images[1], other, images[0], back)
        if max(map(abs, lag)) <= HELD:
            met = met[0] & ~_stay(images[0], own, images[1]), met[1] & ~_stay(images[1], other, images[0])
        if groups(own[met[0]], side.image.mask.shape) >= MOVED:
            own, other = own[~met[0]], other[~met[1]]
    if not (len(own) or len(other)) or not _matter(masked, moving, lag, own, other):
        return None
    clean = MaskedSide(side.without(own), MaskPyramid(less(moving.mask, other)))
    return Clean(clean, clean.prepared(moving.raw), len(own) + len(other))


def _met(
    image: LevelImage, places: NDArray[np.intp], other: LevelImage, lag: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which places of an image show in another one at a lag as well, to a pixel.

    Between pixels a sharp spot is spread over those around it.
    """
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=len(lag))))
    there = places[:, None] - np.array(lag) + steps
    inside = ((there >= 0) & (there < other.mask.shape)).all(axis=2)
    there[~inside] = 0
    values = np.where(inside, other.pixels[tuple(np.moveaxis(there, 2, 0))], np.float32(0))
    own = image.pixels[tuple(places.T)]
    return np.asarray((values * np.sign(own)[:, None]).max(axis=1) > SPREAD * np.abs(own))


def _stay(image: LevelImage, places: NDArray[np.intp], other: LevelImage) -> NDArray[np.bool_]:
    """Return which places of an image show as much in another one, at no shift."""
    stay = np.asarray((places < other.mask.shape).all(axis=1))
    at = tuple(places[stay].T)
    stay[stay] = other.pixels[at] / image.pixels[at] > STAY
    return stay


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
