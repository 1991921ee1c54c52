"""From a chosen lag to a shift below the pixel: coarse to fine, each stage with its own covariance.

The first stage is as wide as the level that found the place; each next one is narrower or finer, down to what
refines best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.corrected import corrected
from maskreg.core.image.prepared import Prepared
from maskreg.core.masked_side import NARROWING, MaskedSide
from maskreg.core.stage import FINAL_STEP, Place, nowhere, refined_at, settled

NEAR = 0.25
"""Known to this part of the last low-pass's width, a place needs no stage between."""

LED_TO = 2**19
"""A last stage of more pixels is led to by one of a sixteenth of them: that saves passes."""

PASSING_STEP = 4e-3
"""The others until it is this part of a level pixel."""


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
    masked: MaskedSide, moving: Prepared, b: int, shift: NDArray[np.float64], *, look: bool
) -> Beginning | None:
    """Return about where `place` begins to refine; None where a few rows show no peak."""
    known = _found_by(masked, b, shift, look)
    # without a wider low-pass: the peak is where refinement ends, not where it begins
    found = settled(masked, moving, known.bin, None, known, few=True)
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
        known = refined_at(masked, moving, level, gaussian, known, tolerance, part) or known
    for wider in (NARROWING, NARROWING**2) if more else ():
        # less exact than forecast to be best, but noise may have misled the forecast
        if not known.refined:
            masked.take(moving.room)  # such templates are made for few frames
            gaussian = wider * masked.side.forecast(level).low_pass.width
            known = refined_at(masked, moving, level, gaussian, known, PASSING_STEP) or known
    return known if coarse or not known.refined else corrected(masked, moving, known)


def _found_by(masked: MaskedSide, b: int, shift: NDArray[np.float64], look: bool) -> Place:
    """Return what is known of a place that level `b` has found."""
    ndim = len(shift)
    begin = masked.plan.refined_from(b, look=look)
    return Place(shift, np.eye(ndim) * float(b) ** 2, begin, False, nowhere(ndim))


def _near_enough(masked: MaskedSide, known: Place, next_b: int, b: int) -> bool:
    """Whether a place is so well known that the last stage, at level `b`, may follow at once.

    Instead of one at level `next_b`.
    """
    if next_b == 4 * b and math.prod(masked.side.image.mask.shape) > LED_TO * b ** len(known.shift):
        return False
    return known.refined and known.open_px < NEAR * b * masked.side.forecast(b).low_pass.width
