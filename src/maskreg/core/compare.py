"""Compare two refined places on the pixels that are valid at both.

Scored on its own pixels, the place of larger overlap has an advantage that says nothing about it;
and between whole lags a sharp peak shows less than its height. So the images are compared below
the pixel, on one set.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.fill import filled
from maskreg.core.likelihood import LEAST_UNEXPLAINED
from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide
from maskreg.core.refine import Moments, moments, shifted_mask

COMMON_PART = 0.5
"""The common set must keep this part of either place's own."""


def likelihood_gap(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    one: NDArray[np.float64],
    other: NDArray[np.float64],
) -> float | None:
    """Return by how much the log-likelihood of shift `one` exceeds that of `other`.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    b : int
        Level at which to compare.
    one, other : (ndim,) ndarray
        Shifts, px.

    Returns
    -------
    float or None
        None where the two places have too few pixels in common.
    """
    template = masked.side.template(b, masked.side.forecast(b).width)
    image, usable = moving.level(b), masked.usable(b)
    pixels = filled(image.pixels, image.mask) if masked.scattered(b) else image.pixels
    near = [tuple(int(s) for s in np.rint(shift / b)) for shift in (one, other)]
    own = [template.mask & shifted_mask(usable, lag, template.mask.shape) for lag in near]
    common = own[0] & own[1]
    n = np.count_nonzero(common)
    if n < 3 or n < COMMON_PART * max(np.count_nonzero(mask) for mask in own):
        return None
    on_common = replace(template, mask=common)
    left = []
    for shift, lag in zip((one, other), near, strict=True):
        between = moments(on_common, pixels, usable, shift / b, lag)
        at_pixels = moments(on_common, pixels, usable, np.array(lag, np.float64), lag)
        left.append(_unexplained(between, at_pixels))
    return 0.5 * (n - 2) * float(np.log(left[1] / left[0]))


def _unexplained(between: Moments, at_pixels: Moments) -> float:
    """Return 1 - r^2, not below what rounding leaves; 1 for a negative correlation.

    The covariance is taken between the pixels, where the shift is; the variances at whole pixels:
    interpolation averages noise, the more the nearer to half a pixel, and would favour such shifts.
    """
    n = max(between.n, 1.0)
    covariance = between.ru - between.r * between.u / n
    m = max(at_pixels.n, 1.0)
    energies = (at_pixels.rr - at_pixels.r**2 / m) * (at_pixels.uu - at_pixels.u**2 / m) * (n / m) ** 2
    if covariance <= 0 or energies <= 0:
        return 1.0
    return float(max(1 - covariance**2 / energies, LEAST_UNEXPLAINED))
