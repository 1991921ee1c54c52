"""The broad part of two faint images tells the periods of a lattice apart."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cases import cases

from maskreg import register
from maskreg.core.doubt.broad import broad_likelihood
from maskreg.core.doubt.compare import height_doubt
from maskreg.core.image.pyramid import LevelImage
from maskreg.testing import Detector, Spots, beam_block, simulate_pair

SHAPE = (256, 256)
MASK = beam_block(SHAPE, "small")


@pytest.mark.parametrize("seed", range(4))
def test_the_envelope_prefers_the_place_to_the_next_periods(seed):
    rng = np.random.default_rng(seed)
    pair = simulate_pair(Spots(SHAPE, seed=seed), (9.0, -14.0), 0.1, MASK, rng)
    images = [
        LevelImage(np.where(MASK, f, 0).astype(np.float32), MASK) for f in (pair.reference, pair.moving)
    ]
    lags = [(-9, 14), (18, 20), (-36, 8), (-14, 44), (-4, -16)]
    found = broad_likelihood(*images, lags)
    assert found[0] == 0
    assert found[1:].max() < -1


def test_a_place_without_common_pixels_does_not_fail():
    image = LevelImage(np.ones((20, 30), np.float32), np.ones((20, 30), bool))
    assert np.isfinite(broad_likelihood(image, image, [(0, 0), (40, 0)])).all()


def test_a_lower_peak_is_the_less_likely_the_more_it_is_lower():
    doubt = height_doubt(np.array([12.0, 11.0, 6.0]))
    assert doubt[0] == 0
    assert 0 < doubt[1] < 0.5 < 3 < doubt[2]


def test_of_faint_lattices_nearly_all_are_placed_and_none_is_ok_elsewhere():
    right, wrong = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        drift = rng.uniform(-20, 20, 2)
        detector = Detector(read_noise=0.3, dtype=np.uint16)
        pair = simulate_pair(Spots(SHAPE, seed=seed), drift, 0.03, MASK, rng, detector=detector)
        answer = register(pair.reference, pair.moving, MASK, MASK)
        near = bool(np.abs(answer.shift + drift).max() < 2)
        right.append(near)
        wrong.append(answer.ok and not near)
    assert sum(right) >= 7
    assert not any(wrong)


VOLUMES = [*((seed, (24, 24, 24)) for seed in (0, 15, 25, 34)), (1, (40, 44, 36)), (2, (40, 44, 36))]


@pytest.mark.parametrize(("seed", "shape"), cases(VOLUMES[::2], VOLUMES))
def test_a_volume_of_a_lattice_is_not_told_from_the_next_period_by_how_many_pixels_meet(seed, shape):
    rng = np.random.default_rng([20, seed])
    period, start = rng.uniform(6, 10), rng.integers(0, 20, 3)
    grid = np.indices([n + 20 for n in shape])
    lattice = 20 * (3 + 0.8 * sum(np.cos(2 * np.pi * axis / period) for axis in grid))
    parts = [
        tuple(slice(i, i + n) for i, n in zip(first, shape, strict=True)) for first in ((10,) * 3, start)
    ]
    reference, moving = (rng.poisson(lattice[part]).astype(np.uint16) for part in parts)
    answer = register(reference, moving)
    assert not answer.ok or np.abs(answer.shift - (start - 10)).max() < 1
