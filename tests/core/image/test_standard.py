"""The compiled standardisation of grey values is that of its plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.core.image.stabilise import Detector
from maskreg.core.image.standard import compiled_standard, plain_standard, standard

VALUES = Detector(counts=False)


def values_and_mask(dtype, shape, seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(60, 9, shape)
    if np.dtype(dtype).kind == "i":
        values -= 60
    return values.astype(dtype), rng.random(shape) < 0.8


def assert_same(one, other):
    np.testing.assert_allclose(one.pixels, other.pixels, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose([one.mean, one.scale], [other.mean, other.scale], rtol=1e-9)
    assert one.flat == other.flat
    assert one.pixels.dtype == np.float32


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(50,), (40, 51), (9, 10, 11)])
def test_both_say_the_same(dtype, shape):
    values, mask = values_and_mask(dtype, shape)
    found = compiled_standard(values, mask)
    assert_same(found, plain_standard(VALUES, values, mask))
    assert not found.pixels[~mask].any()


def test_what_is_ignored_may_hold_anything():
    values, mask = values_and_mask("f4", (40, 51))
    expected = compiled_standard(values, mask).pixels
    values[~mask] = np.resize([np.nan, np.inf, -1e38], (~mask).sum())
    np.testing.assert_array_equal(compiled_standard(values, mask).pixels, expected)


def test_a_large_offset_leaves_the_digits():
    values, mask = values_and_mask("f8", (40, 51))
    plain = compiled_standard(values, mask)
    np.testing.assert_allclose(compiled_standard(values + 6e6, mask).pixels, plain.pixels, atol=1e-5)


@pytest.mark.parametrize("factor", [1e200, 1e300, 1e-200, 1e-310])
def test_squares_that_overflow_or_vanish_are_left_to_the_plain_twin(factor):
    values, mask = values_and_mask("f8", (40, 51))
    assert compiled_standard(factor * values, mask) is None
    found = standard(VALUES, factor * values, mask).pixels
    np.testing.assert_allclose(found, standard(VALUES, values, mask).pixels, atol=1e-3)


@pytest.mark.parametrize("values", [np.full((5, 6), 7.5), np.full((5, 6), np.nan)])
def test_values_without_variance_are_flat(values):
    found = standard(VALUES, values, np.isfinite(values))
    assert found.flat
    assert not found.pixels.any()
