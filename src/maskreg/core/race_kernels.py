"""Compiled race of lags for the greatest masked NCC.

====================  =========================================================
kernel                plain twin
====================  =========================================================
`race_2d`             `maskreg.core.greatest._Race`, every lag summed directly
`under_2d`            `maskreg.core.overlap.plain_overlap_sums`
`likeliest_2d`        `maskreg.core.greatest._plain_likeliest`
`times_conjugate_2d`  product of `maskreg.core.spectra.cross`
====================  =========================================================

The sum of the products at a lag is known from a transform. The five others are sums over the one
image under the other's mask: the sum over the rectangle of the overlap, less what lies on the other's
ignored pixels. With cumulated sums a rectangle costs four look-ups, and a beam-block is some hundred
rectangles.
"""

from __future__ import annotations

import numpy as np

from maskreg.core.compilation import tell_of_compilation
from maskreg.core.compiled import inlined, kernel

tell_of_compilation()


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
def cumulated_2d(pixels, mask, wanted):  # type: ignore[no-untyped-def]
    """Return n and the sums of values and squares over all pixels above and to the left.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float64
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
    columns = np.zeros(3 * (cols + 1))
    if wanted[0]:
        out[0] = 0.0
    for i in range(rows):
        for j in range(cols):
            x = pixels[i, j]
            columns[3 * j + 3] += np.float64(mask[i, j])
            columns[3 * j + 4] += x
            columns[3 * j + 5] += x * x
        if wanted[i + 1]:
            n = s = q = 0.0
            here = out[place[i + 1]]
            here[:3] = 0.0
            for k in range(3, here.size, 3):
                n += columns[k]
                s += columns[k + 1]
                q += columns[k + 2]
                here[k], here[k + 1], here[k + 2] = n, s, q
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
    """Fill `out` with what `under_2d` returns for the lags (s0, s1), (s0, s1 + 1), ..."""
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
def under_2d(cumulated, place, holes, other_shape, s0, s1):  # type: ignore[no-untyped-def]
    """Return n and the sums of values and squares over the pixels valid in both images at one lag.

    Parameters
    ----------
    cumulated, place : ndarray
        See `cumulated_2d`.
    holes : (n, 4) ndarray of int
        The other image's ignored pixels, see `holes_2d`.
    other_shape : (int, int)
    s0, s1 : int
        Pixel x meets the other image's pixel x - s.
    """
    out = np.empty(3)
    _under_row_2d(cumulated, place, holes, other_shape[0], other_shape[1], s0, s1, out)
    return out


@kernel
def block_maxima_2d(values, first, b, shape):  # type: ignore[no-untyped-def]
    """Return the greatest value of each block of `b` x `b` lags.

    Parameters
    ----------
    values : (rows, length) ndarray of float32
        Rows in the order of the lags; the column lag s at s mod length.
    first : int
        The first column lag.
    b : int
    shape : (int, int)
        Blocks along each axis.
    """
    length = values.shape[1]
    out = np.full(shape, np.float32(-np.inf), np.float32)
    for i in range(shape[0] * b):
        k = i // b
        at = first % length
        for m in range(shape[1]):
            best = out[k, m]
            for _ in range(b):
                best = max(best, values[i, at])
                at += 1
                if at == length:
                    at = 0
            out[k, m] = best
    return out


@kernel
def race_2d(  # type: ignore[no-untyped-def]
    a, a_place, a_holes, b, b_place, b_holes, most, best, energies,
    values, scale, rounding, order, upper, slack, root, first, size, low, high, equal, out, ncc,
):  # fmt: skip
    """Fill `out` with the lags that rounding of the products alone keeps from being the greatest.

    Parameters
    ----------
    a, b : ndarray of float64
        Reference and moving, see `cumulated_2d`.
    a_holes, b_holes : (n, 4) ndarray of int
        Their ignored pixels, see `holes_2d`.
    most : int
        Give up after so many lags.
    best : float
        A coefficient that the greatest one reaches.
    energies : (float, float)
        Sums of squares of both images.
    values : ndarray of float32
        Sums of products over `scale`, laid out as in `block_maxima_2d`.
    scale, rounding : float
        By how much a sum of products may be wrong is `rounding`.
    order : (n, 2) ndarray of int
        Blocks, the highest bound first.
    upper, slack, root : ndarray of float64
        Of each block, see `maskreg.core.greatest._Bounds`.
    first : (int, int)
        Lag at which the blocks begin.
    size : int
        Lags per block and axis.
    low, high : float
        Between these is the threshold of the overlap.
    equal : float
        Coefficients nearer than this may be equal.
    out : (m, 2) ndarray of int
    ncc : (m,) ndarray of float64
        Greatest possible coefficient of each lag in `out`.

    Returns
    -------
    count : int
        How many lags were filled in; -1 after giving up.
    best : float
        A coefficient that the greatest one reaches.
    """
    length = values.shape[1]
    rows_a, cols_a = a_place.size - 1, a.shape[1] // 3 - 1
    rows_b, cols_b = b_place.size - 1, b.shape[1] // 3 - 1
    energy_a, energy_b = energies
    under_a, under_b = np.empty(3 * size), np.empty(3 * size)
    count, opened = 0, 0
    for k in range(order.shape[0]):
        bi, bj = order[k, 0], order[k, 1]
        block_slack, block_root = slack[bi, bj], root[bi, bj]
        if upper[bi, bj] < best - equal or upper[bi, bj] == -np.inf:
            break
        s1 = first[1] + bj * size
        for i in range(bi * size, bi * size + size):
            s0 = first[0] + i
            # covariance over root, written so that a root of zero bounds nothing
            least = (best - equal) * block_root - block_slack
            may_win = False
            for j in range(size):
                may_win |= scale * values[i, (s1 + j) % length] >= least
            if not may_win:
                continue
            opened += size
            if opened > most:
                return -1, best
            _under_row_2d(a, a_place, b_holes, rows_b, cols_b, s0, s1, under_a)
            _under_row_2d(b, b_place, a_holes, rows_a, cols_a, -s0, -s1 - size + 1, under_b)
            for j in range(size):
                of_a, of_b = under_a[3 * j : 3 * j + 3], under_b[3 * (size - 1 - j) : 3 * (size - j)]
                n = of_a[0]
                if n < low or n < 1:
                    continue
                va, vb = of_a[2] - of_a[1] * of_a[1] / n, of_b[2] - of_b[1] * of_b[1] / n
                # where next to nothing is left of an image's energy only a direct sum knows
                sure = va > 1e-8 * energy_a and vb > 1e-8 * energy_b
                spread = np.sqrt(va * vb) if sure else 1.0
                middle = scale * values[i, (s1 + j) % length] - of_a[1] * of_b[1] / n
                greatest = (middle + rounding) / spread if sure else np.inf
                if sure and n >= high:
                    best = max(best, (middle - rounding) / spread)
                if greatest < best - equal:
                    continue
                if count == out.shape[0]:
                    return -1, best
                out[count, 0], out[count, 1] = s0, s1 + j
                ncc[count] = greatest
                count += 1
    kept = 0
    for k in range(count):
        if ncc[k] >= best - equal:
            out[kept, 0], out[kept, 1] = out[k, 0], out[k, 1]
            kept += 1
    return kept, best


@kernel
def likeliest_2d(n, sum_a, square_a, sum_b, square_b, products, first, count, least, error, rounding, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the lags that rounding alone keeps from being the greatest.

    Parameters
    ----------
    n, sum_a, square_a, sum_b, square_b, products : (rows, length) ndarray of float32
        Sums over the common pixels of two images whose squares sum to 1, laid out as in
        `block_maxima_2d`.
    first, count : int
        The first column lag, and how many there are.
    least : float
        Least overlap, as a fraction of the greatest.
    error : float
        By how much an overlap may be wrong.
    rounding : float
        By how much the other sums may be.
    out : (m, 2) ndarray of int
        Row and column, both counted from the first lag.

    Returns
    -------
    kept : int
        How many lags were filled in; -1 if there is no room for all, or rounding hides a lag that
        may be the greatest, or no lag is surely positive.
    greatest : float
        The greatest overlap.
    """
    length = n.shape[1]
    start = first % length
    # at most two stretches of each row
    cut = min(count, length - start)
    greatest = np.float32(0)
    for i in range(n.shape[0]):
        for j in range(cut):
            greatest = max(greatest, n[i, start + j])
        for j in range(count - cut):
            greatest = max(greatest, n[i, j])
    enough = np.float32(least * (greatest - error) - error)
    faint = np.float32(1000 * rounding)
    slip = np.float32(rounding)
    one = np.float32(1)
    best = np.float32(0)
    high = np.empty((n.shape[0], count), np.float32)
    hidden = False
    for i in range(n.shape[0]):
        for part in range(2):
            begin, end, shift = (start, start + cut, -start) if part == 0 else (0, count - cut, cut)
            for j in range(begin, end):
                pixels = max(n[i, j], one)
                va = square_a[i, j] - sum_a[i, j] * sum_a[i, j] / pixels
                vb = square_b[i, j] - sum_b[i, j] * sum_b[i, j] / pixels
                covariance = products[i, j] - sum_a[i, j] * sum_b[i, j] / pixels
                counts = n[i, j] >= enough
                trusted = va > faint and vb > faint
                hidden |= counts and not trusted
                # what is left of the squares in the overlap magnifies the rounding of all sums
                root = np.sqrt(va * vb) if trusted else one
                ncc, doubt = covariance / root, np.float32(2) * slip / root
                good = counts and trusted
                best = max(best, ncc - doubt) if good else best
                high[i, j + shift] = ncc + doubt if good else np.float32(-2)
    if hidden or best <= 0:
        return -1, greatest
    kept = 0
    for i in range(n.shape[0]):
        for j in range(count):
            if high[i, j] >= best:
                if kept == out.shape[0]:
                    return -1, greatest
                out[kept, 0], out[kept, 1] = i, j
                kept += 1
    return kept, greatest
