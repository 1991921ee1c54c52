"""Two places compared on the pixels valid at both: the compiled pass against its plain twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.doubt.compare import matches, plain_matches
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.fill import filled
from maskreg.core.image.pyramid import eroded
from maskreg.core.subpixel.template import make_template

sides = st.tuples(st.integers(8, 40), st.integers(8, 40))
steps = st.one_of(st.integers(-12, 12).map(float), st.floats(-12, 12, width=32))
shifts = st.tuples(steps, steps)


def images(rng, shape, moving_shape, part):
    """A template, and a moving image with its mask, of pixels that are not about zero."""
    mask, moving_mask = rng.random(shape) < part, rng.random(moving_shape) < part
    mask.flat[0] = moving_mask.flat[0] = True
    pixels = np.where(mask, 3 + rng.normal(size=shape), 0).astype(np.float32)
    moving = np.where(moving_mask, 5 + rng.normal(size=moving_shape), 0).astype(np.float32)
    template = make_template(pixels, mask, np.ones(shape, np.float32), gaussian_low_pass(1.1), np.zeros(8))
    return template, moving, moving_mask


@settings(derandomize=True, deadline=None, max_examples=120)
@given(
    sides,
    sides,
    shifts,
    shifts,
    st.sampled_from([0.9, 1.0]),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_the_compiled_comparison_equals_its_plain_twin(
    shape, moving_shape, one, other, part, strict, every, seed
):
    template, moving, moving_mask = images(np.random.default_rng(seed), shape, moving_shape, part)
    moving, usable = (
        (moving, eroded(moving_mask, 3)) if strict else (filled(moving, moving_mask), moving_mask)
    )
    shifts = np.array([one, other])
    found, expected = (f(template, moving, usable, shifts, every) for f in (matches, plain_matches))
    assert (found is None) == (expected is None)
    for fast, plain in zip(found or (), expected or (), strict=True):
        assert fast.n == plain.n
        assert fast.off == plain.off
        for name in ("r", "rr", "u", "ru"):
            np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=1e-4)
        np.testing.assert_allclose(fast.around, plain.around, rtol=1e-5, atol=1e-4)


def test_one_place_matches_itself_on_all_of_its_pixels():
    template, moving, moving_mask = images(np.random.default_rng(4), (30, 40), (30, 40), 1.0)
    shift = np.array([1.3, -2.6])
    one, other = matches(template, moving, eroded(moving_mask, 3), np.array([shift, shift]))
    assert one.n == other.n
    assert (one.u, one.ru) == (other.u, other.ru)


def test_places_without_enough_common_pixels_are_not_compared():
    template, moving, moving_mask = images(np.random.default_rng(5), (40, 40), (40, 40), 1.0)
    assert matches(template, moving, moving_mask, np.array([[25.0, 0.0], [-25.0, 0.0]])) is None
