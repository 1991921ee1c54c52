"""The power that falls with frequency is that of isotonic regression."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from maskreg.core.frequencies.spectrum import _falling


@pytest.mark.parametrize("rings", [1, 2, 8, 128])
@pytest.mark.parametrize("slope", [-1.0, 0.0, 1.0])
def test_it_is_the_nearest_one_that_falls(rings: int, slope: float) -> None:
    rng = np.random.default_rng(rings)
    for _ in range(20):
        power = np.arange(rings) * slope + rng.normal(0, 3, rings).round(rng.integers(0, 3))
        number = rng.integers(0, 50, rings).astype(float)
        known = isotonic_regression(power, weights=np.maximum(number, 1e-9), increasing=False).x
        found = _falling(power, number)
        np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-12)
        assert (np.diff(found) <= 0).all()


def test_nothing_of_the_optimisation_of_scipy_is_needed_to_register() -> None:
    code = "import maskreg.core.registrar, maskreg.series, sys; sys.exit('scipy.optimize' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
