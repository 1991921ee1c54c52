"""Compiled race of lags for the greatest masked NCC.

====================  =======================================================
kernel                plain twin
====================  =======================================================
`times_conjugate_2d`  product of `lags.spectra.cross`
`wanted_rows_2d`      `tests/core/ncc/test_greatest.py`
`holes_2d`            `tests/core/ncc/test_greatest.py`
`cumulated_2d`        `ncc.overlap.plain_overlap_sums`, by `race_2d`
`race_2d`             `ncc.overlap.plain_overlap_sums`
`ncc_bounds_2d`       `ncc.overlap.plain_overlap_sums`
`likeliest_2d`        `ncc.overlap.plain_overlap_sums`
`squares_near_2d`     `ncc.overlap.plain_overlap_sums`
====================  =======================================================

The sum of the products at a lag is known from a transform. The five others are sums over the one
image under the other's mask: the sum over the rectangle of the overlap, less what lies on the other's
ignored pixels. With cumulated sums a rectangle costs four look-ups, and a beam-block is some hundred
rectangles.
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel

CHAIN = 128
"""So many squares are summed in single precision."""

RUN = 32
"""Lags of one row that are looked up at once."""


@kernel
def times_conjugate_2d(a, b):  # type: ignore[no-untyped-def]
    """Return `a` times the conjugate of `b`."""
    out = np.empty_like(a)
    for i in range(a.shape[0]):
        x, y, z = a[i], b[i], out[i]
        for j in range(x.size):
            z[j] = x[j] * np.conj(y[j])
    return out


@kernel
def wanted_rows_2d(rows, other_rows, holes, first, end):  # type: ignore[no-untyped-def]
    """Return which rows of cumulated sums the other image's borders and ignored pixels meet.

    Parameters
    ----------
    rows, other_rows : int
        Of the image and the other one.
    holes : (n, 4) ndarray of int
        Of the other, see `holes_2d`.
    first, end : int
        Rows of the lags; pixel x meets the other image's pixel x - lag.

    Returns
    -------
    (rows + 1,) ndarray of bool
    """
    change = np.zeros(rows + 2, np.intp)
    for k in range(-1, holes.shape[0]):
        for edge in (0, other_rows) if k < 0 else (holes[k, 0], holes[k, 1]):
            change[min(max(edge + first, 0), rows)] += 1
            change[min(max(edge + end - 1, 0), rows) + 1] -= 1
    wanted = np.cumsum(change)[: rows + 1] > 0
    wanted[0] = wanted[rows] = True
    return wanted


@kernel
def cumulated_2d(pixels, mask, wanted):  # type: ignore[no-untyped-def]
    """Return n and the sums of values and squares over all pixels above and to the left.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32
        Zero where ignored.
    mask : (rows, cols) ndarray of bool
    wanted : (rows + 1,) ndarray of bool
        Rows of the result that will be looked up.

    Returns
    -------
    sums : (number of wanted rows, 3 (cols + 1)) ndarray of float64
        The three sums over pixels[:i, :j] begin at [place[i], 3 j].
    place : (rows + 1,) ndarray of int
        -1 for rows that are not wanted.
    """
    rows, cols = pixels.shape
    place = np.full(rows + 1, -1)
    count = 0
    for i in range(rows + 1):
        if wanted[i]:
            place[i] = count
            count += 1
    out = np.empty((count, 3 * (cols + 1)))
    n, s, q = np.zeros(cols), np.zeros(cols), np.zeros(cols)
    if wanted[0]:
        out[0] = 0.0
    for i in range(rows):
        row, valid = pixels[i], mask[i]
        for j in range(cols):
            x = np.float64(row[j])
            n[j] += np.float64(valid[j])
            s[j] += x
            q[j] += x * x
        if wanted[i + 1]:
            here = out[place[i + 1]]
            here[:3] = 0.0
            a = b = c = 0.0
            for j in range(cols):
                a += n[j]
                b += s[j]
                c += q[j]
                here[3 * j + 3], here[3 * j + 4], here[3 * j + 5] = a, b, c
    return out, place


@kernel
def holes_2d(mask):  # type: ignore[no-untyped-def]
    """Return rectangles that cover each ignored pixel once.

    Equal stretches of rows that follow each other are one rectangle.

    Parameters
    ----------
    mask : (rows, cols) ndarray of bool

    Returns
    -------
    (n, 4) ndarray of int
        First row, row behind the last, first column, column behind the last.
    """
    rows, cols = mask.shape
    count = 0
    for i in range(rows):
        before = True
        for j in range(cols):
            count += before and not mask[i, j]
            before = mask[i, j]
    out = np.empty((count, 4), np.intp)
    n, above, here = 0, 0, 0
    for i in range(rows):
        # those that reach down to this row begin somewhere in out[above:here]
        here = n
        start = -1
        for j in range(cols + 1):
            ignored = j < cols and not mask[i, j]
            if ignored and start < 0:
                start = j
            if start >= 0 and not ignored:
                grown = False
                for k in range(above, here):
                    if out[k, 1] == i and out[k, 2] == start and out[k, 3] == j:
                        out[k, 1] = i + 1
                        grown = True
                if not grown:
                    out[n] = i, i + 1, start, j
                    n += 1
                start = -1
        while above < here and out[above, 1] < i:
            above += 1
    return out[:n].copy()


@inlined
def _under_row_2d(cumulated, place, holes, other_rows, other_cols, s0, s1, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the three sums over the pixels valid in both images at lags (s0, s1), (s0, s1 + 1), ...

    Pixel x meets the other image's pixel x - s, which has so many rows and columns, and `holes`.
    """
    rows, cols = place.size - 1, cumulated.shape[1] // 3 - 1
    size = out.size // 3
    r0, r1 = min(max(0, s0), rows), max(0, min(rows, other_rows + s0))
    low, high = cumulated[place[max(r0, r1)]], cumulated[place[r0]]
    for j in range(size):
        c0, c1 = min(max(0, s1 + j), cols), max(0, min(cols, other_cols + s1 + j))
        left, right = 3 * c0, 3 * max(c0, c1)
        for m in range(3):
            out[3 * j + m] = (low[right + m] - high[right + m]) - (low[left + m] - high[left + m])
    for k in range(holes.shape[0]):
        top, bottom = max(holes[k, 0] + s0, 0), min(holes[k, 1] + s0, rows)
        if top >= bottom:
            continue
        high, low = cumulated[place[top]], cumulated[place[bottom]]
        left, right = holes[k, 2] + s1, holes[k, 3] + s1
        if left >= 0 and right + size <= cols:
            p, q = low[3 * right : 3 * (right + size)], high[3 * right : 3 * (right + size)]
            u, v = low[3 * left : 3 * (left + size)], high[3 * left : 3 * (left + size)]
            for j in range(out.size):
                out[j] -= (p[j] - q[j]) - (u[j] - v[j])
        else:
            for j in range(size):
                c0, c1 = 3 * max(left + j, 0), 3 * min(right + j, cols)
                if c0 < c1:
                    for m in range(3):
                        out[3 * j + m] -= (low[c1 + m] - high[c1 + m]) - (low[c0 + m] - high[c0 + m])


@kernel
def race_2d(a, a_place, a_holes, b, b_place, b_holes, lags, products, rounding, slip, low, high):  # type: ignore[no-untyped-def]
    """Return a coefficient that the greatest one reaches, and the greatest that each lag may have.

    Parameters
    ----------
    a, b : ndarray of float64
        Reference and moving, their squares summing to 1, see `cumulated_2d`.
    a_holes, b_holes : (n, 4) ndarray of int
        Their ignored pixels, see `holes_2d`.
    lags : (n, 2) ndarray of int
        In order, row by row.
    products : (n,) ndarray of float64
        Sums of products, and by how much they may be wrong:
    rounding : float
    slip : float
        By how much the other terms may be, as pixels are in single precision.
    low, high : float
        Between these is the threshold of the overlap.

    Returns
    -------
    best : float
    possible : (n,) ndarray of float64
        -inf where the overlap is too small.
    """
    rows_a, cols_a = a_place.size - 1, a.shape[1] // 3 - 1
    rows_b, cols_b = b_place.size - 1, b.shape[1] // 3 - 1
    under_a, under_b = np.empty(3 * RUN), np.empty(3 * RUN)
    possible = np.full(lags.shape[0], -np.inf)
    best = 0.0
    k = 0
    while k < lags.shape[0]:
        s0, s1 = lags[k]
        end = k + 1
        while end < lags.shape[0] and lags[end, 0] == s0 and lags[end, 1] < s1 + RUN:
            end += 1
        size = lags[end - 1, 1] + 1 - s1
        _under_row_2d(a, a_place, b_holes, rows_b, cols_b, s0, s1, under_a[: 3 * size])
        _under_row_2d(b, b_place, a_holes, rows_a, cols_a, -s0, -s1 - size + 1, under_b[: 3 * size])
        for i in range(k, end):
            j = lags[i, 1] - s1
            of_a, of_b = under_a[3 * j : 3 * j + 3], under_b[3 * (size - 1 - j) : 3 * (size - j)]
            n = of_a[0]
            if n < low or n < 1:
                continue
            va, vb = of_a[2] - of_a[1] * of_a[1] / n, of_b[2] - of_b[1] * of_b[1] / n
            # where next to nothing is left of an image's energy only a direct sum knows
            if va <= 2 * slip or vb <= 2 * slip:
                possible[i] = np.inf
                continue
            middle = products[i] - of_a[1] * of_b[1] / n
            upper = middle + rounding + slip
            possible[i] = upper / np.sqrt((va - slip) * (vb - slip)) if upper > 0 else 0.0
            if n >= high:
                best = max(best, (middle - rounding - slip) / np.sqrt((va + slip) * (vb + slip)))
        k = end
    return best, possible


@kernel
def ncc_bounds_2d(sums, errors, n, least, greatest):  # type: ignore[no-untyped-def]
    """Fill `n`, `least` and `greatest` with the overlap, and between what each lag's coefficient lies.

    Parameters
    ----------
    sums : six (rows, cols) ndarrays of float32
        For each lag: n, and the sums of a, a^2, b, b^2 and a b over the common pixels of two images whose
        squares sum to 1.
    errors : (6,) ndarray of float64
        By how much they may be wrong, n after it is rounded to a whole number.
    n, least, greatest : (rows, cols) ndarray of float32
        `greatest` is infinite where rounding may have made the variances.
    """
    one, two, infinite = np.float32(1), np.float32(2), np.float32(np.inf)
    # and 2^-20 for the arithmetic here
    tiny = np.float32(2.0**-20)
    en, ea, eaa = np.float32(errors[0]), np.float32(errors[1]), np.float32(errors[2]) + tiny
    eb, ebb, eab = np.float32(errors[3]), np.float32(errors[4]), np.float32(errors[5]) + tiny
    ebb += tiny
    for i in range(n.shape[0]):
        count, sa, qa, sb, qb, p = sums[0][i], sums[1][i], sums[2][i], sums[3][i], sums[4][i], sums[5][i]
        to_n, low, high = n[i], least[i], greatest[i]
        for j in range(to_n.size):
            pixels = np.rint(count[j])
            inverse = one / (pixels if pixels > one else one)
            off = en * inverse
            a, b = abs(sa[j]), abs(sb[j])
            va, vb = qa[j] - a * a * inverse, qb[j] - b * b * inverse
            cov = p[j] - sa[j] * sb[j] * inverse
            # of each by how much it may be wrong
            da = eaa + (two * a * ea + ea * ea + a * a * off) * inverse
            db = ebb + (two * b * eb + eb * eb + b * b * off) * inverse
            dc = eab + (a * eb + b * ea + ea * eb + a * b * off) * inverse
            trusted = (va > two * da) & (vb > two * db)
            smallest = np.sqrt((va - da) * (vb - db) if trusted else one)
            largest = np.sqrt((va + da) * (vb + db) if trusted else one)
            to_n[j] = pixels
            top, bottom = cov + dc, cov - dc
            top = top / (smallest if top > 0 else largest)
            bottom = bottom / (largest if bottom > 0 else smallest)
            low[j] = bottom if trusted else -infinite
            high[j] = top if trusted else infinite


@kernel
def likeliest_2d(n, least, greatest, enough, surely, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the lags that rounding alone keeps from being the greatest.

    Parameters
    ----------
    n, least, greatest : (rows, cols) ndarray of float32
        See `ncc_bounds_2d`.
    enough, surely : float
        An overlap of less than `enough` is too little, one of more than `surely` is not.
    out : (m, 2) ndarray of int
        Row and column, both counted from the first lag.

    Returns
    -------
    int
        How many lags were filled in; -1 if there is no room for all, or no lag is surely positive.
    """
    zero = np.float32(0)
    # counts are whole numbers, so that these decide as the thresholds do, and in single precision
    under = np.nextafter(np.float32(np.ceil(enough)), np.float32(-np.inf))
    over = np.nextafter(np.float32(np.ceil(surely)), np.float32(np.inf))
    # the best of each column first: element by element is done in vector lanes
    line = np.zeros(n.shape[1], np.float32)
    for i in range(n.shape[0]):
        count, low = n[i], least[i]
        for j in range(line.size):
            value = low[j] if count[j] >= over else zero
            line[j] = value if value > line[j] else line[j]
    best = zero
    for j in range(line.size):
        best = line[j] if line[j] > best else best
    if best <= 0:
        return -1
    kept = 0
    for i in range(n.shape[0]):
        count, high = n[i], greatest[i]
        some = 0
        for j in range(count.size):
            some += (high[j] >= best) & (count[j] >= under)
        if some == 0:
            continue
        for j in range(count.size):
            if high[j] >= best and count[j] >= under:
                if kept == out.shape[0]:
                    return -1
                out[kept, 0], out[kept, 1] = i, j
                kept += 1
    return kept


@kernel
def squares_near_2d(pixels, mask, lags, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the sum of the squares of pixels under the other image's mask, for lags close together.

    Rows are laid end to end, with as many pixels of no weight between them as lags need: a lag is one
    distance along all of them. Some hundreds of pixels at a time stay in the cache for all lags.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32
        Zero where ignored. Pixel x meets the other image's pixel x - lag.
    mask : ndarray of bool
    lags : (n, 2) ndarray of int
        The first lag of four in a row.
    out : (n, 4) ndarray of float64
        Zeros.
    """
    rows, cols = pixels.shape
    first, last = lags[:, 0].min(), lags[:, 0].max()
    left, right = lags[:, 1].min(), lags[:, 1].max() + 3
    down, across = last - first + 1, right - left + 1
    # weights begin with the pixel of the other image that pixel [0, 0] meets at the last lags
    stride = cols + across - 1
    squares = np.zeros(rows * stride, np.float32)
    for i in range(rows):
        row, to = pixels[i], squares[i * stride : i * stride + cols]
        for j in range(cols):
            to[j] = row[j] * row[j]
    weights = np.zeros((rows + down - 1) * stride + across, np.float32)
    j0, j1 = max(0, right), max(0, min(stride, mask.shape[1] + right))
    for i in range(max(0, last), min(rows + down - 1, mask.shape[0] + last)):
        if j0 < j1:
            valid, to = mask[i - last, j0 - right : j1 - right], weights[i * stride + j0 : i * stride + j1]
            for j in range(to.size):
                to[j] = valid[j]
    for begin in range(0, squares.size, CHAIN):
        x = squares[begin : begin + CHAIN]
        for k in range(lags.shape[0]):
            start = begin + (last - lags[k, 0]) * stride + right - 3 - lags[k, 1]
            w = weights[start : start + x.size + 3]
            p = q = u = v = np.float32(0)
            for j in range(x.size):
                p += x[j] * w[j + 3]
                q += x[j] * w[j + 2]
                u += x[j] * w[j + 1]
                v += x[j] * w[j]
            out[k, 0] += p
            out[k, 1] += q
            out[k, 2] += u
            out[k, 3] += v
