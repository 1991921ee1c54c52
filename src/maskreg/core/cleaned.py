"""A registration whatever the detector adds: without its lines, stripes and single pixels that stand out.

And not held by what stands still on it while the scene moves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maskreg.core.detector.lines import standing
from maskreg.core.detector.stripes import are_of_scene, stripes_of_both, stripes_of_moving, without_stripes
from maskreg.core.doubt.without_lone import Clean, may_be_held, without_lone
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.shading import without_shading
from maskreg.core.journey import registered_in_its_room
from maskreg.core.judge import FIXED_PATTERN, contested
from maskreg.core.masked_side import MaskedSide
from maskreg.core.standing.held import LEAST_MOVED, PULLED, Middle, is_about_there, is_held, moved_under
from maskreg.core.standing.moves import moved_otherwise
from maskreg.core.standing.single_pixels import of_single_pixels
from maskreg.registration import Registration, Status

MORE_PRECISE = 0.25
"""Without shading a place is better than a freed one if its variance is this part,"""

APART = 2.0
"""or than another, of smaller variance, if it is so many times both sigma from there."""

MOST_CLEANED = 3
"""So many times pixels that stand out are left out; without the brightest, others may. Once where many do:
what stands out then is part of something larger, which may be a spot that has not moved."""


def registration_of(masked: MaskedSide, moving: Prepared) -> Registration:
    """Return the registration of a moving image; both images have valid pixels of some variance."""
    side = masked.side
    masked, moving, number = _without_lines(masked, moving)
    if masked.side.image.flat or moving.flat:
        return Registration.failed(Status.WEAK, moving.mask.ndim, "nothing but lines that stand out differs")
    masked, moving, found = _first_registration(masked, moving)
    times = 0
    while (clean := _clean(masked, moving, found)) is not None:
        if times == (MOST_CLEANED if moving.pointed else 1):
            found = Registration.failed(Status.WEAK, moving.mask.ndim, "others do; mask them")
            break
        masked, moving, number, times = clean.masked, clean.moving, number + clean.number, times + 1
        if masked.side.image.flat or moving.flat:
            found = Registration.failed(Status.WEAK, moving.mask.ndim, "nothing else differs")
        else:
            found = registered_in_its_room(masked, moving)
    moving, found = _unless_striped(masked, moving, found)
    free, whole = _unless_held(masked, moving, found), moving
    moving, found = _unless_shaded(masked, moving, found) if free is found else (moving, free)
    found = _unless_moved_otherwise(masked, whole, found)
    if found.ok and moving.pulled_to is not None and not is_held(found.shift - moving.pulled_to):
        side.counted.freed = True
    if found.ok or not number:
        return found
    said = f"without {number} pixels that stand out, as hot or dead ones do"
    return replace(found, detail=f"{said}: {found.detail}" if found.detail else said)


def _without_lines(masked: MaskedSide, moving: Prepared) -> tuple[MaskedSide, Prepared, int]:
    """Return both images without the lines that stand out in both, and how many pixels moving lacks."""
    side = masked.side
    known = standing(side.lines, moving, side.noise_of_pixels)
    if not known:
        return masked, moving, 0
    clean = masked.without_lines(known)
    left = clean.prepared(moving.raw)
    return clean, left, int(np.count_nonzero(moving.mask) - np.count_nonzero(left.mask))


def _first_registration(masked: MaskedSide, moving: Prepared) -> tuple[MaskedSide, Prepared, Registration]:
    """Return images and their registration, without stripes if the reference has any that moving has not."""
    side = masked.side
    known = stripes_of_both(side.stripes, moving)
    if known is not None:
        clean = masked.without_stripes(known)
        left = clean.prepared(without_stripes(moving, known))
        if not (clean.side.image.flat or left.flat):
            found = registered_in_its_room(clean, left)
            if not are_of_scene(known, side.image, moving, found):
                return clean, left, found
    return masked, moving, registered_in_its_room(masked, moving)


def _unless_striped(
    masked: MaskedSide, moving: Prepared, found: Registration
) -> tuple[Prepared, Registration]:
    """Return moving and its registration as they are, or without stripes that only moving has."""
    side = masked.side
    known = stripes_of_moving(side.stripes, side.image, moving, found) if moving.patterned else None
    if known is None:
        return moving, found
    left = masked.prepared(without_stripes(moving, known))
    if left.flat:
        return moving, found
    again = registered_in_its_room(masked, left)
    # without a place before, a scene of lines may have been taken for stripes
    return (left, again) if again.ok or found.status.keeps_shift else (moving, found)


def _unless_shaded(
    masked: MaskedSide, moving: Prepared, found: Registration
) -> tuple[Prepared, Registration]:
    """Return moving and its registration as they are, or without shading that pulls or hides the place."""
    if not moving.shaded:
        return moving, found
    clean = masked.without_shading()
    left = clean.prepared(without_shading(moving))
    moving.forget()
    if clean.side.image.flat or left.flat:
        return moving, found
    again = _unless_held(clean, left, registered_in_its_room(clean, left))
    better = again.ok and (not found.ok or _is_better(again, found, freed=moving.pulled_to is not None))
    return (left, again) if better else (moving, found)


def _is_better(again: Registration, found: Registration, *, freed: bool) -> bool:
    """Whether a registration without shading is better than one with it.

    Broad structure may be the scene's: it is left in where nothing shows that it pulls. Of parts that stand
    still, as a block that is not masked, the other may be `freed`, which their edges would hold.
    """
    own, other = (float(np.trace(f.covariance)) for f in (again, found))
    if freed:
        return own < MORE_PRECISE * other
    off = float(((again.shift - found.shift) ** 2).sum())
    return own < other or off > APART**2 * (own + other)


def _unless_held(masked: MaskedSide, moving: Prepared, found: Registration) -> Registration:
    """Return a registration as it is, unless what stands still holds it while the scene has moved."""
    if not found.ok:
        return found
    if not moving.spread and of_single_pixels(masked.side.image, moving):
        failed = Registration.failed(Status.WEAK, moving.mask.ndim, FIXED_PATTERN)
        return replace(failed, significance=found.significance, rival=found.rival)
    pulled_to = found.shift if moving.pulled_to is None else moving.pulled_to
    if not moving.patterned or not is_held(pulled_to, PULLED):
        return found
    middle = Middle(moving, masked.side.noise_of_pixels)
    elsewhere = moved_under(masked.side.middle, middle, pulled_to)
    freed = moving.pulled_to is not None
    if elsewhere is None or (freed and is_about_there(found.shift - pulled_to, elsewhere)):
        return found
    said = "what stands still on the detector holds it; the scene has moved, by"
    return contested(found, elsewhere, said)


def _unless_moved_otherwise(masked: MaskedSide, moving: Prepared, found: Registration) -> Registration:
    """Return a registration as it is, unless what does not stand still has moved otherwise."""
    if not (found.ok and moving.unlike and found.score < 1 - LEAST_MOVED):
        return found
    noise = masked.side.noise_of_pixels
    elsewhere = moved_otherwise(masked.side.middle, Middle(moving, noise), found.shift)
    if elsewhere is None:
        return found
    return contested(found, elsewhere, "what stands still on the detector pulls it; the scene has moved, by")


def _clean(masked: MaskedSide, moving: Prepared, found: Registration) -> Clean | None:
    """Return both images without the pixels that stand out, if these may have made what was found."""
    if not found.ok or not (moving.pointed or may_be_held(masked, moving, found)):
        return None
    return without_lone(masked, moving, found.shift)
