"""Compiled Fourier transforms of images of two axes, eight columns or eight pixels of a row side by side.

========================  =========================================
kernel                    plain twin
========================  =========================================
`columns_forth_2d`        `scipy.fft.fft`
`rows_forth_and_back_2d`  `scipy.fft.fft`, `scipy.fft.ifft`
`columns_back_2d`         `scipy.fft.ifft`, `ncc.coefficients.plain_ncc`
========================  =========================================

All three together are `lags.spectra.cross`. Frequencies stay in the order in which a transform leaves
them: who multiplies does not care, and the way back takes them so.
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel
from maskreg.core.transforms.eight import NONE, SPLAT, WIDE
from maskreg.core.transforms.ncc_kernels import lags_2d
from maskreg.core.transforms.wide import GROUP
from maskreg.core.transforms.wide_steps import (
    dif,
    dit,
    dit_past_cache,
    fetch,
    moved,
    packed_swapped,
    products_within,
    side_by_side,
    unpacked,
    wait_for_stores,
    within,
)


@inlined
def _first_forth(kind, source, s, apart, to, t, length, radix, taken, twiddles, w):  # type: ignore[no-untyped-def]
    """Do the first stage of a transform of `length` vectors of which so many parts of `radix` are not zero.

    They are `apart` from each other.
    """
    m = length // radix
    far = m * apart
    for j in range(m):
        i, o, f = s + j * apart, t + j, w + j * (radix - 1)
        if radix == 8 and taken == 4:
            dif(8, 4, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 8 and taken == 5:
            dif(8, 5, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 8 and taken == 6:
            dif(8, 6, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 8 and taken == 7:
            dif(8, 7, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 8 and taken == 8:
            dif(8, 8, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 7 and taken == 4:
            dif(7, 4, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 7 and taken == 5:
            dif(7, 5, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 7 and taken == 6:
            dif(7, 6, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 7 and taken == 7:
            dif(7, 7, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 5 and taken == 3:
            dif(5, 3, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 5 and taken == 4:
            dif(5, 4, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 5 and taken == 5:
            dif(5, 5, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 4 and taken == 2:
            dif(4, 2, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 4 and taken == 3:
            dif(4, 3, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 4 and taken == 4:
            dif(4, 4, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 3 and taken == 2:
            dif(3, 2, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 3 and taken == 3:
            dif(3, 3, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 2 and taken == 1:
            dif(2, 1, kind, source, i, far, to, o, m, twiddles, f)
        else:
            dif(2, 2, kind, source, i, far, to, o, m, twiddles, f)


@inlined
def _forth(kind, buffer, first, begin, end, length, radix, twiddles, w):  # type: ignore[no-untyped-def]
    """Do one stage of transforms of `length` vectors, in place, from `begin` to `end` after the first."""
    m = length // radix
    for block in range(first + begin, first + end, length):
        for j in range(m):
            i, f = block + j, w + j * (radix - 1)
            if radix == 8:
                dif(8, 8, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 4:
                dif(4, 4, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 2:
                dif(2, 2, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 3:
                dif(3, 3, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 7:
                dif(7, 7, kind, buffer, i, m, buffer, i, m, twiddles, f)
            else:
                dif(5, 5, kind, buffer, i, m, buffer, i, m, twiddles, f)


@inlined
def _back(kind, buffer, first, begin, end, length, radix, twiddles, w):  # type: ignore[no-untyped-def]
    """Undo a stage, in place."""
    m = length // radix
    for block in range(first + begin, first + end, length):
        for j in range(m):
            i, f = block + j, w + j * (radix - 1)
            if radix == 8:
                dit(8, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 4:
                dit(4, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 2:
                dit(2, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 3:
                dit(3, kind, buffer, i, m, buffer, i, m, twiddles, f)
            elif radix == 7:
                dit(7, kind, buffer, i, m, buffer, i, m, twiddles, f)
            else:
                dit(5, kind, buffer, i, m, buffer, i, m, twiddles, f)


@inlined
def _last_back(source, s, to, t, spread, wanted, length, radix, twiddles, w):  # type: ignore[no-untyped-def]
    """Undo the first stage, of rows, past the cache; neighbours are left `spread` apart, those wanted."""
    m = length // radix
    far = m * spread
    for j in range(m):
        i, o, f = s + j, t + j * spread, w + j * (radix - 1)
        if radix == 8:
            dit_past_cache(8, source, i, m, to, o, far, wanted, j, twiddles, f)
        elif radix == 4:
            dit_past_cache(4, source, i, m, to, o, far, wanted, j, twiddles, f)
        elif radix == 2:
            dit_past_cache(2, source, i, m, to, o, far, wanted, j, twiddles, f)
        elif radix == 3:
            dit_past_cache(3, source, i, m, to, o, far, wanted, j, twiddles, f)
        elif radix == 7:
            dit_past_cache(7, source, i, m, to, o, far, wanted, j, twiddles, f)
        else:
            dit_past_cache(5, source, i, m, to, o, far, wanted, j, twiddles, f)


@inlined
def _part(count, radix):  # type: ignore[no-untyped-def]
    """Return how many vectors of a row are transformed at once: whole transforms, and eight or as many."""
    part = count // radix
    return part if part % 8 == 0 else -(-count // 8) * 8


@kernel
def columns_forth_2d(  # type: ignore[no-untyped-def]
    values, mask, linear, squared, first, end, taken, places, radices, starts, twiddles, out
):
    """Fill columns of `out` with twice the transform of an image, or of its square, along the first axis.

    Parameters
    ----------
    values, mask, linear
        Of `ncc.deviations.Deviations`: two (rows, cols) ndarrays, the mask of uint8, and an array of
        the three numbers.
    squared : bool
    first, end : int
        Pairs of vectors of columns.
    taken : int
        All but so many parts of the first radix are zero, of the rows of a transform.
    places : (n,) ndarray of int
        Where each frequency is left.
    radices, starts : ndarray of int
        Of each stage, and where its factors begin.
    twiddles : ndarray
        Of the type of `out`.
    out : (groups, vectors, GROUP, 2, 8) ndarray
    """
    n, (rows, cols), vectors = places.size, values.shape, out.shape[1]
    numbers, valid, zero = values.reshape(-1), mask.reshape(-1), np.zeros(1, out.dtype)[0]
    scale, mean, factor = linear
    sub = n // radices[0]
    buffer = np.empty(n * 16, out.dtype)
    flat = out.reshape(-1)
    for k in range(first, end):
        for i in range(rows):
            at = i * cols + 16 * k
            if 16 * k + 16 <= cols:
                if squared:
                    side_by_side(numbers, valid, at, linear, True, buffer, i)
                else:
                    side_by_side(numbers, valid, at, linear, False, buffer, i)
            else:
                for j in range(16):
                    buffer[16 * i + j] = zero
                    if 16 * k + j < cols and valid[at + j]:
                        buffer[16 * i + j] = (numbers[at + j] * scale - mean) * factor
                    if squared:
                        buffer[16 * i + j] *= buffer[16 * i + j]
        buffer[16 * rows : 16 * taken * sub] = 0
        _first_forth(SPLAT, buffer, 0, 1, buffer, 0, n, radices[0], taken, twiddles, starts[0])
        # what is left of one after the other, so that it stays in the nearest cache
        for begin in range(0, n, sub):
            length = sub
            for stage in range(1, radices.size):
                radix, start = radices[stage], starts[stage]
                if stage == radices.size - 1:  # its factors are 1
                    _forth(NONE, buffer, 0, begin, begin + sub, length, radix, twiddles, start)
                else:
                    _forth(SPLAT, buffer, 0, begin, begin + sub, length, radix, twiddles, start)
                length //= radix
        for f in range(n // 2 + 1):
            to = (f // GROUP * vectors + 2 * k) * GROUP + f % GROUP
            # of an odd number of vectors the last one has no other: it takes the place of its zeros
            second = to + GROUP if 2 * k + 1 < vectors else to
            unpacked(buffer, places[f], places[(n - f) % n], flat, second, to, twiddles)
    wait_for_stores()


@kernel
def rows_forth_and_back_2d(  # type: ignore[no-untyped-def]
    fields, vectors, rows_of, pairs, first, end, wanted, radices, starts, twiddles, out
):
    """Transform rows of images, multiply pairs of them, and transform these back; all in the cache.

    Parameters
    ----------
    fields : (images,) ndarray of int
        Addresses of what `columns_forth_2d` fills, and
    vectors : (images,) ndarray of int
        the number of its columns, in vectors: as many as a row has, or some parts of the first radix.
        0 for those whose rows are transformed: then the address of these,
    rows_of : (images,) ndarray of int
        and the address where transformed rows are to be left; 0 where not.
        Rows are (rows, vectors, 2, 8), where the number of vectors is rounded up to the next multiple of 8.
    pairs : (sums, 4) ndarray of int
        Which images: the first times the conjugate of the second, less such a product of the others, if these
        are not negative.
    first, end : int
        Rows of frequencies.
    wanted : (vectors,) ndarray of bool
        Which vectors of `out` are filled.
    radices, starts, twiddles : ndarray
        As there, of rows.
    out : (vectors, sums, rows, 2, 8) ndarray
        Real and imaginary parts are swapped.
    """
    count, sums, rows = out.shape[0], out.shape[1], out.shape[2]
    room = -(-count // 8) * 8
    # what fills the last eight vectors up is transformed as well
    buffer = np.zeros((fields.size + 1) * room * 16, twiddles.dtype)
    flat = out.reshape(-1)
    work = fields.size * room
    size = 16 * twiddles.itemsize
    sources = np.empty(fields.size, np.int64)
    sub = _part(count, radices[0])
    eight = (
        radices.size > 1 and radices[-1] == 8
    )  # the last stage is done together with what is within vectors
    stages = radices.size - 1 if eight else radices.size
    for k in range(first, end):
        for field in range(fields.size):
            at, wide = field * room, vectors[field]
            if wide == 0:
                sources[field] = fields[field] + k * room * size
                continue
            sources[field] = buffer.ctypes.data + at * size
            here, taken = k // GROUP * GROUP * wide + k % GROUP, wide // (count // radices[0])
            _first_forth(
                WIDE, fields[field], here, GROUP, buffer, at, count, radices[0], taken, twiddles, starts[0]
            )
            ahead = (k + 1) // GROUP * GROUP * wide + (k + 1) % GROUP
            for i in range(wide if k + 1 < rows else 0):
                fetch(fields[field], 16 * (ahead + i * GROUP), twiddles)
            for begin in range(0, room, sub):
                stop, length = min(begin + sub, count), count // radices[0]
                for stage in range(1, stages):
                    _forth(WIDE, buffer, at, begin, stop, length, radices[stage], twiddles, starts[stage])
                    length //= radices[stage]
                for i in range(at + begin, at + begin + sub, 8):
                    if eight:
                        within(True, buffer, i, twiddles, starts[-1])
                    else:
                        within(False, buffer, i, twiddles, starts[-1])
            for i in range(room if rows_of[field] else 0):
                moved(buffer, at + i, rows_of[field], k * room + i, twiddles)
        for pair in range(sums):
            one = pairs[pair, 2] < 0
            a, b = sources[pairs[pair, 0]], sources[pairs[pair, 1]]
            c, d = (a, b) if one else (sources[pairs[pair, 2]], sources[pairs[pair, 3]])
            for begin in range(0, room, sub):
                for i in range(begin, begin + sub, 8):
                    if one and eight:
                        products_within(1, True, a, b, c, d, i, buffer, work + i, twiddles, starts[-1])
                    elif one:
                        products_within(1, False, a, b, c, d, i, buffer, work + i, twiddles, starts[-1])
                    elif eight:
                        products_within(2, True, a, b, c, d, i, buffer, work + i, twiddles, starts[-1])
                    else:
                        products_within(2, False, a, b, c, d, i, buffer, work + i, twiddles, starts[-1])
                stop, length = min(begin + sub, count), 8 if eight else 1
                for stage in range(stages - 1, 0, -1):
                    length *= radices[stage]
                    _back(WIDE, buffer, work, begin, stop, length, radices[stage], twiddles, starts[stage])
            _last_back(
                buffer, work, flat, pair * rows + k, rows * sums, wanted, count, radices[0],
                twiddles, starts[0],
            )  # fmt: skip
    wait_for_stores()


@inlined
def _sixteen(source, s, scale, to, t):  # type: ignore[no-untyped-def]
    """Store sixteen columns, of which the first eight come last, scaled."""
    for j in range(8):
        to[t + j] = source[s + j] * scale
    for j in range(8):
        to[t + 8 + j] = source[s - 8 + j] * scale


@kernel
def columns_back_2d(  # type: ignore[no-untyped-def]
    spectra,
    bands,
    places,
    radices,
    starts,
    twiddles,
    spans,
    width,
    out,
    of,
    n,
    a,
    aa,
    limits,
    column,
    ncc,
    root,
):
    """Fill `out` with sums at lags, from what `rows_forth_and_back_2d` left, or `ncc` with what they make.

    One kernel does both, so that a sum has the same bytes, whether it is kept or met once.

    Parameters
    ----------
    spectra : (vectors, sums, n // 2 + 1, 2, 8) ndarray
    bands : (any,) ndarray of int
        Which pairs of vectors of columns.
    places, radices, starts, twiddles : ndarray
        As in `columns_forth_2d`.
    spans : (int, int, int, int)
        First lag and the one after the last, of rows and of columns.
    width : int
        Length of the transforms of rows: columns beyond it begin again.
    out : (sums, rows, columns) ndarray
        Or an empty one. Then the others are
    of : (6,) ndarray of int
        which of these sums each of the six of `transforms.ncc_kernels.ncc_2d` is; -1 for those known:
    n, a, aa : (rows, columns) ndarray
    limits, column, ncc, root
        As there.

    Returns
    -------
    bool
        As there.
    """
    length, (vectors, sums, half) = places.size, spectra.shape[:3]
    flat, buffer = spectra.reshape(-1), np.empty(sums * places.size * 16, spectra.dtype)
    flat_out, to, to_root = out.reshape(-1), ncc.reshape(-1), root.reshape(-1)
    last, spare = np.zeros(48, spectra.dtype), np.zeros(16, spectra.dtype)
    six = (
        n.reshape(-1) if of[0] < 0 else buffer, a.reshape(-1) if of[1] < 0 else buffer,
        aa.reshape(-1) if of[2] < 0 else buffer, buffer, buffer, buffer,
    )  # fmt: skip
    first, end, left, right = spans
    rows, cols, sub = end - first, right - left, length // radices[0]
    # of each image's transform twice is there
    scales = np.where(of < 0, 1.0, 1 / (4 * length * width)).astype(spectra.dtype)
    along, down = np.where(of < 0, 8, -8), np.where(of < 0, cols, 16)
    row, few = first % length, 0
    for band in bands:
        one, two = 2 * band, min(2 * band + 1, vectors - 1)
        for k in range(sums):
            base = k * length
            for f in range(half):
                packed_swapped(
                    flat, (one * sums + k) * half + f, (two * sums + k) * half + f,
                    buffer, base + places[f], base + places[(length - f) % length], twiddles,
                )  # fmt: skip
            # parts, one after the other, and then the first stage of all
            for part in range(radices[0] + 1):
                whole = part == radices[0]
                begin, stop, of_stage = (0, length, sub) if whole else (part * sub, part * sub + sub, 1)
                for stage in range(0 if whole else radices.size - 1, -1 if whole else 0, -1):
                    of_stage *= radices[stage]
                    if stage == radices.size - 1:  # its factors are 1
                        _back(
                            NONE, buffer, base, begin, stop, of_stage, radices[stage], twiddles, starts[stage]
                        )
                    else:
                        _back(
                            SPLAT, buffer, base, begin, stop, of_stage, radices[stage], twiddles,
                            starts[stage],
                        )  # fmt: skip
        for piece in range(8):
            copy, second, again = piece // 4, piece // 2 % 2, piece % 2
            lag = 8 * one - width * copy  # columns of lags begin again, and so do rows
            joined = two > one and left <= lag and lag + 16 <= right
            lag += 8 * second
            low, high = max(left, lag), min(right, lag + (16 if joined else 8))
            above = min(rows, length - row) if again else 0
            some = rows - above if again else min(rows, length - row)
            if (second and (joined or two == one)) or low >= high or some == 0:
                continue
            # the first eight columns are the imaginary parts
            start = 16 * (0 if again else row) + (0 if second else 8) + low - lag
            if out.size:
                for k in range(sums):
                    for i in range(some):
                        there, here = (
                            (k * rows + above + i) * cols + low - left,
                            16 * (k * length + i) + start,
                        )
                        if joined:
                            _sixteen(buffer, here, scales[3], flat_out, there)
                        else:
                            for j in range(high - low):
                                flat_out[there + j] = buffer[here + j] * scales[3]
                continue
            at = np.where(of < 0, above * cols + low - left, 16 * length * of + start)
            few |= lags_2d(
                six, (at[0], at[1], at[2], at[3], at[4], at[5]),
                (along[0], along[1], along[2], along[3], along[4], along[5]),
                (down[0], down[1], down[2], down[3], down[4], down[5]),
                scales, limits, some, high - low,
                to, above * ncc.shape[1] + column + low - left, ncc.shape[1], to_root, last, spare,
            )  # fmt: skip
    return few != 0
