"""The compiled iteration of the refinement against its plain twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.fill import filled
from maskreg.core.image.runs import Region
from maskreg.core.image.surround import where_interpolable
from maskreg.core.subpixel.normal_matrices import NormalMatrices, normal_matrices
from maskreg.core.subpixel.refine import compiled_steps, plain_steps, refine
from maskreg.core.subpixel.template import make_template


def images(seed, noise, part, shape=(30, 34), moving_shape=(33, 31)):
    """A smooth scene, noise of its own in both views of it, and the shift between them."""
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-2, 2, 2)
    waves = [(rng.uniform(-0.9, 0.9, 2), rng.uniform(0, 6)) for _ in range(12)]

    def seen(size, at):
        y, x = (axis + s for axis, s in zip(np.indices(size, float), at, strict=True))
        return sum(np.sin(k[0] * y + k[1] * x + phase) for k, phase in waves) + noise * rng.normal(size=size)

    mask, moving_mask = rng.random(shape) < part, rng.random(moving_shape) < part
    pixels = np.where(mask, seen(shape, (0, 0)), 0).astype(np.float32)
    moving = filled(np.where(moving_mask, seen(moving_shape, shift), 0).astype(np.float32), moving_mask)
    variance = np.full(shape, noise**2, np.float32)
    template = make_template(pixels, mask, variance, gaussian_low_pass(1.2), np.zeros(8))
    usable = Region(where_interpolable(moving_mask) if part == 1 else moving_mask)
    return template, moving, usable, shift


def matrices(template, usable, shift):
    return normal_matrices(template, usable.mask, tuple(int(s) for s in np.rint(shift)))


def assert_twins_agree(template, moving, usable, normal, start, tolerance, part):
    fast, plain = (
        steps(template, moving, usable, normal, start, tolerance, part)
        for steps in (compiled_steps, plain_steps)
    )
    assert (fast is None) == (plain is None)
    if fast is not None:
        np.testing.assert_allclose(fast.shift, plain.shift, rtol=0, atol=2e-4)
        assert fast.left == pytest.approx(plain.left, rel=0.02, abs=2e-5)
        assert fast.gain == pytest.approx(plain.gain, rel=1e-3)
        assert fast.scale == pytest.approx(plain.scale, rel=2e-3, abs=1e-3)
    return plain


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.05, 0.3, 1.0]),
    st.sampled_from([0.6, 0.97, 1.0]),
    st.tuples(st.floats(-0.8, 0.8), st.floats(-0.8, 0.8)),
    st.sampled_from([(1e-3, 0.0), (1e-3, 0.03), (0.03, 0.0)]),
)
def test_the_compiled_iteration_ends_where_its_plain_twin_does(seed, noise, part, off, end):
    template, moving, usable, shift = images(seed, noise, part)
    normal = matrices(template, usable, shift)
    if normal is not None:
        assert_twins_agree(template, moving, usable, normal, shift + np.array(off), *end)


def test_they_are_compared_where_the_iteration_finds_the_shift():
    for seed in range(1 if WITHOUT_COMPILER else 4):
        template, moving, usable, shift = images(seed, 0.05, 1.0)
        normal = matrices(template, usable, shift)
        found = assert_twins_agree(template, moving, usable, normal, shift + 0.6, 1e-3, 0.0)
        np.testing.assert_allclose(found.shift, shift, atol=0.03)


def test_neither_finds_a_shift_of_an_image_that_does_not_rise_with_the_reference():
    template, moving, usable, shift = images(2, 0.05, 1.0)
    normal = matrices(template, usable, shift)
    assert assert_twins_agree(template, -moving, usable, normal, shift, 1e-3, 0.0) is None
    far = shift + 100
    assert assert_twins_agree(template, moving, usable, normal, far, 1e-3, 0.0) is None


@pytest.mark.parametrize("noisier", [1.5, 4.0, 30.0])
def test_the_covariance_of_noisier_images_is_that_of_matrices_made_for_their_noise(noisier):
    template, moving, usable, shift = images(3, 0.2, 1.0)
    quiet = replace(template, noise=template.noise / np.float32(noisier))
    normal = matrices(quiet, usable, shift)
    found = refine(quiet, moving, usable, normal, shift, 1e-3)
    scale = compiled_steps(quiet, moving, usable, normal, shift, 1e-3, 0.0).scale
    exact = normal_matrices(
        replace(quiet, noise=quiet.noise * np.float32(scale)), usable.mask, tuple(np.rint(shift).astype(int))
    )
    assert isinstance(exact, NormalMatrices)
    np.testing.assert_allclose(found.covariance, exact.variance, rtol=2e-3, atol=1e-8)
