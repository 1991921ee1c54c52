"""What a program has put into both images, to the bit: found, told, and to be left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector import drawn, padding
from maskreg.core.detector.drawn import Box


def same_in_both(
    one: NDArray[Any], one_mask: NDArray[np.bool_], other: NDArray[Any], other_mask: NDArray[np.bool_]
) -> frozenset[Box]:
    """Return the boxes of what is drawn into both images, and of what they are padded with.

    Parameters
    ----------
    one, other : ndarray
        As given.
    one_mask, other_mask : ndarray of bool
        True = valid, of the shapes of the images.
    """
    pair = one, one_mask, other, other_mask
    found: frozenset[Box] = frozenset()
    for kind, boxes in ((drawn, drawn.drawn(*pair)), (padding, padding.padding(*pair))):
        if boxes:
            kind.tell(boxes)
        found |= boxes
    return found
