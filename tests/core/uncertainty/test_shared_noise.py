"""Noise that neighbours share, as after a point spread that comes after the counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from tests.cases import cases
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg import register
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.pyramid import eroded
from maskreg.core.image.runs import Region
from maskreg.core.subpixel.moments import moments, plain_moments
from maskreg.core.subpixel.residual import Residual
from maskreg.core.subpixel.template import make_template
from maskreg.core.uncertainty.shared_noise import (
    REACH,
    Block,
    compiled_seen_noise,
    find_block,
    plain_seen_noise,
    seen_noise,
)
from maskreg.testing import Rings, beam_block

SHAPE = (160, 160)
DRIFT = (3.4, -4.7)


def template_of(pixels, mask, width=1.5):
    return make_template(pixels, mask, np.ones(mask.shape, np.float32), gaussian_low_pass(width), np.zeros(8))


@pytest.mark.parametrize("shape", [(12000,), (150, 140), (23, 25, 24)])
@pytest.mark.parametrize("blur", [0.0, 0.7])
def test_what_the_gradient_sees_is_how_much_its_sums_scatter(shape, blur):
    rng = np.random.default_rng(0)
    mask = eroded(rng.random(shape) > 1e-4, 2)
    scene = gaussian_filter(rng.normal(size=shape), 2.0).astype(np.float32)
    scene *= np.float32(20 / scene.std())
    template = template_of(np.where(mask, scene, 0), mask)
    block = find_block(template)
    lag = (0,) * len(shape)
    sums, residuals, seen = [], [], []
    for _ in range(60):
        noise = gaussian_filter(rng.normal(size=shape), blur).astype(np.float32)
        residual = Residual(template, scene + noise, mask, np.zeros(len(shape)), lag, 1.0)
        seen.append(seen_noise(block, residual).components)
        part = template.gradient[(slice(None), *block.slices)] * template.mask[block.slices]
        sums.append((part * noise[block.slices]).reshape(len(shape), -1).sum(axis=1))
        residuals.append(noise[block.slices].var())
    energy = (part.reshape(len(shape), -1) ** 2).sum(axis=1)
    shown = np.mean(np.square(sums), axis=0) / (energy * np.mean(residuals))
    # the variance of sixty sums is known to a fifth
    np.testing.assert_allclose(np.mean(seen, axis=0), shown, rtol=0.5)
    assert (np.mean(seen, axis=0) > 2).all() if blur else np.allclose(np.mean(seen, axis=0), 1, atol=0.15)


def test_of_too_few_common_pixels_or_a_residual_of_none_nothing_is_read_off():
    rng, shape = np.random.default_rng(2), (90, 90)
    mask = np.ones(shape, bool)
    scene = gaussian_filter(rng.normal(size=shape), 2.0).astype(np.float32)
    template = template_of(scene, mask)
    block = find_block(template)

    def seen(moving, usable):
        return seen_noise(block, Residual(template, moving, usable, np.zeros(2), (0, 0), 1.0))

    noisy = scene + rng.normal(size=shape).astype(np.float32)
    few = np.zeros(shape, bool)
    few[20:50, 20:50] = True
    assert seen(noisy, mask) is not None
    assert seen(noisy, few) is None
    assert seen(scene, mask) is None


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0])
def test_sigma_is_right_where_neighbours_share_their_noise(blur):
    scene, mask = Rings(SHAPE), beam_block(SHAPE)
    z, pairs = [], cases(12, 24)
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        counts = [rng.poisson(100 * scene.render(d)).astype(float) for d in ((0, 0), DRIFT)]
        frames = [np.rint(10 * gaussian_filter(one, blur)).astype(np.uint16) for one in counts]
        found = register(*frames, mask, mask, gain=0.1)
        assert found.ok
        z.append((found.shift + DRIFT) / found.uncertainty)
    # the spread of 2 n values is known to 1 / sqrt(4 n)
    assert np.sqrt(np.mean(np.square(z))) == pytest.approx(1.05, abs=3 / np.sqrt(4 * pairs))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.3, -4.6), (-60.5, 20.25)])
def test_the_block_is_what_the_whole_residual_shows_there(shift):
    rng = np.random.default_rng(1)
    mask, usable = rng.random((90, 100)) > 0.002, eroded(rng.random((95, 97)) > 0.002, 3)
    template = template_of(np.where(mask, rng.normal(size=mask.shape), 0).astype(np.float32), mask)
    moving = rng.normal(size=usable.shape).astype(np.float32)
    lag = tuple(int(s) for s in np.rint(shift))
    block = find_block(template)
    assert block.slices == (slice(0, 90), slice(0, 100))
    found = seen_noise(block, Residual(template, moving, usable, np.array(shift), lag, 0.5))
    sums = plain_moments(template, moving, Region(usable), np.array(shift), lag)
    assert sums.n == moments(template, moving, Region(usable), np.array(shift), lag).n
    assert (found is None) == (sums.n < 1000)
    if found is not None:
        assert (found.components > 0.3).all()
        assert (found.components < 3).all()


PRODUCTS = 1e-5
"""Rounding of sums in float32, relative to the sum of the squares."""


@settings(derandomize=True, deadline=None, max_examples=8 if WITHOUT_COMPILER else 60)
@given(
    st.tuples(st.integers(12, 30), st.integers(12, 30)),
    st.tuples(st.integers(12, 34), st.integers(12, 34)),
    st.tuples(st.floats(-12, 12, width=32), st.floats(-12, 12, width=32)),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.integers(0, 2**32 - 1),
)
def test_the_compiled_products_of_the_residual_equal_their_plain_twin(shape, other, shift, cut, seed):
    rng = np.random.default_rng(seed)
    mask, usable = rng.random(shape) > 0.05, rng.random(other) > 0.05
    template = template_of(np.where(mask, rng.normal(size=shape), 0).astype(np.float32), mask)
    moving = rng.normal(size=other).astype(np.float32)
    # of less than whole images, as a block is, but longer than the products reach
    starts = [min(c, n - REACH - 1) for c, n in zip(cut, shape, strict=True)]
    slices = tuple(slice(start, n) for start, n in zip(starts, shape, strict=True))
    block = Block(slices, rng.normal(size=(3, 11, 11)))
    lag = tuple(int(np.rint(s)) for s in shift)
    given_to_both = block, Residual(template, moving, usable, np.array(shift), lag, 0.7)
    n, *fast, seen = compiled_seen_noise(*given_to_both)
    expected, *plain, plainly_seen = plain_seen_noise(*given_to_both)
    assert n == expected
    for one, other_one in zip(fast, plain, strict=True):
        scale = float(other_one[REACH, REACH])
        np.testing.assert_allclose(one, other_one, rtol=0, atol=PRODUCTS * (scale + n))
    if n > 20:
        np.testing.assert_allclose(seen, plainly_seen, rtol=1e-3, atol=0.05)
