"""The compiled sums of a window of lags against their plain twin and the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.image.pyramid import eroded
from maskreg.core.image.windows import plain_window_sums, window_sums
from maskreg.geometry import overlap_slices

ROW_ROUNDING = 1e-5
"""Sums run along a row in float32: relative to the sum of the moduli."""


def level_image(rng, shape, part):
    mask = rng.random(shape) < part
    return np.where(mask, rng.normal(1.0, 2.0, shape), 0).astype(np.float32), mask


sides = st.tuples(st.integers(1, 24), st.integers(1, 24))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    sides,
    sides,
    st.tuples(st.integers(-26, 26), st.integers(-26, 26)),
    st.integers(0, 3),
    st.integers(0, 2**32 - 1),
)
def test_the_compiled_sums_equal_their_plain_twin(shape, moving_shape, centre, radius, seed):
    rng = np.random.default_rng(seed)
    reference, reference_mask = level_image(rng, shape, 0.9)
    moving, moving_mask = level_image(rng, moving_shape, 0.98)
    safe = eroded(moving_mask, radius)
    fast = window_sums(reference, reference_mask, moving, safe, centre, radius)
    plain = plain_window_sums(reference, reference_mask, moving, safe, centre, radius)
    np.testing.assert_array_equal(fast.n, plain.n)
    largest = float(np.abs(reference).max(initial=1) * np.abs(moving).max(initial=1)) + 20
    for name in ("a", "aa", "b", "bb", "ab"):
        found, expected = getattr(fast, name), getattr(plain, name)
        assert found.shape == expected.shape == (2 * radius + 1,) * 2
        np.testing.assert_allclose(
            found, expected, rtol=ROW_ROUNDING, atol=ROW_ROUNDING * (plain.n.max() + 1) * largest
        )


def test_the_twins_are_compared_on_many_pixels():
    rng = np.random.default_rng(1)
    (a, a_mask), (b, b_mask) = level_image(rng, (40, 37), 0.95), level_image(rng, (44, 31), 0.99)
    for centre in [(0, 0), (-9, 5), (6, -7)]:
        safe = eroded(b_mask, 2)
        fast = window_sums(a, a_mask, b, safe, centre, 2)
        plain = plain_window_sums(a, a_mask, b, safe, centre, 2)
        assert fast.n.min() > 200
        np.testing.assert_allclose(fast.ncc, plain.ncc, rtol=0, atol=1e-5)
        assert np.isfinite(fast.ncc).all()


@pytest.mark.parametrize("shape", [(50,), (17, 19), (8, 9, 10)])
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_every_lag_of_the_window_is_scored_on_the_same_pixels(shape, radius):
    rng = np.random.default_rng(2)
    a, a_mask = level_image(rng, shape, 0.9)
    b, b_mask = level_image(rng, tuple(n + 1 for n in shape), 0.995)
    safe, centre = eroded(b_mask, radius), tuple(range(1, len(shape) + 1))
    sums = window_sums(a, a_mask, b, safe, centre, radius)
    here, there = overlap_slices(a.shape, b.shape, centre)
    fixed = np.zeros(shape, bool)
    fixed[here] = a_mask[here] & safe[there]
    assert sums.n.min() == sums.n.max() == fixed.sum() > FEW
    for index in np.ndindex(sums.n.shape):
        lag = [s + i - radius for s, i in zip(centre, index, strict=True)]
        places = np.argwhere(fixed)
        u, v = a[fixed].astype(float), b[tuple((places - lag).T)].astype(float)
        assert sums.ncc[index] == pytest.approx(np.corrcoef(u, v)[0, 1], abs=1e-5)


FEW = 20


def test_images_that_do_not_meet_give_zeros_and_no_coefficient():
    rng = np.random.default_rng(3)
    (a, a_mask), (b, b_mask) = level_image(rng, (9, 9), 1.0), level_image(rng, (7, 8), 1.0)
    for centre in [(9, 0), (0, 9), (-7, 0), (40, 40), (-40, 3)]:
        for twin in (window_sums, plain_window_sums):
            sums = twin(a, a_mask, b, eroded(b_mask, 1), centre, 1)
            assert sums.n.max() == 0
            assert np.isnan(sums.ncc).all()


@pytest.mark.parametrize("radius", [1, 2, 4])
@pytest.mark.parametrize("shape", [(30,), (14, 15), (9, 10, 11)])
def test_an_eroded_mask_holds_only_pixels_whose_whole_box_is_valid(shape, radius):
    rng = np.random.default_rng(4)
    mask = rng.random(shape) < 0.98
    expected = np.zeros(shape, bool)
    for x in np.ndindex(shape):
        inside = all(radius <= i < n - radius for i, n in zip(x, shape, strict=True))
        box = mask[tuple(slice(max(0, i - radius), i + radius + 1) for i in x)]
        expected[x] = inside and box.all()
    np.testing.assert_array_equal(eroded(mask, radius), expected)
