"""What the outer taps of interpolation find beside a mask's edge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.image.pyramid import eroded
from maskreg.core.image.surround import REACH, Surround, plain_continue_pixels
from maskreg.testing import beam_block

SHAPES = ((60,), (31, 26), (9, 11, 8))


def some_mask(rng, shape, part):
    mask = rng.random(shape) < part
    mask.flat[rng.integers(mask.size)] = True
    return mask


@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.floats(0.02, 1.0))
@settings(max_examples=30, deadline=None)
def test_a_constant_is_continued_to_every_pixel_that_taps_reach_and_to_no_other(seed, shape, part):
    mask = some_mask(np.random.default_rng(seed), shape, part)
    pixels = np.where(mask, np.float32(3), np.float32(0))
    reached = ~eroded(~mask, REACH, beyond=True)
    with Surround(mask).continued(pixels) as continued:
        np.testing.assert_allclose(continued, np.where(reached, 3, 0), rtol=1e-5)


@pytest.mark.parametrize("name", ["small", "standard"])
def test_a_plane_goes_on_behind_a_beam_block(name):
    mask = beam_block((128, 160), name)
    y, x = np.indices(mask.shape, np.float32)
    plane = (0.7 * (y - 60) - 0.4 * (x - 90) + 2).astype(np.float32)
    surround = Surround(mask)
    with surround.continued(np.where(mask, plane, np.float32(0))) as continued:
        found = continued.ravel()[surround.places]
    np.testing.assert_allclose(found, plane.ravel()[surround.places], atol=0.03)


@pytest.mark.parametrize("name", ["small", "standard"])
def test_beside_the_edge_nothing_is_much_noisier_than_the_pixels_it_is_made_from(name):
    mask = beam_block((128, 160), name)
    surround = Surround(mask)
    noise = (surround.weights.astype(np.float64) ** 2).sum(axis=1)
    # the outermost tap, which alone reaches further, weighs an eighth as much
    beside = (~mask & ~eroded(~mask, 1, beyond=True)).ravel()[surround.places]
    assert noise[beside].max() < 4
    assert noise.max() < 4 * 8


def test_afterwards_the_image_is_as_before_whatever_happened():
    rng = np.random.default_rng(5)
    mask = beam_block((64, 64), "standard")
    pixels = np.where(mask, rng.normal(size=mask.shape), 0).astype(np.float32)
    before = pixels.copy()
    with Surround(mask).continued(pixels) as continued:
        np.testing.assert_array_equal(continued[mask], before[mask])
        assert continued[~mask].any()
    np.testing.assert_array_equal(pixels, before)
    with pytest.raises(RuntimeError, match="stop"), Surround(mask).continued(pixels):
        raise RuntimeError("stop")
    np.testing.assert_array_equal(pixels, before)


def test_a_mask_that_hides_nothing_has_nothing_beside_it():
    pixels = np.ones((8, 9), np.float32)
    with Surround(pixels > 0).continued(pixels) as continued:
        assert (continued == 1).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.floats(0.02, 1.0))
@settings(max_examples=30, deadline=None)
def test_the_compiled_continuation_equals_its_plain_twin(seed, shape, part):
    rng = np.random.default_rng(seed)
    mask = some_mask(rng, shape, part)
    pixels = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    plain, surround = pixels.copy(), Surround(mask)
    plain_continue_pixels(plain.reshape(-1), surround.places, surround.sources, surround.weights)
    with surround.continued(pixels) as continued:
        np.testing.assert_allclose(continued, plain, rtol=1e-5, atol=1e-5)
