"""How noisy each pixel of an image is.

White noise is read off second differences (after Immerkaer, CVIU 64, 300, 1996), as a function of
the local brightness: a photon transfer curve from one image. Second differences show texture as
well, at twice the distance more of it, while white noise shows the same; so where that differs,
counts are believed to be no noisier than counting makes them.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.prepared import Prepared

SPARSE = 4.0
"""Below this median number of electrons in a pixel counts are sparse: most differences are zero."""

LOCAL_PX = 2.0
"""Sigma of the window in which the local brightness is taken, px."""

CLASSES = 8
"""The pixels are sorted by local brightness into so many classes of equal size."""

FEWEST = 50
"""A class of fewer second differences shows nothing."""

WHITE = 1.1
"""Noise is white if second differences at twice the distance are at most so much larger."""


def noise_map(image: Prepared) -> NDArray[np.float32]:
    """Return the variance of each pixel's noise in `image.pixels`; zero where ignored."""
    counting = None
    local = _local_mean(image.pixels, image.mask)
    if image.detector.counts:
        counting = image.detector.noise_variance(local + image.mean)
        if np.median(image.detector.electrons(image.raw[image.mask])) < SPARSE:
            return np.where(image.mask, counting, 0).astype(np.float32)
    brightness, near = _variances(image.pixels, image.mask, local, 1)
    _, far = _variances(image.pixels, image.mask, local, 2)
    if brightness.size == 0:  # scattered masks leave no neighbours: all variance is taken for noise
        whole = float(np.var(image.pixels[image.mask]))
        shown = np.full(image.pixels.shape, whole) if counting is None else np.minimum(counting, whole)
        return np.where(image.mask, shown, 0).astype(np.float32)
    shown = np.interp(local, brightness, near)
    if counting is not None and not (near.size == far.size and (far <= WHITE * near).all()):
        shown = np.minimum(shown, counting)
    return np.where(image.mask, shown, 0).astype(np.float32)


def _local_mean(pixels: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    part = scipy.ndimage.gaussian_filter(mask.astype(np.float32), LOCAL_PX, mode="constant")
    smooth = scipy.ndimage.gaussian_filter(pixels, LOCAL_PX, mode="constant")
    return np.asarray(smooth / np.maximum(part, np.float32(1e-6)))


def _variances(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], local: NDArray[np.float32], distance: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean brightness of each class, ascending, and the variance of its noise.

    Robust (median absolute deviation), so that edges and spots hardly count.
    """
    values, levels, gain = _second_differences(pixels, mask, local, distance)
    if values.size < FEWEST:
        return np.zeros(0), np.zeros(0)
    classes = min(CLASSES, values.size // FEWEST)
    order = np.argsort(levels, kind="stable")
    means = [part.mean() for part in np.array_split(levels[order], classes)]
    spreads = [
        1.4826 * np.median(np.abs(part - np.median(part))) for part in np.array_split(values[order], classes)
    ]
    return np.array(means, np.float64), np.array(spreads, np.float64) ** 2 / gain


def _second_differences(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], local: NDArray[np.float32], distance: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return the valid second differences along every axis, the brightness there, and their gain.

    The gain is their variance for white noise of unit variance.
    """
    values, valid, levels = pixels, mask, local
    gain = 1.0
    for axis in range(pixels.ndim):
        length = values.shape[axis] - 2 * distance
        if length < 1:
            continue
        left, mid, right = (
            tuple(slice(k, length + k) if a == axis else slice(None) for a in range(pixels.ndim))
            for k in (0, distance, 2 * distance)
        )
        values = 2 * values[mid] - values[left] - values[right]
        valid = valid[left] & valid[mid] & valid[right]
        levels = levels[mid]
        gain *= 6.0
    return values[valid], levels[valid], gain
