"""What stands still in a sample of frames while the pattern moves, found in a few rounds.

First the frames are registered on the pixels that change most, which a beam-block is not among; with these
shifts the static pixels are found (`maskreg.masks.static`), with the mask that this gives the frames are
registered again, and so on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.masks.intensity import along_shifts, apparent, evened
from maskreg.masks.moving_model import explained, predict
from maskreg.masks.static import static_pixels
from maskreg.masks.temporal import Temporal, temporal
from maskreg.series.mask.placed import Placed, place
from maskreg.series.mask.sampled import LEAST_FRAMES, Sample, bin_of, spread_out, summed

log = logging.getLogger(__name__)

_LEAST_DRIFT = 0.7
"""Below so much drift, px, nothing can be told from what stands still."""
_BY_CHANCE = 8.0
"""And below so many times the uncertainty of a shift: of 48 frames that do not move two seem 6.5 apart."""
_LEAST_AT_FIRST = 0.3
"""And before the first round, px: a block that takes part makes the drift seem smaller."""
_ROUNDS = 3
_SETTLED = 1e-3
"""Part of the frame below which a round changes too little for another one."""
_LARGEST = 700
"""Frames of more rows or columns are binned while static regions are found, px."""
_COARSE = 350
"""And these in the rounds before the last one, in which the mask serves the registration alone."""
_BINS = 4.0
"""Drift, in pixels of binned frames, from which on these are enough for the first registration."""
_TRIED = 12
"""Frames on which the masks for the first registration are tried: the best one is used for all."""
_CHANGES = ((6.0, 1.5), (6.0, 3.0), (3.0, 1.5))
"""Sigma of change beyond which a pixel takes part in the first registration, and the width over which it is
looked for, px; the later ones for a low dose."""
_FEWEST = 0.003
"""Part of the frame that must change to be tried."""
_OTHER = 0.02
"""Part of its pixels by which a mask must differ from another one to be tried as well."""
_EXPLAINED = 0.4
"""Part of the changes that the shifts explain, beyond which no further masks are tried."""


@dataclass(frozen=True, eq=False)
class Found:
    """What stands still in a sample of frames, and how well these could be registered."""

    static: NDArray[np.bool_]
    defective: NDArray[np.bool_]
    placed: Placed
    trouble: str = ""
    """Why no more than defects were looked for."""


def found_in(sample: Sample, workers: int | None, rounds: int = _ROUNDS) -> Found:
    """Return what stands still in a sample, looked for in so many rounds at most."""
    static = defective = temporal(sample.frames, apparent(sample.frames), counts=sample.counts).defective
    first, looked_at, b = _coarsely_placed(sample, defective, workers)
    if first is None:
        trouble = "too few frames can be registered on what changes in them"
        nowhere = Placed(np.zeros(len(sample), bool), np.zeros((0, 2)), 0.0)
        return Found(defective, defective, nowhere, trouble)
    placed, least = first.times(b), _LEAST_AT_FIRST
    for k in range(rounds):
        if placed.drift < least:
            break
        static, last = _static(sample, placed, static, defective, _COARSE, workers), static
        settled = (static != last).mean() < _SETTLED or k == rounds - 1
        again = _placed_behind(sample if settled else looked_at, static, workers)
        if again.count < LEAST_FRAMES:
            break
        placed, least = again, _LEAST_DRIFT
        if settled:
            break
    if placed.drift < max(_LEAST_DRIFT, _BY_CHANCE * placed.sigma):
        trouble = (
            f"what could be registered moves by only {placed.drift:.2f} px (little drift, or few frames)"
        )
        return Found(defective, defective, placed, trouble)
    static = _static(sample, placed, static, defective, _LARGEST, workers)
    return Found(static, defective, placed)


def _coarsely_placed(
    sample: Sample, defective: NDArray[np.bool_], workers: int | None
) -> tuple[Placed | None, Sample, int]:
    """Return where binned frames are, these frames, and by how much they are binned.

    They do for all but the last registration, if they drift by enough; else less binned ones are taken.
    """
    b = bin_of(defective.shape, _COARSE)
    while True:
        looked_at = sample.binned(defective, b)
        first = _first_placed(looked_at, workers)
        if b == 1 or (first is not None and first.drift >= _BINS):
            return first, looked_at, b
        b = 1 if first is None else max(1, min(b - 1, int(b * first.drift / _BINS)))


def _first_placed(sample: Sample, workers: int | None) -> Placed | None:
    """Return where the frames are by what changes in them; None if too few can be registered so.

    What changes is tried with a few masks, on a few frames; the one is taken whose shifts explain most of it.
    """
    over_time = temporal(sample.frames, apparent(sample.frames), counts=sample.counts)
    changes = [area for area in (over_time.changed(*how) for how in _CHANGES) if area.mean() > _FEWEST]
    few = sample.part(np.unique(np.linspace(0, len(sample) - 1, _TRIED).round().astype(int)).tolist())
    best: NDArray[np.bool_] | None = None
    best_part = -np.inf
    for mask in _first_masks(over_time, changes):
        if best_part > _EXPLAINED:
            break
        placed = place(few, mask, workers)
        if placed.count < max(LEAST_FRAMES, 0.5 * len(few)):
            continue
        part = _explained(
            few, placed, over_time.defective, changes[0] if changes else ~over_time.defective, workers
        )
        log.debug("first mask, %.1f %% valid: explains %.2f", 100 * mask.mean(), part)
        if part > best_part:
            best, best_part = mask, part
    # few frames may lie too far apart where all of them do not: the last mask is the widest
    placed = place(sample, mask if best is None else best, workers)
    return placed if placed.count >= max(LEAST_FRAMES, 0.5 * len(sample)) else None


def _explained(
    sample: Sample,
    placed: Placed,
    defective: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    workers: int | None,
) -> float:
    """Return which part of what changes the shifts explain."""
    even = evened_by(sample.part(placed.ok), placed.shifts, ~defective)
    prediction = predict(even, placed.shifts, ~defective, workers=workers)
    return explained(prediction, temporal(even, counts=sample.counts).variance, changed)


def _first_masks(over_time: Temporal, changes: list[NDArray[np.bool_]]) -> Iterator[NDArray[np.bool_]]:
    """Yield masks of the pixels that change, and what is around them: a registration needs the slopes.

    Without the edges that do not move, which would be the steepest slopes of all, and with them.
    """
    still = _widened(over_time.still_edges(), 3)
    for area in changes:
        changed = _widened(area, 3) & ~over_time.defective
        yield changed & ~still
        if (changed & still).sum() > _OTHER * changed.sum():
            yield changed
    # at a low dose no pixel is sure to change
    yield ~still & ~over_time.defective


def _placed_behind(sample: Sample, static: NDArray[np.bool_], workers: int | None) -> Placed:
    """Return where the frames, of which some may be binned, are by all but what stands still."""
    b = static.shape[0] // sample.frames.shape[1]
    around = _widened(static)
    return place(sample, ~around if b == 1 else summed(around, b) == 0, workers).times(b)


def _static(
    sample: Sample,
    placed: Placed,
    before: NDArray[np.bool_],
    defective: NDArray[np.bool_],
    largest: int,
    workers: int | None,
) -> NDArray[np.bool_]:
    """Return the static pixels, regions of frames of more than `largest` px by way of binned ones.

    What is thought to stand still `before` does not tell the intensity of a frame.
    """
    b = bin_of(defective.shape, largest, placed.drift)
    small = sample.part(placed.ok).binned(defective, b)
    even = evened_by(small, placed.shifts / b, summed(before, b) == 0)
    found = static_pixels(even, placed.shifts / b, counts=sample.counts, workers=workers)
    return (found if b == 1 else spread_out(found, b, defective.shape)) | defective


def evened_by(sample: Sample, shifts: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return frames brought to one intensity, by what they show of the sample."""
    return evened(sample.frames, along_shifts(sample.frames, shifts, valid))


def _widened(area: NDArray[np.bool_], pixels: int = 1) -> NDArray[np.bool_]:
    from scipy import ndimage

    return np.asarray(ndimage.binary_dilation(area, iterations=pixels))
