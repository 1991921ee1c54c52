"""Bright pixels that the next image has elsewhere, as cosmic rays and X-rays leave them.

A few tracks hold most of the variance of an image, and of two images with tracks some meet at some shift:
where the overlap is small, hardly anything else is left to contradict. So where few pixels hold much of an
image, and the match is one of a small overlap or none at all, the images are matched again without their
height: clipped, tracks are no brighter than the pattern.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maskreg.core.bright import BRIGHT, ceiling, clipped
from maskreg.core.journey import registration_of
from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide
from maskreg.registration import Registration, Status

LARGE_OVERLAP = 0.8
"""A match of more overlap is not asked: tracks that meet there are contradicted by all the others."""

FAIR_OVERLAP = 0.5
"""Of a match of so much, the second time may leave a doubt."""

NEAR = 2.0
"""Places that differ by less, px, are the same."""


def robust_registration(masked: MaskedSide, moving: Prepared) -> Registration:
    """Return the registration of a moving image that tracks have not made.

    Where few bright pixels hold much of the images, a match of small overlap must be found twice.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
        Both images have valid pixels of some variance.
    """
    first = registration_of(masked, moving)
    if _large(first):
        return first
    known = [first]
    for time in range(len(BRIGHT)):
        pair = _clipped(masked, moving, time)
        if pair is None:
            break
        found = registration_of(*pair)
        again = [one for one in known if _same(one, found)]
        if again or _large(found):
            return next(one for one in (*again, found) if one.ok)
        known.append(found)
    if not first.ok or len(known) == 1:
        return first
    detail = (
        "few bright pixels, as tracks of cosmic rays are, make the match: clipped, another is found or none"
    )
    return replace(first, status=Status.AMBIGUOUS, detail=detail)


def _large(found: Registration) -> bool:
    return found.ok and found.overlap >= LARGE_OVERLAP


def _same(one: Registration, other: Registration) -> bool:
    """Whether two say the same: both surely, or one of fair overlap, for clipped a rival may come near."""
    if not (one.status.keeps_shift and other.status.keeps_shift):
        return False
    sure = [found for found in (one, other) if found.ok]
    near = float(np.abs(one.shift - other.shift).max()) < NEAR
    return near and (len(sure) == 2 or any(found.overlap >= FAIR_OVERLAP for found in sure))


def _clipped(masked: MaskedSide, moving: Prepared, time: int) -> tuple[MaskedSide, Prepared] | None:
    """Return both images clipped; None if neither has anything to be clipped, or nothing else."""
    side, limit = masked.side.clipped(time), ceiling(moving, time)
    if (limit is None and side is masked.side) or side.image.flat:
        return None
    clean = MaskedSide(side, moving.masks)
    raw = moving.raw if limit is None else clipped(moving.raw, limit)
    detector, mean = side.image.detector, side.image.mean
    left = Prepared(raw, moving.masks, detector, mean, refined=clean.refines_pixels)
    return None if left.flat else (clean, left)
