"""Parallel lines fix the shift across them and say nothing along them; the answer says both."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import Status, register
from maskreg.testing import Detector, Lines, beam_block, simulate_pair

SHAPE = (160, 160)
DRIFT = (3.3, -2.2)


def lines_registered(angle, seed=0, **options):
    scene = Lines(SHAPE, angle=angle)
    detector = Detector(read_noise=0.3, dtype=np.uint16)
    rng = np.random.default_rng(seed)
    pair = simulate_pair(scene, DRIFT, 100.0, beam_block(SHAPE), rng, detector=detector)
    return register(pair.reference, pair.moving, pair.mask, pair.mask, **options), np.array(scene.across)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, np.pi / 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_covariance_is_long_along_the_lines_and_the_status_says_so(angle, seed):
    answer, across = lines_registered(angle, seed)
    assert answer.status is Status.AMBIGUOUS
    assert "parallel lines" in answer.reason
    variances, axes = np.linalg.eigh(answer.covariance)
    assert abs(axes[:, 1] @ across) < 0.03
    assert np.sqrt(variances[0]) < 0.1
    assert np.sqrt(variances[1]) > 0.5 * SHAPE[0]
    # across the lines the answer is right
    assert abs((answer.shift + DRIFT) @ across) < 0.1


def test_along_the_lines_no_more_is_open_than_was_searched():
    answer, across = lines_registered(0.0, max_shift=8)
    # evenly likely from -8 to 8
    along = np.array([-across[1], across[0]])
    assert np.sqrt(along @ answer.covariance @ along) == pytest.approx(8 / np.sqrt(3), rel=0.01)
