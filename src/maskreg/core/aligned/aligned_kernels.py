"""Compiled passes over a few rows of aligned frames; each has a plain twin that it is tested against.

The image that is interpolated (a frame onto the reference's grid, or a mean onto a frame's) is given from
its row `first` on; it has all rows that the wanted ones need. ``oy``, ``wy``, ``ox``, ``wx`` are its first
taps relative to the pixel and their weights. `whole` tells where every pixel with a weight is valid, if
the first of them is (``ey``, ``ex``: relative to the pixel).

=====================  ===================================================
kernel                 plain twin
=====================  ===================================================
`add_interpolated_2d`  `aligned.interpolate_frame.plain_interpolated`
`seen_2d`              the same
`seen_sums_2d`         the same, and NumPy's sums
`add_residual_2d`      `aligned.static.plain_add_residual`
=====================  ===================================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel

# Taps that reach beyond the border belong to pixels that are not valid, or have no weight: what stands there
# does not matter.
_BEFORE = 3
_BEYOND = 8


@inlined
def _interpolated_row(image, first, row, oy, wy, ox, wx, begin, end, across, out):  # type: ignore[no-untyped-def]
    """Fill one row, from column `begin` to `end`, with what stands there interpolated."""
    last = image.shape[0] - 1
    top = row + oy - first
    r0, r1 = image[min(max(top, 0), last)], image[min(max(top + 1, 0), last)]
    r2, r3 = image[min(max(top + 2, 0), last)], image[min(max(top + 3, 0), last)]
    r4, r5 = image[min(max(top + 4, 0), last)], image[min(max(top + 5, 0), last)]
    w0, w1, w2, w3, w4, w5 = wy[0], wy[1], wy[2], wy[3], wy[4], wy[5]
    inner = across[_BEFORE : _BEFORE + r0.size]
    for j in range(r0.size):
        inner[j] = w0 * r0[j] + w1 * r1[j] + w2 * r2[j] + w3 * r3[j] + w4 * r4[j] + w5 * r5[j]
    v0, v1, v2, v3, v4, v5 = wx[0], wx[1], wx[2], wx[3], wx[4], wx[5]
    length = end - begin
    taps = across[_BEFORE + begin + ox : _BEFORE + end + ox + 5]
    new = out[begin:end]
    for j in range(length):
        new[j] = (
            v0 * taps[j]
            + v1 * taps[j + 1]
            + v2 * taps[j + 2]
            + v3 * taps[j + 3]
            + v4 * taps[j + 4]
            + v5 * taps[j + 5]
        )


@inlined
def _columns(width, ex):  # type: ignore[no-untyped-def]
    """Return the first column whose first tap is inside, and the one behind the last."""
    begin = min(width, max(0, -ex))
    return begin, max(begin, min(width, width - ex))


@kernel
def add_interpolated_2d(image, first, whole, start, taps, places, total, count):  # type: ignore[no-untyped-def]
    """Add an interpolated frame to rows of a sum from row `start` on, and one to the count, where valid."""
    wy, wx = taps[0], taps[1]
    oy, ey, ox, ex = places[0], places[1], places[2], places[3]
    height, width = whole.shape
    across = np.zeros(width + _BEYOND, np.float32)
    moved = np.zeros(width, np.float32)
    zero = np.float32(0)
    begin, end = _columns(width, ex)
    for i in range(total.shape[0]):
        row = start + i
        if row + ey < 0 or row + ey >= height or begin == end:
            continue
        _interpolated_row(image, first, row, oy, wy, ox, wx, begin, end, across, moved)
        ok = whole[row + ey, begin + ex : end + ex]
        new, sums, number = moved[begin:end], total[i, begin:end], count[i, begin:end]
        for j in range(end - begin):
            sums[j] += new[j] if ok[j] else zero
            number[j] += ok[j]


@kernel
def seen_2d(image, whole, mask, start, taps, places, model, valid):  # type: ignore[no-untyped-def]
    """Fill rows with what a frame sees of a mean from row `start` on, and where; zero elsewhere."""
    wy, wx = taps[0], taps[1]
    oy, ey, ox, ex = places[0], places[1], places[2], places[3]
    height, width = whole.shape
    across = np.zeros(width + _BEYOND, np.float32)
    begin, end = _columns(width, ex)
    model[:] = 0
    valid[:] = False
    for i in range(model.shape[0]):
        row = start + i
        if row + ey < 0 or row + ey >= height or begin == end:
            continue
        _interpolated_row(image, 0, row, oy, wy, ox, wx, begin, end, across, model[i])
        ok, own = whole[row + ey, begin + ex : end + ex], mask[row, begin:end]
        shown = valid[i, begin:end]
        for j in range(end - begin):
            shown[j] = ok[j] & own[j]


@kernel
def seen_sums_2d(model, valid, values, pivot):  # type: ignore[no-untyped-def]
    """Return number, sums of x, y, x x and x y over the valid pixels: model and values, less the pivot."""
    sums = np.zeros(5)
    zero = np.float32(0)
    for i in range(model.shape[0]):
        n, sx, sy, xx, xy = zero, zero, zero, zero, zero
        m, v, ok = model[i], values[i], valid[i]
        for j in range(m.size):
            w = np.float32(ok[j])
            x = (m[j] - pivot) * w
            y = (v[j] - pivot) * w
            n += w
            sx += x
            sy += y
            xx += x * x
            xy += x * y
        row = (n, sx, sy, xx, xy)
        for k in range(5):
            sums[k] += row[k]
    return sums


@kernel
def add_residual_2d(model, level, valid, values, bright, least, fields):  # type: ignore[no-untyped-def]
    """Add a frame's residual about the model to sums and weights: of a factor, and of what is added."""
    one = np.float32(1)
    zero = np.float32(0)
    for i in range(model.shape[0]):
        m, x, v, ok = model[i], level[i], values[i], valid[i]
        f, fw, a, aw = fields[i, 0, 0], fields[i, 0, 1], fields[i, 1, 0], fields[i, 1, 1]
        for j in range(m.size):
            w = one / max(x[j], least) if ok[j] else zero
            r = (v[j] - bright * m[j]) * w
            f[j] += x[j] * r
            fw[j] += x[j] * m[j] * w
            a[j] += r
            aw[j] += w
