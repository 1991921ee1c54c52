"""The likelihood of a lag, with its guards: the one function that oracle and fast paths share.

With unknown gain, offset and noise level between the two images, the profile log-likelihood of
lag s against "unrelated" is

    L(s) = -((n(s) - 2) / 2) log(max(1 - r(s)^2, eps))    for r > 0, n > FEWEST_PIXELS,
    L(s) = -inf                                          otherwise.

The factor n - 2 makes the tail of a chance value about exp(-L) for every n: two pixels always
correlate perfectly. It follows from the maximised Gaussian likelihood of a linear regression
(residual variance 1 - r^2), e.g. Kay, Fundamentals of Statistical Signal Processing II, ch. 6-7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_PIXELS = 10
"""Lags at which this many pixels or fewer are valid in both images are forbidden."""

LEAST_UNEXPLAINED = 1e-6
"""Least value of 1 - r^2 that is believed: what rounding leaves of an exact copy."""


def unexplained_floor(
    reference: NDArray[Any], moving: NDArray[Any], reference_mask: NDArray[Any], moving_mask: NDArray[Any]
) -> float:
    """Return eps, the least believable 1 - r^2 for these images.

    Integers are known to a uniform rounding error of variance 1/12, so that exact copies and
    sparse counts of small variance v are not taken for a perfect match:
    eps >= (1/12) (1/v_reference + 1/v_moving). Never above 1.
    """
    floor = LEAST_UNEXPLAINED
    quantised = 0.0
    for pixels, mask in ((reference, reference_mask), (moving, moving_mask)):
        if pixels.dtype.kind in "ui" and mask.any():
            variance = float(np.var(pixels[mask].astype(np.float64)))
            quantised += 1.0 / (12.0 * variance) if variance > 0 else 1.0
    return min(1.0, max(floor, quantised))


def likelihood(ncc: ArrayLike, overlap: ArrayLike, floor: float = LEAST_UNEXPLAINED) -> NDArray[np.float64]:
    """Return L for each lag; -inf where the lag is forbidden or correlates negatively.

    Parameters
    ----------
    ncc : array_like
        Masked NCC r(s); NaN = forbidden.
    overlap : array_like
        Number n(s) of pixels valid in both images.
    floor : float
        eps, see `unexplained_floor`.
    """
    r = np.asarray(ncc, np.float64)
    n = np.asarray(overlap, np.float64)
    allowed = (r > 0) & (n > FEWEST_PIXELS)  # NaN > 0 is False
    unexplained = np.maximum(1.0 - np.where(allowed, r, 0.0) ** 2, floor)
    # + 0.0 turns the -0.0 of an eps of 1 into 0
    return np.where(allowed, -0.5 * (n - 2.0) * np.log(unexplained) + 0.0, -np.inf)


def fisher_z(ncc: ArrayLike, overlap: ArrayLike, floor: float = LEAST_UNEXPLAINED) -> NDArray[np.float64]:
    """Return z(s) = atanh(r) sqrt(n - 3), r capped so that 1 - r^2 >= `floor`; NaN where forbidden.

    Fisher's transform: of unit spread for unrelated white images, whatever n.
    """
    r = np.asarray(ncc, np.float64)
    n = np.asarray(overlap, np.float64)
    cap = np.sqrt(1.0 - floor)
    with np.errstate(invalid="ignore"):
        return np.where(
            n > FEWEST_PIXELS, np.arctanh(np.clip(r, -cap, cap)) * np.sqrt(np.maximum(n - 3, 0)), np.nan
        )
