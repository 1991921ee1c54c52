"""Which part of the structure of two images they do not share at a place.

NCC is the part of all variance that is shared, noise included. Of images of noise n_a and n_b the structures
have the correlation

    rho = cov / sqrt((var_a - n_a) (var_b - n_b)),

which is about one at the right place, and less at another period of a lattice, whose spots are not as strong.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.masked_side import MaskedSide
from maskreg.geometry import nearest_lag

BLOCK = 8
"""How noisy few electrons are depends on how bright it is, which blocks of about so many pixels tell."""

MISMATCH = 0.05
"""A place leaves less than this part of the structure unexplained if it is no other period of a lattice."""


def explained(masked: MaskedSide, moving: Prepared, shift: NDArray[np.float64]) -> bool:
    """Return whether the images share nearly all structure at the whole pixel nearest to a shift, px."""
    return 1 - structure_shared(masked, moving, shift) <= MISMATCH


class Shared(NamedTuple):
    """What two images share at a lag: their covariance; variance of each without noise, and noise."""

    covariance: float
    structure: tuple[float, float]
    noise: tuple[float, float]


def shared(masked: MaskedSide, moving: Prepared, shift: NDArray[np.float64]) -> Shared:
    """Return what the images have in common at the whole pixel nearest to a shift, px."""
    sums = moving.sums_with(masked.side.image, nearest_lag(shift))
    b = next((b for b in masked.plan.bins if b >= BLOCK), masked.plan.bins[-1])
    noise = masked.side.noise_of_blocks(b), masked.side.noise_curve.mean_of_blocks(moving.level(b))
    one, other = (whole - part for whole, part in zip(sums.variances, noise, strict=True))
    return Shared(sums.covariance, (one, other), noise)


def structure_shared(masked: MaskedSide, moving: Prepared, shift: NDArray[np.float64]) -> float:
    """Return rho at the whole pixel nearest to a shift, px; 0 where either image shows noise alone."""
    covariance, (structure, other), _ = shared(masked, moving, shift)
    if not (structure > 0 and other > 0):
        return 0.0
    return covariance / math.sqrt(structure * other)
