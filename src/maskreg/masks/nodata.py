"""A number that stands for no data (-9999, 65535): one extreme value in many pixels, far from all others.

What holds it stands still, and has the steepest edges of the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_PART = 0.001
"""Of the pixels: fewer are hot or dead ones, which are found otherwise."""


def nodata_warning(image: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> str | None:
    """Return a warning when valid pixels hold what may stand for no data, else None.

    Parameters
    ----------
    image : ndarray of real numbers
        May be a `numpy.ma.MaskedArray`.
    mask : ndarray of bool, optional
        True = valid.
    """
    values = np.ma.getdata(image)
    valid = ~np.ma.getmaskarray(image) & np.isfinite(values)
    values = values[valid if mask is None else valid & mask]
    if not values.size:
        return None
    for flag, value in (("below", values.min()), ("above", values.max())):
        part = (values == value).mean()
        if part < LEAST_PART:
            continue
        others = values[values != value].astype(np.float64)
        if others.size and 0 < np.ptp(others) < np.abs(float(value) - others).min():
            limit = others.min() if flag == "below" else others.max()
            return (
                f"{100 * part:.2g} % of the pixels hold {value:.10g}, far {flag} all others: does it stand "
                f"for no data? Then ignore them: --ignore-{flag} {limit:.10g}, a mask, or NaN in the frames"
            )
    return None
