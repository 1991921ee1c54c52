"""Values between pixels by six-tap Lagrange interpolation.

Lagrange weights reproduce polynomials up to the fifth degree, so no moment of a bright smooth
background is moved; a windowed sinc of the same length was off by three statistical bounds for
just that reason.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = np.arange(-2, 4)
"""Offsets of the six taps from the pixel at or before the wanted place."""

_SLOPES = np.array(
    [
        np.polynomial.Polynomial.fromroots(rest).deriv().coef / np.prod(tap - rest)
        for tap, rest in ((tap, np.delete(TAPS, k)) for k, tap in enumerate(TAPS))
    ]
)
"""Of the derivative of each tap's weight: its coefficients as a polynomial of the fraction."""


def lagrange_taps(place: float) -> tuple[int, NDArray[np.float64]]:
    """Return the first of six pixels around `place` and their weights (sum 1).

    Parameters
    ----------
    place : float
        Coordinate, px.

    Returns
    -------
    first : int
        Pixel of the first weight.
    weights : (6,) ndarray of float64
        The value at `place` is ``sum(weights * pixels[first : first + 6])``.
    """
    whole = int(np.floor(place))
    fraction = place - whole
    # the products of the distances t - m to the other taps, over those of the taps among each other
    a, b, c, d, e, f = (fraction - m for m in (-2, -1, 0, 1, 2, 3))
    ab, cd, ef = a * b, c * d, e * f
    weights = np.array(
        [
            -b * cd * ef / 120,
            a * cd * ef / 24,
            -ab * d * ef / 12,
            ab * c * ef / 12,
            -ab * cd * f / 24,
            ab * cd * e / 120,
        ]
    )
    return whole + int(TAPS[0]), weights


def lagrange_slopes(place: float) -> NDArray[np.float64]:
    """Return the derivative of the weights of `lagrange_taps` with respect to the place, per px.

    Parameters
    ----------
    place : float
        Coordinate, px.

    Returns
    -------
    (6,) ndarray of float64
        The derivative of the interpolated value is ``sum(slopes * pixels[first : first + 6])``.
    """
    fraction = place - int(np.floor(place))
    return np.asarray(_SLOPES @ fraction ** np.arange(len(TAPS) - 1))


def noise_kept(shift: NDArray[np.float64]) -> float:
    """Return which part of the variance of white noise is left in an image interpolated at a shift, px.

    Between pixels interpolation averages it.
    """
    return float(np.prod([np.sum(lagrange_taps(-float(s))[1] ** 2) for s in shift]))
