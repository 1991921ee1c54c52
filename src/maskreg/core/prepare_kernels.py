"""Compiled passes over the grey values of a 2-D frame; each has a plain twin that it is tested against.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`stabilised_2d`               `maskreg.core.stabilise.Detector.stabilised`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np
from numba import njit

from maskreg.core.compilation import tell_of_compilation
from maskreg.core.kernels import _INLINED, _OPTIONS

tell_of_compilation()


@njit(**_INLINED)
def _stabilised_row(pixels, mask, slope, start, mean, out):  # type: ignore[no-untyped-def]
    """Fill one row; return the least and the greatest valid value, -1 and 65536 if there is none."""
    zero = np.float32(0)
    least = np.int32(65536)
    greatest = np.int32(-1)
    for j in range(out.size):
        value = np.int32(pixels[j])
        valid = np.int32(mask[j])
        # a root of its own for each pixel is three times as fast as a table
        root = np.sqrt(max(np.float32(value) * slope + start, zero)) - mean
        out[j] = root if valid else zero
        least = min(least, value if valid else np.int32(65536))
        greatest = max(greatest, value if valid else np.int32(-1))
    return least, greatest


@njit(**_OPTIONS)
def stabilised_2d(pixels, mask, slope, start, mean):  # type: ignore[no-untyped-def]
    """Return sqrt(slope * value + start) - mean of every valid pixel, 0 elsewhere, and its sums of 2 by 2.

    Also the least and the greatest valid value. Pixels are unsigned integers of at most 16 bits.
    """
    height, width = pixels.shape
    out = np.empty((height, width), np.float32)
    halves = np.empty((height // 2, width // 2), np.float32)
    least = np.int32(65536)
    greatest = np.int32(-1)
    for i in range(height):
        low, high = _stabilised_row(pixels[i], mask[i], slope, start, mean, out[i])
        least = min(least, low)
        greatest = max(greatest, high)
        if i % 2:
            # while both rows are in the cache
            p, q, r = out[i - 1], out[i], halves[i // 2]
            for j in range(width // 2):
                r[j] = (p[2 * j] + q[2 * j]) + (p[2 * j + 1] + q[2 * j + 1])
    return out, halves, least, greatest
