"""Compiled Fourier transforms of images of two axes, eight columns or eight pixels of a row side by side.

========================  ==============================
kernel                    plain twin
========================  ==============================
`columns_forth_2d`        `scipy.fft.fft`
`rows_forth_and_back_2d`  `scipy.fft.fft`, `scipy.fft.ifft`
`columns_back_2d`         `scipy.fft.ifft`
========================  ==============================

All three together are `maskreg.core.spectra.cross`. Frequencies stay in the order in which a transform leaves
them: who multiplies does not care, and the way back takes them so.
"""

from __future__ import annotations

import numpy as np

from maskreg.core.compiled import inlined, kernel
from maskreg.core.eight import SPLAT, WIDE
from maskreg.core.wide import GROUP
from maskreg.core.wide_steps import (
    dif,
    dit,
    fetch,
    moved,
    packed_swapped,
    product_swapped,
    side_by_side,
    unpacked,
    wait_for_stores,
    within,
)


@inlined
def _half_forth(kind, source, s, apart, to, t, length, radix, twiddles, w):  # type: ignore[no-untyped-def]
    """Do the first stage of a transform of `length` vectors of which the first half is not zero.

    They are `apart` from each other. The radix is even.
    """
    m = length // radix
    far = m * apart
    for j in range(m):
        i, o, f = s + j * apart, t + j, w + j * (radix - 1)
        if radix == 8:
            dif(8, 4, kind, source, i, far, to, o, m, twiddles, f)
        elif radix == 4:
            dif(4, 2, kind, source, i, far, to, o, m, twiddles, f)
        else:
            dif(2, 1, kind, source, i, far, to, o, m, twiddles, f)


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
            else:
                dif(5, 5, kind, buffer, i, m, buffer, i, m, twiddles, f)


@inlined
def _back(kind, past_cache, source, s, to, t, spread, begin, end, length, radix, twiddles, w):  # type: ignore[no-untyped-def]
    """Undo a stage; of what is stored, neighbours are `spread` apart."""
    m = length // radix
    far = m * spread
    for block in range(begin, end, length):
        for j in range(m):
            i, o, f = s + block + j, t + (block + j) * spread, w + j * (radix - 1)
            if radix == 8:
                dit(8, kind, past_cache, source, i, m, to, o, far, twiddles, f)
            elif radix == 4:
                dit(4, kind, past_cache, source, i, m, to, o, far, twiddles, f)
            elif radix == 2:
                dit(2, kind, past_cache, source, i, m, to, o, far, twiddles, f)
            elif radix == 3:
                dit(3, kind, past_cache, source, i, m, to, o, far, twiddles, f)
            else:
                dit(5, kind, past_cache, source, i, m, to, o, far, twiddles, f)


@inlined
def _part(count, radix):  # type: ignore[no-untyped-def]
    """Return how many vectors of a row are transformed at once: whole transforms, and eight or as many."""
    part = count // radix
    return part if part % 8 == 0 else -(-count // 8) * 8


@kernel
def columns_forth_2d(pixels, squared, first, end, half, places, radices, starts, twiddles, out):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with twice the transform of an image, or of its square, along the first axis.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32 or float64
    squared : bool
    first, end : int
        Pairs of vectors of columns.
    half : bool
        Whether all but the first half of the rows of a transform are zero.
    places : (n,) ndarray of int
        Where each frequency is left.
    radices, starts : ndarray of int
        Of each stage, and where its factors begin.
    twiddles : ndarray
        Of the type of the pixels.
    out : (groups, vectors, GROUP, 2, 8) ndarray
    """
    n, (rows, cols), vectors = places.size, pixels.shape, out.shape[1]
    numbers, zero = pixels.reshape(-1), np.zeros(1, pixels.dtype)[0]
    used, sub = (n // 2, n // radices[0]) if half else (n, n)
    buffer = np.empty(n * 16, pixels.dtype)
    flat = out.reshape(-1)
    for k in range(first, end):
        for i in range(rows):
            at = i * cols + 16 * k
            if 16 * k + 16 <= cols:
                if squared:
                    side_by_side(numbers, at, at + 8, True, buffer, i)
                else:
                    side_by_side(numbers, at, at + 8, False, buffer, i)
            else:
                for j in range(16):
                    x = numbers[at + j] if 16 * k + j < cols else zero
                    buffer[16 * i + j] = x * x if squared else x
        buffer[16 * rows : 16 * used] = 0
        if half:
            _half_forth(SPLAT, buffer, 0, 1, buffer, 0, n, radices[0], twiddles, starts[0])
        # what is left of one after the other, so that it stays in the nearest cache
        for begin in range(0, n, sub):
            length = sub
            for stage in range(1 if half else 0, radices.size):
                _forth(SPLAT, buffer, 0, begin, begin + sub, length, radices[stage], twiddles, starts[stage])
                length //= radices[stage]
        for f in range(n // 2 + 1):
            to = (f // GROUP * vectors + 2 * k) * GROUP + f % GROUP
            # of an odd number of vectors the last one has no other: it takes the place of its zeros
            second = to + GROUP if 2 * k + 1 < vectors else to
            unpacked(buffer, places[f], places[(n - f) % n], flat, second, to, twiddles)
    wait_for_stores()


@kernel
def rows_forth_and_back_2d(fields, vectors, pairs, first, end, radices, starts, twiddles, out):  # type: ignore[no-untyped-def]
    """Transform rows of images, multiply pairs of them, and transform these back; all in the cache.

    Parameters
    ----------
    fields : (images,) ndarray of int
        Addresses of what `columns_forth_2d` fills, and
    vectors : (images,) ndarray of int
        the number of its columns, in vectors: as many as a row has, or half as many.
    pairs : (sums, 4) ndarray of int
        Which images: the first times the conjugate of the second, less such a product of the others, if these
        are not negative.
    first, end : int
        Rows of frequencies.
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
    sub = _part(count, radices[0])
    for k in range(first, end):
        for field in range(fields.size):
            at, wide = field * room, vectors[field]
            half, here = wide < count, k // GROUP * GROUP * wide + k % GROUP
            if half:
                _half_forth(
                    WIDE, fields[field], here, GROUP, buffer, at, count, radices[0], twiddles, starts[0]
                )
            else:
                for i in range(count):
                    moved(fields[field], here + i * GROUP, buffer, at + i)
            ahead = (k + 1) // GROUP * GROUP * wide + (k + 1) % GROUP
            for i in range(wide if k + 1 < rows else 0):
                fetch(fields[field], 16 * (ahead + i * GROUP), twiddles)
            part = sub if half else room
            for begin in range(0, room, part):
                stop, length = min(begin + part, count), count // radices[0] if half else count
                for stage in range(1 if half else 0, radices.size):
                    _forth(WIDE, buffer, at, begin, stop, length, radices[stage], twiddles, starts[stage])
                    length //= radices[stage]
                for i in range(begin, begin + part, 8):
                    within(True, buffer, at + i)
        for pair in range(sums):
            a, b = pairs[pair, 0] * room, pairs[pair, 1] * room
            c, d = pairs[pair, 2] * room, pairs[pair, 3] * room
            for begin in range(0, room, sub):
                for i in range(begin, begin + sub):
                    if c < 0:
                        product_swapped(1, buffer, a + i, b + i, 0, 0, buffer, work + i)
                    else:
                        product_swapped(2, buffer, a + i, b + i, c + i, d + i, buffer, work + i)
                for i in range(work + begin, work + begin + sub, 8):
                    within(False, buffer, i)
                stop, length = min(begin + sub, count), 1
                for stage in range(radices.size - 1, 0, -1):
                    length *= radices[stage]
                    _back(
                        WIDE, False, buffer, work, buffer, work, 1, begin, stop, length, radices[stage],
                        twiddles, starts[stage],
                    )  # fmt: skip
            _back(
                WIDE, True, buffer, work, flat, pair * rows + k, rows * sums, 0, count, count, radices[0],
                twiddles, starts[0],
            )  # fmt: skip
    wait_for_stores()


@kernel
def columns_back_2d(spectra, first, end, places, radices, starts, twiddles, row, column, width, scale, out):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with sums at lags, from what `rows_forth_and_back_2d` left.

    Parameters
    ----------
    spectra : (vectors, sums, n // 2 + 1, 2, 8) ndarray
    first, end : int
        Pairs of vectors of columns.
    places, radices, starts, twiddles : ndarray
        As in `columns_forth_2d`.
    row, column : int
        Row and column of the first lag, not negative.
    width : int
        Length of the transforms of rows: columns beyond it begin again.
    scale : float
        By what all is multiplied.
    out : (sums, rows, cols) ndarray
    """
    n, (sums, rows, cols) = places.size, out.shape
    vectors, half = spectra.shape[0], spectra.shape[2]
    flat = spectra.reshape(-1)
    buffer = np.empty(n * 16, spectra.dtype)
    sub = n // radices[0]
    for band in range(first, end):
        begin_column = (16 * band - column) % width
        for k in range(sums):
            one, two = 2 * band, min(2 * band + 1, vectors - 1)
            for f in range(half):
                packed_swapped(
                    flat, (one * sums + k) * half + f, (two * sums + k) * half + f,
                    buffer, places[f], places[(n - f) % n], twiddles,
                )  # fmt: skip
            # parts, one after the other, and then the first stage of all
            for part in range(radices[0] + 1):
                whole = part == radices[0]
                begin, stop, length = (0, n, sub) if whole else (part * sub, part * sub + sub, 1)
                for stage in range(0 if whole else radices.size - 1, -1 if whole else 0, -1):
                    length *= radices[stage]
                    _back(
                        SPLAT, False, buffer, 0, buffer, 0, 1, begin, stop, length, radices[stage],
                        twiddles, starts[stage],
                    )  # fmt: skip
            for i in range(rows):
                at = row + i
                at = at - n if at >= n else at
                to = out[k, i]
                if two > one and begin_column + 16 <= min(cols, width):
                    at *= 16
                    for j in range(8):
                        to[begin_column + j] = buffer[at + 8 + j] * scale
                    for j in range(8):
                        to[begin_column + 8 + j] = buffer[at + j] * scale
                else:
                    for j in range(16 if two > one else 8):
                        there = (begin_column + j) % width
                        if there < cols:
                            to[there] = buffer[16 * at + (8 + j) % 16] * scale
