"""How much of an image's structure a coarse level still shows.

The structure is sorted by size: band b is what the pixels of level b have beyond the mean of the
two by two (by two) that make one pixel of level 2b, less what their noise makes there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskreg.core.frequencies.spectrum_kernels import sum_within_2d
from maskreg.core.image.pyramid import LevelImage, halved

NOISE_KNOWN = 0.02
"""The noise of single pixels is known to this part: of less structure than that it may be the error."""

SEEN_BANDS = 3
"""A level is searched for structure of its own band and the next coarser ones, so many together."""


@dataclass(frozen=True)
class Band:
    """What the pixels of one level have beyond the mean of their block of two per axis.

    Attributes
    ----------
    structure, noise : float
        The variance that structure and that noise make there; 0 where no block is whole.
    """

    structure: float
    noise: float


def seen_bands(level: int) -> int:
    """Return the bin of the coarsest band in which the search of a level looks for structure."""
    return level << (SEEN_BANDS - 1)


def visible_part(bands: dict[int, Band], level: int) -> float:
    """Return which part of the structure down to single pixels the search of a level sees, 0 to 1.

    A lattice finer than the level's pixels vanishes there, and what is seen instead may stand still
    or move otherwise.

    Parameters
    ----------
    bands : dict of int to Band
        All bands up to the coarsest that are seen, by their bins.
    level : int
        Bin of the level.
    """
    seen = sum(band.structure for b, band in bands.items() if b >= level)
    whole = sum(band.structure for band in bands.values())
    return seen / whole if whole > 0 else 0.0


def band_of(image: LevelImage, noise: float) -> Band:
    """Return the structure of a level within blocks of two pixels per axis.

    Parameters
    ----------
    image : LevelImage
    noise : float
        Mean variance of the noise of its pixels.
    """
    size = 2**image.mask.ndim
    count, within = _sum_within(image)
    made = noise * (1 - 1 / size)
    return Band(max(0.0, within / (count * size) - made), made) if count else Band(0.0, 0.0)


def _sum_within(image: LevelImage) -> tuple[int, float]:
    """Return the number of whole blocks, and the sum of squares within all of them."""
    if image.mask.ndim == 3:
        from maskreg.core.image.volume_kernels import sum_within_3d as sum_within
    elif image.mask.ndim == 2:
        sum_within = sum_within_2d
    else:
        return plain_sum_within(image)
    count, within = sum_within(image.pixels, image.mask)
    return int(count), float(within)


def plain_sum_within(image: LevelImage) -> tuple[int, float]:
    """Return what `_sum_within` does, for any number of axes."""
    size = 2**image.mask.ndim
    full = halved(image.mask.astype(np.float32)) == size
    sums, squares = (halved(values)[full] for values in (image.pixels, image.pixels**2))
    return int(np.count_nonzero(full)), float(np.sum(squares - sums**2 / size, dtype=np.float64))
