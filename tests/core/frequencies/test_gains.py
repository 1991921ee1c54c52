"""What noise becomes in the fields of a template: summed over radii once, or at every frequency."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from maskreg.core.frequencies.gains import noise_gains, plain_noise_gains, promised
from maskreg.core.frequencies.low_pass import LowPass

SIZES = (8, 32, 50, 128)


def _low_pass(rings, gaussian, seed):
    rng = np.random.default_rng(seed)
    falling = np.sort(rng.random(rings))[::-1] * np.exp(-6 * rng.random() * np.arange(rings) / rings)
    return LowPass(falling, gaussian)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("rings", SIZES)
@pytest.mark.parametrize("gaussian", [0.0, 0.8, 4.0])
def test_gains_summed_over_radii_are_those_of_every_frequency(ndim, rings, gaussian):
    low_pass = _low_pass(rings, gaussian, seed=ndim + rings)
    found, plain = noise_gains(low_pass, ndim), plain_noise_gains(low_pass, ndim)
    # the steps of a table of 50 rings fall between radii
    np.testing.assert_allclose(astuple(found), astuple(plain), rtol=1e-6 if rings != 50 else 5e-3)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("rings", SIZES)
def test_a_signal_as_strong_as_the_noise_everywhere_gives_what_noise_gives(ndim, rings):
    low_pass = _low_pass(rings, 1.0, seed=3)
    gains, found = noise_gains(low_pass, ndim), promised(low_pass, np.ones(rings), ndim)
    assert found.jacobian == pytest.approx(gains.slope)
    assert found.energy == pytest.approx(gains.gradient)
