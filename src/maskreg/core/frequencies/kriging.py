"""The likeliest values of single ignored pixels of an image whose spectrum is known.

For a signal of power P and white noise of variance v the best linear estimate of an ignored pixel from the
valid ones (Wiener's; in the plane, Matheron, Economic Geology 58, 1246, 1963) is the value that the filter

    W = P / (P + v)

leaves as it is: x = (W x) where pixels are ignored. Filling in what W makes of the pixel, again and again,
comes to it in the end (Papoulis, IEEE Trans. CAS 22, 735, 1975); x - W x is linear, symmetric and positive in
the ignored pixels, so that conjugate gradients come to it in a few steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.low_pass import LowPass
from maskreg.core.image.whole import coefficients_of, image_of

CLOSE = 0.03
"""The last step is on average this part of the noise's standard deviation,"""

MOST_STEPS = 24
"""or the last of so many."""


def kriged(
    pixels: NDArray[np.float32], places: NDArray[np.bool_], low_pass: LowPass, noise: float
) -> NDArray[np.float32]:
    """Return an image with the values of some pixels as the others tell them.

    Parameters
    ----------
    pixels : ndarray of float32
        Without holes; at the places a first guess.
    places : ndarray of bool
    low_pass : LowPass
        Of the refinement, whose weights are 2 P / (2 P + v).
    noise : float
        v.
    """
    wiener = replace(low_pass, weights=low_pass.weights / (2 - low_pass.weights), gaussian=0.0)

    def lacking(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return (image - image_of(wiener.weigh(coefficients_of(image))))[places]

    out = pixels.copy()
    left = -lacking(out)
    step, height = np.zeros_like(pixels), float(np.vdot(left, left))
    close = CLOSE**2 * noise * max(left.size, 1)
    direction = left
    for _ in range(MOST_STEPS):
        step[places] = direction
        bent = lacking(step)
        curvature = float(np.vdot(direction, bent))
        if curvature <= 0:  # the others tell nothing more, but for rounding
            break
        length = height / curvature
        out[places] += np.float32(length) * direction
        if length**2 * float(np.vdot(direction, direction)) <= close:
            break
        left = left - np.float32(length) * bent
        before, height = height, float(np.vdot(left, left))
        direction = left + np.float32(height / before) * direction
    return out
