"""Images of which nobody tells which pixels are noisier: sigma is what the residual shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import maskreg
from maskreg.core.residual import Residual
from maskreg.core.seen_errors import FEWEST, SHARED, _for_few, compiled_box_sums, plain_box_sums
from maskreg.core.spectrum import gaussian_low_pass
from maskreg.core.template import make_template
from maskreg.testing import Rings, Spots, Texture, simulate_pair

SHAPE = (192, 192)


@pytest.mark.parametrize("dose", [1.0, 100.0])
@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
def test_bright_pixels_of_floats_are_noisier_and_sigma_knows(scene, dose):
    over_sigma = []
    for seed in range(10):
        rng, mask = np.random.default_rng([3, seed]), np.ones(SHAPE, bool)
        drift = rng.uniform(-10, 10, 2)
        pair = simulate_pair(scene(SHAPE, seed), drift, dose, mask, rng)
        # no counts any more: neither whole numbers nor of a known gain
        found = maskreg.register(0.37 * pair.reference + 11.3, 0.37 * pair.moving + 11.3)
        assert found.ok, found.reason
        over_sigma.append((found.shift + drift) / found.uncertainty)
    # of equal noise in all pixels up to 9
    assert 0.6 < np.sqrt(np.mean(np.square(over_sigma))) < 1.7


def test_many_equal_errors_need_no_allowance_and_few_do():
    def shared(values):
        return np.convolve(values, np.ones(SHARED))

    assert 1 < _for_few(shared(np.random.default_rng(1).normal(size=4000))) < 1.01
    assert _for_few(shared(np.eye(1, 4000)[0])) == FEWEST / (FEWEST - 2)
    assert _for_few(np.zeros(9)) == 1.0


@given(
    st.tuples(st.integers(14, 60), st.integers(14, 60)),
    st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    st.tuples(st.integers(-4, 4), st.integers(-4, 4)),
    st.integers(0, 99),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_the_compiled_sums_over_boxes_equal_their_plain_twin(shape, shift, cut, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.9
    pixels = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    template = make_template(pixels, mask, np.ones(shape, np.float32), gaussian_low_pass(1.5), np.zeros(8))
    other = tuple(n + c for n, c in zip(shape, cut, strict=True))
    moving = rng.normal(size=other).astype(np.float32)
    usable = rng.random(other) < 0.8
    residual = Residual(template, moving, usable, np.array(shift), tuple(round(s) for s in shift), 0.9)
    (sums, n, total), (plain, m, whole) = compiled_box_sums(residual), plain_box_sums(residual)
    assert n == m
    assert total == pytest.approx(whole, abs=1e-2)
    np.testing.assert_allclose(sums, plain, rtol=0, atol=1e-4 * max(1.0, np.abs(plain).max()))
