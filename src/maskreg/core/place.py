"""From a chosen lag to a shift below the pixel: coarse to fine, each stage with its own covariance.

A stage is a level of the pyramid and a width of the low-pass. The first is as wide as the level
that found the place; each next one is narrower or finer, down to what refines best. Before a stage
refines, it settles within what the one before left open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.masked_side import NARROWING, MaskedSide
from maskreg.core.standing.held import PATTERN, is_held
from maskreg.core.standing.pulled import FEW_NEITHER, LIKELY, MOST_NEITHER, are_better, evidence, without_pull
from maskreg.core.subpixel.expansion import without_expansion
from maskreg.core.subpixel.refill import Shown
from maskreg.core.subpixel.refine import as_moving_shows, refine
from maskreg.core.subpixel.residual import Residual
from maskreg.core.subpixel.settle import Settled, settle
from maskreg.core.subpixel.sharp import edges_matter, off_edges
from maskreg.core.uncertainty.seen_errors import SHARED_NOISE, WIDE_BOX, seen_covariance
from maskreg.core.uncertainty.shared_noise import scaled, seen_noise
from maskreg.geometry import nearest_lag

WIDEST_WINDOW = 4
"""Settling looks at most this many level pixels to each side."""

NEAR = 0.25
"""Known to this part of the last low-pass's width, a place needs no stage between."""

LED_TO = 2**19
"""A last stage of more pixels is led to by one of a sixteenth of them: that saves passes."""

FINAL_STEP = 0.03
"""The last stage iterates until what is left is this part of the forecast sigma."""

PASSING_STEP = 4e-3
"""The others until it is this part of a level pixel."""

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
"""Of a level of so many it is seen if anything pulls."""

NEXT = 0.15
"""A place one period from another is known to so many level pixels."""

CONTRADICTS = 1.5
"""A stage that ends this many times 3 sigma from where the one before did has gone astray."""


@dataclass(frozen=True)
class Place:
    """A place below the pixel.

    Attributes
    ----------
    shift : (ndim,) ndarray of float64
        Px.
    covariance : (ndim, ndim) ndarray of float64
        Px squared.
    bin : int
        Level of the last stage that refined it; of the first, if none did.
    refined : bool
        Whether any stage did; else noise hides where in a broad peak the place is.
    blind : (ndim, ...) ndarray of float64
        Orthonormal directions along which no stage could tell the shift, as along parallel lines; it
        is as far known there as what was searched.
    gaussian : float or None
        Of the last stage's low-pass, level pixels.
    gain, noise : float
        Of moving into reference, and the residual's variance over that of noise, as the last stage found.
    doubted : bool
        Whether noise hides along which directions the images tell the shift.
    fixed : bool
        Whether it is a match of single pixels at no shift, as the fixed pattern of a detector makes it.
    contradicted : bool
        Whether a finer stage went elsewhere: coarse and fine structure move otherwise, or it went astray.
    unexplained : bool
        Whether it is one of places that are alike and the images do not share all structure there.
    pulled_to : (ndim,) ndarray of float64 or None
        Where parts of the image that stand still had pulled it, px; None if they had not.
    beside : float
        What neighbours share of the residual, over white noise of its size; infinite where nobody asked.
    """

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    bin: int
    refined: bool
    blind: NDArray[np.float64]
    gaussian: float | None = None
    gain: float = 1.0
    noise: float = 1.0
    doubted: bool = False
    fixed: bool = False
    contradicted: bool = False
    unexplained: bool = False
    pulled_to: NDArray[np.float64] | None = None
    beside: float = math.inf

    @cached_property
    def open_px(self) -> float:
        """How far from here the answer may be along an axis, px."""
        return 3 * math.sqrt(max(self.covariance.diagonal().tolist()))


@dataclass(frozen=True)
class Beginning:
    """About where the refinement of a place begins: at a peak that a few rows show, not refined.

    Attributes
    ----------
    shift : (ndim,) ndarray of float64
        The vertex, px.
    bin : int
        The level.
    likelihood : float
        Of the peak, a pixel of these rows.
    """

    shift: NDArray[np.float64]
    bin: int
    likelihood: float


def beginning(
    masked: MaskedSide, moving: Prepared, b: int, shift: NDArray[np.float64], *, look: bool = False
) -> Beginning | None:
    """Return about where `place` begins to refine; None where a few rows show no peak."""
    known = _found_by(masked, b, shift, look)
    # without a wider low-pass: the peak is where refinement ends, not where it begins
    found = _settled(masked, moving, known.bin, None, known, few=True)
    if found.vertex is None:
        return None
    return Beginning(known.bin * found.start(shift / known.bin), known.bin, found.likelihood)


def place(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    shift: NDArray[np.float64],
    *,
    coarse: bool = False,
    look: bool = False,
    known: Place | None = None,
    wider: bool = True,
) -> Place:
    """Return the place below the pixel of a shift that level `b` found.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    b : int
        Bin of the finest level at which the place is significant.
    shift : (ndim,) ndarray
        About one pixel of that level from the answer, px.
    coarse : bool
        Do not go down to finer levels: good enough to compare places of the same structure.
    look : bool
        A first look found it, by far: what is refined first may be as coarse.
    known : Place, optional
        The same, `coarse`: only finer stages follow.
    wider : bool
        Where no stage refines it, those of wider low-passes may.
    """
    try:
        return _placed(masked, moving, b, shift, coarse, look, known, wider and not coarse)
    finally:
        moving.as_it_was()


def _placed(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    shift: NDArray[np.float64],
    coarse: bool,
    look: bool,
    before: Place | None,
    more: bool,
) -> Place:
    """Return what `place` does; of the last level refined, ignored pixels are still continued then."""
    known = _found_by(masked, b, shift, look)
    moving.refilled.clear()
    ordered = [stage for stage in masked.stages(b, look=look) if not coarse or stage[0] >= known.bin]
    if before is not None and before.refined:
        known, done = before, ordered.index((before.bin, before.gaussian)) + 1
        ordered = ordered[min(done, len(ordered) - 1) :]  # the last one once more, to the end
    for level, gaussian in ordered:
        # what is to be refined again need not be exact
        last = (level, gaussian) == ordered[-1]
        if not last and _near_enough(masked, known, level, ordered[-1][0]):
            continue
        tolerance = FINAL_STEP * masked.side.forecast(level).sigma if last else PASSING_STEP
        part = FINAL_STEP if last else 0.0
        known = _stage(masked, moving, level, gaussian, known, tolerance, part) or known
    for wider in (NARROWING, NARROWING**2) if more else ():
        # less exact than forecast to be best, but noise may have misled the forecast
        if not known.refined:
            masked.take(moving.room)  # such templates are made for few frames
            gaussian = wider * masked.side.forecast(level).low_pass.width
            known = _stage(masked, moving, level, gaussian, known, PASSING_STEP) or known
    return known if coarse or not known.refined else judged(masked, moving, known)


def _found_by(masked: MaskedSide, b: int, shift: NDArray[np.float64], look: bool) -> Place:
    """Return what is known of a place that level `b` has found."""
    ndim = len(shift)
    begin = masked.plan.refined_from(b, look=look)
    return Place(shift, np.eye(ndim) * float(b) ** 2, begin, False, nowhere(ndim))


def judged(masked: MaskedSide, moving: Prepared, known: Place) -> Place:
    """Return a place that the last stage has refined, off what pulls it, with what the residual shows."""
    found = _with_seen_covariance(masked, moving, known)
    # what neighbours share of floats is known near no shift alone
    beside = found.beside if masked.side.image.detector.counts or found.beside < math.inf else 0.0
    asked = max(beside / PATTERN, found.noise / MORE_THAN_NOISE) > 1 and not found.blind.size
    return _without_pull(masked, moving, found) if asked else found


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


def another(masked: MaskedSide, moving: Prepared, known: Place, step: NDArray[np.float64]) -> Place | None:
    """Return the place a step from a refined one, px, as the same stage refines it, if there is one."""
    b = known.bin
    near = Place(known.shift + step, np.eye(len(step)) * (NEXT * b) ** 2, b, True, nowhere(len(step)))
    tolerance = FINAL_STEP * masked.side.forecast(b).sigma
    found = _stage(masked, moving, b, known.gaussian, near, tolerance, FINAL_STEP)
    return None if found is None or found.contradicted else found


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
        again = _stage(masked, moving, b, gaussian, known, tolerance, FINAL_STEP)
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


def _has_pixels(masked: MaskedSide, b: int) -> bool:
    """Whether anything is valid at level `b` in both images: behind a mask of stripes nothing may be."""
    return bool(masked.usable(b).mask.any() and masked.side.image.level(b).mask.any())


def _is_few(masked: MaskedSide, b: int) -> bool:
    """Whether level `b` has few pixels, or is the coarsest."""
    return b == masked.plan.bins[-1] or masked.side.image.level(b).pixels.size <= FEW_PIXELS


def _residual(masked: MaskedSide, moving: Prepared, known: Place, b: int) -> Residual:
    """Return what a refined place leaves at level `b`."""
    shift = known.shift / b
    template = masked.side.template(b, known.gaussian if b == known.bin else None)
    pixels, usable = masked.interpolable(moving, b), masked.usable(b).mask
    return Residual(template, pixels, usable, shift, nearest_lag(shift), known.gain)


def _near_enough(masked: MaskedSide, known: Place, next_b: int, b: int) -> bool:
    """Whether a place is so well known that the last stage, at level `b`, may follow at once.

    Instead of one at level `next_b`.
    """
    if next_b == 4 * b and math.prod(masked.side.image.mask.shape) > LED_TO * b ** len(known.shift):
        return False
    return known.refined and known.open_px < NEAR * b * masked.side.forecast(b).low_pass.width


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


def _stage(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    gaussian: float | None,
    known: Place,
    tolerance: float,
    part: float = 0.0,
) -> Place | None:
    """Settle and refine at one stage; None where it has nothing to say."""
    open_px = known.open_px
    shift = (
        known.shift
        if known.refined and open_px < b / 2
        else b * _settled(masked, moving, b, gaussian, known).start(known.shift / b)
    )
    normal = masked.normal(b, gaussian, nearest_lag(shift / b))
    if normal is None:
        return None
    template, usable = masked.side.template(b, gaussian), masked.usable(b)
    if gaussian is None and edges_matter(masked.side.forecast(b).sigma, template):
        template, usable = off_edges(template, usable, nearest_lag(shift / b))
    pixels = masked.interpolable(moving, b)
    found = refine(template, pixels, usable, normal, shift / b, tolerance, part)
    if found is None or not found.converged:
        return None
    moved = normal.along_known @ (b * found.shift - known.shift)
    if max(map(abs, moved.tolist())) > _reach(open_px, b):
        return replace(known, contradicted=True) if known.refined else None
    covariance, blind = b**2 * found.covariance, normal.blind
    if blind.size:
        covariance = covariance + _along_blind(masked, known, blind)
        blind = blind if known.blind.size or not known.refined else nowhere(len(shift))
    return Place(b * found.shift, covariance, b, True, blind, gaussian, found.gain, found.noise)


def _reach(open_px: float, b: int) -> float:
    """Return how far from a place known to `open_px` a stage at level `b` may go, px."""
    return CONTRADICTS * open_px + b / 2


def nowhere(ndim: int) -> NDArray[np.float64]:
    """Return the basis of no direction."""
    return np.empty((ndim, 0))


def _along_blind(masked: MaskedSide, known: Place, blind: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance along blind directions: of the stage before, or of all that was searched."""
    if known.refined:
        variances = np.diagonal(blind.T @ known.covariance @ blind)
    else:
        reach = masked.side.options.limits(len(blind)) or masked.side.image.mask.shape
        # evenly likely from -reach to reach
        variances = np.array(reach, np.float64) ** 2 @ blind**2 / 3
    return np.asarray((blind * variances) @ blind.T)


def _settled(
    masked: MaskedSide, moving: Prepared, b: int, gaussian: float | None, known: Place, *, few: bool = False
) -> Settled:
    """Return where a climb ends that begins at what is known of a place.

    The low-passed reference is what moving is compared with: where noise drowns pixels, theirs would hide
    the place.
    """
    radius = min(max(math.ceil(known.open_px / b), 1), WIDEST_WINDOW)
    template = masked.side.template(b, gaussian)
    moving.as_it_was()
    images = LevelImage(template.smooth, template.mask), moving.level(b)
    return settle(
        *images, nearest_lag(known.shift / b), masked.safe(b, radius), radius,
        reach=_reach(known.open_px, b) / b, scattered=masked.scattered(b), few=few,
    )  # fmt: skip
