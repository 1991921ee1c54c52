"""What is ok is known to a pixel in every direction; a place that is known less well says so and stays."""

from __future__ import annotations

import numpy as np

from maskreg import Status, register
from maskreg.testing import Detector, Texture, beam_block, simulate_pair

SHAPE = (160, 160)
DRIFT = (3.3, -2.2)


def texture_registered(dose, seed):
    detector = Detector(read_noise=0.3, dtype=np.uint16)
    rng = np.random.default_rng(seed)
    pair = simulate_pair(Texture(SHAPE, seed=seed), DRIFT, dose, beam_block(SHAPE), rng, detector=detector)
    return register(pair.reference, pair.moving, pair.mask, pair.mask)


def longest_sigma(answer):
    return float(np.sqrt(np.linalg.eigvalsh(answer.covariance)[-1]))


def test_a_faint_texture_is_ok_only_where_sigma_is_at_most_a_pixel_in_every_direction():
    found = [texture_registered(0.3, seed) for seed in range(16)]
    ok = [answer for answer in found if answer.ok]
    long = [answer for answer in found if answer.status.keeps_shift and longest_sigma(answer) > 1]
    assert len(ok) >= 3 and len(long) >= 3
    for answer in ok:
        assert longest_sigma(answer) <= 1
        assert np.abs(answer.shift + DRIFT).max() < 2
    for answer in long:
        assert answer.status is Status.AMBIGUOUS
        assert "sigma is" in answer.reason or answer.rival is not None
        # the value stays, and is as far off as its sigma allows for
        error = answer.shift + DRIFT
        assert error @ np.linalg.solve(answer.covariance, error) < 16
