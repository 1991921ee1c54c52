"""A number that stands for no data (-9999, 65535): one extreme value in many pixels, far from all others.

What holds it stands still, and has the steepest edges of the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_PART = 0.001
"""Of the pixels: fewer are hot or dead ones, which are found otherwise."""

SAMPLE = 2**14
"""So many pixels tell of most images that nothing stands for no data in them."""


def nodata_warning(image: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> str | None:
    """Return a warning when valid pixels hold what may stand for no data, else None.

    Parameters
    ----------
    image : ndarray of real numbers
        May be a `numpy.ma.MaskedArray`.
    mask : ndarray of bool, optional
        True = valid.
    """
    # an odd step, so that columns of images as wide as a power of two take turns
    step = image.size // SAMPLE | 1
    suspected = _told(_valid_values(image, mask, step), LEAST_PART / 2)
    return _told(_valid_values(image, mask, 1), LEAST_PART) if suspected else None


def _valid_values(image: NDArray[Any], mask: NDArray[np.bool_] | None, step: int) -> NDArray[Any]:
    """Return every step-th pixel, without what is ignored."""
    some = image.reshape(-1)[::step]
    values = np.ma.getdata(some)
    valid = ~np.ma.getmaskarray(some) & np.isfinite(values)
    if mask is not None:
        valid &= mask.reshape(-1)[::step]
    return np.asarray(values[valid])


def _told(values: NDArray[Any], least: float) -> str | None:
    """Return the warning where the least or the greatest value is that of so great a part of them."""
    if not values.size:
        return None
    for flag, value in (("below", values.min()), ("above", values.max())):
        part = (values == value).mean()
        if part < least:
            continue
        others = values[values != value].astype(np.float64)
        if others.size and 0 < np.ptp(others) < np.abs(float(value) - others).min():
            limit = others.min() if flag == "below" else others.max()
            return (
                f"{100 * part:.2g} % of the pixels hold {value:.10g}, far {flag} all others: does it "
                f"stand for no data? Then leave them out: --ignore-{flag} {limit:.10g}, a mask, or NaN in "
                "their place"
            )
    return None
