"""Compiled bounds on the masked NCC of blocks of lags.

====================  =========================================================
kernel                plain twin
====================  =========================================================
`valid_sums`          sums by NumPy
`deviation_energy`    `maskreg.core.centred.CentredImage.deviations`
`unit_deviations`     `maskreg.core.centred.CentredImage.deviations`
`block_parts_2d`      `tests/core/test_lag_blocks.py`
`block_maxima_2d`     `tests/core/test_greatest.py`
`likely_lags_2d`      `numpy.argwhere`
====================  =========================================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.compiled import kernel


@kernel
def valid_sums(values, mask):  # type: ignore[no-untyped-def]
    """Return how many values are valid, their sum, and that of their sizes."""
    count = 0
    total = size = 0.0
    for i in range(values.size):
        # loaded whether valid or not, so that there is nothing to guess at
        x = np.float64(values[i])
        x = x if mask[i] else 0.0
        count += mask[i]
        total += x
        size += abs(x)
    return count, total, size


@kernel
def deviation_energy(values, mask, scale, mean):  # type: ignore[no-untyped-def]
    """Return the sum of the squares of the valid values times `scale`, less `mean`."""
    energy = 0.0
    for i in range(values.size):
        x = values[i] * scale - mean
        x = x if mask[i] else 0.0
        energy += x * x
    return energy


@kernel
def unit_deviations(values, mask, scale, mean, factor):  # type: ignore[no-untyped-def]
    """Return the values times `scale`, less `mean`, times `factor`, in single precision; 0 where ignored."""
    out = np.empty(values.size, np.float32)
    for i in range(values.size):
        x = np.float32((values[i] * scale - mean) * factor)
        out[i] = x if mask[i] else np.float32(0)
    return out


@kernel
def block_parts_2d(pixels, mask, size, later, offset, shape):  # type: ignore[no-untyped-def]
    """Return what blocks of `size` x `size` pixels hold.

    A block of nothing surrounds them all, so that masks can be grown by one.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32
        Zero where ignored.
    mask : (rows, cols) ndarray of bool
    size : int
    later : bool
        Whether a block's neighbours are the next ones along each axis or those before.
    offset, shape : (int, int)
        The first block of nothing is put there, modulo this shape.

    Returns
    -------
    (6, *shape) ndarray of float32
        Number of valid pixels, sums of values, squares and absolute values; 1 where this block and its
        neighbours are all valid (core); 1 where some of them is, not all (shell).
    """
    rows, cols = pixels.shape
    down, across = (rows + size - 1) // size, (cols + size - 1) // size
    out = np.zeros((6, shape[0], shape[1]), np.float32)
    counts = np.zeros((down + 4, across + 4), np.float32)
    n, s, q, t = np.empty(cols, np.float32), np.empty(cols), np.empty(cols), np.empty(cols)
    for k in range(down):
        n[:] = 0
        s[:] = 0.0
        q[:] = 0.0
        t[:] = 0.0
        for i in range(k * size, min(rows, k * size + size)):
            row, valid = pixels[i], mask[i]
            for j in range(cols):
                x = np.float64(row[j])
                n[j] += np.float32(valid[j])
                s[j] += x
                q[j] += x * x
                t[j] += abs(x)
        y = (offset[0] + 1 + k) % shape[0]
        for m in range(across):
            a, b, c, d = np.float32(0), 0.0, 0.0, 0.0
            for j in range(m * size, min(cols, m * size + size)):
                a += n[j]
                b += s[j]
                c += q[j]
                d += t[j]
            x = (offset[1] + 1 + m) % shape[1]
            counts[k + 2, m + 2] = a
            out[0, y, x], out[1, y, x], out[2, y, x], out[3, y, x] = a, b, c, d
    step = 1 if later else -1
    full = np.float32(size * size)
    for i in range(1, down + 3):
        for j in range(1, across + 3):
            every, some = True, False
            for p in range(2):
                for r in range(2):
                    count = counts[i + step * p, j + step * r]
                    every &= count == full
                    some |= count > 0
            y, x = (offset[0] + i - 1) % shape[0], (offset[1] + j - 1) % shape[1]
            out[4, y, x] = every
            out[5, y, x] = some and not every
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
    """Fill `out` with the indices of the values that are large enough.

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
        for m in range(hopeful.shape[1]):
            if not hopeful[k, m]:
                continue
            for i in range(k * size, k * size + size):
                for j in range(m * size, m * size + size):
                    if values[i, j] >= least[k, m]:
                        if count == out.shape[0]:
                            return -1
                        out[count, 0], out[count, 1] = i, j
                        count += 1
    return count
