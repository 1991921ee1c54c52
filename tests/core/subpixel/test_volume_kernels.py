"""The compiled loops over volumes against their plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.frequencies.bands import _sum_within, plain_sum_within
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.pyramid import LevelImage, eroded, halved, plain_halved
from maskreg.core.image.runs import Region
from maskreg.core.image.windows import plain_window_sums, window_sums
from maskreg.core.subpixel.moments import moments, plain_moments
from maskreg.core.subpixel.normal_matrices import normal_sums, plain_normal_sums
from maskreg.core.subpixel.template import make_template

ROUNDING = 1e-5
"""Sums run along a row in float32: relative to the sum of the moduli."""

EXAMPLES = 5 if WITHOUT_COMPILER else 40

seeds = st.integers(0, 2**32 - 1)
sides = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
steps = st.one_of(st.integers(-6, 6).map(float), st.floats(-6, 6, width=32))


def volume(rng, shape, part=0.97):
    mask = rng.random(shape) < part
    mask.flat[0] = True
    return np.where(mask, rng.normal(size=shape), 0).astype(np.float32), mask


def template_of(rng, shape):
    pixels, mask = volume(rng, shape)
    return make_template(pixels, mask, rng.random(shape, np.float32), gaussian_low_pass(1.1), np.zeros(8))


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.tuples(steps, steps, steps), st.booleans())
def test_the_moments_of_a_volume_equal_their_plain_twin(seed, shape, moving_shape, shift, strict):
    rng = np.random.default_rng(seed)
    template = template_of(rng, shape)
    moving, mask = volume(rng, moving_shape, 0.995)
    usable = eroded(mask, 3) if strict else mask
    near = tuple(int(np.rint(s)) for s in shift)
    fast = moments(template, moving, Region(usable), np.array(shift), near)
    plain = plain_moments(template, moving, Region(usable), np.array(shift), near)
    assert fast.n == plain.n
    fields = (template.pixels, template.gradient, template.smooth, moving)
    largest = max(float(np.abs(field).max(initial=0)) for field in fields) + 1
    atol = ROUNDING * (plain.n + 1) * 6 * largest**2
    for name in ("r", "u", "h", "rr", "ru", "uu", "hr", "hu", "g", "gr", "gu"):
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=ROUNDING, atol=atol)


def test_the_twins_of_volumes_are_compared_on_many_voxels():
    rng = np.random.default_rng(1)
    template = template_of(rng, (20, 21, 22))
    moving, mask = volume(rng, (22, 20, 21), 1.0)
    for shift in [(0.0, 0.0, 0.0), (1.25, -2.5, 0.3), (-3.0, 2.2, -1.75)]:
        near = tuple(int(np.rint(s)) for s in shift)
        usable = Region(mask)
        fast, plain = (f(template, moving, usable, np.array(shift), near) for f in (moments, plain_moments))
        assert fast.n == plain.n > 1000
        np.testing.assert_allclose(fast.gu, plain.gu, rtol=1e-4, atol=1e-2)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.tuples(*[st.integers(-9, 9)] * 3))
def test_the_normal_sums_of_a_volume_equal_their_plain_twin(seed, shape, moving_shape, lag):
    rng = np.random.default_rng(seed)
    template, (_, usable) = template_of(rng, shape), volume(rng, moving_shape)
    fast, plain = (f(template, usable, lag) for f in (normal_sums, plain_normal_sums))
    assert fast.n == plain.n
    largest = max(float(np.abs(f).max()) for f in (template.gradient, template.slope)) + 1
    for name in ("v", "vv", "g", "d", "gd", "vgg", "vg"):
        atol = ROUNDING * (plain.n + 1) * largest**2
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=ROUNDING, atol=atol)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.tuples(*[st.integers(-9, 9)] * 3), st.integers(0, 2))
def test_the_window_sums_of_a_volume_equal_their_plain_twin(seed, shape, moving_shape, lag, radius):
    rng = np.random.default_rng(seed)
    (a, a_mask), (b, b_mask) = volume(rng, shape), volume(rng, moving_shape)
    safe = eroded(b_mask, radius)
    fast, plain = (f(a, a_mask, b, safe, lag, radius) for f in (window_sums, plain_window_sums))
    for name in ("n", "a", "aa", "b", "bb", "ab"):
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=ROUNDING, atol=1e-2)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, st.sampled_from([0.6, 1.0]))
def test_blocks_of_a_volume_equal_their_plain_twins(seed, shape, part):
    values, mask = volume(np.random.default_rng(seed), shape, part)
    assert halved(values).shape == plain_halved(values).shape
    np.testing.assert_allclose(halved(values), plain_halved(values), rtol=0, atol=1e-4)
    image = LevelImage(values, mask)
    (count, within), (plain_count, plain_within) = _sum_within(image), plain_sum_within(image)
    assert count == plain_count
    assert within == pytest.approx(plain_within, rel=1e-4, abs=1e-3)
