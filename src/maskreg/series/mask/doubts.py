"""What a user should look at in a mask that was found: its size, a block that moved, another mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError
from maskreg.masks.static import static_pixels
from maskreg.series.mask.found import Found, evened_by, found_in
from maskreg.series.mask.sampled import LEAST_FRAMES, Sample, bin_of, summed

_HALVES = 256
"""Frames of more rows or columns are binned where the two halves of the series are compared, px."""
_UNCOVERED = 0.005
"""Part of the frame that a given mask may leave uncovered without a warning."""
_AGREE = 0.35
"""Intersection over union of the halves' static regions below which the block itself moved."""
_CREDIBLE = 0.3
"""Part of the frame beyond which what seems to stand still says that the shifts may be wrong."""


def about_size(static: NDArray[np.bool_]) -> list[str]:
    """Return a warning when most of the frame seems to stand still."""
    if static.mean() <= 0.5:
        return []
    return [
        f"{100 * static.mean():.0f} % of the pixels seem to stand still: the registration may have followed "
        "the beam-block, or the block itself moves; draw a rough mask by hand (--ignore-rect, --ignore-disk)"
    ]


def about_motion(sample: Sample, found: Found, workers: int | None) -> list[str]:
    """Return a warning when the halves of the series disagree about what stands still."""
    middle = len(sample) // 2
    if middle < LEAST_FRAMES or _halves_agree(sample, found, workers):
        return []
    common = 0.0
    # what the coarse look says is looked at again before anybody is alarmed; a half drifts by less than all
    for b in dict.fromkeys((bin_of(found.static.shape, _HALVES, found.placed.drift / 4), 1)):
        small = sample.binned(found.defective, b)
        halves = [found_in(small.part(half), workers, rounds=2) for half in _halves(middle)]
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


def _halves_agree(sample: Sample, found: Found, workers: int | None) -> bool:
    """Return whether either half of the series, asked about what stands still in all of it, agrees.

    That is quick: with the shifts of the whole series. It may fail because of these (a block that moved
    is what they followed), so that only a yes counts.
    """
    if found.static.mean() > _CREDIBLE:
        return False
    b = bin_of(found.static.shape, _HALVES, found.placed.drift / 4)
    both = summed(_regions(found.static), b) > 0.5 * b**2
    small = sample.part(found.placed.ok).binned(found.defective, b)
    even, shifts = evened_by(small, found.placed.shifts / b, ~both), found.placed.shifts / b
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


def about_given(static: NDArray[np.bool_], given: ArrayLike | None) -> list[str]:
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
