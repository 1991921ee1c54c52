"""Grey values of equal noise less their mean, in units of their spread unless they are counts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepare_kernels import fill_with_standard, squares_about, sum_of_values
from maskreg.core.image.stabilise import Detector

COMPILED = [np.dtype(code) for code in "bBhHiIfd"]
"""Others are rare."""


class Standard(NamedTuple):
    """An image as it is compared.

    Attributes
    ----------
    pixels : ndarray of float32
        Stabilised, over the scale, mean off; zero where ignored.
    mean, scale : float
        The mean in units of the scale, and the scale: the spread, 1 for counts, whose noise is 1.
    flat : bool
        Whether the valid pixels are all equal, or there are none.
    """

    pixels: NDArray[np.float32]
    mean: float
    scale: float
    flat: bool


def standard(detector: Detector, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> Standard:
    """Return an image as it is compared, in the quickest way there is.

    Parameters
    ----------
    detector : Detector
    pixels : ndarray
        Of real numbers, C-contiguous, of any number of axes.
    mask : ndarray of bool
        True = valid, C-contiguous.
    """
    found = None if detector.counts or pixels.dtype not in COMPILED else compiled_standard(pixels, mask)
    return found or plain_standard(detector, pixels, mask)


def compiled_standard(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> Standard | None:
    """Return what `plain_standard` does of values that are no counts; None where it has to be asked."""
    values, valid = pixels.reshape(-1), mask.reshape(-1)
    n, total, differ = sum_of_values(values, valid)
    if not differ:
        return None
    mean = total / n
    variance = squares_about(values, valid, mean) / n
    if not np.finfo(np.float64).tiny < variance < np.inf:  # squares vanish or overflow
        return None
    scale = float(np.sqrt(variance))
    out = np.empty(pixels.shape, np.float32)
    fill_with_standard(values, valid, mean, scale, out.reshape(-1))
    return Standard(out, mean / scale, scale, False)


def plain_standard(detector: Detector, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> Standard:
    """Return an image as it is compared, of whatever values."""
    raw = pixels[mask]
    valid = detector.stabilised(raw)
    mean, scale = _mean_and_scale(valid, counts=detector.counts)
    out = np.zeros(pixels.shape, np.float32)
    # the mean is off before float32 is all there is: 60000 +/- 5 keeps its digits
    out[mask] = valid / scale - mean
    return Standard(out, mean, scale, is_flat(raw))


def is_flat(valid: NDArray[Any]) -> bool:
    """Return whether valid values are all equal, or there are none."""
    return valid.size == 0 or bool((valid == valid[0]).all())


def _mean_and_scale(values: NDArray[np.float64], *, counts: bool) -> tuple[float, float]:
    """Return the mean in units of the scale, and the scale (1 for counts, whose noise is 1)."""
    if values.size == 0:
        return 0.0, 1.0
    if counts:
        return float(values.mean()), 1.0
    # divided first: a sum of values near the largest float must not overflow
    largest = float(np.abs(values).max()) or 1.0
    relative = values / largest
    spread = float(relative.std()) or 1.0
    return float(relative.mean() / spread), largest * spread
