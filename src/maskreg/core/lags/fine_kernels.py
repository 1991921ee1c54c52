"""Compiled loops over the lags of large images, a few rows of lags at a time; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`fine_rows_2d`                `lags.scores.plain_scores`
`fine_maxima_2d`              `lags.maxima.likeliest_maxima`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.lags.search_kernels import _fisher_row, _lag_row, _logarithm, _put_in_order
from maskreg.core.machine.compiled import inlined, kernel
from maskreg.core.machine.fill import fill


@inlined
def _between(sums, j, part, step, begin, row):  # type: ignore[no-untyped-def]
    """Fill a row by straight lines between sums that are known at every `step`-th lag.

    Of rows `j` and `j + 1` of the sums, `part` of the way; the first of them is at index `begin` of the row.
    """
    one, other = sums[j], sums[j + 1]
    for k in range(one.size - 1):
        left = one[k] + part * (other[k] - one[k])
        right = one[k + 1] + part * (other[k + 1] - one[k + 1])
        slope = (right - left) / np.float32(step)
        at = begin + k * step
        for i in range(max(at, 0), min(at + step, row.size)):
            row[i] = left + slope * np.float32(i - at)


@inlined
def _add_row(values, by, row):  # type: ignore[no-untyped-def]
    for j in range(values.size):
        row[j] += by * np.float32(values[j])


@kernel
def fine_rows_2d(  # type: ignore[no-untyped-def]
    products, first, sums, middle, step,
    reference, reference_mask, moving, moving_mask, spikes, other_spikes,
    least, fewest, cap,
):  # fmt: skip
    """Return z of a few rows of lags, ascending; NaN where forbidden or not trusted.

    Parameters
    ----------
    products : (rows, width) ndarray of float32
        Sums of products of reference and moving without their spikes, column lag s at s modulo the width.
    first : int
        The first row lag.
    sums : (5, rows, columns) ndarray of float32
        At lags of whole steps: sums of moving and its square over the reference's mask, common pixels, and
        sums of reference and its square over moving's mask; without spikes.
    middle : (int, int)
        Where lag zero is in them.
    step : int
    reference, moving : ndarray of float32
        Reference whole, moving without its spikes.
    reference_mask, moving_mask : ndarray of bool
    spikes, other_spikes : tuple of (rows, columns, values)
        Of the reference, and of moving.
    least : (float, float)
        A lag is trusted where the energies in the overlap are more than this.
    fewest : float
        Lags of so many common pixels or fewer are forbidden.
    cap : float
        Greatest NCC that is believed.
    """
    rows, width = products.shape
    columns = reference.shape[1] + moving.shape[1] - 1
    reach = moving.shape[1] - 1
    z = np.empty((rows, columns), np.float32)
    known = np.empty((5, columns), np.float32)
    product = np.empty(columns, np.float32)
    r = np.empty(columns, np.float32)
    above, below = np.empty(columns, np.float32), np.empty(columns, np.float32)
    one = np.float32(1)
    for i in range(rows):
        y = first + i
        j = y // step + middle[0]
        part = np.float32(y - (y // step) * step) / np.float32(step)
        for k in range(5):
            _between(sums[k], j, part, step, reach - middle[1] * step, known[k])
        fill(product[reach:], products[i])
        fill(product[:reach], products[i, width - reach :])
        for k in range(other_spikes[0].size):
            row = other_spikes[0][k] + y
            if 0 <= row < reference.shape[0]:
                at, value = reach - other_spikes[1][k], other_spikes[2][k]
                _add_row(reference[row], value, product[at : at + reference.shape[1]])
                _add_row(reference_mask[row], value, known[0, at : at + reference.shape[1]])
                _add_row(reference_mask[row], value * value, known[1, at : at + reference.shape[1]])
        for k in range(spikes[0].size):
            row = spikes[0][k] - y
            if 0 <= row < moving.shape[0]:
                at, value = reach + spikes[1][k], spikes[2][k]
                for m in range(moving.shape[1]):
                    product[at - m] += value * moving[row, m]
                    known[3, at - m] += value * np.float32(moving_mask[row, m])
                    known[4, at - m] += value * value * np.float32(moving_mask[row, m])
        total, square, n, a, aa = known[0], known[1], known[2], known[3], known[4]
        for m in range(columns):
            aa[m] -= a[m] * a[m] / max(n[m], one)
        _lag_row(
            product,
            total,
            square,
            n,
            a,
            aa,
            least[0],
            least[1],
            fewest,
            np.float32(np.inf),
            cap,
            r,
            above,
            below,
        )
        _logarithm(above)
        _logarithm(below)
        _fisher_row(r, n, cap, above, below, z[i])
    return z


@inlined
def _overlap(counts, middle, step, y, x):  # type: ignore[no-untyped-def]
    """Return how many pixels are common at a lag, from counts at lags of whole steps."""
    j, k = y // step, x // step
    u = np.float64(y - j * step) / step
    v = np.float64(x - k * step) / step
    j += middle[0]
    k += middle[1]
    above = counts[j, k] + v * (counts[j, k + 1] - counts[j, k])
    below = counts[j + 1, k] + v * (counts[j + 1, k + 1] - counts[j + 1, k])
    return above + u * (below - above)


@kernel
def fine_maxima_2d(z, first, columns_first, limits, counts, middle, step, least, bar, most):  # type: ignore[no-untyped-def]
    """Return row lags, column lags and likelihoods of the likeliest local maxima of z, best first.

    Parameters
    ----------
    z : (rows + 2, columns) ndarray of float32
        Of some rows of lags, with one more above and below.
    first, columns_first : int
        The row lag of the second row, the column lag of the first column.
    limits : (int, int)
        Greatest lags that may be chosen, and
    least : float
        fewest common pixels.
    counts, middle, step
        Common pixels at lags of whole steps, and where lag zero is.
    bar : float
        Less likely maxima do not matter.
    most : int
    """
    at_row = np.zeros(most + 1, np.int64)
    at_column = np.zeros(most + 1, np.int64)
    shifts = np.zeros(most + 1, np.int64)
    values = np.full(most + 1, -np.inf)
    found = 0
    for i in range(1, z.shape[0] - 1):
        y = first + i - 1
        if abs(y) > limits[0]:
            continue
        for j in range(z.shape[1]):
            value = np.float64(z[i, j])
            # (n - 2) log cosh(z / sqrt(n - 3)) is less, for n > 10; of a forbidden lag this is false
            if not (value > 0 and 0.57 * value * value >= bar):
                continue
            x = columns_first + j
            n = _overlap(counts, middle, step, y, x)
            if abs(x) > limits[1] or n < least:
                continue
            u = value / np.sqrt(n - 3)
            # log cosh that neither overflows nor cancels
            likelihood = (n - 2) * (
                u + np.log1p(np.exp(-2 * u)) - np.log(2.0) if u > 0.1 else u * u / 2 - u**4 / 12
            )
            if likelihood < bar:
                continue
            highest = True
            for k in range(i - 1, i + 2):
                for m in range(max(0, j - 1), min(z.shape[1], j + 2)):
                    if z[k, m] > value:
                        p, q = first + k - 1, columns_first + m
                        inside = abs(p) <= limits[0] and abs(q) <= limits[1]
                        if inside and _overlap(counts, middle, step, p, q) >= least:
                            highest = False
            if not highest:
                continue
            shift = y * y + x * x
            _put_in_order(y, x, shift, likelihood, at_row, at_column, shifts, values, found)
            found = min(found + 1, most)
            if found == most:
                bar = max(bar, values[most - 1])
    return at_row[:found], at_column[:found], values[:found]
