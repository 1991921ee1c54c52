"""The compiled pass over 2-D images that compares two places on the pixels valid at both.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`matches_2d`                  `doubt.compare.plain_matches`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.image.kernels import _taps
from maskreg.core.machine.compiled import inlined, kernel


@inlined
def _number_common(mask, usable, sy, sx, every):  # type: ignore[no-untyped-def]
    """Return the number of pixels of some rows valid in the reference and usable at lag (sy, sx)."""
    height, width = mask.shape
    rows, columns = usable.shape
    y0, y1 = max(0, sy), min(height, rows + sy)
    x0, x1 = max(0, sx), min(width, columns + sx)
    number = np.int64(0)
    for i in range(y0 + -y0 % every, y1 if x1 > x0 else 0, every):
        m, u = mask[i, x0:x1], usable[i - sy, x0 - sx : x1 - sx]
        row = np.int32(0)
        for j in range(m.size):
            row += np.int32(m[j] & u[j])
        number += row
    return number


@inlined
def _add_between(moving, first, begin, rows, columns, common, reference, column, out):  # type: ignore[no-untyped-def]
    """Add the sums of u and u r over a row's common pixels, u being moving between its pixels.

    Made of six rows from `first` on, weights `rows`, and of columns from `begin` on, weights `columns`.
    """
    n, end = common.size, begin + common.size + 5
    m0, m1, m2 = moving[first, begin:end], moving[first + 1, begin:end], moving[first + 2, begin:end]
    m3, m4, m5 = moving[first + 3, begin:end], moving[first + 4, begin:end], moving[first + 5, begin:end]
    w0, w1, w2, w3, w4, w5 = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    for j in range(m0.size):
        column[j] = w0 * m0[j] + w1 * m1[j] + w2 * m2[j] + w3 * m3[j] + w4 * m4[j] + w5 * m5[j]
    v0, v1, v2, v3, v4, v5 = columns[0], columns[1], columns[2], columns[3], columns[4], columns[5]
    c0, c1, c2 = column[:n], column[1 : n + 1], column[2 : n + 2]
    c3, c4, c5 = column[3 : n + 3], column[4 : n + 4], column[5 : n + 5]
    total, product = np.float32(0), np.float32(0)
    for j in range(n):
        u = v0 * c0[j] + v1 * c1[j] + v2 * c2[j] + v3 * c3[j] + v4 * c4[j] + v5 * c5[j]
        total += u * common[j]
        product += u * reference[j]
    out[0] += total
    out[1] += product


@inlined
def _add_around(row, common, reference, b, bb, ab):  # type: ignore[no-untyped-def]
    """Add a row's sums for three lags, `row` being moving from one pixel before to one behind."""
    n = common.size
    # the later a lag, the earlier the pixel that it meets
    p, q, r = row[2 : n + 2], row[1 : n + 1], row[:n]
    zero = np.float32(0)
    b0, b1, b2, s0, s1, s2, c0, c1, c2 = zero, zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(n):
        w, a = common[j], reference[j]
        x, y, z = p[j], q[j], r[j]
        b0 += x * w
        b1 += y * w
        b2 += z * w
        s0 += x * x * w
        s1 += y * y * w
        s2 += z * z * w
        c0 += x * a
        c1 += y * a
        c2 += z * a
    for k in range(3):
        b[k] += (b0, b1, b2)[k]
        bb[k] += (s0, s1, s2)[k]
        ab[k] += (c0, c1, c2)[k]


@kernel
def matches_2d(reference, mask, moving, usable, shifts, lags, every):  # type: ignore[no-untyped-def]
    """Return what `doubt.compare.plain_matches` does, of two shifts and their nearest lags.

    As three arrays: the numbers of pixels valid at either place and at both, the sums of r and r^2, and for
    each place those of u and u r, and of b, b^2 and a b at three by three lags.
    """
    height, width = mask.shape
    rows, columns = moving.shape
    weights = np.zeros((2, 2, 6), np.float32)
    exact = np.zeros(6)
    first = np.zeros((2, 2), np.int64)
    y0, y1, x0, x1 = 0, height, 0, width
    for p in range(2):
        for axis in range(2):
            first[p, axis] = _taps(-shifts[p, axis], exact)
            weights[p, axis] = exact
        y0, y1 = max(y0, -first[p, 0]), min(y1, rows - first[p, 0] - 5)
        x0, x1 = max(x0, -first[p, 1]), min(x1, columns - first[p, 1] - 5)
    numbers = np.zeros(3, np.int64)
    for p in range(2):
        numbers[p] = _number_common(mask, usable, lags[p, 0], lags[p, 1], every)
    length = max(0, x1 - x0)
    common, values = np.zeros(length, np.float32), np.zeros(length, np.float32)
    column = np.zeros(length + 5, np.float32)
    own, of_place = np.zeros(2), np.zeros((2, 29))
    for i in range(y0 + -y0 % every, y1 if length else 0, every):
        m, r = mask[i, x0:x1], reference[i, x0:x1]
        one = usable[i - lags[0, 0], x0 - lags[0, 1] : x1 - lags[0, 1]]
        other = usable[i - lags[1, 0], x0 - lags[1, 1] : x1 - lags[1, 1]]
        n, total, square = np.float32(0), np.float32(0), np.float32(0)
        for j in range(length):
            w = np.float32(m[j] & one[j] & other[j])
            a = r[j] * w
            common[j], values[j] = w, a
            n += w
            total += a
            square += a * a
        numbers[2] += np.int64(n)
        own[0] += total
        own[1] += square
        for p in range(2):
            _add_between(
                moving, i + first[p, 0], x0 + first[p, 1], weights[p, 0], weights[p, 1],
                common, values, column, of_place[p],
            )  # fmt: skip
            sums = of_place[p, 2:].reshape(3, 3, 3)
            begin = x0 - lags[p, 1] - 1
            for k in range(3):
                row = moving[i - lags[p, 0] + 1 - k, begin : begin + length + 2]
                _add_around(row, common, values, sums[0, k], sums[1, k], sums[2, k])
    return numbers, own, of_place
