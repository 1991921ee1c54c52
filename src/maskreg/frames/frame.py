"""What a frame is: two axes of real numbers, row by row, in the byte order of this machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

REAL_KINDS = "biuf"
"""NumPy's letters for the kinds of number that a pixel may be: bool, integer, float."""


def as_frame(values: Any) -> NDArray[Any]:
    """Return `values` as a frame.

    Parameters
    ----------
    values : (rows, cols) array_like of real numbers
        In any byte order and memory layout; may be a `numpy.ma.MaskedArray`.

    Returns
    -------
    (rows, cols) ndarray or MaskedArray
        C-contiguous and of native byte order; booleans become uint8. Not copied where
        `values` is like that already, so it must not be written into.

    Raises
    ------
    ValueError
        When it is no frame: a phrase that goes on from "frames.tif[17]: cannot be read: ".
    """
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ascontiguousarray(np.ma.getmaskarray(values))
        masked: NDArray[Any] = np.ma.MaskedArray(_native(values.data), mask=mask)
        return masked
    return _native(np.asarray(values))


def _native(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in REAL_KINDS:
        raise ValueError(f"its pixels are of type {array.dtype}; a frame holds real numbers")
    if array.ndim != 2:
        hint = (
            " (convert colours to grey, or take one channel, such as image[..., 1])" if array.ndim > 2 else ""
        )
        raise ValueError(f"its shape is {array.shape}; a frame has two axes{hint}")
    if array.size == 0:
        raise ValueError(f"its shape is {array.shape}; it holds no pixel")
    # arithmetic on booleans is another one than on numbers
    dtype = np.dtype(np.uint8) if array.dtype.kind == "b" else array.dtype.newbyteorder("=")
    return np.ascontiguousarray(array, dtype=dtype)
