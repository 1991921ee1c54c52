"""Frames are freed of what never moves, and checked for what is no number, in one compiled pass each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg import Registrar
from maskreg.core.aligned.static import Static
from maskreg.core.image.checked import every_pixel_counts


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("multiplies", [True, False])
def test_a_frame_is_freed_of_a_pattern_as_numpy_does_it(dtype, multiplies):
    rng = np.random.default_rng(3)
    frame = rng.integers(0, 100, (37, 53)).astype(dtype)
    pattern = rng.normal(1, 0.1, frame.shape).astype(np.float32)
    static = Static(pattern, multiplies, 0.1)
    expected = static.corrected(frame.astype(np.float32) - np.float32(7.25)) + np.float32(7.25)
    given_room = np.empty(frame.shape, np.float32)
    for clean in (static.clean(frame, 7.25), static.clean(frame, 7.25, given_room)):
        assert clean.dtype == np.float32
        np.testing.assert_allclose(clean, expected, rtol=1e-5, atol=1e-4)
    assert static.clean(frame, 7.25, given_room) is given_room


@settings(derandomize=True, deadline=None)
@given(
    st.sampled_from([np.float32, np.float64]),
    st.lists(
        st.tuples(st.integers(0, 40_000), st.sampled_from([np.nan, np.inf, -np.inf, 1e38, -1e-40])),
        max_size=3,
    ),
)
def test_every_pixel_of_a_float_image_counts_if_each_is_finite(dtype, put):
    image = np.linspace(-1, 1, 201 * 201).reshape(201, 201).astype(dtype)
    for at, value in put:
        image.reshape(-1)[at] = value
    assert every_pixel_counts(image, None) == np.isfinite(image).all()


def test_the_greatest_numbers_are_finite():
    for dtype in (np.float32, np.float64):
        assert every_pixel_counts(np.full((3, 3), np.finfo(dtype).max, dtype), None)
        assert every_pixel_counts(np.full((3, 3), np.finfo(dtype).min, dtype), None)


def test_finite_floats_are_registered_as_with_a_mask_that_says_so():
    rng = np.random.default_rng(1)
    mask = np.ones((96, 96), bool)
    mask[30:50, 30:50] = False
    scene = rng.normal(size=(110, 110)).cumsum(0).cumsum(1)
    frames = [scene[k : k + 96, 2 * k : 2 * k + 96] + rng.normal(0, 0.1, (96, 96)) for k in range(3)]
    for dtype in (np.float32, np.float64):
        registrar = Registrar(frames[0].astype(dtype), mask, mask)
        for frame in frames[1:]:
            plain, told = registrar(frame.astype(dtype)), registrar(frame.astype(dtype), np.ones_like(mask))
            np.testing.assert_array_equal(plain.shift, told.shift)
            np.testing.assert_array_equal(plain.covariance, told.covariance)
            assert (plain.status, plain.score) == (told.status, told.score)
