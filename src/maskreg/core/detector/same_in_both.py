"""What is not of the scene and the same to the bit in both images: found, told, and to be left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector import drawn, still_lines
from maskreg.core.detector.drawn import Box


def same_in_both(
    one: NDArray[Any], one_mask: NDArray[np.bool_], other: NDArray[Any], other_mask: NDArray[np.bool_]
) -> frozenset[Box]:
    """Return the boxes of what is drawn into both images, and of rows and columns of one value.

    Parameters
    ----------
    one, other : ndarray
        As given.
    one_mask, other_mask : ndarray of bool
        True = valid, of the shapes of the images.
    """
    pair = one, one_mask, other, other_mask
    found: frozenset[Box] = frozenset()
    for kind, boxes in ((drawn, drawn.drawn(*pair)), (still_lines, still_lines.still_lines(*pair))):
        if boxes:
            kind.tell(boxes)
        found |= boxes
    return found
