"""Whether a mask is too tight: pixels along it that are darker than what moves over them.

A block out of focus has a soft shadow, which stands still as the mask does. The pattern that passes under
it is known from the frames in which it lies further off: their mean, of which the rim of each has no
part. How much a frame lacks against that, by the distance from the mask, is the shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.aligned.frames import AlignedFrames, Mean

REACH = 5
"""The rim is so many px wide."""

DARK = 0.03
"""A row of the rim lacks something if it is darker by this part."""

SURE = 5.0
"""And if that stands out by so many standard deviations."""

FEWEST = 20
"""Of fewer pixels, in all frames together, nothing is said."""


@dataclass(frozen=True)
class SoftRim:
    """A shadow along the mask.

    Attributes
    ----------
    depth : int
        Px from the mask's edge up to which it is seen.
    dark : float
        Which part of the brightness is missing next to the mask.
    """

    depth: int
    dark: float


def find_soft_rim(evened: AlignedFrames) -> SoftRim | None:
    """Return the shadow along the mask, or None where there is none or the frames do not tell.

    Parameters
    ----------
    evened : AlignedFrames
        Evened grey values that are zero where there is no light.
    """
    if evened.mask.all() or len(evened) < 2:
        return None
    distance = distances(evened.mask, REACH)
    inner = evened.masked(distance > REACH)
    if not inner.mask.any():
        return None
    number, bright, missing, squares = _by_distance(evened, inner.mean(), distance)[:, 1:]
    dark = missing / np.maximum(bright, 1e-30)
    seen_dark = (number >= FEWEST) & (bright > 0) & (dark > DARK) & (missing > SURE * np.sqrt(squares))
    depth = REACH if seen_dark.all() else int(np.argmin(seen_dark))
    return SoftRim(depth, float(dark[0])) if depth else None


def _by_distance(evened: AlignedFrames, mean: Mean, distance: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return number, brightness expected, what is missing, and its square, by distance, (4, REACH + 1)."""
    along = evened.mask & (distance <= REACH)

    def of(rows: slice) -> NDArray[np.float64]:
        sums = np.zeros((4, REACH + 1))
        if not along[rows].any():
            return sums
        for k, shift in enumerate(evened.shifts):
            model, valid = mean.seen(shift, along, rows)
            row, expected = distance[rows][valid], model[valid].astype(np.float64)
            missing = expected - evened.values(k, rows)[valid]
            for total, values in zip(
                sums, (np.ones_like(expected), expected, missing, missing**2), strict=True
            ):
                total += np.bincount(row, values, minlength=REACH + 1)
        return sums

    return np.asarray(sum(evened.over_rows(of)))


def distances(mask: NDArray[np.bool_], reach: int) -> NDArray[np.uint8]:
    """Return the distance of each pixel from the nearest ignored one, px, rounded up; at most `reach` + 1."""
    far = (reach + 1) ** 2
    squares = np.where(mask, far, 0).astype(np.int16)
    for axis in (0, 1):
        before = np.moveaxis(squares.copy(), axis, 0)
        after = np.moveaxis(squares, axis, 0)
        for step in range(1, min(reach, len(after) - 1) + 1):
            near = before + np.int16(step * step)
            np.minimum(after[step:], near[:-step], out=after[step:])
            np.minimum(after[:-step], near[step:], out=after[:-step])
    steps = np.ceil(np.sqrt(np.arange(far + 1))).astype(np.uint8)
    return np.asarray(steps[squares])
