"""Runs of a mask, and the fields of a template as 16-bit numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.runs import Region
from maskreg.core.subpixel.moments import moments, plain_moments
from maskreg.core.subpixel.packed import LARGEST, packed, plain_packed
from maskreg.core.subpixel.template import make_template

EXAMPLES = 8 if WITHOUT_COMPILER else 80


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 99))
def test_the_runs_of_a_region_cover_its_mask_in_order(rows, columns, part, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < part
    first, edges = Region(mask).runs
    covered = np.zeros_like(mask)
    assert len(first) == rows + 1
    assert first[-1] == len(edges)
    for i in range(rows):
        after = -1
        for start, stop in edges[first[i] : first[i + 1]]:
            # with a gap between them, or they would be one
            assert after < start < stop
            covered[i, start:stop] = True
            after = stop
    np.testing.assert_array_equal(covered, mask)


def fields(seed, shape, part=0.9):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < part
    pixels, smooth = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    gradient = rng.normal(size=(2, *shape)).astype(np.float32)
    # a bright pixel, and a row without anything
    gradient[0, 0, 0] = pixels[0, 0] = 1e4
    gradient[:, -1] = 0
    return pixels, gradient, smooth, Region(mask)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(st.integers(0, 99), st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_the_compiled_packing_equals_its_plain_twin(seed, shape):
    given_to_both = fields(seed, shape)
    fast, plain = packed(*given_to_both), plain_packed(*given_to_both)
    # where a value lies half-way between two numbers, either is right
    assert np.abs(fast.numbers.astype(int) - plain.numbers).max() <= 1
    assert (fast.numbers == plain.numbers).mean() > 0.98
    np.testing.assert_allclose(fast.steps, plain.steps, rtol=1e-6)
    np.testing.assert_allclose(fast.sums, plain.sums, rtol=1e-4, atol=1e-4 * np.abs(plain.sums).max())


@pytest.mark.parametrize("seed", range(1 if WITHOUT_COMPILER else 5))
def test_packing_adds_less_to_sigma_than_the_width_of_a_row_allows(seed):
    pixels, gradient, smooth, region = fields(seed, (40, 60), part=1.0)
    found = packed(pixels, gradient, smooth, region)
    lost = 0.0
    for k, field in ((2, gradient[0]), (3, gradient[1])):
        rounding = found.numbers[k, :, :60] * found.steps[k, :, None] - field
        lost = max(lost, float((rounding**2).sum() / (field.astype(float) ** 2).sum()))
    # of a uniform rounding the mean square is a twelfth; of so few pixels it scatters
    assert 0 < lost < 1.3 * 60 / (12 * LARGEST**2)


def test_a_packed_template_moves_the_answer_by_less_than_a_hundred_thousandth_of_a_pixel():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :120]
    scene = 8 * np.sin(0.31 * x + 0.1 * y) * np.cos(0.23 * y) + 0.02 * x
    noisy = [(scene + rng.normal(size=scene.shape)).astype(np.float32) for _ in range(2)]
    mask = np.ones(scene.shape, bool)
    mask[:50, 55:62] = False
    template = make_template(
        np.where(mask, noisy[0], 0),
        mask,
        np.ones(scene.shape, np.float32),
        gaussian_low_pass(1.3),
        np.zeros(8),
    )
    usable, shift = Region(mask), np.array([0.2, -0.3])
    fast, plain = (f(template, noisy[1], usable, shift, (0, 0)) for f in (moments, plain_moments))
    # what a step makes of the sums: the residual along the gradient over the squared gradient
    energy = (template.gradient[:, mask].astype(float) ** 2).sum(axis=1)
    step = [(sums.gu - sums.g * sums.u / sums.n) / energy for sums in (fast, plain)]
    assert np.abs(step[0] - step[1]).max() < 1e-5
