"""The compiled pass of `maskreg.core.known`; `maskreg.core.known.plain_known_sums` is its plain twin."""

from __future__ import annotations

import numpy as np
from numba import njit

from maskreg.core.kernels import _OPTIONS

SUMS = 16


@njit(**_OPTIONS)
def known_sums_2d(mean, weight, least, fields, own, part, moved, valid):  # type: ignore[no-untyped-def]
    """Return the sums of `maskreg.core.known.KnownSums`, in the order of its attributes.

    A row is summed in float32, the rows in float64.
    """
    height, width = mean.shape
    sums = np.zeros(SUMS)
    row = np.zeros(SUMS, np.float32)
    for i in range(height):
        row[:] = 0
        for j in range(width):
            left = weight[i, j] - part[i, j]
            if weight[i, j] > 0 and valid[i, j] and left >= least:
                # the frame's own part is taken off the mean
                r = mean[i, j] + (mean[i, j] - own[i, j]) * (part[i, j] / left)
                u = moved[i, j]
                p, h, y, x = fields[0, i, j], fields[1, i, j], fields[2, i, j], fields[3, i, j]
                row[0] += np.float32(1)
                row[1] += p
                row[2] += p * r
                row[3] += p * u
                row[4] += p * r * r
                row[5] += p * r * u
                row[6] += p * u * u
                row[7] += h
                row[8] += h * r
                row[9] += h * u
                row[10] += y
                row[11] += x
                row[12] += y * r
                row[13] += x * r
                row[14] += y * u
                row[15] += x * u
        for k in range(SUMS):
            sums[k] += row[k]
    return sums
