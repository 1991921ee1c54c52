"""What surrounds both images alike: zeros that a program has put around them, rows that are not read out.

Lines of one value along a border, as many in one image as in the other, hold a match where they are: where
they end is sharper than the scene. The dark around a scene is another thing: it moves with it, and ends here
and there; or nothing moves, and the scene beside it is the same. So behind the last line a scene has to begin
at once, in much of the line, and to differ.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.drawn import Box, where

log = logging.getLogger(__name__)

FEWEST_LINES = 2
"""A single line may be of one value by chance."""

BEGINS = 0.25
"""At least this part of the next line is of other values in both images,"""

ALIKE = 0.5
"""and less than this part of these is the same."""

LARGEST = 0.5
"""At most this part of a side is padding; where it is more little is left."""

PADDED = (
    "%s: along the borders the reference and moving hold one value, as images do that a program has padded; "
    "left out. Mask it, so that it is left out of the aligned images, too"
)

Line = tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]


def padding(
    one: NDArray[Any], one_mask: NDArray[np.bool_], other: NDArray[Any], other_mask: NDArray[np.bool_]
) -> frozenset[Box]:
    """Return the strips along the borders that hold one value in both images.

    Parameters
    ----------
    one, other : ndarray
        As given.
    one_mask, other_mask : ndarray of bool
        True = valid, of the shapes of the images. What they leave out is not looked at.
    """
    if one.ndim != 2 or one.shape != other.shape or one.dtype != other.dtype:
        return frozenset()
    fields = one, other, one_mask, other_mask
    height, width = one.shape
    top, bottom = (_padded(zip(*(field[::step] for field in fields), strict=True)) for step in (1, -1))
    left, right = (_padded(zip(*(field.T[::step] for field in fields), strict=True)) for step in (1, -1))
    if top + bottom > LARGEST * height or left + right > LARGEST * width:
        return frozenset()
    strips = (
        Box(0, top, 0, width),
        Box(height - bottom, height, 0, width),
        Box(0, height, 0, left),
        Box(0, height, width - right, width),
    )
    return frozenset(strip for strip in strips if strip.top < strip.bottom and strip.left < strip.right)


@lru_cache
def tell(strips: frozenset[Box]) -> None:
    """Say that there is padding, once: a series has several registrars."""
    log.warning(PADDED, where(strips))


def _padded(lines: Iterable[Line]) -> int:
    """Return how many lines from the first on are padding."""
    value = None
    for count, (one, other, one_mask, other_mask) in enumerate(lines):
        valid = one_mask & other_mask
        a, b = one[valid], other[valid]
        if not a.size:
            break
        value = a[0] if value is None else value
        if (a != value).any() or (b != value).any():
            return count if count >= FEWEST_LINES and _is_edge((a != value) & (b != value), a == b) else 0
    return 0


def _is_edge(begun: NDArray[np.bool_], alike: NDArray[np.bool_]) -> bool:
    """Return whether the scene begins in a line, in much of it, and is not the same in both images."""
    scene = int(np.count_nonzero(begun))
    return scene >= BEGINS * begun.size and int(np.count_nonzero(begun & alike)) < ALIKE * scene
