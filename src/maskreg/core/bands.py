"""How much of an image's structure a coarse level still shows.

The structure is sorted by size: band b is what the pixels of level b have beyond the mean of the
two by two (by two) that make one pixel of level 2b, less what their noise makes there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.prepared import Prepared
from maskreg.core.pyramid import LevelImage, halved

SEEN_BANDS = 3
"""A level is searched for structure of its own band and the next coarser ones, so many together."""


def visible_part(
    image: Prepared, noise: Callable[[int], NDArray[Any]], bins: Sequence[int], level: int
) -> float:
    """Return which part of the structure down to single pixels the search of a level sees, 0 to 1.

    A lattice finer than the level's pixels vanishes there, and what is seen instead may stand still
    or move otherwise.

    Parameters
    ----------
    image : Prepared
    noise : callable
        Variance of the noise of the image at a level.
    bins : sequence of int
        All levels.
    level : int
        Bin of the level.
    """
    structure = {b: _structure(image.level(b), noise(b)) for b in bins if b <= level * 2 ** (SEEN_BANDS - 1)}
    seen = float(sum(variance for b, variance in structure.items() if b >= level))
    whole = float(sum(structure.values()))
    return seen / whole if whole > 0 else 0.0


def _structure(image: LevelImage, noise: NDArray[Any]) -> float:
    """Return the variance of the pixels within blocks of two per axis, less that of their noise."""
    size = 2**image.mask.ndim
    full = halved(image.mask.astype(np.float32)) == size
    count = np.count_nonzero(full)
    if count == 0:
        return 0.0
    sums, squares, noises = (halved(values)[full] for values in (image.pixels, image.pixels**2, noise))
    within = float(np.sum(squares - sums**2 / size, dtype=np.float64)) / (count * size)
    made = float(np.sum(noises, dtype=np.float64)) / (count * size) * (1 - 1 / size)
    return float(max(0.0, within - made))
