"""Compiled loops over the voxels of volumes; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`moments_3d`                  `subpixel.moments.plain_moments`
`normal_sums_3d`              `subpixel.normal_matrices.plain_normal_sums`
`window_sums_3d`              `image.windows.plain_window_sums`
`halved_3d`                   `image.pyramid.plain_halved`
`sum_within_3d`               `frequencies.bands.plain_sum_within`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.image.kernels import _interpolate_row, _masked_row
from maskreg.core.machine.compiled import inlined, kernel


@inlined
def _combined_row(volume, first, row, weights, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the weighted sum of one row of six slices."""
    a0, a1, a2 = volume[first, row], volume[first + 1, row], volume[first + 2, row]
    a3, a4, a5 = volume[first + 3, row], volume[first + 4, row], volume[first + 5, row]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for j in range(out.size):
        out[j] = w0 * a0[j] + w1 * a1[j] + w2 * a2[j] + w3 * a3[j] + w4 * a4[j] + w5 * a5[j]


@inlined
def _moments_row(rows, order, weights, r, m, v, gy, gx, h, sums):  # type: ignore[no-untyped-def]
    """Add one row's sums: interpolate six prepared rows across, then project."""
    r0, r1, r2 = rows[order[0]], rows[order[1]], rows[order[2]]
    r3, r4, r5 = rows[order[3]], rows[order[4]], rows[order[5]]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    zero = np.float32(0)
    n, sr, su, sh, rr, ru, uu, hr, hu = zero, zero, zero, zero, zero, zero, zero, zero, zero
    g0, g1, gr0, gr1, gu0, gu1 = zero, zero, zero, zero, zero, zero
    for j in range(r.size):
        w = np.float32(m[j] & v[j])
        u = (w0 * r0[j] + w1 * r1[j] + w2 * r2[j] + w3 * r3[j] + w4 * r4[j] + w5 * r5[j]) * w
        a = r[j] * w
        b = h[j] * w
        y = gy[j] * w
        x = gx[j] * w
        n += w
        sr += a
        su += u
        sh += b
        rr += a * a
        ru += a * u
        uu += u * u
        hr += b * a
        hu += b * u
        g0 += y
        g1 += x
        gr0 += y * a
        gr1 += x * a
        gu0 += y * u
        gu1 += x * u
    row = (n, sr, su, sh, rr, ru, uu, hr, hu, g0, g1, gr0, gr1, gu0, gu1)
    for k in range(15):
        sums[k] += row[k]


@inlined
def _third_row(rows, order, weights, r, m, v, g, sums):  # type: ignore[no-untyped-def]
    """Add one row's sums of g, g r and g u for the gradient across the slices."""
    r0, r1, r2 = rows[order[0]], rows[order[1]], rows[order[2]]
    r3, r4, r5 = rows[order[3]], rows[order[4]], rows[order[5]]
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    zero = np.float32(0)
    s, sr, su = zero, zero, zero
    for j in range(r.size):
        z = g[j] * np.float32(m[j] & v[j])
        u = w0 * r0[j] + w1 * r1[j] + w2 * r2[j] + w3 * r3[j] + w4 * r4[j] + w5 * r5[j]
        s += z
        sr += z * r[j]
        su += z * u
    row = (s, sr, su)
    for k in range(3):
        sums[k] += row[k]


@kernel
def moments_3d(pixels, mask, gradient, smooth, moving, usable, lag, first, weights):  # type: ignore[no-untyped-def]
    """Return the sums of `subpixel.moments.Moments`: 15 of the last two axes, 3 across the slices.

    `lag` is the whole-pixel shift at which the usable pixels of moving are taken; `first` (3,) the first
    tap along each axis relative to the reference's pixel, `weights` (3, 6).
    """
    depth, height, width = pixels.shape
    slices, rows, columns = moving.shape
    iz, iy, ix = lag
    oz, oy, ox = first
    wz, wy, wx = weights[0], weights[1], weights[2]
    z0, z1 = max(0, -oz, iz), min(depth, slices - oz - 5, slices + iz)
    y0, y1 = max(0, -oy, iy), min(height, rows - oy - 5, rows + iy)
    x0, x1 = max(0, -ox, ix), min(width, columns - ox - 5, columns + ix)
    sums = np.zeros(15)
    across = np.zeros(3)
    length = max(0, x1 - x0)
    if length == 0 or y1 <= y0:
        return sums, across
    whole = np.zeros(columns, np.float32)
    ring = np.zeros((6, length), np.float32)
    order = np.zeros(6, np.int64)
    for k in range(z0, z1):
        ready = y0 + oy - 1
        for i in range(y0, y1):
            while ready < i + oy + 5:
                ready += 1
                _combined_row(moving, k + oz, ready, wz, whole)
                _interpolate_row(whole, x0 + ox, wx, ring[ready % 6])
            for t in range(6):
                order[t] = (i + oy + t) % 6
            r, m, v = pixels[k, i, x0:x1], mask[k, i, x0:x1], usable[k - iz, i - iy, x0 - ix : x1 - ix]
            _moments_row(
                ring, order, wy, r, m, v,
                gradient[1, k, i, x0:x1], gradient[2, k, i, x0:x1], smooth[k, i, x0:x1], sums,
            )  # fmt: skip
            _third_row(ring, order, wy, r, m, v, gradient[0, k, i, x0:x1], across)
    return sums, across


@inlined
def _normal_row(m, u, v, g, s, n_out, vg_out, gs_out, vgg_out, i):  # type: ignore[no-untyped-def]
    """Add one row's sums of one component of the gradient with all slopes and gradients."""
    zero = np.float32(0)
    a, d, e = zero, zero, zero
    k0, k1, k2, q0, q1, q2 = zero, zero, zero, zero, zero, zero
    g0, g1, g2, s0, s1, s2, own = g[0], g[1], g[2], s[0], s[1], s[2], g[i]
    slope = s[i]
    for j in range(m.size):
        w = np.float32(m[j] & u[j])
        b = own[j] * w
        c = v[j] * b
        a += b
        d += slope[j] * w
        e += c
        k0 += b * s0[j]
        k1 += b * s1[j]
        k2 += b * s2[j]
        q0 += c * g0[j]
        q1 += c * g1[j]
        q2 += c * g2[j]
    n_out[i] += a
    n_out[3 + i] += d
    vg_out[i] += e
    gs_out[i, 0] += k0
    gs_out[i, 1] += k1
    gs_out[i, 2] += k2
    vgg_out[i, 0] += q0
    vgg_out[i, 1] += q1
    vgg_out[i, 2] += q2


@kernel
def normal_sums_3d(mask, usable, noise, gradient, slope, lag):  # type: ignore[no-untyped-def]
    """Return n, v, vv; g and d; vg; gd; vgg of `subpixel.normal_matrices.NormalSums` at a lag."""
    depth, height, width = mask.shape
    slices, rows, columns = usable.shape
    iz, iy, ix = lag
    z0, z1 = max(0, iz), min(depth, slices + iz)
    y0, y1 = max(0, iy), min(height, rows + iy)
    x0, x1 = max(0, ix), min(width, columns + ix)
    counts = np.zeros(3)
    firsts = np.zeros(6)
    vg = np.zeros(3)
    gd = np.zeros((3, 3))
    vgg = np.zeros((3, 3))
    zero = np.float32(0)
    for k in range(z0, z1):
        for i in range(y0, y1 if x1 > x0 else y0):
            m, u, v = mask[k, i, x0:x1], usable[k - iz, i - iy, x0 - ix : x1 - ix], noise[k, i, x0:x1]
            n, v1, v2 = zero, zero, zero
            for j in range(m.size):
                w = np.float32(m[j] & u[j])
                c = v[j] * w
                n += w
                v1 += c
                v2 += c * c
            counts[0] += n
            counts[1] += v1
            counts[2] += v2
            g, s = gradient[:, k, i, x0:x1], slope[:, k, i, x0:x1]
            for axis in range(3):
                _normal_row(m, u, v, g, s, firsts, vg, gd, vgg, axis)
    return counts, firsts, vg, gd, vgg


@inlined
def _lagged_row(a, b, w, out):  # type: ignore[no-untyped-def]
    """Add the sums of b w, b^2 w and a b over one row (a is zero where w is) to `out`."""
    s = np.float32(0)
    q = np.float32(0)
    c = np.float32(0)
    for j in range(a.size):
        z = b[j]
        zw = z * w[j]
        s += zw
        q += zw * z
        c += z * a[j]
    out[0] += s
    out[1] += q
    out[2] += c


@kernel
def window_sums_3d(reference, reference_mask, moving, safe, lag, radius):  # type: ignore[no-untyped-def]
    """Return the sums of `image.windows.WindowSums` over the fixed set around a lag."""
    depth, height, width = reference.shape
    slices, rows, columns = moving.shape
    sz, sy, sx = lag
    side = 2 * radius + 1
    # the safe set ends `radius` before the border of moving; skipping it keeps every view inside
    z0, z1 = max(0, sz + radius), min(depth, slices + sz - radius)
    y0, y1 = max(0, sy + radius), min(height, rows + sy - radius)
    x0, x1 = max(0, sx + radius), min(width, columns + sx - radius)
    length = max(0, x1 - x0)
    sums = np.zeros((side, side, side, 3))
    totals = np.zeros(3)
    w = np.zeros(length, np.float32)
    a = np.zeros(length, np.float32)
    for k in range(z0, z1 if length else z0):
        for i in range(y0, y1):
            count, t, q = _masked_row(
                reference[k, i, x0:x1],
                reference_mask[k, i, x0:x1],
                safe[k - sz, i - sy, x0 - sx : x1 - sx],
                a,
                w,
            )
            totals[0] += count
            totals[1] += t
            totals[2] += q
            for dz in range(side):
                z = k - sz - (dz - radius)
                for dy in range(side):
                    y = i - sy - (dy - radius)
                    for dx in range(side):
                        x = x0 - sx - (dx - radius)
                        _lagged_row(a, moving[z, y, x : x + length], w, sums[dz, dy, dx])
    return totals, sums


@kernel
def halved_3d(values):  # type: ignore[no-untyped-def]
    """Return sums over blocks of two per axis; a last odd slice, row or column is left out."""
    depth, height, width = values.shape[0] // 2, values.shape[1] // 2, values.shape[2] // 2
    out = np.empty((depth, height, width), np.float32)
    for k in range(depth):
        for i in range(height):
            p, q = values[2 * k, 2 * i], values[2 * k, 2 * i + 1]
            s, t = values[2 * k + 1, 2 * i], values[2 * k + 1, 2 * i + 1]
            r = out[k, i]
            for j in range(width):
                first = (p[2 * j] + q[2 * j]) + (p[2 * j + 1] + q[2 * j + 1])
                r[j] = first + ((s[2 * j] + t[2 * j]) + (s[2 * j + 1] + t[2 * j + 1]))
    return out


@kernel
def sum_within_3d(pixels, mask):  # type: ignore[no-untyped-def]
    """Return the number of whole blocks of two per axis, and the sum of squares about their means."""
    count = np.int64(0)
    within = 0.0
    for k in range(pixels.shape[0] // 2):
        for i in range(pixels.shape[1] // 2):
            row = np.float32(0)
            for j in range(pixels.shape[2] // 2):
                full = True
                total = np.float32(0)
                squares = np.float32(0)
                for z in range(2):
                    for y in range(2):
                        for x in range(2):
                            value = pixels[2 * k + z, 2 * i + y, 2 * j + x]
                            full = full and mask[2 * k + z, 2 * i + y, 2 * j + x]
                            total += value
                            squares += value * value
                if full:
                    row += squares - total * total / np.float32(8)
                    count += 1
            within += np.float64(row)
    return count, within
