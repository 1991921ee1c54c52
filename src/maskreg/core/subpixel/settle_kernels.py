"""Compiled: the climb to the best lag on one fixed set of pixels.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`settle_2d`                   `subpixel.settle.plain_settle`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.image.kernels import BAND, _window_sums
from maskreg.core.machine.compiled import inlined, kernel

WIDE = 3
"""Of a window that reaches so many lags to each side,"""

FEW_ROWS = 2
"""so many rows are looked at first"""

EVERY = 8
"""of this number, and decide"""

SURE = 3.0
"""where lags are apart by so many times what chance makes between two of a noisy structure."""


@inlined
def _window_scores(n, a, aa, sums, floor, scores):  # type: ignore[no-untyped-def]
    """Fill the likelihood of each lag of a window, NaN where it is forbidden or was not summed."""
    energy = aa - a * a / n
    for i in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            b, bb, ab = sums[0, i, j], sums[1, i, j], sums[2, i, j]
            other = bb - b * b / n
            scores[i, j] = np.nan
            if energy > 1e-6 * aa and other > 1e-6 * bb:
                r = min((ab - a * b / n) / np.sqrt(energy * other), 1.0)
                if r > 0:
                    scores[i, j] = -0.5 * (n - 2) * np.log(max(1 - r * r, floor))


@inlined
def _likeliest(scores, y, x):  # type: ignore[no-untyped-def]
    """Return the likelihood of the best lag of a window around lag (y, x), and its row and column.

    Of equal ones, that of the smallest shift; row -1 without any.
    """
    radius = scores.shape[0] // 2
    best, shortest, row, column = -np.inf, 0, -1, -1
    for i in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            shift = (y + i - radius) ** 2 + (x + j - radius) ** 2
            if scores[i, j] > best or (scores[i, j] == best and shift < shortest):
                best, shortest, row, column = scores[i, j], shift, i, j
    return best, row, column


@inlined
def _stands_out(scores, row, column, margin):  # type: ignore[no-untyped-def]
    """Whether no lag but those next to one is within a margin of it."""
    for i in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            if max(abs(i - row), abs(j - column)) > 1 and scores[i, j] > scores[row, column] - margin:
                return False
    return True


@inlined
def _few_rows_say(reference, mask, moving, safe, y, x, radius, fewest, floor, scores):  # type: ignore[no-untyped-def]
    """Return the likelihood, row and column of a window's best lag, and of which lags all rows must decide.

    Of those within so many of the centre: of all, where none stands out in a few rows; of none, where one
    does that is not next to the centre.
    """
    n, a, aa, sums = _window_sums(reference, mask, moving, safe, y, x, radius, radius, FEW_ROWS, EVERY)
    if n <= fewest:
        return 0.0, 0, 0, radius
    _window_scores(n, a, aa, sums, floor, scores)
    best, row, column = _likeliest(scores, y, x)
    if row < 0 or not _stands_out(scores, row, column, SURE * np.sqrt(n)):
        return best, row, column, radius
    off = max(abs(row - radius), abs(column - radius))
    return best, row, column, off + 1 if off < 2 else 0


@inlined
def _vertex_of(left, middle, right):  # type: ignore[no-untyped-def]
    """Return the offset of the vertex of a parabola through three values, at most half a step."""
    curvature = 2 * middle - left - right
    if not (np.isfinite(curvature) and curvature > 0):
        return 0.0
    return min(max(0.5 * (right - left) / curvature, -0.5), 0.5)


@kernel
def settle_2d(  # type: ignore[no-untyped-def]
    reference, reference_mask, moving, safe, y, x, radius, reach, few, fewest, floor, worth, most
):
    """Return whether a fixed set of pixels tells, and what `subpixel.settle.Settled` holds.

    That is the lag, its row and column, whether it is a peak, the vertex and the likelihood a pixel.
    A climb that leaves `reach` ends where it began. A few rows say all if `few`. The last four arguments are
    constants: fewest pixels, eps of the likelihood, what a move must be worth, the most moves that are made.
    """
    start_y, start_x = y, x
    side = 2 * radius + 1
    scores = np.empty((side, side))
    seen_y, seen_x = np.zeros(most, np.int64), np.zeros(most, np.int64)
    vertex = np.zeros(2)
    for move in range(most):
        for k in range(move):
            if seen_y[k] == y and seen_x[k] == x:
                return True, y, x, False, vertex, 0.0
        seen_y[move], seen_x[move] = y, x
        n, best, row, column, near = 0.0, 0.0, 0, 0, radius
        if radius >= WIDE and not few:
            best, row, column, near = _few_rows_say(
                reference, reference_mask, moving, safe, y, x, radius, fewest, floor, scores
            )
        if near:
            n, a, aa, sums = _window_sums(
                reference, reference_mask, moving, safe, y, x, radius, near,
                FEW_ROWS if few else BAND, EVERY if few else BAND,
            )  # fmt: skip
            if n <= fewest:
                return False, y, x, False, vertex, 0.0
            _window_scores(n, a, aa, sums, floor, scores)
            best, row, column = _likeliest(scores, y, x)
            if row < 0:
                return True, y, x, False, vertex, 0.0
        middle = scores[radius, radius]
        if row == radius and column == radius:
            vertex[0] = _vertex_of(scores[radius - 1, radius], middle, scores[radius + 1, radius])
            vertex[1] = _vertex_of(scores[radius, radius - 1], middle, scores[radius, radius + 1])
            return True, y, x, True, vertex, middle / n
        # a comparison with NaN is false
        if best - middle < np.log(side * side) + worth:
            return True, y, x, False, vertex, 0.0
        y, x = y + row - radius, x + column - radius
        if max(abs(y - start_y), abs(x - start_x)) > reach:
            return True, start_y, start_x, False, vertex, 0.0
    return True, y, x, False, vertex, 0.0
