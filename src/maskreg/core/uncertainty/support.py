"""Whether moving has the slopes that the precision of a shift rests on, not the reference alone.

The Jacobian of a refinement is that of the reference's slopes. Where an edge of it has left the other image,
nothing is there to be met: streaks match anywhere along themselves, and the one edge across them that the
reference has tells no shift if moving has none. The slopes of moving, in place of those of the reference,
make the same Jacobian if it has all that the reference has, less of it if it is blurred, and none along a
direction that it does not tell.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.runs import Region
from maskreg.core.subpixel.moments import jacobian_of_slopes, moments, plain_moments
from maskreg.core.subpixel.normal_matrices import DOUBT, NormalMatrices
from maskreg.core.subpixel.residual import Residual

LEAST = 0.4
"""Moving makes at least this part of the Jacobian along each direction,"""

SURE = 2.0
"""or lacks so many standard deviations of what both are known to, or nobody can tell."""


def unsupported(residual: Residual, usable: Region, normal: NormalMatrices) -> NDArray[np.float64] | None:
    """Return the directions along which moving does not tell the shift, (ndim, any); None if it is not known.

    Parameters
    ----------
    residual : Residual
        Of a refined pair.
    usable : Region
        Pixels of moving at which it may be interpolated.
    normal : NormalMatrices
        Near its shift, without blind directions.
    """
    # the compiled pass over volumes sums no slopes
    summed = plain_moments if residual.moving.ndim == 3 else moments
    sums = summed(residual.template, residual.moving, usable, residual.shift, residual.lag, slopes=True)
    slopes = jacobian_of_slopes(sums, residual.gain) if sums.n >= 3 else None
    if slopes is None:
        return None
    directions, told = normal.principal
    part = (directions * (slopes @ directions)).sum(axis=0) / told
    lacks = part < LEAST
    if (lacks & (1 - part < SURE * math.sqrt(2) * normal.doubt / DOUBT)).any():
        return None
    return np.asarray(directions[:, lacks])
