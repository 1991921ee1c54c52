"""Compiled loops that weigh the gradient; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`weighted_gradient_2d`        `subpixel.local_weight.plain_applied`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.image.detail_kernels import _between_columns, _between_rows
from maskreg.core.machine.compiled import kernel


@kernel
def weighted_gradient_2d(matrix, side, gradient, noise):  # type: ignore[no-untyped-def]
    """Return the gradient of each pixel times the matrix there, and what the matrices leave of the noise.

    Parameters
    ----------
    matrix : (3, rows, columns) ndarray of float32
        W of each block of `side` pixels: its elements row row, row col and col col.
    side : int
    gradient : (2, height, width) ndarray of float32
    noise : (height, width) ndarray of float32
        v.

    Returns
    -------
    out : (2, height, width) ndarray of float32
    sums : (2, 4) ndarray of float64
        Sums of v times one and the elements of W, and of v² times one and the elements of W W.
    """
    height, width = noise.shape
    out = np.empty((2, height, width), np.float32)
    sums = np.zeros((2, 4))
    line = np.empty(matrix.shape[2], np.float32)
    between = np.empty((3, width), np.float32)
    zero = np.float32(0)
    for i in range(height):
        for k in range(3):
            _between_rows(matrix[k], side, i, line)
            _between_columns(line, side, between[k])
        r, c, q = between[0], between[1], between[2]
        g, h, v = gradient[0, i], gradient[1, i], noise[i]
        o, p = out[0, i], out[1, i]
        n, rows, cross, cols = zero, zero, zero, zero
        nn, row_row, row_col, col_col = zero, zero, zero, zero
        for j in range(width):
            o[j] = r[j] * g[j] + c[j] * h[j]
            p[j] = c[j] * g[j] + q[j] * h[j]
            n += v[j]
            rows += v[j] * r[j]
            cross += v[j] * c[j]
            cols += v[j] * q[j]
            w = v[j] * v[j]
            nn += w
            row_row += w * (r[j] * r[j] + c[j] * c[j])
            row_col += w * (c[j] * (r[j] + q[j]))
            col_col += w * (c[j] * c[j] + q[j] * q[j])
        first, second = (n, rows, cross, cols), (nn, row_row, row_col, col_col)
        for k in range(4):
            sums[0, k] += first[k]
            sums[1, k] += second[k]
    return out, sums
