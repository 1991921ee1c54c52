"""Compiled loops over the pixels of 2-D images; each has a plain twin that it is tested against.

Compiled once and cached beside the package; they release the interpreter's lock, so that threads
scale. Sums run along a row in float32 and over rows in float64, always in the same order: the same
input gives the same bytes whatever the number of threads.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`window_sums_2d`              `image.windows.plain_window_sums`
`common_sums_2d`              `image.windows.plain_window_sums`, radius 0
`normal_sums_2d`              `subpixel.normal_matrices.plain_normal_sums`
`halved_2d`                   `image.pyramid.plain_halved`
`overlap_sums_2d`             `ncc.overlap.plain_overlap_sums`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import called, inlined, kernel
from maskreg.core.machine.fill import fill

BAND = 16
"""Rows of a window's sums that are taken at once."""


@inlined
def _masked_row(reference, mask, safe, a, w):  # type: ignore[no-untyped-def]
    """Fill one row's weights and masked reference; return its number, sum and sum of squares."""
    count = np.float32(0)
    t = np.float32(0)
    q = np.float32(0)
    for j in range(reference.size):
        ok = np.float32(mask[j] & safe[j])
        z = reference[j] * ok
        w[j] = ok
        a[j] = z
        count += ok
        t += z
        q += z * z
    return count, t, q


@called
def _window_sums(  # type: ignore[no-untyped-def]
    reference, reference_mask, moving, safe, sy, sx, radius, near, rows_of_band, every
):
    """Return n and the sums of a and a^2 of `window_sums_2d`, and those of b, b^2 and a b of every lag.

    Of lags within `near` of the centre only, and of `rows_of_band` out of `every` rows. Such a band of rows
    at a time, so that it stays in the cache. In it a lag is one distance along all rows laid end to end, with
    `radius` pixels of no weight to either side of each: long loops.
    """
    height, width = reference.shape
    rows, columns = moving.shape
    side = 2 * radius + 1
    y0, y1 = max(0, sy), min(height, rows + sy)
    x0, x1 = max(0, sx), min(width, columns + sx)
    # the safe set ends `radius` before the border of moving; skipping it keeps every view inside
    y0, y1 = max(y0, sy + radius), min(y1, rows + sy - radius)
    x0, x1 = max(x0, sx + radius), min(x1, columns + sx - radius)
    length = max(0, x1 - x0)
    stride = length + 2 * radius
    sums = np.zeros((3, side, side))
    n = 0.0
    total = 0.0
    square = 0.0
    w = np.zeros(rows_of_band * stride, np.float32)
    a = np.zeros(rows_of_band * stride, np.float32)
    b = np.zeros((rows_of_band + 2 * radius) * stride, np.float32)
    # bands begin at multiples of `every`, wherever the images meet
    for start in range(y0 - y0 % every, y1 if length else 0, every):
        top = max(start, y0)
        band = min(start + rows_of_band, y1) - top
        if band <= 0:
            continue
        for i in range(band):
            y = top + i
            count, t, q = _masked_row(
                reference[y, x0:x1], reference_mask[y, x0:x1], safe[y - sy, x0 - sx : x1 - sx],
                a[i * stride : (i + 1) * stride], w[i * stride : (i + 1) * stride],
            )  # fmt: skip
            n += count
            total += t
            square += q
        for i in range(band + 2 * radius):
            fill(b[i * stride : (i + 1) * stride], moving[top - sy - radius + i, x0 - sx - radius :])
        # after the last pixel of weight nothing is to be summed
        size = band * stride - 2 * radius
        a_flat, w_flat = a[:size], w[:size]
        for dy in range(radius - near, radius + near + 1):
            for dx in range(radius - near, radius + near + 1):
                first = (side - 1 - dy) * stride + side - 1 - dx
                shifted = b[first : first + size]
                s = np.float32(0)
                ss = np.float32(0)
                c = np.float32(0)
                for j in range(size):
                    z = shifted[j]
                    s += z * w_flat[j]
                    ss += z * z * w_flat[j]
                    c += z * a_flat[j]
                sums[0, dy, dx] += s
                sums[1, dy, dx] += ss
                sums[2, dy, dx] += c
    return n, total, square, sums


@kernel
def window_sums_2d(reference, reference_mask, moving, safe, sy, sx, radius):  # type: ignore[no-untyped-def]
    """Return the sums of `image.windows.WindowSums` over the fixed set around lag (sy, sx)."""
    n, total, square, sums = _window_sums(
        reference, reference_mask, moving, safe, sy, sx, radius, radius, BAND, BAND
    )
    full = np.ones((2 * radius + 1, 2 * radius + 1))
    return n * full, total * full, square * full, sums[0].copy(), sums[1].copy(), sums[2].copy()


@inlined
def _taps(place, weights):  # type: ignore[no-untyped-def]
    """Fill the six weights of `image.interpolate.lagrange_taps`; return their first pixel."""
    whole = np.floor(place)
    t = place - whole
    a, b, c, d, e, f = t + 2, t + 1, t, t - 1, t - 2, t - 3
    ab, cd, ef = a * b, c * d, e * f
    weights[0] = -b * cd * ef / 120
    weights[1] = a * cd * ef / 24
    weights[2] = -ab * d * ef / 12
    weights[3] = ab * c * ef / 12
    weights[4] = -ab * cd * f / 24
    weights[5] = ab * cd * e / 120
    return int(whole) - 2


@inlined
def _interpolate_row(row, first, weights, out):  # type: ignore[no-untyped-def]
    """Interpolate along a row that is known to hold all six taps."""
    n = out.size
    a0 = row[first : first + n]
    a1 = row[first + 1 : first + 1 + n]
    a2 = row[first + 2 : first + 2 + n]
    a3 = row[first + 3 : first + 3 + n]
    a4 = row[first + 4 : first + 4 + n]
    a5 = row[first + 5 : first + 5 + n]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for j in range(n):
        out[j] = w0 * a0[j] + w1 * a1[j] + w2 * a2[j] + w3 * a3[j] + w4 * a4[j] + w5 * a5[j]


@kernel
def halved_2d(values):  # type: ignore[no-untyped-def]
    """Return sums over blocks of two by two pixels; a last odd row or column is left out."""
    height, width = values.shape[0] // 2, values.shape[1] // 2
    out = np.empty((height, width), np.float32)
    for i in range(height):
        p, q, r = values[2 * i], values[2 * i + 1], out[i]
        for j in range(width):
            r[j] = (p[2 * j] + q[2 * j]) + (p[2 * j + 1] + q[2 * j + 1])
    return out


@kernel
def common_sums_2d(reference, reference_mask, moving, safe, sy, sx):  # type: ignore[no-untyped-def]
    """Return n and the sums of a, a^2, b, b^2 and a b over the common pixels at lag (sy, sx)."""
    height, width = reference.shape
    rows, columns = moving.shape
    y0, y1 = max(0, sy), min(height, rows + sy)
    x0, x1 = max(0, sx), min(width, columns + sx)
    sums = np.zeros(6)
    zero = np.float32(0)
    for i in range(y0, y1 if x1 > x0 else y0):
        a, m = reference[i, x0:x1], reference_mask[i, x0:x1]
        b, v = moving[i - sy, x0 - sx : x1 - sx], safe[i - sy, x0 - sx : x1 - sx]
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


@kernel
def normal_sums_2d(mask, usable, noise, gradient, slope, iy, ix):  # type: ignore[no-untyped-def]
    """Return the sums of `subpixel.normal_matrices.NormalSums` over the common pixels at lag (iy, ix)."""
    height, width = mask.shape
    rows, columns = usable.shape
    y0, y1 = max(0, iy), min(height, rows + iy)
    x0, x1 = max(0, ix), min(width, columns + ix)
    sums = np.zeros(17)
    zero = np.float32(0)
    for i in range(y0, y1 if x1 > x0 else y0):
        n, v1, v2, s0, s1, g0, g1, k00, k01, k10, k11 = (
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
        )
        e00, e01, e11, f0, f1 = zero, zero, zero, zero, zero
        m, u, v = mask[i, x0:x1], usable[i - iy, x0 - ix : x1 - ix], noise[i, x0:x1]
        gy, gx = gradient[0, i, x0:x1], gradient[1, i, x0:x1]
        sy, sx = slope[0, i, x0:x1], slope[1, i, x0:x1]
        for j in range(m.size):
            w = np.float32(m[j] & u[j])
            c = v[j] * w
            a, b = gy[j] * w, gx[j] * w
            p, q = sy[j] * w, sx[j] * w
            n += w
            v1 += c
            v2 += c * c
            g0 += a
            g1 += b
            s0 += p
            s1 += q
            k00 += a * p
            k01 += a * q
            k10 += b * p
            k11 += b * q
            e00 += c * a * a
            e01 += c * a * b
            e11 += c * b * b
            f0 += c * a
            f1 += c * b
        row = (n, v1, v2, g0, g1, s0, s1, k00, k01, k10, k11, e00, e01, e01, e11, f0, f1)
        for k in range(17):
            sums[k] += row[k]
    return sums


@kernel
def overlap_sums_2d(a, a_mask, a_scale, a_mean, b, b_mask, b_scale, b_mean):  # type: ignore[no-untyped-def]
    """Return n and the sums of x, x^2, y, y^2 and x y over the pixels valid in both.

    Parameters
    ----------
    a, b : (rows, cols) ndarray of float32 or float64
        The parts that meet at a lag.
    a_mask, b_mask : (rows, cols) ndarray of bool
    a_scale, a_mean, b_scale, b_mean : float
        x is `a` times its scale, less its mean; y likewise of `b`.
    """
    n = sx = sxx = sy = syy = sxy = 0.0
    x, y, w = np.empty(a.shape[1]), np.empty(a.shape[1]), np.empty(a.shape[1])
    for i in range(a.shape[0]):
        p, q, u, v = a[i], b[i], a_mask[i], b_mask[i]
        for j in range(w.size):
            w[j] = np.float64(u[j] & v[j])
        # loaded whether valid or not, so that there is nothing to guess at
        for j in range(w.size):
            z = p[j] * a_scale - a_mean
            x[j] = z if w[j] > 0 else 0.0
        for j in range(w.size):
            z = q[j] * b_scale - b_mean
            y[j] = z if w[j] > 0 else 0.0
        for j in range(w.size):
            n += w[j]
            sx += x[j]
            sxx += x[j] * x[j]
        for j in range(w.size):
            sy += y[j]
            syy += y[j] * y[j]
            sxy += x[j] * y[j]
    return n, sx, sxx, sy, syy, sxy
