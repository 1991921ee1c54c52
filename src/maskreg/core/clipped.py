"""Bright pixels that the next image has elsewhere, as cosmic rays and X-rays leave them.

A few tracks hold most of the variance of an image, and of two images with tracks some meet at some shift:
where the overlap is small, hardly anything else is left to contradict. So where few pixels hold much of an
image, and the match is one of a small overlap or none at all, the images are matched again without their
height: clipped, tracks are no brighter than the pattern. Not where both images share nearly all of their
structure: the spots of a crystal are bright, too, but in both.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.bright import BRIGHT, ceiling, clipped
from maskreg.core.explained import structure_shared
from maskreg.core.journey import registration_of
from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide
from maskreg.geometry import nearest_lag
from maskreg.registration import Registration, Rival, Status

LARGE_OVERLAP = 0.8
"""A match of more overlap is not asked: tracks that meet there are contradicted by all the others."""

FAIR_OVERLAP = 0.5
"""Of a match of so much, the second time may leave a doubt."""

NEAR = 2.0
"""Places that differ by less, px, are the same."""

SHARED = 0.9
"""Images that share more of their structure have no tracks: matches that tracks made shared at most 0.82."""

TOLD_FROM = 0.25
"""Less overlap may hold nothing but two tracks that meet."""

STILL = 0.7
"""A first match is borne out where clipped images correlate by this part of what they do where they match."""


def robust_registration(masked: MaskedSide, moving: Prepared) -> Registration:
    """Return the registration of a moving image that tracks have not made.

    Where few bright pixels hold much of the images, and not of both alike, a match of small overlap must be
    found twice. If another is, there is a doubt where the clipped images bear out the first nearly as well.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
        Both images have valid pixels of some variance.
    """
    first = registration_of(masked, moving)
    if _large(first) or _shares_bright_pixels(masked, moving, first):
        return first
    known = [first]
    for time in range(len(BRIGHT)):
        pair = _clipped(masked, moving, time)
        if pair is None:
            break
        found = registration_of(*pair)
        again = [one for one in known if _same(one, found)]
        if again or _large(found):
            believed = next(one for one in (*again, found) if one.ok)
            return _doubted(first, believed) if _borne_out(first, believed, *pair) else believed
        known.append(found)
    if not first.ok or len(known) == 1:
        return first
    detail = (
        "few bright pixels, as tracks of cosmic rays are, make the match: clipped, another is found or none"
    )
    return replace(first, status=Status.AMBIGUOUS, detail=detail)


def _large(found: Registration) -> bool:
    return found.ok and found.overlap >= LARGE_OVERLAP


def _shares_bright_pixels(masked: MaskedSide, moving: Prepared, found: Registration) -> bool:
    """Whether a match explains the bright pixels of both images, which tracks would not be."""
    if not (found.status.keeps_shift and found.overlap >= TOLD_FROM):
        return False
    return structure_shared(masked, moving, found.shift) >= SHARED


def _borne_out(first: Registration, other: Registration, masked: MaskedSide, moving: Prepared) -> bool:
    """Whether clipped images bear out a first match elsewhere that was sure, or had the other for a rival."""
    if not first.status.keeps_shift or _distance(first.shift, other.shift) < NEAR:
        return False
    if not first.ok and (first.rival is None or _distance(np.array(first.rival.shift), other.shift) >= NEAR):
        return False
    there, here = (_ncc(masked, moving, found) for found in (first, other))
    return there >= STILL * here


def _ncc(masked: MaskedSide, moving: Prepared, found: Registration) -> float:
    """Return masked NCC at the whole pixel nearest to a registration."""
    return moving.sums_with(masked.side.image, nearest_lag(found.shift)).ncc


def _doubted(first: Registration, other: Registration) -> Registration:
    """Return a first match of two that contradict each other."""
    where = nearest_lag(other.shift)
    told = ", ".join(f"{s:+d}" for s in where)
    detail = f"without the height of the brightest pixels it is ({told}) px"
    return replace(first, rival=Rival(where, 0.0), status=Status.AMBIGUOUS, detail=detail)


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.abs(one - other).max())


def _same(one: Registration, other: Registration) -> bool:
    """Whether two say the same: both surely, or one of fair overlap, for clipped a rival may come near."""
    if not (one.status.keeps_shift and other.status.keeps_shift):
        return False
    sure = [found for found in (one, other) if found.ok]
    return _distance(one.shift, other.shift) < NEAR and (
        len(sure) == 2 or any(found.overlap >= FAIR_OVERLAP for found in sure)
    )


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
