"""Compiled: which single pixels stand out, or make a match, of 2-D images; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`greatest_part_2d`            `doubt.one_pixel.plain_greatest_part`
`most_of_block_2d`            `detector.lone.plain_most_of_block`
`off_most_2d`                 `detector.lone.plain_off_most`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import kernel


@kernel
def greatest_part_2d(reference, reference_mask, moving, moving_mask, sy, sx):  # type: ignore[no-untyped-def]
    """Return the greatest part that a pair of pixels that meet at lag (sy, sx) has in the covariance.

    And the place of that pair in the reference.
    """
    height, width = reference.shape
    rows, columns = moving.shape
    y0, y1 = max(0, sy), min(height, rows + sy)
    x0, x1 = max(0, sx), min(width, columns + sx)
    row, column = y0, x0
    if x1 <= x0 or y1 <= y0:
        return np.inf, row, column
    n, a, b = 0, 0.0, 0.0
    for i in range(y0, y1):
        p, q = reference[i, x0:x1], moving[i - sy, x0 - sx : x1 - sx]
        v, w = reference_mask[i, x0:x1], moving_mask[i - sy, x0 - sx : x1 - sx]
        for j in range(p.size):
            if v[j] and w[j]:
                n += 1
                a += np.float64(p[j])
                b += np.float64(q[j])
    a, b = a / max(n, 1), b / max(n, 1)
    total, greatest = 0.0, 0.0
    for i in range(y0, y1):
        p, q = reference[i, x0:x1], moving[i - sy, x0 - sx : x1 - sx]
        v, w = reference_mask[i, x0:x1], moving_mask[i - sy, x0 - sx : x1 - sx]
        before = greatest
        for j in range(p.size):
            if v[j] and w[j]:
                product = (p[j] - a) * (q[j] - b)
                total += product
                greatest = max(greatest, product)
        if greatest > before:
            row = i
    best = -np.inf
    for j in range(x0, x1):
        if reference_mask[row, j] and moving_mask[row - sy, j - sx]:
            product = (reference[row, j] - a) * (moving[row - sy, j - sx] - b)
            if product > best:
                best, column = product, j
    return greatest / total if total > 0 else np.inf, row, column


@kernel
def most_of_block_2d(pixels, top, left, times):  # type: ignore[no-untyped-def]
    """Return the part that the greatest pixel makes of the sum of a block of `times` pixels per axis."""
    block = pixels[top : top + times, left : left + times]
    total, least, most = 0.0, np.inf, -np.inf
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            value = np.float64(block[i, j])
            total += value
            least, most = min(least, value), max(most, value)
    if total == 0:
        return 0.0
    return ((most if total > 0 else least) - total / block.size) / total


@kernel
def off_most_2d(pixels, mask, line, most_with):  # type: ignore[no-untyped-def]
    """Return which valid pixels are above, or below, all but so many (at most 3) neighbours, by a line."""
    height, width = mask.shape
    out = np.zeros((height, width), np.bool_)
    line = np.float32(line)
    for i in range(height):
        for j in range(width):
            if not mask[i, j]:
                continue
            value = pixels[i, j]
            if 0 < i < height - 1 and 0 < j < width - 1:
                # most differ from none of the four nearest
                up, down, left, right = pixels[i - 1, j], pixels[i + 1, j], pixels[i, j - 1], pixels[i, j + 1]
                least, most = min(min(up, down), min(left, right)), max(max(up, down), max(left, right))
                near = value - least <= line and most - value <= line
                if near and mask[i - 1, j] and mask[i + 1, j] and mask[i, j - 1] and mask[i, j + 1]:
                    continue
            above, below, known = 0, 0, 0
            for k in range(max(i - 1, 0), min(i + 2, height)):
                for m in range(max(j - 1, 0), min(j + 2, width)):
                    if (k != i or m != j) and mask[k, m]:
                        known += 1
                        off = value - pixels[k, m]
                        above += off > line
                        below += off < -line
            out[i, j] = max(above, below) >= known - most_with
    return out
