"""How noisy each pixel of an image is."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.prepared import Prepared

SPARSE = 4.0
"""Below this median number of electrons in a pixel counts are sparse."""

LOCAL_PX = 2.0
"""Sigma of the window in which the local mean of sparse counts is taken, px."""


def noise_map(image: Prepared) -> NDArray[np.float32]:
    """Return the variance of each pixel's noise in `image.pixels`; zero where ignored.

    That of counting, scaled down to what second differences show where that is less: counts may
    have been averaged. Among sparse counts differences show nothing, most being zero; data that
    are not counts have only them.
    """
    shown = noise_variance(image.pixels, image.mask)
    if not image.detector.counts:
        return np.where(image.mask, np.float32(shown), np.float32(0))
    local = np.where(image.mask, image.pixels + np.float32(image.mean), np.float32(0))
    part = scipy.ndimage.gaussian_filter(image.mask.astype(np.float32), LOCAL_PX, mode="constant")
    smooth = scipy.ndimage.gaussian_filter(local, LOCAL_PX, mode="constant") / np.maximum(part, 1e-6)
    counting = np.where(image.mask, image.detector.noise_variance(smooth), 0.0)
    mean = float(counting[image.mask].mean())
    sparse = np.median(image.detector.electrons(image.raw[image.mask])) < SPARSE
    return (counting * (1.0 if sparse else min(1.0, shown / mean))).astype(np.float32)


def noise_variance(pixels: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Estimate the variance of white noise from second differences along every axis.

    Robust (median absolute deviation), so that edges and spots hardly count; texture does, which
    errs towards more noise. After Immerkaer, CVIU 64, 300, 1996.
    """
    values, valid = pixels.astype(np.float64), mask
    gain = 1.0
    for axis in range(pixels.ndim):
        length = values.shape[axis]
        if length < 3:
            continue
        left, mid, right = (
            tuple(slice(k, length - 2 + k) if a == axis else slice(None) for a in range(pixels.ndim))
            for k in range(3)
        )
        values = 2 * values[mid] - values[left] - values[right]
        valid = valid[left] & valid[mid] & valid[right]
        gain *= 6.0
    if not valid.any():  # scattered masks leave no three neighbours: all variance is taken for noise
        return float(np.var(pixels[mask])) if mask.any() else 0.0
    inside = values[valid]
    spread = 1.4826 * float(np.median(np.abs(inside - np.median(inside))))
    return spread**2 / gain
