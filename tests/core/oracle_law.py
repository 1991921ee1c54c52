"""The law that ties every fast path to the oracle, and what it needs.

A sum taken by transforms is wrong by about eps times the *total* energy, so the coefficient of a
lag is wrong by eps times kappa(s) = (total energy) / (energy in the overlap): the tolerance of a
lag is that of its dtype times its kappa.
"""

from __future__ import annotations

import numpy as np

from maskreg import correlate
from maskreg.core.direct import direct_correlate
from maskreg.geometry import lag_axis, overlap_slices

TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-9}
"""Of the masked NCC, by the dtype it is returned in, times kappa."""

LOOSEST = 1e-3
"""No lag is off by more than this, whatever its kappa: beyond it the transform is not trusted."""

UNTRUSTED_KAPPA = LOOSEST / (64 * np.finfo(np.float64).eps)
"""Float64 transforms must vouch for every lag of smaller kappa."""


def usable(image, mask=None):
    """Return the values as float64 and where they count, written anew from the definition."""
    values = np.array(np.ma.getdata(image), dtype=np.float64)
    valid = np.ones(values.shape, bool) if mask is None else np.array(mask, dtype=bool)
    return values, valid & np.isfinite(values) & ~np.ma.getmaskarray(image)


def kappa(reference, moving, reference_mask=None, moving_mask=None):
    """Return kappa of every lag: the greater of both images'; inf where an overlap is constant."""
    (a, a_mask), (b, b_mask) = usable(reference, reference_mask), usable(moving, moving_mask)
    totals = [((v[m] - v[m].mean()) ** 2).sum() if m.any() else 0.0 for v, m in ((a, a_mask), (b, b_mask))]
    axes = [lag_axis(p, q) for p, q in zip(a.shape, b.shape, strict=True)]
    out = np.full([len(axis) for axis in axes], np.inf)
    for index in np.ndindex(out.shape):
        here, there = overlap_slices(a.shape, b.shape, [axis[i] for axis, i in zip(axes, index, strict=True)])
        both = a_mask[here] & b_mask[there]
        if not both.any():
            continue
        energies = [((v[both] - v[both].mean()) ** 2).sum() for v in (a[here], b[there])]
        if min(energies) > 0:
            out[index] = max(total / energy for total, energy in zip(totals, energies, strict=True))
    return out


def assert_follows_the_oracle(reference, moving, reference_mask=None, moving_mask=None, *, compared=1):
    """Compare `correlate` with `direct_correlate` at every lag.

    `compared` lags at least must have been held to a tolerance that means something.
    """
    found = correlate(reference, moving, reference_mask, moving_mask)
    ncc, overlap, likelihood = direct_correlate(reference, moving, reference_mask, moving_mask)
    condition = kappa(reference, moving, reference_mask, moving_mask)
    assert found.ncc.shape == ncc.shape == tuple(len(axis) for axis in found.lags)
    np.testing.assert_array_equal(found.overlap, overlap)

    known = np.isfinite(found.ncc)
    assert np.isfinite(ncc[known]).all(), "a lag that the definition forbids has a number"
    # a lag that a transform cannot vouch for may stay unknown, but only where it could not win
    left_out = np.isfinite(ncc) & ~known
    assert (condition[left_out] > UNTRUSTED_KAPPA).all()
    assert (likelihood[left_out] <= found.likelihood.max(initial=-np.inf)).all()

    tolerance = np.minimum(TOLERANCE[found.ncc.dtype] * condition, LOOSEST)
    error = np.abs(found.ncc.astype(np.float64) - ncc)
    assert (error[known] <= tolerance[known]).all(), (
        f"{int((error[known] > tolerance[known]).sum())} of {int(known.sum())} lags are off, "
        f"the worst by {np.nanmax(error[known] / tolerance[known]):.1f} tolerances"
    )
    assert np.count_nonzero(known & (tolerance < LOOSEST)) >= compared, "hardly any lag was compared"

    np.testing.assert_array_equal(np.isneginf(found.likelihood), ~(found.ncc > 0))
    assert not np.isnan(found.likelihood).any()
    if np.isfinite(likelihood).any():
        assert np.argmax(found.likelihood) == np.argmax(likelihood)
    return found
