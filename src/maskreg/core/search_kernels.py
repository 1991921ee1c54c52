"""Compiled loops over the pixels and lags of a 2-D search; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`local_plane_2d`              `maskreg.core.detail.LocalPlane.plain`
`between_blocks_2d`           `maskreg.core.detail.plain_between_blocks`
`detail_2d`                   `maskreg.core.detail.plain_detail`
`products_2d`                 products of `maskreg.core.spectra.cross`
`level_scores_2d`             `maskreg.core.scores.plain_level_scores`
`median_and_deviation`        `maskreg.core.scores.plain_chance_level`
`common_sums_2d`              `maskreg.core.windows.plain_window_sums`, radius 0
`greatest_part_2d`            `maskreg.core.journey.plain_greatest_part`
`most_of_block_2d`            `maskreg.core.lone.plain_most_of_block`
`off_most_2d`                 `maskreg.core.lone.plain_off_most`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.compilation import tell_of_compilation
from maskreg.core.compiled import inlined, kernel

tell_of_compilation()

RADIX = 11
"""Bits of a value that one pass of the selection looks at."""

SERIES_BELOW = 0.25
"""Below this atanh is the first terms of its series, to the last bit of float32."""

ROUGHLY = 1e-5
"""A likelihood in float32 is one to this part, or this much."""


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
        padded[radius : radius + width] = pixels[i]
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


@kernel
def products_2d(image, mask, moving, square):  # type: ignore[no-untyped-def]
    """Return the three spectra whose inverse transforms are sums over every lag's common pixels.

    image x moving, mask x moving, mask x square; moving and square, the transforms of the moving image
    and of its square, are conjugated.
    """
    height, width = image.shape
    out = np.empty((3, height, width), image.dtype)
    for i in range(height):
        a, m, b, s = image[i], mask[i], moving[i], square[i]
        p, q, r = out[0, i], out[1, i], out[2, i]
        for j in range(width):
            conjugate = np.conj(b[j])
            p[j] = a[j] * conjugate
            q[j] = m[j] * conjugate
            r[j] = m[j] * np.conj(s[j])
    return out


@inlined
def _unwrapped(values, reach_y, reach_x, out):  # type: ignore[no-untyped-def]
    """Fill the lags in ascending order; in a transform the negative ones stand at the end of each axis."""
    height, width = values.shape
    rows, columns = out.shape
    for i in range(rows):
        y = (i - reach_y) % height
        for j in range(reach_x):
            out[i, j] = values[y, width - reach_x + j]
        for j in range(reach_x, columns):
            out[i, j] = values[y, j - reach_x]


@inlined
def _logarithm(values):  # type: ignore[no-untyped-def]
    """Replace positive values by their logarithms, to the last bits of float32, in vector lanes.

    A value is 2^k m with m about 1; that of m by the series of artanh((m - 1) / (m + 1)).
    """
    bits = values.view(np.int32)
    half = np.int32(0x3F3504F3)  # the root of a half
    for j in range(values.size):
        power = (bits[j] - half) >> np.int32(23)
        bits[j] -= power << np.int32(23)
        t = (values[j] - np.float32(1)) / (values[j] + np.float32(1))
        q = t * t
        series = np.float32(2) + q * (
            np.float32(2 / 3) + q * (np.float32(2 / 5) + q * (np.float32(2 / 7) + q * np.float32(2 / 9)))
        )
        values[j] = t * series + np.float32(power) * np.float32(np.log(2))


@inlined
def _lag_row(product, total, square, n, a, aa, least_a, least_b, fewest, least, cap, r, above, below):  # type: ignore[no-untyped-def]
    """Fill NCC, and one plus and one minus NCC, of some lags; return how many are not trusted.

    Of those of enough overlap.
    """
    hidden = np.int32(0)
    one = np.float32(1)
    for j in range(r.size):
        count = max(n[j], one)
        energy = square[j] - total[j] * total[j] / count
        covariance = product[j] - a[j] * total[j] / count
        enough = n[j] > fewest
        trusted = enough & (aa[j] > least_a) & (energy > least_b)
        hidden += np.int32((n[j] >= least) & enough & (not trusted))
        value = covariance / np.sqrt(aa[j] * energy if trusted else one)
        r[j] = min(max(value, -one), one) if trusted else np.float32(np.nan)
        value = min(max(value, -cap), cap) if trusted else np.float32(0)
        above[j] = one + value
        below[j] = one - value
    return hidden


@inlined
def _fisher_row(r, n, cap, above, below, z):  # type: ignore[no-untyped-def]
    """Fill z of some lags, NaN without NCC; `above` and `below` are logarithms of one plus and minus it."""
    one, half, reach = np.float32(1), np.float32(0.5), np.float32(SERIES_BELOW)
    for j in range(r.size):
        value = min(max(r[j], -cap), cap)
        q = value * value
        series = value * (
            one
            + q
            * (
                np.float32(1 / 3)
                + q
                * (
                    np.float32(1 / 5)
                    + q * (np.float32(1 / 7) + q * (np.float32(1 / 9) + q * np.float32(1 / 11)))
                )
            )
        )
        height = half * (above[j] - below[j]) if abs(value) > reach else series
        height *= np.sqrt(max(n[j] - np.float32(3), np.float32(0)))
        z[j] = height if r[j] == r[j] else np.float32(np.nan)


@inlined
def _likelihood(r, n, floor):  # type: ignore[no-untyped-def]
    """Return the likelihood of an allowed lag."""
    return -0.5 * (n - 2) * np.log(max(1 - r * r, floor)) + 0.0


@inlined
def _greatest_possible(product, total, square, n, a, aa, r, energies, rounding, least, floor):  # type: ignore[no-untyped-def]
    """Return the greatest likelihood that rounding leaves possible at the lags without a value."""
    greatest = -np.inf
    whole_a, whole_b = energies
    for j in range(r.size):
        if r[j] == r[j] or n[j] < least:
            continue
        count = np.float64(n[j])
        # each sum is known to `rounding` of the energies of the whole images
        energy_a = np.float64(aa[j]) - rounding * whole_a
        energy_b = np.float64(square[j]) - np.float64(total[j]) ** 2 / count - rounding * whole_b
        bound = 1.0
        if energy_a > 0 and energy_b > 0:
            covariance = np.float64(product[j]) - np.float64(a[j]) * np.float64(total[j]) / count
            covariance = max(0.0, covariance) + rounding * np.sqrt(whole_a * whole_b)
            bound = min(1.0, covariance / np.sqrt(energy_a * energy_b))
        left = max(1 - bound * bound, floor)
        # no logarithm where its upper bound is not enough
        if 0.5 * (count - 2) * (1 - left) > greatest * left:
            greatest = max(greatest, _likelihood(bound, count, floor))
    return greatest


@inlined
def _lag_values(  # type: ignore[no-untyped-def]
    products, totals, squares, overlap, a, aa, moving_shape, energies, rounding, trusted, fewest, least, floor
):
    """Return NCC, z and likelihood of every lag, ascending, and what those without a value may reach.

    The likelihood is one in float32, and nothing where NCC is not positive.
    """
    rows, columns = overlap.shape
    reach_y, reach_x = moving_shape[0] - 1, moving_shape[1] - 1
    sums = np.empty((3, rows, columns), np.float32)
    _unwrapped(products, reach_y, reach_x, sums[0])
    _unwrapped(totals, reach_y, reach_x, sums[1])
    _unwrapped(squares, reach_y, reach_x, sums[2])
    least_a, least_b = (
        np.float32(energies[0] * rounding / trusted),
        np.float32(energies[1] * rounding / trusted),
    )
    cap = np.float32(np.sqrt(1 - floor))
    few, enough = np.float32(fewest), np.float32(least)
    r = np.empty((rows, columns), np.float32)
    above, below = np.empty(rows * columns, np.float32), np.empty(rows * columns, np.float32)
    hidden = _lag_row(
        sums[0].reshape(-1), sums[1].reshape(-1), sums[2].reshape(-1),
        overlap.reshape(-1), a.reshape(-1), aa.reshape(-1),
        least_a, least_b, few, enough, cap, r.reshape(-1), above, below,
    )  # fmt: skip
    possible = -np.inf
    for i in range(rows if hidden else 0):
        bound = _greatest_possible(
            sums[0, i], sums[1, i], sums[2, i], overlap[i], a[i], aa[i], r[i], energies, rounding, enough,
            floor,
        )  # fmt: skip
        possible = max(possible, bound)
    _logarithm(above)
    _logarithm(below)
    z, likelihood = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    values, counts, heights = r.reshape(-1), overlap.reshape(-1), likelihood.reshape(-1)
    _fisher_row(values, counts, cap, above, below, z.reshape(-1))
    half, zero = np.float32(0.5), np.float32(0)
    for j in range(values.size):
        heights[j] = -half * (counts[j] - np.float32(2)) * (above[j] + below[j]) if values[j] > zero else zero
    return r, z, likelihood, possible


@inlined
def _order_key(bits):  # type: ignore[no-untyped-def]
    """Return the bits of a float32 as a number that sorts as the float does."""
    return ~bits if bits >> np.uint32(31) else bits | np.uint32(0x80000000)


@inlined
def _selected(keys, count, rank):  # type: ignore[no-untyped-def]
    """Return the key of a rank among the first `count`, digit by digit from the highest."""
    prefix = np.uint32(0)
    shift = 32
    for width in (RADIX, RADIX, 32 - 2 * RADIX):
        shift -= width
        histogram = np.zeros(1 << width, np.int64)
        for i in range(count):
            # of the first digit nothing is known yet: a shift by all 32 bits is not defined
            if shift + width == 32 or (keys[i] >> np.uint32(shift + width)) == prefix:
                histogram[(keys[i] >> np.uint32(shift)) & np.uint32((1 << width) - 1)] += 1
        digit = 0
        while rank >= histogram[digit]:
            rank -= histogram[digit]
            digit += 1
        prefix = (prefix << np.uint32(width)) | np.uint32(digit)
    return prefix


@inlined
def _value(key):  # type: ignore[no-untyped-def]
    """Return the float32 of an order key."""
    one = np.empty(1, np.uint32)
    one[0] = key & np.uint32(0x7FFFFFFF) if key >> np.uint32(31) else ~key
    return one.view(np.float32)[0]


@inlined
def _median_and_deviation(z, counted):  # type: ignore[no-untyped-def]
    """Return what `median_and_deviation` does."""
    rows, columns = z.shape
    values = np.empty(rows * columns, np.float32)
    count = 0
    for i in range(rows):
        for j in range(columns):
            values[count] = z[i, j]
            count += int(counted[i, j] and z[i, j] == z[i, j])
    if count == 0:
        return np.float32(0), np.float32(0), count
    keys = np.empty(count, np.uint32)
    bits = values.view(np.uint32)
    for i in range(count):
        keys[i] = _order_key(bits[i])
    median = _value(_selected(keys, count, (count - 1) // 2))
    for i in range(count):
        values[i] = abs(values[i] - median)
    for i in range(count):
        keys[i] = _order_key(bits[i])
    return median, _value(_selected(keys, count, (count - 1) // 2)), count


@kernel
def median_and_deviation(z, counted):  # type: ignore[no-untyped-def]
    """Return the lower median of the finite values that count, their median absolute deviation, their number.

    Both are exact values of the map. Zeros without any value.
    """
    return _median_and_deviation(z, counted)


@inlined
def _comes_first(value, shift, row, column, other, other_shift, other_row, other_column):  # type: ignore[no-untyped-def]
    """Whether one maximum comes before another: likelier, or as likely and of smaller shift."""
    if value != other:
        return value > other
    if shift != other_shift:
        return shift < other_shift
    return row < other_row or (row == other_row and column < other_column)


@inlined
def _put_in_order(row, column, shift, value, at_row, at_column, shifts, values, found):  # type: ignore[no-untyped-def]
    """Put a maximum among the first `found`, which are in order, best first; there is room for one more."""
    place = found
    while place > 0 and _comes_first(
        value, shift, row, column,
        values[place - 1], shifts[place - 1], at_row[place - 1], at_column[place - 1],
    ):  # fmt: skip
        at_row[place], at_column[place] = at_row[place - 1], at_column[place - 1]
        shifts[place], values[place] = shifts[place - 1], values[place - 1]
        place -= 1
    at_row[place], at_column[place], shifts[place], values[place] = row, column, shift, value


@inlined
def _none_so_likely(rough, least):  # type: ignore[no-untyped-def]
    """Whether no lag of a row can be as likely as `least`."""
    some = 0
    for j in range(rough.size):
        some += int(rough[j] >= least)
    return some == 0


@inlined
def _likely_maxima(ncc, overlap, searched, rough, floor, first_row, first_column, most):  # type: ignore[no-untyped-def]
    """Return rows and columns of the `most` likeliest local maxima, best first.

    The first lags are `first_row` and `first_column`. `rough` is the likelihood but for rounding: it is
    taken exactly only where a lag may be among them.
    """
    rows, columns = ncc.shape
    at_row = np.zeros(most + 1, np.int64)
    at_column = np.zeros(most + 1, np.int64)
    shifts = np.zeros(most + 1, np.int64)
    values = np.full(most + 1, -np.inf)
    found = 0
    least = -np.inf
    bar = np.float32(0)
    for i in range(rows):
        if _none_so_likely(rough[i], bar):
            continue
        for j in range(columns):
            # true for hardly any lag once some are found; a forbidden one is NaN, which makes it false
            if not (rough[i, j] >= bar) or not (searched[i, j] and ncc[i, j] > 0):
                continue
            top = rough[i, j] + np.float32(ROUGHLY) * (np.float32(1) + rough[i, j])
            highest = True
            for y in range(max(0, i - 1), min(rows, i + 2)):
                for x in range(max(0, j - 1), min(columns, j + 2)):
                    highest = highest and not (searched[y, x] and rough[y, x] > top)
            if not highest:
                continue
            here = _likelihood(np.float64(ncc[i, j]), np.float64(overlap[i, j]), floor)
            if here < least:
                continue
            for y in range(max(0, i - 1), min(rows, i + 2)):
                for x in range(max(0, j - 1), min(columns, j + 2)):
                    q = np.float64(ncc[y, x])
                    if searched[y, x] and q > 0:
                        highest = highest and _likelihood(q, np.float64(overlap[y, x]), floor) <= here
            if not highest:
                continue
            shift = (first_row + i) ** 2 + (first_column + j) ** 2
            _put_in_order(i, j, shift, here, at_row, at_column, shifts, values, found)
            found = min(found + 1, most)
            if found == most:
                least = values[most - 1]
                bar = max(np.float32(0), np.float32(least - ROUGHLY * (1 + least)))
    return at_row[:found], at_column[:found], values[0]


@kernel
def level_scores_2d(  # type: ignore[no-untyped-def]
    products, totals, squares, overlap, a, aa, moving_shape, energies, rounding, trusted, fewest,
    least, floor, allowed, counted, deviations, least_spread, first_row, first_column, most,
):  # fmt: skip
    """Return what `maskreg.core.scores.LevelScores` holds.

    The first three are the inverse transforms, lag s at index s modulo the window; the next three are
    ascending in the lag. NCC is NaN where forbidden, or where the energy in the overlap is too small a
    part of `energies`, those of the whole images, for its rounding to stay below `trusted`. The first lags
    are `first_row` and `first_column`.
    """
    ncc, z, rough, possible = _lag_values(
        products, totals, squares, overlap, a, aa, moving_shape, energies, rounding, trusted, fewest, least,
        floor,
    )  # fmt: skip
    median, deviation, count = _median_and_deviation(z, counted)
    middle, scale = np.float32(median), np.float32(1 / max(deviations * deviation, least_spread))
    rows, columns = ncc.shape
    searched = np.empty((rows, columns), np.bool_)
    number = 0
    for i in range(rows):
        row = 0
        for j in range(columns):
            known = allowed[i, j] and ncc[i, j] == ncc[i, j]
            searched[i, j] = known
            row += int(known)
            z[i, j] = (z[i, j] - middle) * scale
        number += row
    at_row, at_column, greatest = _likely_maxima(
        ncc, overlap, searched, rough, floor, first_row, first_column, most
    )
    return ncc, z, searched, number, count, possible, greatest, at_row, at_column


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
def greatest_part_2d(reference, reference_mask, moving, moving_mask, sy, sx):  # type: ignore[no-untyped-def]
    """Return the greatest part that a pair of pixels that meet at lag (sy, sx) has in the covariance.

    And the place of that pair in the reference.
    """
    height, width = reference.shape
    rows, columns = moving.shape
    y0, y1 = max(0, sy), min(height, rows + sy)
    x0, x1 = max(0, sx), min(width, columns + sx)
    row, column = y0, x0
    if x1 <= x0 or y1 <= y0:
        return np.inf, row, column
    n, a, b = 0, 0.0, 0.0
    for i in range(y0, y1):
        p, q = reference[i, x0:x1], moving[i - sy, x0 - sx : x1 - sx]
        v, w = reference_mask[i, x0:x1], moving_mask[i - sy, x0 - sx : x1 - sx]
        for j in range(p.size):
            if v[j] and w[j]:
                n += 1
                a += np.float64(p[j])
                b += np.float64(q[j])
    a, b = a / max(n, 1), b / max(n, 1)
    total, greatest = 0.0, 0.0
    for i in range(y0, y1):
        p, q = reference[i, x0:x1], moving[i - sy, x0 - sx : x1 - sx]
        v, w = reference_mask[i, x0:x1], moving_mask[i - sy, x0 - sx : x1 - sx]
        before = greatest
        for j in range(p.size):
            if v[j] and w[j]:
                product = (p[j] - a) * (q[j] - b)
                total += product
                greatest = max(greatest, product)
        if greatest > before:
            row = i
    best = -np.inf
    for j in range(x0, x1):
        if reference_mask[row, j] and moving_mask[row - sy, j - sx]:
            product = (reference[row, j] - a) * (moving[row - sy, j - sx] - b)
            if product > best:
                best, column = product, j
    return greatest / total if total > 0 else np.inf, row, column


@kernel
def most_of_block_2d(pixels, top, left, times):  # type: ignore[no-untyped-def]
    """Return the part that the greatest pixel makes of the sum of a block of `times` pixels per axis."""
    block = pixels[top : top + times, left : left + times]
    total, least, most = 0.0, np.inf, -np.inf
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            value = np.float64(block[i, j])
            total += value
            least, most = min(least, value), max(most, value)
    if total == 0:
        return 0.0
    return ((most if total > 0 else least) - total / block.size) / total


@kernel
def off_most_2d(pixels, mask, line, most_with):  # type: ignore[no-untyped-def]
    """Return which valid pixels are above, or below, all but so many (at most 3) neighbours, by a line."""
    height, width = mask.shape
    out = np.zeros((height, width), np.bool_)
    line = np.float32(line)
    for i in range(height):
        for j in range(width):
            if not mask[i, j]:
                continue
            value = pixels[i, j]
            if 0 < i < height - 1 and 0 < j < width - 1:
                # most differ from none of the four nearest
                up, down, left, right = pixels[i - 1, j], pixels[i + 1, j], pixels[i, j - 1], pixels[i, j + 1]
                least, most = min(min(up, down), min(left, right)), max(max(up, down), max(left, right))
                near = value - least <= line and most - value <= line
                if near and mask[i - 1, j] and mask[i + 1, j] and mask[i, j - 1] and mask[i, j + 1]:
                    continue
            above, below, known = 0, 0, 0
            for k in range(max(i - 1, 0), min(i + 2, height)):
                for m in range(max(j - 1, 0), min(j + 2, width)):
                    if (k != i or m != j) and mask[k, m]:
                        known += 1
                        off = value - pixels[k, m]
                        above += off > line
                        below += off < -line
            out[i, j] = max(above, below) >= known - most_with
    return out
