"""A refined place, corrected by what it leaves: noise that neighbours share, what pulls it, an expansion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.masked_side import SHADED_PX, MaskedSide
from maskreg.core.stage import FINAL_STEP, Place, anywhere_along, refined_at
from maskreg.core.standing.held import PATTERN, is_held
from maskreg.core.standing.pulled import FEW_NEITHER, LIKELY, MOST_NEITHER, are_better, evidence, without_pull
from maskreg.core.standing.shaded import is_pulled_by_shading
from maskreg.core.subpixel.expansion import without_expansion
from maskreg.core.subpixel.refill import Shown
from maskreg.core.subpixel.refine import as_moving_shows
from maskreg.core.subpixel.residual import Residual
from maskreg.core.uncertainty.seen_errors import SHARED_NOISE, WIDE_BOX, seen_covariance
from maskreg.core.uncertainty.shared_noise import scaled, seen_noise
from maskreg.core.uncertainty.support import unsupported
from maskreg.geometry import nearest_lag

MOST_REFILLS = 4
"""Scattered ignored pixels are filled from the reference at most so many times,"""

REFILL_STEP = 0.05
"""until the place moves by less than this part of its sigma."""

MOST_PULL = 0.75
"""What is filled in may pull the place by at most this part of the way."""

MORE_THAN_NOISE = 1.1
"""A residual of more than so much noise holds something else: tracks of cosmic rays, or a changed scene."""

SLOPES_TELL = 0.25
"""The noise of moving is in its slopes, too: they tell the Jacobian to about what sigma is, level pixels."""

FEW_PIXELS = 2**16
"""Of a level of so many it is seen if anything pulls,"""

FEWER_PIXELS = 2**14
"""and of so many if moving has the slopes that the reference has."""


def corrected(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a place that the last stage has refined, off what pulls it, with what the residual shows."""
    found = _with_seen_covariance(masked, moving, known)
    # what neighbours share of floats is known near no shift alone
    beside = found.beside if masked.side.image.detector.counts or found.beside < math.inf else 0.0
    asked = max(beside / PATTERN, found.noise / MORE_THAN_NOISE) > 1 and not found.blind.size
    found = _without_pull(masked, moving, found) if asked else found
    found = replace(found, shaded=True) if _is_shaded(masked, moving, known) else found
    return found if found.blind.size else _as_far_as_supported(masked, moving, found)


def _as_far_as_supported(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a refined place that is blind along directions that moving does not tell at any level.

    The first one asked has few pixels, and mostly is enough; what is fine may be there at its own alone, what
    is blurred at coarser ones. An edge that the reference has where the refinement began may have left.
    """
    blind = None
    for b in _few_first(masked, known.bin):
        untold = _untold_at(masked, moving, known, b)
        if untold is None:
            continue
        if not untold.size:
            return known
        blind = untold if blind is None or b == known.bin else blind
    if blind is None:
        return known
    return replace(known, covariance=known.covariance + anywhere_along(masked, blind), blind=blind)


def _untold_at(masked: MaskedSide, moving: Prepared, known: Place, b: int) -> NDArray[np.float64] | None:
    """Return along which directions level `b` of both images does not tell the shift; None if unknown."""
    lag = nearest_lag(known.shift / b)
    normal = masked.normal(b, known.gaussian if b == known.bin else None, lag)
    if normal is None or normal.blind.size:
        return None if normal is None else normal.blind
    return unsupported(_residual(masked, moving, known, b), masked.usable(b), normal)


def _few_first(masked: MaskedSide, finest: int) -> Iterator[int]:
    """Yield the levels from one on: the finest that has few pixels, that one, and the others."""
    few = next((b for b in masked.plan.bins if b > finest and _is_few(masked, b, FEWER_PIXELS)), finest)
    for b in dict.fromkeys((few, *masked.plan.bins)):
        if b >= finest and _has_pixels(masked, b):
            yield b


def _with_seen_covariance(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a refined place with the covariance that the residual shows, and without an expansion."""
    if masked.holes(known.bin) is None:
        known, changed = _with_seen_noise(masked, moving, known)
        changed = changed or known.noise > MORE_THAN_NOISE
        found = _without_expansion(masked, moving, known)
        return _with_what_is_left(masked, moving, known) if changed and found is known else found
    known, freed = _refilled(masked, moving, known)
    known, changed = _with_seen_noise(masked, moving, known)
    if changed or known.noise > MORE_THAN_NOISE:
        known = _with_what_is_left(masked, moving, known)
    return _without_expansion(masked, moving, replace(known, covariance=freed @ known.covariance @ freed.T))


def _refilled(masked: MaskedSide, moving: Prepared, known: Place) -> tuple[Place, NDArray[np.float64]]:
    """Return a refined place, refined again where scattered ignored pixels are filled from the reference.

    Where an image is as sharp as its pixels, its own do not tell what is between them; the reference does, at
    the right place. At one a little off it pulls a part of the way there: again, until nothing moves. By how
    much that makes errors larger is returned as well.
    """
    b, gaussian = known.bin, known.gaussian
    holes, unmoved = masked.holes(b), np.eye(len(known.shift))
    normal = masked.normal(b, gaussian, nearest_lag(known.shift / b))
    if holes is None or normal is None or not masked.side.clear(b):
        return known, unmoved
    shown = Shown(masked.side.template(b, gaussian), masked.side.whole(b).known)
    usable, shift = masked.usable(b).mask, known.shift / b
    pull = shown.pull(holes.places, usable, normal.inverse, shift, nearest_lag(shift))
    if np.linalg.norm(pull, 2) > MOST_PULL:
        return known, unmoved
    tolerance = FINAL_STEP * masked.side.forecast(b).sigma
    first = masked.filled(moving, b, holes)
    for _ in range(MOST_REFILLS):
        before = moving.refilled.get(b, first)
        moving.refilled[b] = shown.refilled(moving.level(b), first, holes.places, known.shift / b, known.gain)
        again = refined_at(masked, moving, b, gaussian, known, tolerance, FINAL_STEP)
        if again is None or again.contradicted:  # what was filled in before belongs to what is known
            moving.refilled[b] = before
            break
        moved, known = float(np.abs(again.shift - known.shift).max()), again
        if moved < REFILL_STEP * float(np.sqrt(np.diagonal(known.covariance).min())):
            break
    del moving.filled[b]  # made again where another place is refined
    # where nothing moves any more, the noise of one answer has made (1 - R)^-1 times its error
    return known, np.asarray(np.linalg.inv(unmoved - pull), np.float64)


def _with_seen_noise(masked: MaskedSide, moving: Prepared, known: Place) -> tuple[Place, bool]:
    """Return a refined place with the covariance that the residual shows, and if the scene may have changed.

    Of noise that neighbours share; where scattered pixels are filled in, or nobody tells which pixels are
    noisier, of whatever makes it.
    """
    b, gaussian = known.bin, known.gaussian
    normal = masked.normal(b, gaussian, nearest_lag(known.shift / b))
    if normal is None:
        return known, False
    counts = masked.side.image.detector.counts
    white = counts and masked.holes(b) is None
    block = masked.side.block(b, gaussian) if white or is_held(known.shift) else None
    if white and block is None:
        return known, False
    residual = _residual(masked, moving, known, b)
    seen = None if block is None else seen_noise(block, residual)
    if white:
        if seen is None:
            return known, False
        covariance = scaled(known.covariance, normal, seen.components)
        known = replace(known, covariance=covariance, beside=seen.beside)
        return known, float(seen.components.max()) > SHARED_NOISE
    shown = seen_covariance(normal, residual)
    if counts:
        covariance = b**2 * shown.exceeding(known.covariance / b**2)
    else:
        open_ = normal.blind @ normal.blind.T
        covariance = b**2 * shown.expected + open_ @ known.covariance @ open_
    beside = known.beside if seen is None else seen.beside
    longer = _longer(covariance, known.covariance)
    return replace(known, covariance=covariance, beside=beside), longer


def _longer(covariance: NDArray[np.float64], known: NDArray[np.float64]) -> bool:
    """Whether a covariance is so much longer than the one that white noise makes."""
    return float(np.trace(covariance)) > SHARED_NOISE * float(np.trace(known))


def _with_what_is_left(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a refined place with the covariance that a scene shows which has changed.

    Spots that fade, or that move otherwise than the rest, leave more than noise, and each pulls the place.
    """
    b = known.bin
    normal = masked.normal(b, known.gaussian, nearest_lag(known.shift / b))
    if normal is None or normal.blind.size:
        return known
    left = _residual(masked, moving, known, b)
    if math.sqrt(float(np.trace(known.covariance))) < SLOPES_TELL * b:
        normal = as_moving_shows(
            left.template, normal, left.moving, masked.usable(b), left.shift, left.lag, known.gain
        )
    shown = seen_covariance(normal, left, WIDE_BOX)
    return replace(known, covariance=b**2 * shown.exceeding(known.covariance / b**2))


def _without_pull(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a refined place as the parts of the image tell it that go with the scene, if others pull it."""
    levels = [b for b in masked.plan.bins if _has_pixels(masked, b)]
    likely = _evidence(masked, moving, known, levels)
    if likely <= LIKELY:
        return known
    last, gaussian = masked.stages(known.bin)[-1]
    free, neither = known, 1.0
    for b in reversed(levels):  # what pulls far is seen in large pixels
        if b >= last:
            here = replace(free, bin=b, gaussian=gaussian if b == last else None)
            found = without_pull(_residual(masked, moving, here, b))
            if found is not None:
                free = replace(here, shift=b * found.shift, covariance=b**2 * found.covariance)
                neither = found.neither
    if free is known:
        return known
    if np.abs(free.shift - known.shift).max() <= free.bin:
        freed = neither <= FEW_NEITHER or likely == math.inf
        if not masked.side.image.detector.counts:
            # nobody tells which parts are noisier, nor what they leave how far off they are
            free = replace(free, covariance=known.covariance)
    else:
        freed = neither <= MOST_NEITHER and _is_better(masked, moving, known, free)
    return replace(free, pulled_to=known.shift) if freed else known


def _evidence(masked: MaskedSide, moving: Prepared, known: Place, levels: list[int]) -> float:
    """Return how likely it is that a refined place is pulled, at the level of few pixels that tells most."""
    likely = 0.0
    for b in levels:
        if likely < math.inf and b >= known.bin and _is_few(masked, b):
            likely = max(likely, evidence(_residual(masked, moving, known, b)))
    return likely


def _is_better(masked: MaskedSide, moving: Prepared, known: Place, free: Place) -> bool:
    """Whether parts of the image that go with the scene match better at a freed place."""
    before = replace(known, bin=free.bin, gaussian=free.gaussian)
    return are_better(_residual(masked, moving, before, free.bin), free.shift / free.bin)


def _is_shaded(masked: MaskedSide, moving: Prepared, known: Place) -> bool:
    """Whether shading pulls a refined place; seen at a level of few pixels."""
    if not masked.shows_shading:
        return False
    shortest = min(masked.side.image.mask.shape)
    b = max(known.bin, *(b for b in masked.plan.bins if shortest >= SHADED_PX * b))
    normal = masked.normal(b, None, nearest_lag(known.shift / b)) if _has_pixels(masked, b) else None
    if normal is None or normal.blind.size or known.blind.size:
        return False
    return is_pulled_by_shading(_residual(masked, moving, known, b), normal.inverse, known.covariance / b**2)


def _has_pixels(masked: MaskedSide, b: int) -> bool:
    """Whether anything is valid at level `b` in both images: behind a mask of stripes nothing may be."""
    return bool(masked.usable(b).mask.any() and masked.side.image.level(b).mask.any())


def _is_few(masked: MaskedSide, b: int, most: int = FEW_PIXELS) -> bool:
    """Whether level `b` has few pixels, or is the coarsest."""
    return b == masked.plan.bins[-1] or masked.side.image.level(b).pixels.size <= most


def _residual(masked: MaskedSide, moving: Prepared, known: Place, b: int) -> Residual:
    """Return what a refined place leaves at level `b`."""
    shift = known.shift / b
    template = masked.side.template(b, known.gaussian if b == known.bin else None)
    pixels, usable = masked.interpolable(moving, b), masked.usable(b).mask
    return Residual(template, pixels, usable, shift, nearest_lag(shift), known.gain)


def _without_expansion(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a refined place as it is if rings expand; seen at the level above, which costs a quarter."""
    b = masked.above(known.bin)
    lag = nearest_lag(known.shift / b)
    rings, lever, normal = masked.side.rings(b), masked.lever(b, lag), masked.normal(b, None, lag)
    if rings is None or lever is None or normal is None or known.blind.size or normal.blind.size:
        return known
    pixels = masked.interpolable(moving, b)
    found = without_expansion(
        rings, lever, pixels, masked.usable(b), known.shift / b, lag, known.covariance / b**2, known.gain
    )  # fmt: skip
    if found is None:
        return known
    shift, covariance = found
    return replace(known, shift=b * shift, covariance=b**2 * covariance)
