"""The oracle itself, against the definition written pixel by pixel with the standard library."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest

from maskreg.core.direct import direct_correlate
from maskreg.core.likelihood import FEWEST_PIXELS


def pixel_by_pixel(a, b, a_mask, b_mask):
    """Masked NCC and overlap at every lag, lags ascending: pixel x of a meets pixel x - s of b."""
    axes = [range(-(q - 1), p) for p, q in zip(a.shape, b.shape, strict=True)]
    ncc, overlap = {}, {}
    for lag in itertools.product(*axes):
        u, v = [], []
        for x in np.ndindex(a.shape):
            y = tuple(i - s for i, s in zip(x, lag, strict=True))
            inside = all(0 <= i < n for i, n in zip(y, b.shape, strict=True))
            if inside and a_mask[x] and b_mask[y]:
                u.append(float(a[x]))
                v.append(float(b[y]))
        overlap[lag] = len(u)
        forbidden = len(u) <= FEWEST_PIXELS or len(set(u)) == 1 or len(set(v)) == 1
        ncc[lag] = float("nan") if forbidden else statistics.correlation(u, v)
    shape = [len(axis) for axis in axes]
    return np.array(list(ncc.values())).reshape(shape), np.array(list(overlap.values())).reshape(shape)


@pytest.mark.parametrize(
    ("reference_shape", "moving_shape"),
    [
        ((31,), (31,)),
        ((31,), (24,)),
        ((5,), (2,)),
        ((6, 7), (6, 7)),
        ((5, 8), (7, 4)),
        ((4, 3, 5), (3, 4, 4)),
    ],
)
@pytest.mark.parametrize("part", [1.0, 0.7])
def test_the_oracle_is_the_definition(reference_shape, moving_shape, part):
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=reference_shape), rng.integers(0, 9, moving_shape)
    a_mask, b_mask = rng.random(a.shape) < part, rng.random(b.shape) < part
    expected, n = pixel_by_pixel(a, b, a_mask, b_mask)
    ncc, overlap, likelihood = direct_correlate(a, b, a_mask, b_mask)
    np.testing.assert_array_equal(overlap, n)
    np.testing.assert_allclose(ncc, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.isneginf(likelihood), ~(expected > 0))
    # five pixels have no lag that is allowed; all others must have been compared
    assert np.isfinite(expected).any() == (n.max() > FEWEST_PIXELS) == (reference_shape != (5,))


def test_content_that_drifted_has_the_opposite_shift():
    scene = np.random.default_rng(4).normal(size=(24, 30))
    reference, moving = scene[4:20, 6:26], scene[2:18, 9:29]  # content drifted by (+2, -3)
    _, _, likelihood = direct_correlate(reference, moving)
    best = np.unravel_index(np.argmax(likelihood), likelihood.shape)
    assert (best[0] - 15, best[1] - 19) == (-2, 3)
