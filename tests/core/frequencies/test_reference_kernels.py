"""The compiled passes over a reference against their plain twins, with and without compilation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.frequencies.bands import _sum_within, plain_sum_within
from maskreg.core.frequencies.interpolation_error import lagged_products
from maskreg.core.frequencies.low_pass import LowPass, cosine_frequencies
from maskreg.core.frequencies.spectrum import _ring_power, plain_ring_power
from maskreg.core.image.filter_kernels import looked_up
from maskreg.core.image.filters import filtered, plain_filtered
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.image.sample import ENOUGH, sampled_rows

FLOAT32 = 1e-5
"""Rounding of sums of float32, relative to the largest term."""

seeds = st.integers(0, 2**32 - 1)
shapes = st.one_of(
    st.tuples(st.integers(1, 50)),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12)),
)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(seeds, shapes, st.integers(0, 6), st.booleans(), st.booleans())
def test_a_filter_along_an_axis_equals_its_plain_twin(seed, shape, radius, nearest, odd):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    taps = rng.normal(size=2 * radius + 1)
    if odd:
        taps = taps - taps[::-1]
    for axis in range(len(shape)):
        found = filtered(values, taps, axis, nearest=nearest)
        assert found.shape == shape
        assert found.dtype == np.float32
        expected = plain_filtered(values, taps, axis, nearest=nearest)
        np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32 * 10)


@settings(derandomize=True, deadline=None)
@given(seeds, st.integers(1, 60))
def test_a_looked_up_function_equals_interpolation_on_its_grid(seed, steps):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=steps + 1).astype(np.float32)
    grid = -3 + np.arange(steps + 1) / 4
    values = rng.uniform(-6, 15, 200).astype(np.float32)
    mask = rng.random(200) < 0.8
    found = looked_up(values, mask, np.float32(-3), np.float32(4), table)
    np.testing.assert_allclose(found, np.where(mask, np.interp(values, grid, table), 0), rtol=0, atol=1e-3)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, shapes, st.integers(8, 40))
def test_the_power_in_rings_equals_its_plain_twin(seed, shape, rings):
    coefficients = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    power, number = _ring_power(coefficients, rings)
    plain_power, plain_number = plain_ring_power(coefficients, rings)
    np.testing.assert_array_equal(number, plain_number)
    np.testing.assert_allclose(power, plain_power, rtol=FLOAT32, atol=1e-6)
    assert number.sum() == coefficients.size - 1


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, shapes, st.integers(8, 40), st.sampled_from([0.0, 0.8, 3.0]))
def test_weighed_coefficients_equal_coefficients_times_the_response(seed, shape, rings, gaussian):
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=shape).astype(np.float32)
    low_pass = LowPass(np.sort(rng.random(rings))[::-1], gaussian)
    expected = coefficients * low_pass.response(cosine_frequencies(shape))
    np.testing.assert_allclose(low_pass.weigh(coefficients), expected, rtol=1e-4, atol=1e-4)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, st.tuples(st.integers(1, 30), st.integers(1, 30)), st.sampled_from([0.5, 0.95, 1.0]))
def test_the_squares_within_blocks_equal_their_plain_twin(seed, shape, part):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < part
    image = LevelImage(np.where(mask, rng.normal(3, 1, shape), 0).astype(np.float32), mask)
    (count, within), (plain_count, plain_within) = _sum_within(image), plain_sum_within(image)
    assert count == plain_count
    assert within == pytest.approx(plain_within, rel=1e-4, abs=1e-3)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seeds, shapes, st.integers(2, 9))
def test_products_by_tiles_are_the_sums_over_all_pixels(seed, shape, tile):
    rng = np.random.default_rng(seed)
    image, field = rng.normal(size=(2, *shape)).astype(np.float32)
    inside = rng.random(shape) < 0.8
    lags = [min(3, max(1, n // 2)) for n in shape]
    (found,) = lagged_products(image, np.float32(0.5), inside, [field], lags, tile)
    padded = np.pad(image - np.float32(0.5), [(k, k) for k in lags])
    for index in np.ndindex(found.shape):
        lag = [i if i < k else i - 2 * k for i, k in zip(index, lags, strict=True)]
        moved = padded[tuple(slice(k + s, k + s + n) for k, s, n in zip(lags, lag, shape, strict=True))]
        expected = float((np.where(inside, field, 0).astype(np.float64) * moved).sum())
        assert found[index] == pytest.approx(expected, abs=1e-3)


def test_a_sample_of_rows_holds_enough_valid_pixels_and_is_always_the_same():
    small = np.ones((300, 300), bool)
    np.testing.assert_array_equal(sampled_rows(small), np.arange(300))
    large = np.zeros((3000, 1000), bool)
    large[1000:, 200:] = True
    rows = sampled_rows(large)
    assert ENOUGH <= large[rows].sum() < 1.1 * ENOUGH
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sampled_rows(large.copy()))
    # where hardly anything is valid, nothing is left out
    large[:] = False
    large[7, 3:90] = True
    assert large[sampled_rows(large)].sum() == 87
