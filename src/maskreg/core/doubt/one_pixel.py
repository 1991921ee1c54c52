"""Whether a single pair of pixels, as two hot ones, makes a match."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.lone_kernels import greatest_part_2d
from maskreg.core.doubt.without_lone import may_be_lone
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.masked_side import MaskedSide
from maskreg.core.search.search import LevelMap
from maskreg.geometry import nearest_lag, overlap_slices

ONE_PIXEL = 0.8
"""A match of which one pixel makes this part is none: it says where one hot pixel meets another."""


class GreatestPart(NamedTuple):
    """The pixels that meet and make the greatest part of a covariance."""

    part: float
    reference: tuple[int, ...]
    moving: tuple[int, ...]


def one_pixel_made(masked: MaskedSide, moving: Prepared, level: LevelMap, shift: NDArray[np.float64]) -> bool:
    """Whether one pair of pixels makes nearly all of the covariance at a place.

    The full resolution is looked at only where one pixel of the level already does. Whether some make much of
    it is noted on the way.
    """
    lag = nearest_lag(shift / level.bin)
    part, *places = greatest_part(level.reference, level.moving, lag)
    moving.pointed = may_be_lone(masked, moving, level.bin, part, *places)
    if not part > ONE_PIXEL:
        return False
    return greatest_part(masked.side.image.level(1), moving.level(1), nearest_lag(shift)).part > ONE_PIXEL


def greatest_part(reference: LevelImage, moving: LevelImage, lag: tuple[int, ...]) -> GreatestPart:
    """Return the greatest part that a pair of pixels has in the covariance at a lag; inf if it is negative.

    The means are those of the pixels that meet: less the mean of the whole image, pixels that hold nothing
    would all be alike.
    """
    if reference.mask.ndim != 2:
        return plain_greatest_part(reference, moving, lag)
    part, *place = greatest_part_2d(reference.pixels, reference.mask, moving.pixels, moving.mask, *lag)
    return GreatestPart(part, tuple(place), tuple(i - s for i, s in zip(place, lag, strict=True)))


def plain_greatest_part(reference: LevelImage, moving: LevelImage, lag: tuple[int, ...]) -> GreatestPart:
    """Return what `greatest_part` does, for any number of axes."""
    here, there = overlap_slices(reference.mask.shape, moving.mask.shape, lag)
    common = reference.mask[here] & moving.mask[there]
    places = np.argwhere(common)
    if not len(places):
        return GreatestPart(np.inf, (0,) * len(lag), (0,) * len(lag))
    a, b = (
        image.pixels[part][common].astype(np.float64) for image, part in ((reference, here), (moving, there))
    )
    products = (a - a.mean()) * (b - b.mean())
    total, best = float(products.sum()), int(products.argmax())
    own, other = (
        tuple(int(i + s.start) for i, s in zip(places[best], part, strict=True)) for part in (here, there)
    )
    return GreatestPart(max(0.0, float(products[best])) / total if total > 0 else np.inf, own, other)
