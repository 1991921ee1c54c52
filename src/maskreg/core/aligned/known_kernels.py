"""Compiled passes over a frame that is registered to a nearly known reference; each has a plain twin.

=================  ===================================================
kernel             plain twin
=================  ===================================================
`known_sums_2d`    `aligned.known.plain_known_sums`
`interpolated_2d`  `aligned.interpolate_frame.plain_interpolated`
`all_valid_2d`     `aligned.interpolate_frame.plain_all_valid`
=================  ===================================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel

SUMS = 16
"""So many numbers `aligned.known.KnownSums` holds."""


@kernel
def known_sums_2d(mean, weight, least, fields, own, part, moved, valid):  # type: ignore[no-untyped-def]
    """Return the sums of `aligned.known.KnownSums`, in the order of its attributes.

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


@inlined
def _across(image, first, weights):  # type: ignore[no-untyped-def]
    """Return each row interpolated along itself; beyond its ends it goes on with its last value."""
    height, width = image.shape
    out = np.empty((height, width), np.float32)
    begin, end = min(width, max(0, -first)), max(0, min(width, width - first - 5))
    for i in range(height):
        row, new = image[i], out[i]
        for j in range(width):
            if begin <= j < end:
                k = j + first
                new[j] = (
                    weights[0] * row[k]
                    + weights[1] * row[k + 1]
                    + weights[2] * row[k + 2]
                    + weights[3] * row[k + 3]
                    + weights[4] * row[k + 4]
                    + weights[5] * row[k + 5]
                )
            else:
                value = np.float32(0)
                for t in range(6):
                    value += weights[t] * row[min(max(j + first + t, 0), width - 1)]
                new[j] = value
    return out


@kernel
def interpolated_2d(image, oy, wy, ox, wx):  # type: ignore[no-untyped-def]
    """Return an image of float32 interpolated by six taps along each axis, of its own shape.

    ``oy``, ``ox`` are the first taps relative to the pixel, ``wy``, ``wx`` the weights. Beyond the
    border the image goes on with its last value.
    """
    rows = _across(image, ox, wx)
    height, width = image.shape
    out = np.zeros((height, width), np.float32)
    for i in range(height):
        for t in range(6):
            w = wy[t]
            row, new = rows[min(max(i + oy + t, 0), height - 1)], out[i]
            for j in range(width):
                new[j] += w * row[j]
    return out


@kernel
def all_valid_2d(mask, oy, ny, ox, nx):  # type: ignore[no-untyped-def]
    """Return where ``ny`` times ``nx`` pixels from (oy, ox) on are valid; beyond the border none is."""
    height, width = mask.shape
    rows = np.zeros((height, width), np.bool_)
    for i in range(height):
        run = 0
        # a pixel is kept when the run of valid ones that ends at its last tap is long enough
        for j in range(ox + nx - 1 + width):
            run = run + 1 if 0 <= j < width and mask[i, j] else 0
            k = j - ox - nx + 1
            if 0 <= k < width and run >= nx:
                rows[i, k] = True
    out = np.zeros((height, width), np.bool_)
    for i in range(height):
        if i + oy < 0 or i + oy + ny > height:
            continue
        for j in range(width):
            out[i, j] = rows[i + oy, j]
        for t in range(1, ny):
            for j in range(width):
                out[i, j] &= rows[i + oy + t, j]
    return out
