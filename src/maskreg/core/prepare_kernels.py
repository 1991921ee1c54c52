"""Compiled passes over the grey values of a 2-D frame; each has a plain twin that it is tested against.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`stabilised_2d`               `maskreg.core.stabilise.Detector.stabilised`
`stabilised_halves_2d`        the same, and `maskreg.core.pyramid.plain_halved`
`counted_sums_2d`             `maskreg.core.windows.plain_window_sums`, radius 0
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
    """Fill one row with stabilised values, zero where ignored."""
    zero = np.float32(0)
    for j in range(out.size):
        # a root of its own for each pixel is three times as fast as a table
        root = np.sqrt(max(np.float32(pixels[j]) * slope + start, zero)) - mean
        out[j] = root if mask[j] else zero


@njit(**_INLINED)
def _some_value(pixels, mask):  # type: ignore[no-untyped-def]
    """Return the first valid value; without any, that of the first pixel."""
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if mask[i, j]:
                return pixels[i, j]
    return pixels[0, 0]


@njit(**_INLINED)
def _differs_in_row(pixels, mask, value):  # type: ignore[no-untyped-def]
    """Return whether a valid value is another one than `value`."""
    differs = False
    j = 0
    while j < pixels.size and not differs:
        differs = mask[j] and pixels[j] != value
        j += 1
    return differs


@njit(**_OPTIONS)
def stabilised_2d(pixels, mask, slope, start, mean):  # type: ignore[no-untyped-def]
    """Return sqrt(slope * value + start) - mean of every valid pixel, 0 elsewhere.

    Pixels are numbers of at most 32 bits.
    """
    out = np.empty(pixels.shape, np.float32)
    for i in range(pixels.shape[0]):
        _stabilised_row(pixels[i], mask[i], slope, start, mean, out[i])
    return out


@njit(**_INLINED)
def _sums_of_two(p, q, out):  # type: ignore[no-untyped-def]
    """Fill one row with the sums of two by two of two rows."""
    for j in range(out.size):
        out[j] = (p[2 * j] + q[2 * j]) + (p[2 * j + 1] + q[2 * j + 1])


@njit(**_OPTIONS)
def stabilised_halves_2d(pixels, mask, weights, slope, start, mean):  # type: ignore[no-untyped-def]
    """Return level 2 of what `stabilised_2d` returns, the sums of four by four, and if valid values differ.

    Level 2 are sums of two by two times `weights`. All is made while the rows are in the cache.
    """
    height, width = pixels.shape
    means = np.empty((height // 2, width // 2), np.float32)
    quarters = np.empty((height // 4, width // 4), np.float32)
    p = np.empty(width, np.float32)
    q = np.empty(width, np.float32)
    above = np.empty(width // 2, np.float32)
    below = np.empty(width // 2, np.float32)
    some = _some_value(pixels, mask)
    differ = False
    for i in range(height):
        differ = differ or _differs_in_row(pixels[i], mask[i], some)
        _stabilised_row(pixels[i], mask[i], slope, start, mean, q if i % 2 else p)
        if i % 2 == 0:
            continue
        sums = below if i % 4 == 3 else above
        _sums_of_two(p, q, sums)
        r, w = means[i // 2], weights[i // 2]
        for j in range(r.size):
            r[j] = sums[j] * w[j]
        if i % 4 == 3:
            _sums_of_two(above, below, quarters[i // 4])
    return means, quarters, differ


@njit(**_OPTIONS)
def counted_sums_2d(reference, reference_mask, pixels, mask, slope, start, mean, sy, sx):  # type: ignore[no-untyped-def]
    """Return what `maskreg.core.search_kernels.common_sums_2d` does, for counts not stabilised yet."""
    height, width = reference.shape
    rows, columns = pixels.shape
    y0, y1 = max(0, sy), min(height, rows + sy)
    x0, x1 = max(0, sx), min(width, columns + sx)
    sums = np.zeros(6)
    zero = np.float32(0)
    b = np.empty(max(0, x1 - x0), np.float32)
    for i in range(y0, y1 if x1 > x0 else y0):
        a, m = reference[i, x0:x1], reference_mask[i, x0:x1]
        v = mask[i - sy, x0 - sx : x1 - sx]
        _stabilised_row(pixels[i - sy, x0 - sx : x1 - sx], v, slope, start, mean, b)
        n, s, ss, t, tt, st = zero, zero, zero, zero, zero, zero
        for j in range(a.size):
            w = np.float32(m[j] & v[j])
            x = a[j] * w
            y = b[j] * w
            n += w
            s += x
            ss += x * x
            t += y
            tt += y * y
            st += x * y
        row = (n, s, ss, t, tt, st)
        for k in range(6):
            sums[k] += row[k]
    return sums
