"""A sample of a large image that stands for all of it where a statistic is wanted, not a sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ENOUGH = 2**18
"""So many pixels tell a median or a spread to less than a percent."""

FEWEST_ROWS = 16
"""Of an image of any size."""


def sampled_rows(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return which rows (slices along the first axis) have enough valid pixels to stand for all.

    All of them if the image is small; else rows drawn at random, which no lattice can be in step with.
    Always the same ones.
    """
    valid = np.count_nonzero(mask.reshape(len(mask), -1), axis=1)
    drawn = np.random.default_rng(0).permutation(len(mask))
    wanted = int(np.searchsorted(np.cumsum(valid[drawn]), ENOUGH)) + 1
    return np.sort(drawn[: max(FEWEST_ROWS, wanted)])
