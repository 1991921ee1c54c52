"""Whole frames, interpolated at a shift, against plain loops over the taps, with and without the compiler."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import shift as shifted
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.aligned.interpolate_frame import (
    all_valid,
    interpolated,
    plain_all_valid,
    plain_interpolated,
)

EXAMPLES = 20 if WITHOUT_COMPILER else 200

seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 25), st.integers(1, 25))
places = st.one_of(st.floats(-30, 30), st.integers(-30, 30).map(float), st.sampled_from([0.5, 1 - 1e-12]))


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, shapes, st.tuples(places, places))
def test_a_frame_is_interpolated_as_by_its_taps(seed, shape, shift):
    image = np.random.default_rng(seed).standard_normal(shape, np.float32)
    found = interpolated(image, np.array(shift))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain_interpolated(image, np.array(shift)), rtol=1e-5, atol=3e-6)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, shapes, st.tuples(places, places), st.sampled_from([0.6, 0.95, 1.0]))
def test_what_is_interpolated_is_valid_where_all_of_its_taps_are(seed, shape, shift, part):
    mask = np.random.default_rng(seed).random(shape) < part
    np.testing.assert_array_equal(all_valid(mask, np.array(shift)), plain_all_valid(mask, np.array(shift)))


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, st.tuples(st.integers(-4, 4), st.integers(-4, 4)))
def test_a_shift_of_whole_pixels_moves_every_pixel_and_its_mask(seed, shift):
    rng = np.random.default_rng(seed)
    image, mask = rng.standard_normal((9, 11), np.float32), rng.random((9, 11)) < 0.8
    moved, valid = interpolated(image, np.array(shift, float)), all_valid(mask, np.array(shift, float))
    np.testing.assert_array_equal(moved, shifted(image, shift, order=0, mode="nearest"))
    np.testing.assert_array_equal(valid, shifted(mask, shift, order=0, cval=False))
