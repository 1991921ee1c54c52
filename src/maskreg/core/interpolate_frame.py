"""A whole frame, interpolated at a shift by six-tap Lagrange weights (`maskreg.core.interpolate`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.interpolate import lagrange_taps

WHOLE = 1e-9
"""A shift this near to a whole pixel is taken for it: nothing is interpolated."""


def interpolated(image: NDArray[np.float32], shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return image(x - shift); beyond its border the image goes on with its last value."""
    from maskreg.core.known_kernels import interpolated_2d

    (oy, wy), (ox, wx) = (lagrange_taps(-s) for s in _rounded(shift))
    return np.asarray(interpolated_2d(image, oy, wy.astype(np.float32), ox, wx.astype(np.float32)))


def all_valid(mask: NDArray[np.bool_], shift: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where every pixel that `interpolated` gives a weight is valid."""
    from maskreg.core.known_kernels import all_valid_2d

    (oy, ny), (ox, nx) = (_span(-s) for s in _rounded(shift))
    return np.asarray(all_valid_2d(mask, oy, ny, ox, nx))


def _span(place: float) -> tuple[int, int]:
    """Return the first pixel with a weight, and how many there are."""
    first, weights = lagrange_taps(place)
    return (int(place), 1) if place == int(place) else (first, len(weights))


def _rounded(shift: NDArray[np.float64]) -> list[float]:
    return [float(np.rint(s)) if abs(s - np.rint(s)) < WHOLE else float(s) for s in shift]
