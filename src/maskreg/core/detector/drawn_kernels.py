"""Compiled: what of two 2-D images is the same to the bit; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`same_cells_2d`               `detector.drawn.plain_same_cells`
`steps_2d`                    `detector.drawn.plain_steps`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import kernel


@kernel
def same_cells_2d(one, other, one_mask, other_mask, length, every):  # type: ignore[no-untyped-def]
    """Return how many steps from pixel to pixel each cell has, -1 where it is not the same in both images.

    A cell is so many pixels of a row, all valid in both; of one row of `every` so many.
    """
    rows, columns = -(-one.shape[0] // every), one.shape[1] // length
    out = np.full((rows, columns), -1, np.int16)
    for i in range(rows):
        a, b = one[i * every], other[i * every]
        v, w = one_mask[i * every], other_mask[i * every]
        for j in range(columns):
            first, steps = j * length, 0
            for k in range(first, first + length):
                if a[k] != b[k] or not (v[k] and w[k]):
                    steps = -1
                    break
                if k > first and a[k] != a[k - 1]:
                    steps += 1
            out[i, j] = steps
    return out


@kernel
def steps_2d(one, other, one_mask, other_mask, top, bottom, left, right):  # type: ignore[no-untyped-def]
    """Return how many steps from pixel to pixel the rows of a box have in either image, and in both alike.

    Of pixels that are valid in both.
    """
    steps, same = 0, 0
    for i in range(top, bottom):
        a, b = one[i, left:right], other[i, left:right]
        v, w = one_mask[i, left:right], other_mask[i, left:right]
        for k in range(1, a.size):
            if v[k] and w[k] and v[k - 1] and w[k - 1] and (a[k] != a[k - 1] or b[k] != b[k - 1]):
                steps += 1
                same += a[k] == b[k] and a[k - 1] == b[k - 1]
    return steps, same
