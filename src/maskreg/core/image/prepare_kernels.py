"""Compiled passes over the grey values of a 2-D frame; each has a plain twin that it is tested against.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`all_finite`                  `numpy.isfinite`
`bits_of_counts`              `image.counts.plain_as_counts`
`fill_with_counts`            the same
`cleaned_2d`                  `aligned.static.Static.corrected`
`stabilised_2d`               `image.stabilise.Detector.stabilised`
`stabilised_halves_2d`        the same, and `image.pyramid.plain_halved`
`sum_of_values`               `image.standard.plain_standard`
`squares_about`               the same
`fill_with_standard`          the same
`packed_counts_2d`            the same, to a part of 65534 of each row's greatest value
`counted_sums_2d`             `image.windows.plain_window_sums`, radius 0
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel
from maskreg.core.machine.fill import fill

_AT_ONCE = 2**14
"""Numbers that are looked at before one that is not what all have to be ends the look."""


@kernel
def all_finite(values, greatest):  # type: ignore[no-untyped-def]
    """Return whether all numbers of a 1-D array of floats are finite; `greatest` is that of their type."""
    for first in range(0, values.size, _AT_ONCE):
        part = values[first : first + _AT_ONCE]
        finite = np.int32(0)
        for j in range(part.size):
            finite += np.int32(abs(part[j]) <= greatest)
        if finite != part.size:
            return False
    return True


@kernel
def bits_of_counts(values, valid):  # type: ignore[no-untyped-def]
    """Return the bits, 16 or 32, that hold each valid number of a 1-D array.

    0 where these do not, where one is negative or no whole number, and where none is valid.
    """
    bits, some = 16, np.int64(0)
    for first in range(0, values.size, _AT_ONCE):
        part, mask = values[first : first + _AT_ONCE], valid[first : first + _AT_ONCE]
        counted, small, large = np.int32(0), np.int32(0), np.int32(0)
        for j in range(part.size):
            number = part[j]
            whole = (number >= 0) & (number == np.floor(number)) & mask[j]
            counted += np.int32(mask[j])
            small += np.int32(whole & (number < 65536))
            large += np.int32(whole & (number < 4294967296))
        if large != counted:
            return 0
        some += counted
        if small != counted:
            bits = 32
    return bits if some else 0


@kernel
def fill_with_counts(values, valid, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the valid ones of a 1-D array of counts, and 0."""
    zero = values.dtype.type(0)
    for j in range(out.size):
        out[j] = np.int64(values[j] if valid[j] else zero)


@kernel
def sum_of_values(values, valid):  # type: ignore[no-untyped-def]
    """Return number and sum of the valid ones of a 1-D array, and whether they differ."""
    n, total, differing = 0, 0.0, 0
    some = values[0]
    for j in range(values.size):
        if valid[j]:
            some = values[j]
            break
    for j in range(values.size):
        n += valid[j]
        total += float(values[j]) if valid[j] else 0.0
        differing += valid[j] & (values[j] != some)
    return n, total, differing > 0


@kernel
def squares_about(values, valid, mean):  # type: ignore[no-untyped-def]
    """Return the sum of the squares of the valid ones of a 1-D array, less their mean."""
    total = 0.0
    for j in range(values.size):
        off = float(values[j]) - mean if valid[j] else 0.0
        total += off * off
    return total


@kernel
def fill_with_standard(values, valid, mean, scale, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the valid ones of a 1-D array, less their mean, over their scale, and 0."""
    for j in range(out.size):
        # the mean is off before float32 is all there is: 60000 +/- 5 keeps its digits
        out[j] = (float(values[j]) - mean) / scale if valid[j] else 0.0


@inlined
def _stabilised_row(pixels, edges, slope, start, mean, out):  # type: ignore[no-untyped-def]
    """Fill one row with stabilised values, zero outside of its runs."""
    zero = np.float32(0)
    for j in range(out.size):
        # a root of its own for each pixel is three times as fast as a table
        out[j] = np.sqrt(max(np.float32(pixels[j]) * slope + start, zero)) - mean
    after = 0
    for run in range(edges.shape[0] + 1):
        before = edges[run, 0] if run < edges.shape[0] else out.size
        for j in range(after, before):
            out[j] = zero
        after = edges[run, 1] if run < edges.shape[0] else out.size


@inlined
def _some_value(pixels, mask):  # type: ignore[no-untyped-def]
    """Return the first valid value; without any, that of the first pixel."""
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if mask[i, j]:
                return pixels[i, j]
    return pixels[0, 0]


@inlined
def _differs_in_row(pixels, mask, value):  # type: ignore[no-untyped-def]
    """Return whether a valid value is another one than `value`."""
    differs = False
    j = 0
    while j < pixels.size and not differs:
        differs = mask[j] and pixels[j] != value
        j += 1
    return differs


@kernel
def stabilised_2d(pixels, first, edges, slope, start, mean):  # type: ignore[no-untyped-def]
    """Return sqrt(slope * value + start) - mean of every pixel in the runs of a mask, 0 elsewhere.

    Pixels are numbers of at most 32 bits.
    """
    out = np.empty(pixels.shape, np.float32)
    for i in range(pixels.shape[0]):
        _stabilised_row(pixels[i], edges[first[i] : first[i + 1]], slope, start, mean, out[i])
    return out


@inlined
def _sums_of_two(p, q, out):  # type: ignore[no-untyped-def]
    """Fill one row with the sums of two by two of two rows."""
    for j in range(out.size):
        out[j] = (p[2 * j] + q[2 * j]) + (p[2 * j + 1] + q[2 * j + 1])


@kernel
def stabilised_halves_2d(  # type: ignore[no-untyped-def]
    pixels, mask, first, edges, edge_first, edge_columns, edge_weights, slope, start, mean, whole
):
    """Return level 2 of what `stabilised_2d` returns, the sums of four by four, and if valid values differ.

    And what it returns, of which two rows are kept unless the `whole` is wanted.

    Level 2 are means of two by two; `image.pyramid.MaskPyramid.edge_blocks` says by what the sum of
    a block is multiplied of which a part is ignored. All is made while the rows are in the cache.
    """
    height, width = pixels.shape
    means = np.empty((height // 2, width // 2), np.float32)
    quarters = np.empty((height // 4, width // 4), np.float32)
    values = np.empty((height if whole else 2, width), np.float32)
    above = np.empty(width // 2, np.float32)
    below = np.empty(width // 2, np.float32)
    quarter = np.float32(0.25)
    some = _some_value(pixels, mask)
    differ = False
    for i in range(height):
        differ = differ or _differs_in_row(pixels[i], mask[i], some)
        at = i if whole else i % 2
        _stabilised_row(pixels[i], edges[first[i] : first[i + 1]], slope, start, mean, values[at])
        if i % 2 == 0:
            continue
        sums = below if i % 4 == 3 else above
        _sums_of_two(values[at - 1], values[at], sums)
        r = means[i // 2]
        for j in range(r.size):
            r[j] = sums[j] * quarter
        for k in range(edge_first[i // 2], edge_first[i // 2 + 1]):
            r[edge_columns[k]] = sums[edge_columns[k]] * edge_weights[k]
        if i % 4 == 3:
            _sums_of_two(above, below, quarters[i // 4])
    return means, quarters, values, differ


@inlined
def _add_own(numbers, step, start, stop, sign, sums):  # type: ignore[no-untyped-def]
    """Add to `sums` number, sum and squares of one run of a packed row, times a sign."""
    s = np.int64(0)
    ss = np.int64(0)
    for j in range(start, stop):
        a = np.int32(numbers[j])
        s += a
        ss += a * a
    sums[0] += sign * (stop - start)
    sums[1] += sign * step * s
    sums[2] += sign * step * step * ss


@kernel
def packed_counts_2d(pixels, first, edges, slope, start, mean):  # type: ignore[no-untyped-def]
    """Return what `stabilised_2d` does as 16-bit numbers and a step for each row, and three sums.

    The sums of the numbers times their step over the runs: number, values, squares.
    """
    height, width = pixels.shape
    numbers = np.empty((height, width), np.int16)
    steps = np.ones(height)
    sums = np.zeros(3)
    values = np.empty(width, np.float32)
    for i in range(height):
        _stabilised_row(pixels[i], edges[first[i] : first[i + 1]], slope, start, mean, values)
        greatest = np.float32(0)
        for j in range(width):
            greatest = max(greatest, abs(values[j]))
        if greatest > 0:
            steps[i] = np.float64(greatest) / 32767
        scale = np.float32(1 / steps[i])
        row = numbers[i]
        for j in range(width):
            row[j] = np.int16(np.rint(values[j] * scale))
        for run in range(first[i], first[i + 1]):
            _add_own(row, steps[i], edges[run, 0], edges[run, 1], 1.0, sums)
    return numbers, steps, sums


@inlined
def _add_common(numbers, step, pixels, slope, start, mean, sums):  # type: ignore[no-untyped-def]
    """Add to `sums` those of one common run over moving, its squares, and its products with the reference."""
    zero = np.float32(0)
    q, qq, aq = zero, zero, zero
    for j in range(pixels.size):
        y = np.sqrt(max(np.float32(pixels[j]) * slope + start, zero)) - mean
        q += y
        qq += y * y
        aq += y * np.float32(numbers[j])
    sums[3] += np.float64(q)
    sums[4] += np.float64(qq)
    sums[5] += step * np.float64(aq)


@kernel
def counted_sums_2d(  # type: ignore[no-untyped-def]
    numbers, steps, whole, first, edges, pixels, moving_first, moving_edges, slope, start, mean, sy, sx
):
    """Return what `image.kernels.common_sums_2d` does, for counts not stabilised yet.

    The reference is packed (`packed_counts_2d`), the masks are given as their runs. Its own sums are those
    over all its pixels less those over the ones that are not common: few, mostly.
    """
    height, rows = numbers.shape[0], pixels.shape[0]
    sums = np.zeros(6)
    fill(sums[:3], whole)
    for i in range(height):
        near, last = 0, 0
        if 0 <= i - sy < rows:
            near, last = moving_first[i - sy], moving_first[i - sy + 1]
        for run in range(first[i], first[i + 1]):
            at, end = np.int64(edges[run, 0]), np.int64(edges[run, 1])
            while near < last and moving_edges[near, 1] + sx <= at:
                near += 1
            other = near
            while at < end:
                # the next stretch that is common, and before it pixels of the reference that are not
                c, d = end, end
                if other < last:
                    c = min(end, max(at, moving_edges[other, 0] + sx))
                    d = max(c, min(end, moving_edges[other, 1] + sx))
                    other += 1
                if at < c:
                    _add_own(numbers[i], steps[i], at, c, -1.0, sums)
                if c < d:
                    p = pixels[i - sy, c - sx : d - sx]
                    _add_common(numbers[i, c:d], steps[i], p, slope, start, mean, sums)
                at = d
    return sums


@kernel
def cleaned_2d(pixels, pattern, offset, multiplies, out):  # type: ignore[no-untyped-def]
    """Fill `out` with grey values less `offset`, divided by a pattern or less it, and with `offset` again."""
    for i in range(pixels.shape[0]):
        row, p, clean = pixels[i], pattern[i], out[i]
        if multiplies:
            for j in range(row.size):
                clean[j] = (np.float32(row[j]) - offset) / p[j] + offset
        else:
            for j in range(row.size):
                clean[j] = ((np.float32(row[j]) - offset) - p[j]) + offset
