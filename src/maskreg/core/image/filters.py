"""Filters along the axes of images of any number of axes, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.image.filter_kernels import filtered_rows, filtered_slices


def filtered(
    values: NDArray[np.float32], taps: NDArray[Any], axis: int, *, nearest: bool = False
) -> NDArray[np.float32]:
    """Return the sum of taps times neighbours along one axis.

    Parameters
    ----------
    values : ndarray of float32
    taps : (2 radius + 1,) ndarray
        The middle one belongs to the pixel itself.
    axis : int
    nearest : bool
        Beyond the border stands its last pixel; default zeros.
    """
    shape = values.shape
    inner = int(np.prod(shape[axis + 1 :]))
    stacked = np.ascontiguousarray(values).reshape(-1, shape[axis], inner)
    odd = bool((taps == -taps[::-1]).all())
    kernel = filtered_rows if inner == 1 else filtered_slices
    return np.asarray(kernel(stacked, taps.astype(np.float32), odd, nearest)).reshape(shape)


def plain_filtered(
    values: NDArray[np.float32], taps: NDArray[Any], axis: int, *, nearest: bool = False
) -> NDArray[np.float32]:
    """Return what `filtered` does, by SciPy."""
    mode = "nearest" if nearest else "constant"
    return np.asarray(scipy.ndimage.correlate1d(values, taps, axis, mode=mode))


def gaussian_taps(sigma: float, reach: float) -> NDArray[np.float64]:
    """Return the weights of a Gaussian window of `sigma` px that ends at `reach` sigma; their sum is 1."""
    radius = int(reach * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum())


def gaussian(values: NDArray[np.float32], sigma: float, reach: float) -> NDArray[np.float32]:
    """Return the mean under a Gaussian window along every axis; zeros stand beyond the border."""
    taps = gaussian_taps(sigma, reach)
    for axis in range(values.ndim):
        values = filtered(values, taps, axis)
    return values
