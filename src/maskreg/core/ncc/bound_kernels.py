"""Compiled bounds on the masked NCC of blocks of lags.

===========================  ==============================================
kernel                       plain twin
===========================  ==============================================
`whole_numbers_in_single`    `numpy.ndarray.astype`
`valid_sums`                 sums by NumPy
`deviation_energy`           `ncc.centred.CentredImage.deviations`
`unit_deviations`            `ncc.centred.CentredImage.deviations`
`fourth_powers`              sums by NumPy
`same_values`                `numpy.array_equal` of the valid values
`block_sums_2d`              `tests/core/ncc/test_greatest.py`
`mask_blocks_2d`             `tests/core/ncc/test_greatest.py`
`block_bounds_2d`            `tests/core/ncc/test_greatest.py`
`pair_products_2d`           products by NumPy
`block_maxima_2d`            `tests/core/ncc/test_greatest.py`
`likely_lags_2d`             `numpy.argwhere`
`short_of_level_2d`          sums by NumPy
`ceilings_2d`                `ncc.overlap.plain_overlap_sums`
`ceilings_by_difference_2d`  `ncc.overlap.plain_overlap_sums`
`hopeful_2d`                 `numpy.argwhere`
===========================  ==============================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import kernel


@kernel
def whole_numbers_in_single(values, out):  # type: ignore[no-untyped-def]
    """Fill `out` with integers in single precision; return whether it holds each to the last bit.

    As all whole numbers up to 2^24.
    """
    for k in range(0, values.size, 4096):
        some, to = values[k : k + 4096], out[k : k + 4096]
        beyond = 0
        for i in range(some.size):
            beyond |= (some[i] > 16777216) | (some[i] < -16777216)
            to[i] = some[i]
        if beyond:
            return False
    return True


@kernel
def valid_sums(values, mask):  # type: ignore[no-untyped-def]
    """Return how many values are valid, their sum, and that of their sizes."""
    count = 0
    total = size = 0.0
    for i in range(values.size):
        # loaded whether valid or not, so that there is nothing to guess at
        value = np.float64(values[i])
        x = value if mask[i] else 0.0
        count += mask[i]
        total += x
        size += abs(x)
    return count, total, size


@kernel
def deviation_energy(values, mask, scale, mean):  # type: ignore[no-untyped-def]
    """Return the sum of the squares of the valid values times `scale`, less `mean`."""
    energy = 0.0
    for i in range(values.size):
        value = values[i] * scale - mean
        x = value if mask[i] else 0.0
        energy += x * x
    return energy


@kernel
def unit_deviations(values, mask, scale, mean, factor, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the values times `scale`, less `mean`, times `factor`; 0 where ignored."""
    for i in range(values.size):
        value = (values[i] * scale - mean) * factor
        out[i] = value if mask[i] else 0.0


@kernel
def fourth_powers(values):  # type: ignore[no-untyped-def]
    """Return the sum of the fourth powers."""
    total = 0.0
    for i in range(values.size):
        x = np.float64(values[i])
        total += (x * x) * (x * x)
    return total


@kernel
def same_values(values, others, mask):  # type: ignore[no-untyped-def]
    """Return whether valid values are equal to the last bit.

    Parameters
    ----------
    values, others : (n,) ndarray of int
        The bits of floating-point numbers.
    mask : (n,) ndarray of bool
    """
    for k in range(0, values.size, 4096):
        # slices tell the compiler that nothing wraps round: ten times as fast
        some, other, valid = values[k : k + 4096], others[k : k + 4096], mask[k : k + 4096]
        differ = 0
        for i in range(some.size):
            differ |= (some[i] ^ other[i]) if valid[i] else 0
        if differ != 0:
            return False
    return True


@kernel
def block_sums_2d(pixels, size, offset, shape):  # type: ignore[no-untyped-def]
    """Return what the pixels of blocks of `size` x `size` sum to.

    A block of nothing surrounds them all, as in `mask_blocks_2d`.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32
        Zero where ignored.
    size : int
    offset, shape : (int, int)
        The first block of nothing is put there, modulo this shape.

    Returns
    -------
    (3, *shape) ndarray of float32
        Sums of values, squares and absolute values.
    """
    rows, cols = pixels.shape
    down, across = (rows + size - 1) // size, (cols + size - 1) // size
    out = np.zeros((3, shape[0], shape[1]), np.float32)
    s, q, t = np.empty(cols), np.empty(cols), np.empty(cols)
    for k in range(down):
        s[:] = 0.0
        q[:] = 0.0
        t[:] = 0.0
        for i in range(k * size, min(rows, k * size + size)):
            row = pixels[i]
            for j in range(cols):
                x = np.float64(row[j])
                s[j] += x
                q[j] += x * x
                t[j] += abs(x)
        y = (offset[0] + 1 + k) % shape[0]
        for m in range(across):
            a, b, c = 0.0, 0.0, 0.0
            for j in range(m * size, min(cols, m * size + size)):
                a += s[j]
                b += q[j]
                c += t[j]
            x = (offset[1] + 1 + m) % shape[1]
            out[0, y, x], out[1, y, x], out[2, y, x] = a, b, c
    return out


@kernel
def mask_blocks_2d(mask, size, later, offset, shape):  # type: ignore[no-untyped-def]
    """Return what the mask is in blocks of `size` x `size` pixels.

    A block of nothing surrounds them all, so that masks can be grown by one.

    Parameters
    ----------
    mask : (rows, cols) ndarray of bool
    size : int
    later : bool
        Whether a block's neighbours are the next ones along each axis or those before.
    offset, shape : (int, int)
        The first block of nothing is put there, modulo this shape.

    Returns
    -------
    (3, *shape) ndarray of float32
        Number of valid pixels; 1 where this block and its neighbours are all valid (core); 1 where some of
        them is, not all (shell).
    """
    rows, cols = mask.shape
    down, across = (rows + size - 1) // size, (cols + size - 1) // size
    out = np.zeros((3, shape[0], shape[1]), np.float32)
    counts = np.zeros((down + 4, across + 4), np.intp)
    n = np.empty(cols, np.uint16)
    for k in range(down):
        n[:] = 0
        for i in range(k * size, min(rows, k * size + size)):
            valid = mask[i]
            for j in range(cols):
                n[j] += valid[j]
        y = (offset[0] + 1 + k) % shape[0]
        for m in range(across):
            count = 0
            for j in range(m * size, min(cols, m * size + size)):
                count += n[j]
            counts[k + 2, m + 2] = count
            out[0, y, (offset[1] + 1 + m) % shape[1]] = count
    step = 1 if later else -1
    full = size * size
    for i in range(1, down + 3):
        for j in range(1, across + 3):
            every, some = True, False
            for p in range(2):
                for r in range(2):
                    count = counts[i + step * p, j + step * r]
                    every &= count == full
                    some |= count > 0
            y, x = (offset[0] + i - 1) % shape[0], (offset[1] + j - 1) % shape[1]
            out[1, y, x] = every
            out[2, y, x] = some and not every
    return out


@kernel
def pair_products_2d(reference, moving, pairs):  # type: ignore[no-untyped-def]
    """Return reference[i] times the conjugate of moving[j] for each pair (i, j) of transforms."""
    out = np.empty((pairs.shape[0], reference.shape[1], reference.shape[2]), reference.dtype)
    for k in range(pairs.shape[0]):
        x, y, z = reference[pairs[k, 0]].ravel(), moving[pairs[k, 1]].ravel(), out[k].ravel()
        for j in range(z.size):
            z[j] = x[j] * np.conj(y[j])
    return out


@kernel
def block_bounds_2d(of_masks, of_reference, of_moving, errors, single):  # type: ignore[no-untyped-def]
    """Return what the sums over core and shell say of each block of lags.

    Parameters
    ----------
    of_masks, of_reference, of_moving : (3, rows, cols) ndarray of float32
        See `OF_MASKS`, `OF_REFERENCE` and `OF_MOVING` of `ncc.lag_blocks`.
    errors : (9,) ndarray of float64
        By how much they may be wrong.
    single : float
        By how much a sum of squares may be, as pixels are in single precision.

    Returns
    -------
    n_least, n_most : (rows, cols) ndarray of float64
        Bounds of the overlap.
    means : (rows, cols) ndarray of float64
        The least that the product of both sums may be, over n.
    root : (rows, cols) ndarray of float64
        Least square root of the product of both energies; 0 = unknown.
    """
    shape = of_masks.shape[1:]
    n_least, n_most, means, root = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
    for i in range(shape[0]):
        for j in range(shape[1]):
            n_a = max(np.ceil(of_masks[0, i, j] - errors[0]), 0.0)
            n_b = max(np.ceil(of_masks[2, i, j] - errors[2]), 0.0)
            more = np.floor(max(of_masks[1, i, j], 0.0) + errors[1])
            most = np.floor(of_masks[0, i, j] + errors[0]) + more
            slack_a = max(of_reference[2, i, j], 0.0) + errors[5] + errors[3]
            slack_b = max(of_moving[2, i, j], 0.0) + errors[8] + errors[6]
            greatest_a = abs(of_reference[0, i, j]) + errors[3]
            greatest_b = abs(of_moving[0, i, j]) + errors[6]
            energy_a = of_reference[1, i, j] - errors[4] - single - greatest_a**2 / max(n_a, 1.0)
            energy_b = of_moving[1, i, j] - errors[7] - single - greatest_b**2 / max(n_b, 1.0)
            low_a, high_a = of_reference[0, i, j] - slack_a, of_reference[0, i, j] + slack_a
            low_b, high_b = of_moving[0, i, j] - slack_b, of_moving[0, i, j] + slack_b
            lowest = min(min(low_a * low_b, low_a * high_b), min(high_a * low_b, high_a * high_b))
            n_least[i, j], n_most[i, j] = n_a, most
            means[i, j] = lowest / (max(most, 1.0) if lowest > 0 else max(n_a, 1.0))
            root[i, j] = np.sqrt(max(energy_a, 0.0) * max(energy_b, 0.0))
    return n_least, n_most, means, root


@kernel
def block_maxima_2d(values, size, shape):  # type: ignore[no-untyped-def]
    """Return the greatest value of each block of `size` x `size` values."""
    out = np.empty(shape, np.float32)
    line = np.empty(values.shape[1], np.float32)
    for k in range(shape[0]):
        line[:] = values[k * size]
        for i in range(k * size + 1, k * size + size):
            row = values[i]
            for j in range(line.size):
                line[j] = row[j] if row[j] > line[j] else line[j]
        for m in range(shape[1]):
            best = line[m * size]
            for j in range(m * size + 1, m * size + size):
                best = line[j] if line[j] > best else best
            out[k, m] = best
    return out


@kernel
def likely_lags_2d(values, size, hopeful, least, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the indices of the values that are large enough, row by row.

    Parameters
    ----------
    values : (rows, cols) ndarray of float32
    size : int
        Values per block and axis.
    hopeful : (m, n) ndarray of bool
        The blocks that are looked at.
    least : (m, n) ndarray of float32
        The least value that is large enough, in each block.
    out : (most, 2) ndarray of int

    Returns
    -------
    int
        How many; -1 if there is no room for all.
    """
    count = 0
    for k in range(hopeful.shape[0]):
        if not hopeful[k].any():
            continue
        for i in range(k * size, k * size + size):
            for m in range(hopeful.shape[1]):
                for j in range(m * size, m * size + size if hopeful[k, m] else m * size):
                    if values[i, j] >= least[k, m]:
                        if count == out.shape[0]:
                            return -1
                        out[count, 0], out[count, 1] = i, j
                        count += 1
    return count


@kernel
def short_of_level_2d(pixels, mask, level, down, size):  # type: ignore[no-untyped-def]
    """Return by how much squares of valid pixels fall short of `level`, summed over `down` x `size` pixels.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32
    mask : (rows, cols) ndarray of bool
    level : float
    down, size : int
        A few rows: they are summed in single precision.

    Returns
    -------
    (ceil(rows / down), ceil(cols / size)) ndarray of float64
    """
    rows, cols = pixels.shape
    out = np.empty(((rows + down - 1) // down, (cols + size - 1) // size))
    line = np.empty(out.shape[1] * size, np.float32)
    limit, zero = np.float32(level), np.float32(0)
    for k in range(out.shape[0]):
        line[:] = zero
        for i in range(k * down, min(rows, k * down + down)):
            row, valid = pixels[i], mask[i]
            for j in range(cols):
                short = limit - row[j] * row[j]
                line[j] += short if valid[j] & (short > zero) else zero
        to = out[k]
        for m in range(to.size):
            total = 0.0
            for j in range(m * size, m * size + size):
                total += line[j]
            to[m] = total
    return out


@kernel
def ceilings_2d(sums, errors, of_a, of_b, out):  # type: ignore[no-untyped-def]
    """Fill `out` with what the masked NCC does not exceed, infinite where nothing is known.

    Parameters
    ----------
    sums : five (rows, cols) ndarrays of float32
        For each lag: n, and the sums of a, a^2, b and a b, see `lags.race_kernels.ncc_bounds_2d`;
        that of a^2 has no rows where it is not known.
    errors : (6,) ndarray of float64
        By how much they may be wrong, see there.
    of_a, of_b : (level, slip, short, of_row, of_column)
        Bounds of the energies, see `ncc.least_energy.LeastEnergy`. The first is not used where the
        sum of a^2 is known.
    out : (rows, cols) ndarray of float32
    """
    one, zero, infinite = np.float32(1), np.float32(0), np.float32(np.inf)
    tiny = np.float32(2.0**-20)
    en, ea, eaa = np.float32(errors[0]), np.float32(errors[1]), np.float32(errors[2]) + tiny
    eb, eab = np.float32(errors[3]), np.float32(errors[5]) + tiny
    a_level, a_slip, a_short, a_row, a_col = of_a
    b_level, b_slip, b_short, b_row, b_col = of_b
    ta, sla, tb, slb = np.float32(a_level), np.float32(a_slip), np.float32(b_level), np.float32(b_slip)
    under_a, under_b = np.empty(out.shape[1], np.float32), np.empty(out.shape[1], np.float32)
    energy = np.empty(out.shape[1], np.float32)
    known = sums[2].shape[0] > 0
    for i in range(out.shape[0]):
        if i == 0 or b_row[i] != b_row[i - 1]:
            for j in range(under_b.size):
                under_b[j] = b_short[b_row[i], b_col[j]] + slb
        count, sa, sb, p, to = sums[0][i], sums[1][i], sums[3][i], sums[4][i], out[i]
        if known:
            qa = sums[2][i]
            for j in range(energy.size):
                energy[j] = qa[j] - eaa
        else:
            if i == 0 or a_row[i] != a_row[i - 1]:
                for j in range(under_a.size):
                    under_a[j] = a_short[a_row[i], a_col[j]] + sla
            for j in range(energy.size):
                energy[j] = ta * (np.rint(count[j]) - en) - under_a[j]
        for j in range(to.size):
            pixels = np.rint(count[j]) - en
            inverse = one / (pixels if pixels > one else one)
            a, b = abs(sa[j]), abs(sb[j])
            va = energy[j] - (a + ea) * (a + ea) * inverse
            vb = tb * pixels - under_b[j] - (b + eb) * (b + eb) * inverse
            # the overlap may be greater by twice its error
            cov = p[j] - sa[j] * sb[j] * inverse
            dc = eab + (a * eb + b * ea + ea * eb + a * b * (en + en) * inverse) * inverse
            top = cov + dc
            good = (va > zero) & (vb > zero)
            bound = top / np.sqrt(va * vb if good else one)
            bound = bound if good else infinite
            to[j] = bound if top > zero else zero


@kernel
def ceilings_by_difference_2d(sums, errors, of_a, of_b, out):  # type: ignore[no-untyped-def]
    """Fill `out` with what the masked NCC does not exceed, infinite where nothing is known.

    Of the sums of a and b only the difference D is known: their mean u may be any number. With
    y = u^2 / n and d = D^2 / 4n the covariance is P + d - y, and no energy is less than k - y - 2 sqrt(d y),
    k being the least sum of squares less d. The greatest ratio of these that any y allows is the lesser
    root c of c^2 (k + d) - c (k + p) + p, with p = P + d.

    Parameters
    ----------
    sums : three (rows, cols) ndarrays of float32
        For each lag: n, the sum of a less that of b, and the sum of a b.
    errors : (3,) ndarray of float64
        By how much they may be wrong, n after it is rounded to a whole number.
    of_a, of_b : (level, slip, short, of_row, of_column)
        Bounds of the energies, see `ncc.least_energy.LeastEnergy`.
    out : (rows, cols) ndarray of float32
    """
    one, two, zero, infinite = np.float32(1), np.float32(2), np.float32(0), np.float32(np.inf)
    # for the arithmetic here: both terms of the root's argument may be wrong by some roundings
    tiny, less = np.float32(2.0**-20), np.float32(1 - 2.0**-18)
    en, ed, eab = np.float32(errors[0]), np.float32(errors[1]), np.float32(errors[2]) + tiny
    a_level, a_slip, a_short, a_row, a_col = of_a
    b_level, b_slip, b_short, b_row, b_col = of_b
    ta, sla, tb, slb = np.float32(a_level), np.float32(a_slip), np.float32(b_level), np.float32(b_slip)
    under_a, under_b = np.empty(out.shape[1], np.float32), np.empty(out.shape[1], np.float32)
    for i in range(out.shape[0]):
        if i == 0 or a_row[i] != a_row[i - 1]:
            for j in range(under_a.size):
                under_a[j] = a_short[a_row[i], a_col[j]] + sla
        if i == 0 or b_row[i] != b_row[i - 1]:
            for j in range(under_b.size):
                under_b[j] = b_short[b_row[i], b_col[j]] + slb
        count, difference, product, to = sums[0][i], sums[1][i], sums[2][i], out[i]
        for j in range(to.size):
            pixels = np.rint(count[j]) - en
            half = (abs(difference[j]) + ed) / two
            d = half * half / (pixels if pixels > one else one)
            qa, qb = ta * pixels - under_a[j], tb * pixels - under_b[j]
            k = (qa if qa < qb else qb) - d
            p = product[j] + eab + d
            gap = (k - p) * (k - p) * less - two * two * p * d
            good = (k > p) & (gap > zero)
            bound = two * p / (k + p + np.sqrt(gap if good else one) if good else one)
            bound = bound if good else infinite
            to[j] = bound if p > zero else zero


@kernel
def hopeful_2d(n, ceilings, enough, best, rows, columns, found):  # type: ignore[no-untyped-def]
    """Return how many lags have overlap enough and a ceiling of at least `best`, and mark where.

    Parameters
    ----------
    n, ceilings : (rows, cols) ndarray of float32
    enough, best : float32
    rows, columns : ndarray of bool
        Set to True where such a lag is.
    found : (most, 2) ndarray of int
        Row and column of the first ones are filled in, row by row.
    """
    total = 0
    none = np.int32(0)  # of four bytes as the others, so that vector lanes are full
    for i in range(n.shape[0]):
        count, high = n[i], ceilings[i]
        some = none
        for j in range(count.size):
            some += np.int32((high[j] >= best) & (count[j] >= enough))
        if some > 0:
            rows[i] = True
            for j in range(count.size):
                if (high[j] >= best) & (count[j] >= enough):
                    columns[j] = True
                    if total < found.shape[0]:
                        found[total, 0], found[total, 1] = i, j
                    total += 1
    return total
