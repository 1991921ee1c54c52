"""Compiled loops of `maskreg.masks.moving_model`; their plain twin is in its tests.

They work through some rows of the image, frame by frame, in the order of the frames: whoever does
which rows, the sums are the same to the bit. The loops over a row are many, each over few arrays and
without a branch: of such the compiler makes vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "boundscheck": False, "error_model": "numpy"}
# written into their callers before compilation, as in `maskreg.core.image.kernels`
_INLINED = {**_OPTIONS, "inline": "always"}

LEAST_WEIGHT = np.float32(0.4)
"""Of the weights of bilinear interpolation, on pixels that are known; below, nothing is predicted."""
_KNOWN = np.float32(0.5)
"""Least sum of weights of the other frames of which a mean is made."""
_ONE = np.float32(1)
_NONE = np.float32(0)


@njit(**_INLINED)
def _between(first, second, fraction, out):  # type: ignore[no-untyped-def]
    """Fill `out` with what lies between two rows."""
    for j in range(out.size):
        out[j] = (_ONE - fraction) * first[j] + fraction * second[j]


@njit(**_INLINED)
def _weighted(values, zero, weight, share, out):  # type: ignore[no-untyped-def]
    """Add a share of the weighted values to `out`."""
    for j in range(out.size):
        out[j] += share * ((values[j] - zero) * weight[j])


@njit(**_INLINED)
def _add(values, share, out):  # type: ignore[no-untyped-def]
    """Add a share of `values` to `out`."""
    for j in range(out.size):
        out[j] += share * values[j]


@njit(**_INLINED)
def _moved_row(frame, weight, zero, row, sy, fy, fx, line, out):  # type: ignore[no-untyped-def]
    """Fill `out` (2, cols + 1) with a row of the frame where its weight is one, and of the weight, moved.

    By whole rows and by fractions of a pixel: it begins at the whole column to which the frame moves.
    """
    rows, cols = frame.shape
    line[:] = 0
    for k in range(2):
        source = row - sy - k
        if 0 <= source < rows:
            share = fy if k else _ONE - fy
            _weighted(frame[source], zero, weight[source], share, line[0, 1 : cols + 1])
            _add(weight[source], share, line[1, 1 : cols + 1])
    for k in range(2):
        _between(line[k, 1:], line[k], fx, out[k])


@njit(**_OPTIONS)
def total_rows(frames, weight, zero, wholes, fractions, first, last, total):  # type: ignore[no-untyped-def]
    """Add to `total` (2, rows, cols) the moved frames and their weights, in rows `first` to `last`.

    It has room for all of them: no shift is negative.
    """
    cols = frames.shape[2]
    line = np.zeros((2, cols + 2), np.float32)
    moved = np.zeros((2, cols + 1), np.float32)
    for i in range(frames.shape[0]):
        sy, sx = wholes[i, 0], wholes[i, 1]
        for row in range(max(first, sy), min(last, sy + frames.shape[1] + 1)):
            _moved_row(frames[i], weight, zero, row, sy, fractions[i, 0], fractions[i, 1], line, moved)
            _add(moved[0], _ONE, total[0, row, sx : sx + cols + 1])
            _add(moved[1], _ONE, total[1, row, sx : sx + cols + 1])


@njit(**_INLINED)
def _mean_of_others(total, weight, moved, moved_weight, out):  # type: ignore[no-untyped-def]
    """Fill `out` (3, cols) with the others' mean in a row, whether it is known, and its variance."""
    mean, known, share = out[0], out[1], out[2]
    for j in range(known.size):
        known[j] = weight[j] - moved_weight[j]
    for j in range(share.size):
        n = known[j]
        share[j] = _ONE / max(n, _KNOWN) if n >= _KNOWN else _NONE
    for j in range(mean.size):
        n = known[j]
        mean[j] = (total[j] - moved[j]) / max(n, _KNOWN) if n >= _KNOWN else _NONE
    for j in range(known.size):
        known[j] = _ONE if known[j] >= _KNOWN else _NONE


@njit(**_INLINED)
def _add_product(first, second, out):  # type: ignore[no-untyped-def]
    """Add a product to `out`."""
    for j in range(out.size):
        out[j] += first[j] * second[j]


@njit(**_INLINED)
def _normalised(values, weight, out):  # type: ignore[no-untyped-def]
    """Fill `out` with values over their weight, nothing where that is too little."""
    for j in range(out.size):
        w = weight[j]
        out[j] = values[j] / max(w, LEAST_WEIGHT) if w > LEAST_WEIGHT else _NONE


@njit(**_INLINED)
def _seen(values, zero, weight, seen, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the values, nothing where nothing is predicted, and `seen` with whether it is."""
    for j in range(out.size):
        out[j] = values[j] - zero if weight[j] > LEAST_WEIGHT else _NONE
    for j in range(seen.size):
        seen[j] = _ONE if weight[j] > LEAST_WEIGHT else _NONE


@njit(**_OPTIONS)
def prediction_rows(  # type: ignore[no-untyped-def]
    frames, weight, zero, wholes, fractions, total, first, last, sums
):
    """Add to `sums` (6, rows, cols) what frames and predictions say, in rows `first` to `last`.

    That is: how often there is a prediction p of a value v, and the sums of v, p, p p, v p, and of the
    variance of p over that of v.
    """
    cols = frames.shape[2]
    line = np.zeros((2, cols + 2), np.float32)
    moved = np.zeros((2, cols + 1), np.float32)
    others = np.zeros((2, 3, cols + 1), np.float32)
    between = np.zeros(cols + 1, np.float32)
    back = np.zeros((3, cols), np.float32)
    term = np.zeros((4, cols), np.float32)
    seen, v, p, share = term[0], term[1], term[2], term[3]
    for i in range(frames.shape[0]):
        sy, sx = wholes[i, 0], wholes[i, 1]
        fy, fx = fractions[i, 0], fractions[i, 1]
        for row in range(first, last + 1):
            # a row of the prediction lies between two rows of the others' mean, of which one is new
            at = row + sy
            new, old = others[at & 1], others[(at - 1) & 1]
            _moved_row(frames[i], weight, zero, at, sy, fy, fx, line, moved)
            here = total[:, at, sx : sx + cols + 1]
            _mean_of_others(here[0], here[1], moved[0], moved[1], new)
            if row == first:
                continue
            for k in range(3):
                _between(old[k], new[k], fy, between)
                _between(between[:cols], between[1:], fx, back[k])
            _seen(frames[i, row - 1], zero, back[1], seen, v)
            _normalised(back[0], back[1], p)
            _normalised(back[2], back[1], share)
            _add(seen, _ONE, sums[0, row - 1])
            _add(v, _ONE, sums[1, row - 1])
            _add(p, _ONE, sums[2, row - 1])
            _add_product(p, p, sums[3, row - 1])
            _add_product(v, p, sums[4, row - 1])
            _add(share, _ONE, sums[5, row - 1])
