"""Bright pixels that the next image has elsewhere, as cosmic rays and X-rays leave them.

A few tracks hold most of the variance of an image, and of two images with tracks some meet at some shift:
where the overlap is small, hardly anything else is left to contradict. So where few pixels hold much of an
image, and the match is one of a small overlap or none at all, the images are matched again without their
height: clipped, tracks are no brighter than the pattern. Not where both images share nearly all of their
structure: the spots of a crystal are bright, too, but in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.cleaned import registration_of
from maskreg.core.detector.bright import BRIGHT, Ceiling, ceiling, clipped
from maskreg.core.doubt.explained import structure_shared
from maskreg.core.image.prepared import Prepared
from maskreg.core.journey import score_and_overlap
from maskreg.core.judge import contested
from maskreg.core.masked_side import MaskedSide
from maskreg.geometry import nearest_lag
from maskreg.registration import Registration, Status

LARGE_OVERLAP = 0.8
"""A match of more overlap is not asked: tracks that meet there are contradicted by all the others."""

FAIR_OVERLAP = 0.5
"""Of a match of so much, the second time may leave a doubt."""

NEAR = 2.0
"""Places that differ by less, px, are the same."""

SHARED = ((0.25, 0.9), (0.5, 0.8))
"""An overlap, and which part of its structure the images share if no tracks made the match.

Less overlap may hold nothing but two tracks that meet. Of 2300 pairs with tracks, matches that these made and
that were sure shared at most 0.64 of the structure at overlaps above 0.4.
"""

STILL = 0.7
"""A first match is borne out where clipped images correlate by this part of what they do where they match."""


class Clipped(NamedTuple):
    """Both images without the height of their brightest pixels."""

    masked: MaskedSide
    moving: Prepared
    wholly: bool
    """Whether no bright pixel was left: else what is found again may be of these."""


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
    known, told = [first], None
    for pair in _clipped(masked, moving):
        found = registration_of(pair.masked, pair.moving)
        told = _told(first, [one for one in known if _same(one, found)], found, pair)
        if told is not None and (pair.wholly or _large(found)):
            break
        known.append(found)
        del pair  # what is kept of it takes memory
    if told is not None:
        return told
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
    parts = [part for overlap, part in SHARED if found.overlap >= overlap]
    if not (found.status.keeps_shift and parts):
        return False
    return structure_shared(masked, moving, found.shift) >= min(parts)


def _told(
    first: Registration, again: list[Registration], found: Registration, pair: Clipped
) -> Registration | None:
    """Return what is said of a match that clipped images show again, or at large overlap; of others None."""
    if not (again or _large(found)):
        return None
    believed = next(one for one in (*again, found) if one.ok)
    return _doubted(first, believed) if _borne_out(first, believed, pair) else believed


def _borne_out(first: Registration, other: Registration, pair: Clipped) -> bool:
    """Whether clipped images bear out another place of the first match nearly as well as the one they show.

    Its own if it was sure, or in doubt between these two; of other doubts a place of fair overlap.
    """
    if not first.status.keeps_shift:
        return False
    rivals = [] if first.ok or first.rival is None else [np.array(first.rival.shift, np.float64)]
    between_these = first.ok or any(not _far(rival, other.shift) for rival in rivals)
    least = 0.0 if between_these else FAIR_OVERLAP
    here, _ = score_and_overlap(pair.masked, pair.moving, other.shift)
    elsewhere = [
        score_and_overlap(pair.masked, pair.moving, place)
        for place in (first.shift, *rivals)
        if _far(place, other.shift)
    ]
    return any(score >= STILL * here and overlap >= least for score, overlap in elsewhere)


def _doubted(first: Registration, other: Registration) -> Registration:
    """Return a first match of two that contradict each other."""
    return contested(first, nearest_lag(other.shift), "without the height of the brightest pixels it is")


def _far(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two places, px, are not the same."""
    return float(np.abs(one - other).max()) >= NEAR


def _same(one: Registration, other: Registration) -> bool:
    """Whether two say the same: both surely, or one of fair overlap, for clipped a rival may come near."""
    if not (one.status.keeps_shift and other.status.keeps_shift):
        return False
    sure = [found for found in (one, other) if found.ok]
    return not _far(one.shift, other.shift) and (
        len(sure) == 2 or any(found.overlap >= FAIR_OVERLAP for found in sure)
    )


def _clipped(masked: MaskedSide, moving: Prepared) -> Iterator[Clipped]:
    """Return both images clipped, each time more; none if neither has anything to be clipped, or else."""
    before = None
    for time in range(len(BRIGHT)):
        ceilings = masked.side.ceiling(time), ceiling(moving, time)
        if ceilings == before:  # the same images would be matched again
            continue
        pair = _below(masked, moving, *ceilings)
        if pair is None:
            return
        yield pair
        del pair
        before = ceilings


def _below(
    masked: MaskedSide, moving: Prepared, own: Ceiling | None, other: Ceiling | None
) -> Clipped | None:
    """Return both images clipped; None if neither is to be, or nothing is left."""
    side = masked.side.clipped(own)
    if (own is None and other is None) or side.image.flat:
        return None
    clean = masked if own is None else MaskedSide(side, moving.masks)
    raw = moving.raw if other is None else clipped(moving.raw, other)
    left = clean.prepared(raw)
    wholly = all(limit is None or limit.every for limit in (own, other))
    return None if left.flat else Clipped(clean, left, wholly)
