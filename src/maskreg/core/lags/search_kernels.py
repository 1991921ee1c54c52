"""Compiled loops over the lags of a 2-D search; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`products_2d`                 products of `lags.spectra.cross`
`level_scores_2d`             `lags.scores.plain_level_scores`
`median_and_deviation`        `lags.scores.plain_chance_level`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import called, inlined, kernel

RADIX = 11
"""Bits of a value that one pass of the selection looks at."""

SERIES_BELOW = 0.25
"""Below this atanh is the first terms of its series, to the last bit of float32."""

ROUGHLY = 1e-5
"""A likelihood in float32 is one to this part, or this much."""


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


@called
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


@called
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


@called
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


@called
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
    """Return what `lags.scores.LevelScores` holds.

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
