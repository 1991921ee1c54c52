"""Find the mask of a series from the series itself: what stays still while the pattern moves.

First the frames are registered on the pixels that change most, which a beam-block is not among;
with these shifts the static pixels are found (`maskreg.masks.static`), with the mask that this
gives the frames are registered again, and so on. A sample of the frames is all that is read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError, interrupts_as_such
from maskreg.masks import describe_mask
from maskreg.masks.intensity import along_shifts, apparent, evened
from maskreg.masks.moving_model import explained, predict
from maskreg.masks.static import static_pixels
from maskreg.masks.temporal import Temporal, temporal
from maskreg.series.frames import opened
from maskreg.series.mask.placed import Placed, place
from maskreg.series.mask.sampled import LEAST_FRAMES, Sample, bin_of, read_sample, spread_out, summed

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
_HALVES = 256
"""And these where the two halves of the series are compared."""
_CHANGES = ((6.0, 1.5), (6.0, 3.0), (3.0, 1.5))
"""Sigma of change beyond which a pixel takes part in the first registration, and the width over which it is
looked for, px; the later ones for a low dose."""
_FEWEST = 0.003
"""Part of the frame that must change to be tried."""
_OTHER = 0.02
"""Part of its pixels by which a mask must differ from another one to be tried as well."""
_EXPLAINED = 0.4
"""Part of the changes that the shifts explain, beyond which no further masks are tried."""
_UNCOVERED = 0.005
"""Part of the frame that a given mask may leave uncovered without a warning."""
_AGREE = 0.35
"""Intersection over union of the halves' static regions below which the block itself moved."""
_CREDIBLE = 0.3
"""Part of the frame beyond which what seems to stand still says that the shifts may be wrong."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask that was found.

    Attributes
    ----------
    mask : (rows, cols) bool
        True = valid.
    frames : tuple of int
        The frames that were looked at and could be registered.
    drift : float
        How far these lie apart at most, px.
    warnings : tuple of str
        What the user should look at.
    """

    mask: NDArray[np.bool_] = field(repr=False)
    frames: tuple[int, ...]
    drift: float
    warnings: tuple[str, ...] = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the mask: what was found will do for one."""
        return np.array(self.mask, dtype=dtype, copy=copy)

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"{describe_mask(self.mask)}; found from {len(self.frames)} frames that drift "
            f"by up to {self.drift:.1f} px"
        )


@interrupts_as_such()
def find_mask(frames: Any, *, given: ArrayLike | None = None, workers: int | None = None) -> FoundMask:
    """Find what stays still while the pattern moves: beam-block, gaps, dead, hot and saturated pixels.

    Parameters
    ----------
    frames : as in `maskreg.align`
        A series whose pattern drifts by about a pixel or more. A sample of it is read.
    given : (rows, cols) array of bool, optional
        A mask to compare with what is found, True = valid; it changes nothing but the warnings.
    workers : int, optional
        Frames registered at once; all cores unless told. Never changes the mask.

    Returns
    -------
    FoundMask

    Raises
    ------
    InputError
        When there are too few frames, or they cannot be registered at all.

    Examples
    --------
    >>> found = find_mask("scan/frames")  # doctest: +SKIP
    >>> found.mask, found.warnings  # doctest: +SKIP
    """
    with opened(frames) as source:
        sample, indices = read_sample(source)
    found = _found(sample, workers)
    if found.trouble:
        warning = (
            f"{found.trouble}: only dead, hot and saturated pixels are found, no region that stands still; "
            "take frames that lie further apart, or draw the block by hand (--ignore-rect, --ignore-disk)"
        )
        return FoundMask(~found.static, tuple(indices), 0.0, (warning,))
    used = tuple(index for index, use in zip(indices, found.placed.ok, strict=True) if use)
    warnings = _about_motion(sample, found, workers) or _about_size(found.static)
    warnings += _about_given(found.static, given)
    return FoundMask(~found.static, used, found.placed.drift, tuple(warnings))


@dataclass(frozen=True, eq=False)
class _Found:
    """What stands still in a sample of frames, and how well these could be registered."""

    static: NDArray[np.bool_]
    defective: NDArray[np.bool_]
    placed: Placed
    trouble: str = ""
    """Why no more than defects were looked for."""


def _found(sample: Sample, workers: int | None, rounds: int = _ROUNDS) -> _Found:
    static = defective = temporal(sample.frames, apparent(sample.frames), counts=sample.counts).defective
    # binned frames do for all but the last registration, if these drift by enough
    b = bin_of(defective.shape, _COARSE)
    looked_at = sample.binned(defective, b)
    first = _first_placed(looked_at, workers)
    while b > 1 and (first is None or first.drift < _BINS):
        b = 1 if first is None else max(1, min(b - 1, int(b * first.drift / _BINS)))
        looked_at = sample.binned(defective, b)
        first = _first_placed(looked_at, workers)
    if first is None:
        trouble = "too few frames can be registered on what changes in them"
        nowhere = Placed(np.zeros(len(sample), bool), np.zeros((0, 2)), 0.0)
        return _Found(defective, defective, nowhere, trouble)
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
        return _Found(defective, defective, placed, trouble)
    static = _static(sample, placed, static, defective, _LARGEST, workers)
    return _Found(static, defective, placed)


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
    even = _evened(sample.part(placed.ok), placed.shifts, ~defective)
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
    even = _evened(small, placed.shifts / b, summed(before, b) == 0)
    found = static_pixels(even, placed.shifts / b, counts=sample.counts, workers=workers)
    return (found if b == 1 else spread_out(found, b, defective.shape)) | defective


def _evened(sample: Sample, shifts: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return frames brought to one intensity, by what they show of the sample."""
    return evened(sample.frames, along_shifts(sample.frames, shifts, valid))


def _widened(area: NDArray[np.bool_], pixels: int = 1) -> NDArray[np.bool_]:
    from scipy import ndimage

    return np.asarray(ndimage.binary_dilation(area, iterations=pixels))


def _about_size(static: NDArray[np.bool_]) -> list[str]:
    if static.mean() <= 0.5:
        return []
    return [
        f"{100 * static.mean():.0f} % of the pixels seem to stand still: the registration may have followed "
        "the beam-block, or the block itself moves; draw a rough mask by hand (--ignore-rect, --ignore-disk)"
    ]


def _about_motion(sample: Sample, found: _Found, workers: int | None) -> list[str]:
    """Return a warning when the halves of the series disagree about what stands still."""
    middle = len(sample) // 2
    if middle < LEAST_FRAMES or _halves_agree(sample, found, workers):
        return []
    common = 0.0
    # what the coarse look says is looked at again before anybody is alarmed; a half drifts by less than all
    for b in dict.fromkeys((bin_of(found.static.shape, _HALVES, found.placed.drift / 4), 1)):
        small = sample.binned(found.defective, b)
        halves = [_found(small.part(half), workers, rounds=2) for half in _halves(middle)]
        if any(half.trouble or half.placed.drift < 1 for half in halves):
            return []
        first, second = (_regions(half.static) for half in halves)
        if min(first.mean(), second.mean()) < _UNCOVERED:
            return []
        common = _in_common(first, second)
        if common >= _AGREE:
            return []
    return [
        "the beam-block itself seems to move: what stands still differs between the halves of the series "
        f"({100 * common:.0f} % in common); find a mask for each part"
    ]


def _halves_agree(sample: Sample, found: _Found, workers: int | None) -> bool:
    """Return whether either half of the series, asked about what stands still in all of it, agrees.

    That is quick: with the shifts of the whole series. It may fail because of these (a block that moved
    is what they followed), so that only a yes counts.
    """
    if found.static.mean() > _CREDIBLE:
        return False
    b = bin_of(found.static.shape, _HALVES, found.placed.drift / 4)
    both = summed(_regions(found.static), b) > 0.5 * b**2
    small = sample.part(found.placed.ok).binned(found.defective, b)
    even, shifts = _evened(small, found.placed.shifts / b, ~both), found.placed.shifts / b
    regions = []
    for half in _halves(len(even) // 2):
        if len(even[half]) < LEAST_FRAMES or np.hypot(*np.ptp(shifts[half], axis=0)) < 1:
            return False
        again = static_pixels(even[half], shifts[half], first=both, counts=sample.counts, workers=workers)
        regions.append(_regions(again))
    first, second = regions
    return min(first.mean(), second.mean()) >= _UNCOVERED and _in_common(first, second) >= _AGREE


def _halves(middle: int) -> tuple[slice, slice]:
    return slice(None, middle), slice(middle, None)


def _in_common(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the intersection of two areas over their union."""
    return float((first & second).sum() / (first | second).sum())


def _about_given(static: NDArray[np.bool_], given: ArrayLike | None) -> list[str]:
    """Return what is wrong with a given mask (True = valid), as far as what was found tells."""
    if given is None:
        return []
    mask = np.asarray(given, dtype=bool)
    if mask.shape != static.shape:
        raise InputError(f"given has shape {mask.shape}, the frames have {static.shape}")
    regions = _regions(static)
    if regions.any() and mask[regions].mean() > 0.5 and mask[~regions].mean() < 0.5:
        return [
            "the given mask looks upside down: it ignores what moves and keeps what stands still; "
            "use --ignore instead of --valid, or the reverse"
        ]
    uncovered = float((regions & mask).mean())
    if uncovered <= _UNCOVERED:
        return []
    return [
        f"the given mask leaves {100 * uncovered:.1f} % of the frame uncovered that stands still; "
        "look at it (maskreg mask show), or take the mask that was found"
    ]


def _regions(static: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `static` without lone pixels and the finest lines."""
    from scipy import ndimage

    return np.asarray(ndimage.binary_opening(static, np.ones((3, 3))))
