"""The likeliest local maxima of a map of lags."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.likelihood import likelihood
from maskreg.geometry import smallest_first

MOST_CANDIDATES = 16
"""So many of the likeliest local maxima of each level are looked at."""


def likeliest_maxima(
    ncc: NDArray[Any],
    overlap: NDArray[Any],
    searched: NDArray[np.bool_],
    floor: float,
    lags: tuple[NDArray[np.intp], ...],
) -> list[tuple[int, ...]]:
    """Return indices of the likeliest local maxima, best first; of equal ones the smallest shift first.

    Parameters
    ----------
    ncc, overlap : ndarray
        Per lag.
    searched : ndarray of bool
        Lags that may be chosen; of these only they that correlate positively are.
    floor : float
        eps of the likelihood.
    lags : tuple of 1-D ndarray
        Consecutive, ascending.
    """
    values = np.where(searched, likelihood(ncc, overlap, floor), -np.inf)
    highest = scipy.ndimage.maximum_filter(values, 3, mode="constant", cval=-np.inf)
    peaks = np.isfinite(values) & (values == highest)
    found = np.argwhere(peaks)
    shifts = np.stack([axis[found[:, i]] for i, axis in enumerate(lags)], axis=1)
    order = smallest_first(shifts, -values[peaks])
    return [tuple(int(i) for i in found[k]) for k in order[:MOST_CANDIDATES]]
