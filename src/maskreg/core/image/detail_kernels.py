"""Compiled: the local plane of a 2-D image, and what is left of it without that; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`local_plane_2d`              `image.detail.LocalPlane.plain`
`between_blocks_2d`           `image.detail.plain_between_blocks`
`detail_2d`                   `image.detail.plain_detail`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel
from maskreg.core.machine.fill import fill


@inlined
def _filtered_row(padded, constant, linear, c, d):  # type: ignore[no-untyped-def]
    """Fill `c` and `d` with one row filtered by the two kernels; the row is padded by their radius."""
    n = c.size
    for j in range(n):
        c[j] = np.float32(0)
        d[j] = np.float32(0)
    for t in range(constant.size):
        p = padded[t : t + n]
        u, v = constant[t], linear[t]
        for j in range(n):
            c[j] += u * p[j]
            d[j] += v * p[j]


@inlined
def _column_sums(c, d, first, constant, linear, m, y, x):  # type: ignore[no-untyped-def]
    """Fill the moments of one row from the filtered rows `first` to `first + constant.size` of c and d."""
    n = m.size
    for j in range(n):
        m[j] = np.float32(0)
        y[j] = np.float32(0)
        x[j] = np.float32(0)
    for t in range(max(0, -first), min(constant.size, c.shape[0] - first)):
        p, q = c[first + t], d[first + t]
        u, v = constant[t], linear[t]
        for j in range(n):
            m[j] += u * p[j]
            y[j] += v * p[j]
            x[j] += u * q[j]


@kernel
def local_plane_2d(pixels, constant, linear, weights):  # type: ignore[no-untyped-def]
    """Return the local plane: window moments of the image, weighted and summed at every pixel.

    `constant` and `linear` are the window along one axis, and the window times the offset.
    """
    height, width = pixels.shape
    radius = constant.size // 2
    c = np.empty((height, width), np.float32)
    d = np.empty((height, width), np.float32)
    padded = np.zeros(width + 2 * radius, np.float32)
    for i in range(height):
        fill(padded[radius : radius + width], pixels[i])
        _filtered_row(padded, constant, linear, c[i], d[i])
    out = np.empty((height, width), np.float32)
    m = np.empty(width, np.float32)
    y = np.empty(width, np.float32)
    x = np.empty(width, np.float32)
    for i in range(height):
        _column_sums(c, d, i - radius, constant, linear, m, y, x)
        o, u, v, w = out[i], weights[0, i], weights[1, i], weights[2, i]
        for j in range(width):
            o[j] = u[j] * m[j] + v[j] * y[j] + w[j] * x[j]
    return out


@inlined
def _between_rows(coarse, side, i, line):  # type: ignore[no-untyped-def]
    """Fill a line by straight lines between the two rows of blocks whose middles are next to row `i`."""
    half = np.float32(0.5)
    scale = np.float32(1) / np.float32(side)
    rows = coarse.shape[0]
    place = (np.float32(i) + half) * scale - half
    k = min(max(int(np.floor(place)), 0), max(rows - 2, 0))
    part = place - np.float32(k)
    one, other = coarse[k], coarse[min(k + 1, rows - 1)]
    for j in range(line.size):
        line[j] = one[j] + part * (other[j] - one[j])


@inlined
def _between_columns(line, side, out):  # type: ignore[no-untyped-def]
    """Fill a row of pixels by straight lines between the middles of the blocks of a line, and beyond them."""
    half = np.float32(0.5)
    scale = np.float32(1) / np.float32(side)
    columns = line.size
    for j in range(out.size):
        place = (np.float32(j) + half) * scale - half
        k = min(max(int(np.floor(place)), 0), max(columns - 2, 0))
        left = line[k]
        out[j] = left + (place - np.float32(k)) * (line[min(k + 1, columns - 1)] - left)


@kernel
def between_blocks_2d(coarse, side, height, width):  # type: ignore[no-untyped-def]
    """Return an image by straight lines between the middles of blocks of `side` pixels, and beyond them."""
    out = np.empty((height, width), np.float32)
    line = np.empty(coarse.shape[1], np.float32)
    for i in range(height):
        _between_rows(coarse, side, i, line)
        _between_columns(line, side, out[i])
    return out


@kernel
def detail_2d(pixels, mask, plane, mean, density, gains, window_height, window_width):  # type: ignore[no-untyped-def]
    """Return the image less its plane, evened out, and its square, in the corner of the transform's window.

    `gains` is one over the noise of stabilised counts, as a function of their mean, on a grid that
    starts at zero with `density` steps per unit. Also the sums of squares of detail and image.
    """
    height, width = pixels.shape
    out = np.zeros((2, window_height, window_width), np.float32)
    last = np.float32(gains.size - 1) - np.float32(1e-3)
    zero = np.float32(0)
    energy = 0.0
    whole = 0.0
    for i in range(height):
        p, m, b, o, s = pixels[i], mask[i], plane[i], out[0, i], out[1, i]
        row = np.float32(0)
        all_row = np.float32(0)
        for j in range(width):
            place = min(max((b[j] + mean) * density, zero), last)
            k = np.int32(place)
            part = place - np.float32(k)
            gain = gains[k] + part * (gains[k + 1] - gains[k])
            value = (p[j] - b[j]) * gain * np.float32(m[j])
            o[j] = value
            s[j] = value * value
            row += value * value
            all_row += p[j] * p[j]
        energy += float(row)
        whole += float(all_row)
    return out, energy, whole
