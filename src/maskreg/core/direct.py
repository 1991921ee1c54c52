"""The definition in plain loops: the oracle that every fast path is compared with.

Masked NCC: the correlation coefficient of the two images over exactly the pixels that are valid
in both at a lag (Padfield, IEEE TIP 21(5), 2706-2718, 2012, doi:10.1109/TIP.2011.2181402, eq. 1-3).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.core.image.checked import centred, check_same_axes, checked_image
from maskreg.core.likelihood import FEWEST_PIXELS, likelihood, unexplained_floor
from maskreg.geometry import lag_axis, overlap_slices


def direct_correlate(
    reference: ArrayLike,
    moving: ArrayLike,
    reference_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return masked NCC, overlap and likelihood at every lag, by their definition.

    Parameters
    ----------
    reference, moving : array_like
        Real, the same number of axes; shapes may differ.
    reference_mask, moving_mask : array_like of bool, optional
        True = valid.

    Returns
    -------
    ncc : ndarray of float64
        One value per lag, lags ascending along each axis (`maskreg.geometry.lag_axis`); NaN where
        the lag is forbidden: `FEWEST_PIXELS` or fewer, or no variance.
    overlap : ndarray of int64
        Pixels valid in both.
    likelihood : ndarray of float64
        See `maskreg.core.likelihood`.
    """
    a, a_mask = checked_image("reference", reference, reference_mask)
    b, b_mask = checked_image("moving", moving, moving_mask)
    check_same_axes(a, b)
    (x, x_step), (y, y_step) = centred(a, a_mask), centred(b, b_mask)
    axes = [lag_axis(p, q) for p, q in zip(a.shape, b.shape, strict=True)]
    ncc = np.full([len(axis) for axis in axes], np.nan)
    overlap = np.zeros(ncc.shape, np.int64)
    for index in itertools.product(*(range(len(axis)) for axis in axes)):
        lag = [int(axis[i]) for axis, i in zip(axes, index, strict=True)]
        ncc[index], overlap[index] = ncc_at(x, y, a_mask, b_mask, lag, (x_step, y_step))
    return ncc, overlap, likelihood(ncc, overlap, unexplained_floor(a, b, a_mask, b_mask))


def ncc_at(
    reference: NDArray[Any],
    moving: NDArray[Any],
    reference_mask: NDArray[np.bool_],
    moving_mask: NDArray[np.bool_],
    lag: Sequence[int],
    steps: tuple[float, float],
) -> tuple[float, int]:
    """Return masked NCC (NaN = forbidden) and overlap at one whole-pixel lag, summed directly.

    `steps` are the differences in reference and moving below which all is rounding (`centred`).
    """
    of_reference, of_moving = overlap_slices(reference.shape, moving.shape, lag)
    both = reference_mask[of_reference] & moving_mask[of_moving]
    n = int(np.count_nonzero(both))
    if n <= FEWEST_PIXELS:
        return float("nan"), n
    u = reference[of_reference][both].astype(np.float64)
    v = moving[of_moving][both].astype(np.float64)
    if np.ptp(u) <= 8 * steps[0] or np.ptp(v) <= 8 * steps[1]:
        return float("nan"), n
    u -= u.mean()
    v -= v.mean()
    # scaled before squaring, so that a faint overlap beside one bright pixel does not underflow
    u /= np.abs(u).max()
    v /= np.abs(v).max()
    return float(np.clip(u @ v / np.sqrt((u @ u) * (v @ v)), -1.0, 1.0)), n
