"""Compiled filters along one axis, and tables looked up; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`filtered_rows`               `image.filters.plain_filtered`
`filtered_slices`             `image.filters.plain_filtered`
`looked_up`                   `numpy.interp`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel
from maskreg.core.machine.fill import fill

TILE = 1024
"""So many neighbours across are filtered at once: they stay in the fastest cache."""


@inlined
def _weighted(source, weight, out):  # type: ignore[no-untyped-def]
    """Add a row times a weight."""
    for j in range(out.size):
        out[j] += weight * source[j]


@inlined
def _weighted_difference(right, left, weight, out):  # type: ignore[no-untyped-def]
    """Add the difference of two rows times a weight."""
    for j in range(out.size):
        out[j] += weight * (right[j] - left[j])


@kernel
def filtered_rows(values, taps, odd, nearest):  # type: ignore[no-untyped-def]
    """Return a stack of rows, (outer, n, 1), filtered along n.

    `odd` taps weigh differences: a slope is then as exact as the differences are, not as the values.
    """
    outer, n, _ = values.shape
    radius = taps.size // 2
    out = np.empty((outer, n, 1), np.float32)
    padded = np.zeros(n + 2 * radius, np.float32)
    for i in range(outer):
        row, o = values[i, :, 0], out[i, :, 0]
        fill(padded[radius : radius + n], row)
        if nearest:
            padded[:radius] = row[0]
            padded[radius + n :] = row[n - 1]
        for first in range(0, n, TILE):
            last = min(n, first + TILE)
            o[first:last] = np.float32(0)
            for k in range(0 if odd else taps.size):
                _weighted(padded[first + k : last + k], taps[k], o[first:last])
            for k in range(1, radius + 1 if odd else 0):
                right, left = first + radius + k, first + radius - k
                width = last - first
                _weighted_difference(
                    padded[right : right + width],
                    padded[left : left + width],
                    taps[radius + k],
                    o[first:last],
                )
    return out


@inlined
def _row_at(at, n, nearest):  # type: ignore[no-untyped-def]
    """Return the row that stands at a place, -1 for one of zeros."""
    if nearest:
        return min(max(at, 0), n - 1)
    return at if 0 <= at < n else -1


@kernel
def filtered_slices(values, taps, odd, nearest):  # type: ignore[no-untyped-def]
    """Return a stack of images, (outer, n, inner), filtered along n, as `filtered_rows` does."""
    outer, n, inner = values.shape
    radius = taps.size // 2
    out = np.empty((outer, n, inner), np.float32)
    zeros = np.zeros(min(inner, TILE), np.float32)
    for first in range(0, inner, TILE):
        last = min(inner, first + TILE)
        for i in range(outer):
            for j in range(n):
                o = out[i, j, first:last]
                o[:] = np.float32(0)
                for k in range(0 if odd else taps.size):
                    at = _row_at(j + k - radius, n, nearest)
                    if at >= 0:
                        _weighted(values[i, at, first:last], taps[k], o)
                for k in range(1, radius + 1 if odd else 0):
                    right, left = _row_at(j + k, n, nearest), _row_at(j - k, n, nearest)
                    _weighted_difference(
                        values[i, right, first:last] if right >= 0 else zeros[: last - first],
                        values[i, left, first:last] if left >= 0 else zeros[: last - first],
                        taps[radius + k],
                        o,
                    )
    return out


@kernel
def looked_up(values, mask, first, density, table):  # type: ignore[no-untyped-def]
    """Return a function of each value, from a table that starts at `first` with `density` steps per unit.

    Linear between the steps, and constant beyond the ends; zero where the mask is False.
    """
    out = np.empty(values.size, np.float32)
    last = np.float32(table.size - 1)
    zero = np.float32(0)
    for j in range(values.size):
        place = min(max((values[j] - first) * density, zero), last)
        k = min(np.int32(place), table.size - 2)
        part = place - np.float32(k)
        out[j] = (table[k] + part * (table[k + 1] - table[k])) * np.float32(mask[j])
    return out
