"""Compiled passes over the frequencies and blocks of a reference; each has a plain twin.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`power_in_rings`              `frequencies.spectrum.plain_ring_power`
`weighed`                     `frequencies.low_pass.LowPass.response`
`sum_within_2d`               `frequencies.bands.plain_sum_within`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel


@inlined
def _places(across, along, scale, last, out):  # type: ignore[no-untyped-def]
    """Fill one row with the place of each frequency's modulus in steps of 1 / scale."""
    for j in range(out.size):
        out[j] = min(np.sqrt(across + along[j]) * scale, last)


@kernel
def power_in_rings(coefficients, across, along, rings):  # type: ignore[no-untyped-def]
    """Return the sum of squares of the coefficients in each ring of frequencies, and their number.

    Coefficients are (m, n); `across` and `along` hold what either axis adds to the square of the
    frequency's modulus, cycles/px.
    """
    total = np.zeros(rings)
    number = np.zeros(rings)
    at = np.empty(along.size, np.int32)
    for i in range(across.size):
        _places(across[i], along, np.float32(2 * rings), np.float32(rings - 1), at)
        row = coefficients[i]
        for j in range(along.size):
            total[at[j]] += np.float64(row[j] * row[j])
            number[at[j]] += 1
    return total, number


@kernel
def weighed(coefficients, across, across_gain, along, along_gain, profile, scale):  # type: ignore[no-untyped-def]
    """Return the coefficients times a filter: a profile over the modulus, and a gain along each axis."""
    out = np.empty(coefficients.shape, np.float32)
    at = np.empty(along.size, np.int32)
    for i in range(across.size):
        _places(across[i], along, scale, np.float32(profile.size - 1), at)
        row, o, gain = coefficients[i], out[i], across_gain[i]
        for j in range(along.size):
            o[j] = row[j] * (profile[at[j]] * (gain * along_gain[j]))
    return out


@kernel
def sum_within_2d(pixels, mask):  # type: ignore[no-untyped-def]
    """Return the number of whole blocks of two by two, and the sum of squares about their means."""
    count = np.int64(0)
    within = 0.0
    quarter = np.float32(0.25)
    for i in range(pixels.shape[0] // 2):
        p, q, m, w = pixels[2 * i], pixels[2 * i + 1], mask[2 * i], mask[2 * i + 1]
        row = np.float32(0)
        whole = np.int32(0)
        for j in range(pixels.shape[1] // 2):
            a, b, c, d = p[2 * j], p[2 * j + 1], q[2 * j], q[2 * j + 1]
            full = np.int32(m[2 * j] & m[2 * j + 1] & w[2 * j] & w[2 * j + 1])
            mean = (a + b + c + d) * quarter
            a, b, c, d = a - mean, b - mean, c - mean, d - mean
            row += np.float32(full) * ((a * a + b * b) + (c * c + d * d))
            whole += full
        within += np.float64(row)
        count += whole
    return count, within
