"""The compiled sums over a 2-D residual: lagged products of a block, and sums over boxes.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`seen_noise_2d`               `uncertainty.shared_noise.plain_seen_noise`
`box_sums_2d`                 `uncertainty.seen_errors.plain_box_sums`
`window_moments_2d`           `uncertainty.seen_errors.plain_window_moments`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.image.kernels import _interpolate_row, _taps
from maskreg.core.machine.compiled import inlined, kernel


@inlined
def _lagged_products(values, stride, reach, out):  # type: ignore[no-untyped-def]
    """Fill the products of an image, given as one row, at lags up to `reach`.

    Between its rows there are at least `reach` zeros: then a lag is one distance along the row. Four lags of
    a row at once, so that it is read less often.
    """
    n = values.size
    zero = np.float32(0)
    for dy in range(reach + 1):
        for dx in range(-reach if dy else 0, reach + 1, 4):
            step = dy * stride + dx
            here, there = values[: max(0, n - step - 3)], values[step:]
            s0, s1, s2, s3 = zero, zero, zero, zero
            for j in range(here.size):
                v = here[j]
                s0 += v * there[j]
                s1 += v * there[j + 1]
                s2 += v * there[j + 2]
                s3 += v * there[j + 3]
            sums = (s0, s1, s2, s3)
            for k in range(min(4, reach + 1 - dx)):
                total = sums[k]
                for j in range(max(0, n - step - 3), n - step - k):
                    total += values[j] * values[j + step + k]
                out[reach + dy, reach + dx + k] = total
                out[reach - dy, reach - dx - k] = total


@inlined
def _lagged_counts(common, stride, reach, out):  # type: ignore[no-untyped-def]
    """Fill what `_lagged_products` does of ones and zeros: as bits, 64 at a time."""
    most = (common.size + 63) // 64
    words = np.zeros(most + (reach * stride + reach) // 64 + 2, np.uint64)
    for k in range(most):
        word = np.uint64(0)
        for j in range(64 * k, min(64 * k + 64, common.size)):
            word |= np.uint64(common[j]) << np.uint64(j - 64 * k)
        words[k] = word
    one = np.uint64(1)
    for dy in range(reach + 1):
        for dx in range(-reach if dy else 0, reach + 1):
            step = dy * stride + dx
            here, low, high = words[:most], words[step // 64 :], words[step // 64 + 1 :]
            down, up = np.uint64(step % 64), np.uint64(63 - step % 64)
            total = np.uint64(0)
            for k in range(most):
                both = here[k] & ((low[k] >> down) | ((high[k] << one) << up))
                both -= (both >> one) & np.uint64(0x5555555555555555)
                both = (both & np.uint64(0x3333333333333333)) + (
                    (both >> np.uint64(2)) & np.uint64(0x3333333333333333)
                )
                both = (both + (both >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                both += both >> np.uint64(8)
                both += both >> np.uint64(16)
                both += both >> np.uint64(32)
                total += both & np.uint64(0x7F)
            out[reach + dy, reach + dx] = total
            out[reach - dy, reach - dx] = total


@inlined
def _common_stretch(shift, lag, length, first, end, taps):  # type: ignore[no-untyped-def]
    """Fill the taps of an axis; return where they begin, and which of the reference's places are common.

    Beyond these a tap would be outside of moving, of this length, or the usable pixel, taken at `lag`.
    """
    begin = _taps(-shift, taps)
    return begin, max(first, -begin, lag), min(end, length - begin - 5, length + lag)


@inlined
def _residual_row(ring, first, wy, a, m, v, gain, value, common):  # type: ignore[no-untyped-def]
    """Fill a row of the residual, zero where not common, and where it is; return its sum and their number.

    `ring` holds the six rows of moving from `first` on, interpolated along themselves; a, m, v are the
    reference, its mask and the usable pixels of moving.
    """
    p, q, r = ring[first % 6], ring[(first + 1) % 6], ring[(first + 2) % 6]
    s, t, z = ring[(first + 3) % 6], ring[(first + 4) % 6], ring[(first + 5) % 6]
    total = np.float32(0)
    count = np.float32(0)
    for j in range(value.size):
        u = wy[0] * p[j] + wy[1] * q[j] + wy[2] * r[j] + wy[3] * s[j] + wy[4] * t[j] + wy[5] * z[j]
        one = np.float32(m[j] & v[j])
        common[j] = one
        value[j] = (a[j] - gain * u) * one
        total += (a[j] - gain * u) * one
        count += one
    return total, count


@kernel
def seen_noise_2d(  # type: ignore[no-untyped-def]
    pixels, mask, moving, usable, y0, y1, x0, x1, lag, shift, gain, reach, weights
):
    """Return number of common pixels, lagged products of the residual, and of its mask, in a block.

    And what noise the gradient sees, whose own products are `weights`; NaN without any.

    The block is ``[y0:y1, x0:x1]`` of the reference, `lag` the one at which the usable pixels of moving are
    taken.
    """
    taps_y, taps_x = np.empty(6), np.empty(6)
    oy, top, bottom = _common_stretch(shift[0], lag[0], moving.shape[0], y0, y1, taps_y)
    ox, left, right = _common_stretch(shift[1], lag[1], moving.shape[1], x0, x1, taps_x)
    wy, wx = taps_y.astype(np.float32), taps_x.astype(np.float32)
    iy, ix = lag
    stride = x1 - x0 + reach
    height = y1 - y0
    values = np.zeros(height * stride, np.float32)
    common = np.zeros(height * stride, np.float32)
    length = max(0, right - left)
    ring = np.zeros((6, length), np.float32)
    ready = top + oy - 1
    n = 0
    total = 0.0
    for i in range(top, bottom if length else top):
        while ready < i + oy + 5:
            ready += 1
            _interpolate_row(moving[ready], left + ox, wx, ring[ready % 6])
        start = (i - y0) * stride + left - x0
        value, w = values[start : start + length], common[start : start + length]
        a, m, v = pixels[i, left:right], mask[i, left:right], usable[i - iy, left - ix : right - ix]
        row, count = _residual_row(ring, i + oy, wy, a, m, v, gain, value, w)
        total += float(row)
        n += int(count)
    mean = np.float32(total / max(n, 1))
    for j in range(values.size):
        values[j] = (values[j] - mean) * common[j]
    products = np.zeros((2 * reach + 1, 2 * reach + 1))
    pairs = np.zeros((2 * reach + 1, 2 * reach + 1))
    _lagged_products(values, stride, reach, products)
    _lagged_counts(common, stride, reach, pairs)
    seen = np.full(len(weights), np.nan)
    middle = products[reach, reach] / max(pairs[reach, reach], 1.0)
    if middle > 0:
        kept = (taps_y**2).sum() * (taps_x**2).sum()
        for axis in range(len(weights)):
            total = (weights[axis] * products / np.maximum(pairs, 1.0)).sum() / middle
            seen[axis] = max(total * (1 + kept) / 2, 0.0)
    return n, products, pairs, seen


@inlined
def _add_gradient(g, value, common, left, errors, alone):  # type: ignore[no-untyped-def]
    """Add a row of a component times the residual, and of the component, over the common pixels."""
    errors, alone = errors[left : left + g.size], alone[left : left + g.size]
    for j in range(g.size):
        errors[j] += g[j] * value[j]
        alone[j] += g[j] * common[j]


@inlined
def _add_products(g, h, value, common, left, columns):  # type: ignore[no-untyped-def]
    """Add a row of the products of the components, of the residual, of its square and of one."""
    gg, gh, hh = columns[4, left:], columns[5, left:], columns[6, left:]
    r, rr, one = columns[7, left:], columns[8, left:], columns[9, left:]
    for j in range(g.size):
        gg[j] += g[j] * g[j] * common[j]
        gh[j] += g[j] * h[j] * common[j]
        hh[j] += h[j] * h[j] * common[j]
    for j in range(g.size):
        r[j] += value[j]
        rr[j] += value[j] * value[j]
        one[j] += common[j]


@inlined
def _boxes_of_columns(columns, box, out):  # type: ignore[no-untyped-def]
    """Fill the sums over so many neighbouring columns each, and leave zeros to go on with."""
    if box == 2:  # the commonest, and half of the time where the compiler does not know it
        for k in range(out.size):
            out[k] = columns[2 * k] + columns[2 * k + 1]
    else:
        for k in range(out.size):
            total = np.float32(0)
            for j in range(k * box, (k + 1) * box):
                total += columns[j]
            out[k] = total
    columns[:] = 0


@inlined
def _add_moments(p, q, products, fourth):  # type: ignore[no-untyped-def]
    """Add the products of the errors of a row of windows, and their fourth powers."""
    pp, pq, qq, p4, q4 = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(p.size):
        a, b = p[j] * p[j], q[j] * q[j]
        pp += a
        qq += b
        pq += p[j] * q[j]
        p4 += a * a
        q4 += b * b
    products[0, 0] += pp
    products[0, 1] += pq
    products[1, 0] += pq
    products[1, 1] += qq
    fourth[0] += p4
    fourth[1] += q4


@kernel
def box_sums_2d(  # type: ignore[no-untyped-def]
    pixels, mask, gradient, moving, usable, lag, shift, gain, box, products
):
    """Return sums over boxes of the reference, (fields, boxes down, boxes across), and those over all pixels.

    Of each component of the gradient times the residual, then of the components themselves, then, if asked,
    of their `products`, of the residual, of its square and of one, over the common pixels; and number and sum
    of the residual of these. `lag` is the one at which the usable pixels of moving are taken.
    """
    taps_y, taps_x = np.empty(6), np.empty(6)
    oy, top, bottom = _common_stretch(shift[0], lag[0], moving.shape[0], 0, pixels.shape[0], taps_y)
    ox, left, right = _common_stretch(shift[1], lag[1], moving.shape[1], 0, pixels.shape[1], taps_x)
    wy, wx = taps_y.astype(np.float32), taps_x.astype(np.float32)
    iy, ix = lag
    length = max(0, right - left)
    fields = 10 if products else 4
    across = -(-pixels.shape[1] // box)
    sums = np.zeros((fields, -(-pixels.shape[0] // box), across), np.float32)
    ring = np.zeros((6, length), np.float32)
    value, common = np.zeros(length, np.float32), np.zeros(length, np.float32)
    columns = np.zeros((fields, across * box), np.float32)  # sums down the rows of a box
    ready = top + oy - 1
    n = 0
    total = 0.0
    for i in range(top, bottom if length else top):
        while ready < i + oy + 5:
            ready += 1
            _interpolate_row(moving[ready], left + ox, wx, ring[ready % 6])
        a, m, v = pixels[i, left:right], mask[i, left:right], usable[i - iy, left - ix : right - ix]
        row, count = _residual_row(ring, i + oy, wy, a, m, v, gain, value, common)
        total += float(row)
        n += int(count)
        for axis in range(2):
            _add_gradient(
                gradient[axis, i, left:right], value, common, left, columns[axis], columns[2 + axis]
            )
        if products:
            _add_products(
                gradient[0, i, left:right], gradient[1, i, left:right], value, common, left, columns
            )
        if (i + 1) % box == 0 or i + 1 == bottom:
            for field in range(fields):
                _boxes_of_columns(columns[field], box, sums[field, i // box])
    return sums, n, total


@kernel
def window_moments_2d(sums, mean, side):  # type: ignore[no-untyped-def]
    """Return second and fourth moments of the sums over every window of so many boxes along each axis.

    `sums` are those of `box_sums_2d`; of each component that of its residual, whose mean is taken off.
    """
    height, width = sums.shape[1:]
    around = side - 1
    error = np.zeros(width + 2 * around)
    ring = np.zeros((2, side, width + around))
    window = np.zeros((2, width + around))
    products, fourth = np.zeros((2, 2)), np.zeros(2)
    for i in range(height + around):
        for axis in range(2):
            newest = ring[axis, i % side]
            newest[:] = 0
            if i < height:
                for j in range(width):
                    error[around + j] = sums[axis, i, j] - mean * sums[2 + axis, i, j]
                for k in range(side):
                    for j in range(newest.size):
                        newest[j] += error[j + k]
            window[axis] = 0
            for k in range(side):
                for j in range(newest.size):
                    window[axis, j] += ring[axis, k, j]
        _add_moments(window[0], window[1], products, fourth)
    return products, fourth
