"""A sample of the pixels of every row, or column: enough to tell their means, and sooner than all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 256
"""So many pixels of each line tell, in"""

PARTS = 8
"""so many stretches of adjacent ones."""

FEWEST = 24
"""So many of them are valid, at least."""


def sampled(length: int) -> NDArray[np.intp]:
    """Return which pixels of a line are looked at: all of a short one, else stretches all along it."""
    if length <= SAMPLE:
        return np.arange(length)
    each = SAMPLE // PARTS
    return (np.linspace(0, length - each, PARTS).astype(np.intp)[:, None] + np.arange(each)).ravel()


def across(
    values: NDArray[Any], valid: NDArray[np.bool_], axis: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return values, zero where ignored, and which are valid, (pixels of a line, lines along an axis)."""
    values = values * valid
    return (values.T, valid.T) if axis == 0 else (values, valid)
