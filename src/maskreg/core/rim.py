"""Whether a mask is too tight: pixels along it that are darker than what moves over them.

A block out of focus has a soft shadow, which stands still as the mask does. The pattern that passes under
it is known from the frames in which it lies further off: their mean, of which the rim of each has no
part. How much a frame lacks against that, by the distance from the mask, is the shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from maskreg.core.aligned import AlignedFrames, seen

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


def find_soft_rim(aligned: AlignedFrames) -> SoftRim | None:
    """Return the shadow along the mask, or None where there is none or the frames do not tell.

    Parameters
    ----------
    aligned : AlignedFrames
        Grey values that are zero where there is no light.
    """
    if aligned.mask.all() or len(aligned) < 2:
        return None
    distance = np.ceil(scipy.ndimage.distance_transform_edt(aligned.mask)).astype(np.int64)
    evened, _ = aligned.evened()
    inner = AlignedFrames(evened.frames, distance > REACH, evened.shifts)
    if not inner.mask.any():
        return None
    mean, covered = inner.mean()
    # by distance: number, brightness expected, what is missing, and its square
    sums = np.zeros((4, REACH + 1))
    for image, shift in zip(evened.frames, evened.shifts, strict=True):
        model, valid = seen(mean, covered, shift, aligned.mask)
        valid &= distance <= REACH
        row, expected = distance[valid], model[valid].astype(np.float64)
        missing = expected - image[valid]
        for total, values in zip(sums, (np.ones_like(expected), expected, missing, missing**2), strict=True):
            total += np.bincount(row, values, minlength=REACH + 1)
    number, bright, missing, squares = sums[:, 1:]
    dark = missing / np.maximum(bright, 1e-30)
    seen_dark = (number >= FEWEST) & (bright > 0) & (dark > DARK) & (missing > SURE * np.sqrt(squares))
    depth = REACH if seen_dark.all() else int(np.argmin(seen_dark))
    return SoftRim(depth, float(dark[0])) if depth else None
