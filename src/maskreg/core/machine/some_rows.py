"""Rows of an image that are worked on together, where all at once would take several images of memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def some_rows(mask: NDArray[np.bool_], pixels: int, *, least: int = 1, multiple: int = 1) -> Iterator[slice]:
    """Yield the rows of an image, some at a time.

    Parameters
    ----------
    mask : ndarray of bool
        Of the image, of any number of axes.
    pixels : int
        About so many at a time.
    least, multiple : int
        At least so many rows, itself a multiple, and a multiple of so many; but for the last ones.
    """
    height = max(least, pixels * len(mask) // mask.size // multiple * multiple)
    for i in range(0, len(mask), height):
        yield slice(i, min(i + height, len(mask)))
