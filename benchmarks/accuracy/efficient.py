"""The error of an efficient estimate on the very same noise: what part of an error is bad luck.

Knowing the scene, a step of Fisher scoring from the truth has exactly the covariance of the bound.
No tool can do it; but its error goes with that of any good tool, and its own mean square is known.
So it takes most of the chance out of a measured RMSE (a control variate).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift as interpolated_shift

from maskreg.testing import Pair, Scene


def efficient_error(
    scene: Scene, drift: NDArray[np.float64], dose: float, read_noise: float, pair: Pair
) -> NDArray[np.float64]:
    """Return the error of the efficient estimate of a pair's shift over its sigma, (2,).

    Of mean square one. Each frame is compared with its own expectation, over the pixels of which the
    content is valid in both.
    """
    drifts = (np.zeros(2), np.asarray(drift, np.float64))
    moved, information = [], []
    for image, here, there in zip((pair.reference, pair.moving), drifts, drifts[::-1], strict=True):
        weight = pair.mask * interpolated_shift(pair.mask.astype(float), here - there, order=1)
        expected = dose * scene.render(here)
        precision = (weight / (expected + read_noise**2)).ravel()
        gradient = dose * scene.gradient(here).reshape(2, -1)
        information.append((gradient * precision) @ gradient.T)
        noise = np.where(pair.mask, image - expected, 0.0).ravel()
        moved.append(np.linalg.solve(information[-1], (gradient * precision) @ noise))
    covariance = sum(np.linalg.inv(f) for f in information)
    return np.asarray((moved[0] - moved[1]) / np.sqrt(np.diagonal(covariance)))
