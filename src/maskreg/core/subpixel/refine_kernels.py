"""The compiled passes of the refinement over 2-D images, and its iteration.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`packed_2d`                   `subpixel.packed.plain_packed`
`moments_2d`                  `subpixel.moments.plain_moments`
`projected_2d`                `subpixel.moments.plain_projected`
`steps_2d`                    `subpixel.refine.plain_steps`
============================  ==========================================

A pass waits for memory. So the template's fields are read as 16-bit numbers (`subpixel.packed`), and no
mask is read at all: runs of common pixels give each pixel of a row a weight, one or none. A row is one loop
over whole lanes; from run to run, the ends of the loops took as long as they did. Sums of the template alone
are those over all its pixels less those over the ones that are not common: few, mostly.
"""

from __future__ import annotations

import numpy as np

from maskreg.core.image.kernels import _interpolate_row, _taps
from maskreg.core.machine.compiled import called, inlined, kernel
from maskreg.core.machine.fill import fill
from maskreg.core.machine.prefetch import prefetch
from maskreg.core.subpixel.packed import LANES

SHORT_ROW = 512
"""Rows of more pixels are summed in pieces, while the same piece of the next row is fetched:"""

PIECE = 256
"""of so many pixels. Shorter ones cost sums more often than memory is waited for, and whole rows at once
are more than a processor asks for."""

FEW_RUNS = 12
"""Where a row and its counterpart have more runs, what is not common is told by the weights as well."""


@inlined
def _add_own(numbers, i, start, stop, sums):  # type: ignore[no-untyped-def]
    """Add to nine `sums` what the template's own pixels of one run give, in whole numbers."""
    # of slices: their indices are known not to be negative, so that they are read at once
    f0, f1, f2, f3 = (
        numbers[0, i, start:stop],
        numbers[1, i, start:stop],
        numbers[2, i, start:stop],
        numbers[3, i, start:stop],
    )
    s0 = s1 = s2 = s3 = k00 = k01 = k02 = k03 = np.int64(0)
    for j in range(f0.size):
        a, b, y, x = np.int32(f0[j]), np.int32(f1[j]), np.int32(f2[j]), np.int32(f3[j])
        s0 += a
        s1 += b
        s2 += y
        s3 += x
        k00 += a * a
        k01 += a * b
        k02 += a * y
        k03 += a * x
    _add(sums, (stop - start, s0, s1, k00, k01, s2, s3, k02, k03))


@inlined
def _own_scales(steps, i):  # type: ignore[no-untyped-def]
    """Return by what the sums of `_add_own` are multiplied."""
    r, h, y, x = steps[0, i], steps[1, i], steps[2, i], steps[3, i]
    return 1.0, r, h, r * r, r * h, y, x, y * r, x * r


@inlined
def _add(row, sums):  # type: ignore[no-untyped-def]
    """Add some sums to the first of a row's."""
    for k in range(len(sums)):
        row[k] += sums[k]


@kernel
def packed_2d(pixels, gradient, smooth, first, edges):  # type: ignore[no-untyped-def]
    """Return what `subpixel.packed.Packed` holds, for the pixels of the runs."""
    height, width = pixels.shape
    numbers = np.zeros((4, height, -(-width // LANES) * LANES), np.int16)
    steps = np.ones((4, height))
    sums = np.zeros(9)
    own = np.zeros(9, np.int64)
    for i in range(height):
        fields = (pixels[i], smooth[i], gradient[0, i], gradient[1, i])
        for k in range(4):
            field = fields[k]
            greatest = np.float32(0)
            for run in range(first[i], first[i + 1]):
                for j in range(edges[run, 0], edges[run, 1]):
                    greatest = max(greatest, abs(field[j]))
            if greatest > 0:
                steps[k, i] = np.float64(greatest) / 32767
            scale = np.float32(1 / steps[k, i])
            out = numbers[k, i]
            for run in range(first[i], first[i + 1]):
                for j in range(edges[run, 0], edges[run, 1]):
                    out[j] = np.int16(np.rint(field[j] * scale))
        own[:] = 0
        for run in range(first[i], first[i + 1]):
            _add_own(numbers, i, edges[run, 0], edges[run, 1], own)
        scales = _own_scales(steps, i)
        for k in range(9):
            sums[k] += scales[k] * own[k]
    return numbers, steps, sums


@inlined
def _interpolate_row_and_slope(row, first, weights, slopes, out, out_slope):  # type: ignore[no-untyped-def]
    """Interpolate along a row that is known to hold all six taps, and its derivative."""
    n = out.size
    a0, a1, a2 = row[first : first + n], row[first + 1 : first + 1 + n], row[first + 2 : first + 2 + n]
    a3, a4, a5 = (
        row[first + 3 : first + 3 + n],
        row[first + 4 : first + 4 + n],
        row[first + 5 : first + 5 + n],
    )
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    v0, v1, v2, v3, v4, v5 = slopes[0], slopes[1], slopes[2], slopes[3], slopes[4], slopes[5]
    for j in range(n):
        p, q, r, s, t, z = a0[j], a1[j], a2[j], a3[j], a4[j], a5[j]
        out[j] = w0 * p + w1 * q + w2 * r + w3 * s + w4 * t + w5 * z
        out_slope[j] = v0 * p + v1 * q + v2 * r + v3 * s + v4 * t + v5 * z


@inlined
def _sum_row(ring, at, weights, numbers, i, common, a, b, out):  # type: ignore[no-untyped-def]
    """Add a piece's sums of u, u^2 and the products of u with the four fields, over its common pixels."""
    p, q, r = ring[at % 8, a:b], ring[(at + 1) % 8, a:b], ring[(at + 2) % 8, a:b]
    s, t, z = ring[(at + 3) % 8, a:b], ring[(at + 4) % 8, a:b], ring[(at + 5) % 8, a:b]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    f0, f1, f2, f3 = numbers[0, i, a:b], numbers[1, i, a:b], numbers[2, i, a:b], numbers[3, i, a:b]
    one = common[a:b]
    zero = np.float32(0)
    su, uu, k0, k1, k2, k3 = zero, zero, zero, zero, zero, zero
    for j in range(one.size):
        u = one[j] * (w0 * p[j] + w1 * q[j] + w2 * r[j] + w3 * s[j] + w4 * t[j] + w5 * z[j])
        su += u
        uu += u * u
        k0 += u * np.float32(f0[j])
        k1 += u * np.float32(f1[j])
        k2 += u * np.float32(f2[j])
        k3 += u * np.float32(f3[j])
    _add(out, (su, uu, k0, k1, k2, k3))


@inlined
def _sum_row_and_slopes(ring, slope_ring, at, weights, slopes, numbers, i, common, a, b, out):  # type: ignore[no-untyped-def]
    """Add what `_sum_row` does, and the sums of the slopes of u and their products with the gradient."""
    p, q, r = ring[at % 8, a:b], ring[(at + 1) % 8, a:b], ring[(at + 2) % 8, a:b]
    s, t, z = ring[(at + 3) % 8, a:b], ring[(at + 4) % 8, a:b], ring[(at + 5) % 8, a:b]
    p1, q1, r1 = slope_ring[at % 8, a:b], slope_ring[(at + 1) % 8, a:b], slope_ring[(at + 2) % 8, a:b]
    s1, t1, z1 = slope_ring[(at + 3) % 8, a:b], slope_ring[(at + 4) % 8, a:b], slope_ring[(at + 5) % 8, a:b]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    v0, v1, v2, v3, v4, v5 = slopes[0], slopes[1], slopes[2], slopes[3], slopes[4], slopes[5]
    f0, f1, f2, f3 = numbers[0, i, a:b], numbers[1, i, a:b], numbers[2, i, a:b], numbers[3, i, a:b]
    one = common[a:b]
    zero = np.float32(0)
    su, uu, k0, k1, k2, k3 = zero, zero, zero, zero, zero, zero
    y0, x1, yy, xy, yx, xx = zero, zero, zero, zero, zero, zero
    for j in range(one.size):
        w = one[j]
        e0, e1, e2, e3, e4, e5 = p[j], q[j], r[j], s[j], t[j], z[j]
        u = (w0 * e0 + w1 * e1 + w2 * e2 + w3 * e3 + w4 * e4 + w5 * e5) * w
        y = (v0 * e0 + v1 * e1 + v2 * e2 + v3 * e3 + v4 * e4 + v5 * e5) * w
        x = (w0 * p1[j] + w1 * q1[j] + w2 * r1[j] + w3 * s1[j] + w4 * t1[j] + w5 * z1[j]) * w
        gy, gx = np.float32(f2[j]), np.float32(f3[j])
        su += u
        uu += u * u
        k0 += u * np.float32(f0[j])
        k1 += u * np.float32(f1[j])
        k2 += u * gy
        k3 += u * gx
        y0 += y
        x1 += x
        yy += gy * y
        yx += gy * x
        xy += gx * y
        xx += gx * x
    _add(out, (su, uu, k0, k1, k2, k3, y0, x1, yy, yx, xy, xx))


@inlined
def _sum_row_first(ring, at, weights, numbers, i, common, a, b, out):  # type: ignore[no-untyped-def]
    """Add what `_sum_row` does of u alone, and of u times the gradient's first component."""
    p, q, r = ring[at % 8, a:b], ring[(at + 1) % 8, a:b], ring[(at + 2) % 8, a:b]
    s, t, z = ring[(at + 3) % 8, a:b], ring[(at + 4) % 8, a:b], ring[(at + 5) % 8, a:b]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    field, one = numbers[2, i, a:b], common[a:b]
    zero = np.float32(0)
    su, k2 = zero, zero
    for j in range(one.size):
        u = one[j] * (w0 * p[j] + w1 * q[j] + w2 * r[j] + w3 * s[j] + w4 * t[j] + w5 * z[j])
        su += u
        k2 += u * np.float32(field[j])
    _add(out, (su, zero, zero, zero, k2))


@inlined
def _prefetch_next(numbers, i, moving, ready, a, b):  # type: ignore[no-untyped-def]
    """Ask for a piece of the rows that are read next."""
    if i + 1 < numbers.shape[1]:
        for k in range(4):
            prefetch(numbers[k, i + 1, a:b])
    if ready + 1 < moving.shape[0]:
        prefetch(moving[ready + 1, a:b])


@inlined
def _take_off_lost(numbers, scales, i, common, sums):  # type: ignore[no-untyped-def]
    """Take off `sums`, but for the number, what a row of the template gives outside of the common pixels."""
    f0, f1, f2, f3 = numbers[0, i], numbers[1, i], numbers[2, i], numbers[3, i]
    one, zero = np.float32(1), np.float32(0)
    s0, s1, s2, s3, k00, k01, k02, k03 = zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(common.size):
        lost = one - common[j]
        a, b = np.float32(f0[j]) * lost, np.float32(f1[j]) * lost
        y, x = np.float32(f2[j]) * lost, np.float32(f3[j]) * lost
        s0 += a
        s1 += b
        s2 += y
        s3 += x
        k00 += a * a
        k01 += a * b
        k02 += a * y
        k03 += a * x
    row = (s0, s1, k00, k01, s2, s3, k02, k03)
    for k in range(8):
        sums[1 + k] -= scales[1 + k] * row[k]


@inlined
def _rows(count, length):  # type: ignore[no-untyped-def]
    """Return rows of zeros that begin where lines of the cache do, if the length is one of whole lines."""
    room = np.zeros(count * length + LANES, np.float32)
    start = (-np.int64(room.ctypes.data) % (4 * LANES)) // 4
    return room[start : start + count * length].reshape(count, length)


@called
def _moments(  # type: ignore[no-untyped-def]
    first, edges, numbers, steps, whole, moving, usable_first, usable_edges,
    iy, ix, oy, wy, vy, ox, wx, vx, with_slopes, only_first,
):  # fmt: skip
    """Return what `moments_2d` does, or what `projected_2d` needs of it.

    (iy, ix) is the nearest whole-pixel shift; oy, ox the first tap relative to the reference's pixel, wy, wx
    the six weights, vy, vx their derivatives.
    """
    _, height, width = numbers.shape
    rows, columns = moving.shape
    y0, y1 = max(0, -oy, iy), min(height, rows - oy - 5, rows + iy)
    x0, x1 = max(0, -ox, ix), min(width, columns - ox - 5, columns + ix)
    length = max(0, x1 - x0)
    # the last values of a row are made with those before them: whole lanes, whatever the length
    even = length // LANES * LANES
    piece = PIECE if width > SHORT_ROW else width
    own, lost = whole.copy(), np.zeros(9, np.int64)
    u = np.zeros(12)
    row = np.zeros(12, np.float32)
    ring, slope_ring = _rows(8, width), _rows(8, width)
    common = _rows(1, width)[0]
    ready = y0 + oy - 1
    for i in range(height):
        inside = length > 0 and y0 <= i < y1
        near, last = 0, 0
        if inside:
            near, last = usable_first[i - iy], usable_first[i - iy + 1]
        many = first[i + 1] - first[i] + last - near > FEW_RUNS
        common[:] = 0
        lost[:] = 0
        for run in range(first[i], first[i + 1]):
            a, b = np.int64(edges[run, 0]), np.int64(edges[run, 1])
            while near < last and usable_edges[near, 1] + ix <= a:
                near += 1
            other = near
            while a < b:
                # the next stretch that is common; before it, pixels of the template that are not
                c, d = b, b
                if other < last:
                    c = min(b, max(a, x0, usable_edges[other, 0] + ix))
                    d = max(c, min(b, x1, usable_edges[other, 1] + ix))
                    other += 1
                if many:
                    lost[0] += c - a
                elif a < c:
                    _add_own(numbers, i, a, c, lost)
                common[c:d] = 1
                a = d
        while inside and ready < i + oy + 5:
            ready += 1
            for part in range(2):
                a, b = (x0, x0 + even) if part == 0 else (max(x0, x1 - LANES), x1)
                if part and even == length:
                    pass
                elif with_slopes:
                    _interpolate_row_and_slope(
                        moving[ready], a + ox, wx, vx, ring[ready % 8, a:b], slope_ring[ready % 8, a:b]
                    )
                else:
                    _interpolate_row(moving[ready], a + ox, wx, ring[ready % 8, a:b])
        scales = _own_scales(steps, i)
        for k in range(9):
            own[k] -= scales[k] * lost[k]
        if many:
            _take_off_lost(numbers, scales, i, common, own)
        if inside:
            row[:] = 0
            for begin in range(0, width, piece):
                end = min(begin + piece, width)
                if piece < width:
                    _prefetch_next(numbers, i, moving, ready, begin, end)
                if only_first:
                    _sum_row_first(ring, i + oy, wy, numbers, i, common, begin, end, row)
                elif with_slopes:
                    _sum_row_and_slopes(ring, slope_ring, i + oy, wy, vy, numbers, i, common, begin, end, row)
                else:
                    _sum_row(ring, i + oy, wy, numbers, i, common, begin, end, row)
            r, h, y, x = steps[0, i], steps[1, i], steps[2, i], steps[3, i]
            by = (1.0, 1.0, r, h, y, x, 1.0, 1.0, y, y, x, x)
            for k in range(12):
                u[k] += row[k] * by[k]
    n, sr, sh, rr, hr, g0, g1, gr0, gr1 = own
    of_template = (n, sr, u[0], sh, rr, u[2], u[1], hr, u[3], g0, g1, gr0, gr1, u[4], u[5])
    return np.array(of_template), u[6:]


@inlined
def _slopes_of_taps(place, slopes):  # type: ignore[no-untyped-def]
    """Fill the derivatives of the weights with respect to the shift: the place falls as the shift grows."""
    t = place - np.floor(place)
    for k in range(6):
        total, scale = 0.0, 1.0
        for m in range(6):
            if m != k:
                scale *= k - m
                product = 1.0
                for other in range(6):
                    if other != k and other != m:
                        product *= t + 2 - other
                total += product
        slopes[k] = -total / scale


@inlined
def _moments_at(  # type: ignore[no-untyped-def]
    first, edges, numbers, steps, whole, moving, usable_first, usable_edges, shift, nearest,
    with_slopes, only_first,
):  # fmt: skip
    """Return what `_moments` does."""
    weights = np.zeros(6)
    slopes, taps, begin = np.zeros((2, 6), np.float32), np.zeros((2, 6), np.float32), np.zeros(2, np.int64)
    for axis in range(2):
        begin[axis] = _taps(-shift[axis], weights)
        fill(taps[axis], weights)
        _slopes_of_taps(-shift[axis], slopes[axis])
    return _moments(
        first, edges, numbers, steps, whole, moving, usable_first, usable_edges,
        nearest[0], nearest[1], begin[0], taps[0], slopes[0], begin[1], taps[1], slopes[1], with_slopes,
        only_first,
    )  # fmt: skip


@kernel
def moments_2d(  # type: ignore[no-untyped-def]
    first, edges, numbers, steps, whole, moving, usable_first, usable_edges, shift, nearest, with_slopes,
):  # fmt: skip
    """Return the sums of `subpixel.moments.Moments` at a shift.

    `first` and `edges` are the runs of the template, `numbers`, `steps` and `whole` its packed fields;
    `nearest` is the nearest whole-pixel shift, at which the usable pixels of moving are taken. Sums of
    slopes, along rows and columns, are the last six; zeros if they are not asked for.
    """
    return _moments_at(
        first, edges, numbers, steps, whole, moving, usable_first, usable_edges, shift, nearest, with_slopes,
        False,
    )  # fmt: skip


@kernel
def projected_2d(  # type: ignore[no-untyped-def]
    first, edges, numbers, steps, whole, moving, usable_first, usable_edges, shift, nearest, gain
):
    """Return the first of `subpixel.moments.projected_residual`; NaN without common pixels."""
    sums, _ = _moments_at(
        first, edges, numbers, steps, whole, moving, usable_first, usable_edges, shift, nearest, False, True
    )
    n, r, u, g, of_reference, of_moving = sums[0], sums[1], sums[2], sums[9], sums[11], sums[13]
    return of_reference - g * (r / n) - gain * (of_moving - g * (u / n))


@inlined
def _error_at(table, places, out):  # type: ignore[no-untyped-def]
    """Fill what `frequencies.interpolation_error.InterpolationError.at` returns."""
    fractions = table.shape[1] - 1
    y, x = (places[0] - np.floor(places[0])) * fractions, (places[1] - np.floor(places[1])) * fractions
    i, j = min(int(y), fractions - 1), min(int(x), fractions - 1)
    for k in range(out.size):
        above = (j + 1 - x) * table[k, i, j] + (x - j) * table[k, i, j + 1]
        below = (j + 1 - x) * table[k, i + 1, j] + (x - j) * table[k, i + 1, j + 1]
        out[k] = (i + 1 - y) * above + (y - i) * below


@kernel
def steps_2d(  # type: ignore[no-untyped-def]
    first, edges, numbers, steps, whole, moving, usable_first, usable_edges,
    start, inverse, doubt, noise, own, least_variance, width, errors, carried, steep, tolerance, part, limits,
):  # fmt: skip
    """Return whether the images determine a shift, and what `subpixel.refine.Steps` holds.

    The first arguments are those of `moments_2d`, `inverse`, `doubt`, `noise` and `least_variance` those of
    the normal matrices, `own` what low-passing leaves of the noise, `errors` the table of interpolation's
    errors, taken off if `carried`; `steep` asks for slopes. `limits` are constants of `subpixel.refine`.
    """
    step_limit, slopes_doubt, short_step, shortest, most = limits
    shift, nearest = start.copy(), np.rint(start)
    weights, error = np.zeros(6), np.zeros(3)
    p00, p01, p10, p11 = inverse[0, 0], inverse[0, 1], inverse[1, 0], inverse[1, 1]
    i00, i01, i10, i11, unsure = p00, p01, p10, p11, doubt
    left, gain, scale = np.inf, 0.0, 0.0
    for _ in range(most):
        if max(abs(shift[0] - nearest[0]), abs(shift[1] - nearest[1])) > 1:
            nearest[0], nearest[1] = np.rint(shift[0]), np.rint(shift[1])
        sums, slope = _moments_at(
            first, edges, numbers, steps, whole, moving, usable_first, usable_edges,
            shift, (int(nearest[0]), int(nearest[1])), steep, False,
        )  # fmt: skip
        n, r, u, h, rr, ru, uu, hr, hu, g0, g1, gr0, gr1, gu0, gu1 = sums
        if n < 3:
            return False, shift, left, gain, scale
        of_reference, of_moving = rr - r * r / n, uu - u * u / n
        if carried:
            _error_at(errors, -shift, error)
            about = n / max(np.sqrt(max(of_reference, 0.0) / max(of_moving, 1e-30)), 1e-30)
            gu0 -= about * error[0]
            gu1 -= about * error[1]
            hu -= about * error[2]
        seen, met = hr - h * r / n - n * noise * own, hu - h * u / n
        if not (seen > 0 and met > 0):
            return False, shift, left, gain, scale
        gain = seen / met
        if steep:
            s00, s01 = gain * (g0 * slope[0] / n - slope[2]), gain * (g0 * slope[1] / n - slope[3])
            s10, s11 = gain * (g1 * slope[0] / n - slope[4]), gain * (g1 * slope[1] / n - slope[5])
            i00, i01, i10, i11, unsure = p00, p01, p10, p11, doubt
            # where they fall along every direction
            if s00 > 0 and 4 * s00 * s11 > (s01 + s10) ** 2:
                determinant = s00 * s11 - s01 * s10
                i00, i01, i10, i11 = (
                    s11 / determinant,
                    -s01 / determinant,
                    -s10 / determinant,
                    s00 / determinant,
                )
                unsure = slopes_doubt / width**2
        z0, z1 = gr0 - g0 * r / n - gain * (gu0 - g0 * u / n), gr1 - g1 * r / n - gain * (gu1 - g1 * u / n)
        y, x = -(i00 * z0 + i01 * z1), -(i10 * z0 + i11 * z1)
        left = max(abs(y), abs(x))
        cut = min(1.0, step_limit * width / max(left, 1e-30))
        shift[0] += cut * y
        shift[1] += cut * x
        left *= cut
        steep = steep and left > short_step * width
        left *= unsure + (left / width) ** 2
        residual = (of_reference - 2 * gain * (ru - r * u / n) + gain * gain * of_moving) / n
        kept = 1.0
        for axis in range(2):
            _taps(-shift[axis], weights)
            squares = 0.0
            for k in range(6):
                squares += weights[k] * weights[k]
            kept *= squares
        scale = max(residual, 0.0) / (1 + kept) / max(noise, 1e-30)
        if left < max(tolerance, part * np.sqrt(least_variance * scale + shortest**2)):
            break
    return True, shift, left, gain, scale
