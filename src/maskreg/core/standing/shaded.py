"""Whether shading pulls a refined shift: what changes slowly over the images, and not with the scene.

With the gradient G, and the residual r less its mean, a square t of pixels has the sum G_t of the one and the
mean r_t of the other, and shading adds G_t r_t to the equation of the shift. In the root of the sum of their
squares no luck takes one off another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.subpixel.residual import Residual
from maskreg.core.uncertainty.seen_errors import box_sums

ACROSS = 16
"""There are so many squares along the longest axis."""

SHADED = 4.0
"""Squares are shaded if the variance they make is so many times that of white noise,"""

PULLS = 0.25
"""and pull if it is this part of the variance that noise leaves."""


def is_pulled_by_shading(
    residual: Residual, inverse: NDArray[np.float64], covariance: NDArray[np.float64]
) -> bool:
    """Return whether shading pulls the shift of a residual.

    Parameters
    ----------
    residual : Residual
    inverse : (ndim, ndim) ndarray of float64
        Of the normal matrix: what a sum of G r moves the shift, level pixels.
    covariance : (ndim, ndim) ndarray of float64
        Of the shift, as white noise makes it, level pixels squared.
    """
    shape = residual.template.mask.shape
    ndim = len(shape)
    sums, number, total = box_sums(residual, -(-max(shape) // ACROSS), products=True)
    flat = sums.reshape(len(sums), -1)
    gradient, (r, rr, n) = flat[ndim : 2 * ndim], flat[-3:]
    n = np.maximum(n, 1)
    off = r / n - total / max(number, 1)
    noise = (rr - r**2 / n) / np.maximum(n - 1, 1) / n  # bright squares may be noisier
    moved = inverse @ gradient
    of_shading, of_noise = float((moved**2 @ off**2).sum()), float((moved**2 @ noise).sum())
    return of_shading > SHADED * of_noise and of_shading > PULLS * float(np.trace(covariance))
