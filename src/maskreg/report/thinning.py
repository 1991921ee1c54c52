"""Fewer points for the same picture: a long series is thinned, never cropped."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 4000
"""Points of a series that a page draws; a screen has fewer columns."""


def thinned(
    values: NDArray[np.float64], keep: NDArray[np.bool_], most: int = MOST_POINTS
) -> NDArray[np.intp]:
    """Return which rows to draw, ascending: all of a short series, else the extremes of each stretch.

    Parameters
    ----------
    values : (n, k) float
        What is drawn along the series; NaN is allowed.
    keep : (n,) bool
        Rows that stay in any case.
    most : int
        About how many of the other rows stay; the first and the last always do.

    Returns
    -------
    (m,) int
    """
    n, k = values.shape
    if n <= most:
        return np.arange(n)
    stretches = max(1, most // (2 * k))
    edges = np.linspace(0, n, stretches + 1).astype(np.intp)
    chosen = [np.flatnonzero(keep), np.array([0, n - 1])]
    for column in values.T:
        low, high = np.where(np.isnan(column), np.inf, column), np.where(np.isnan(column), -np.inf, column)
        pairs = pairwise(edges)
        chosen.append(
            np.array(
                [
                    place
                    for start, stop in pairs
                    for place in (start + low[start:stop].argmin(), start + high[start:stop].argmax())
                ]
            )
        )
    return np.unique(np.concatenate(chosen))
