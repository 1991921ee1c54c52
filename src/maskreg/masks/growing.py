"""Growing the ignored area, for what leaks past the edge of a beam-block."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError


def grow(mask: ArrayLike, pixels: float) -> NDArray[np.bool_]:
    """Return `mask` with the ignored area grown by a radius.

    Parameters
    ----------
    mask : array_like of bool
        True = valid; any number of axes.
    pixels : float
        Pixels that are at most so far (Euclidean, centre to centre) from an ignored one
        become ignored. The frame's border is no ignored area: it does not grow inwards.

    Returns
    -------
    bool ndarray
        A new mask, True = valid.

    Raises
    ------
    InputError
        When `pixels` is negative or not finite.
    """
    try:
        fits = 0 <= float(pixels) < np.inf
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise InputError(f"grow is {pixels!r}; it must be zero or more px")
    valid = np.array(mask, dtype=bool)
    if pixels == 0 or valid.all():  # without an ignored pixel there is no distance to it
        return valid
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(valid) > pixels)
