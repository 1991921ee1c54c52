"""What noise of few pixels shows of its own variance: the least of some means is no measure of it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scipy.ndimage import gaussian_filter1d

from maskreg import register
from maskreg.core.frequencies.spectrum import HIGHEST, NOISE_DOUBT, _falling, _highest, forecast


@pytest.mark.parametrize("shape", [(400,), (1000,), (4000,), (48, 48), (16, 16, 16)])
def test_white_noise_has_the_variance_that_it_has(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(shape))
    images = rng.standard_normal((60, *shape)).astype(np.float32)
    scales = [forecast(scipy.fft.dctn(image, norm="ortho"), 1.0).noise_scale for image in images]
    # each is known to about sqrt(2 / 800), and none beyond the limits
    assert np.mean(scales) == pytest.approx(1, abs=0.04)
    assert np.mean(np.abs(np.array(scales) - 1) >= NOISE_DOUBT - 1e-9) < 0.3


def test_a_last_pool_is_joined_by_others_until_there_are_enough() -> None:
    power = np.array([9.0, 1.5, 0.5, *[1.5, 0.5] * 6, 0.8])
    falling, number = _falling(power, np.ones(power.size)), np.full(power.size, HIGHEST / 4)
    assert _highest(power, falling, number) == pytest.approx(np.mean([0.5, 1.5, 0.5, 0.8]))
    assert _highest(power, falling, 10 * number) == falling[-1] == 0.65


def test_edges_of_one_axis_are_as_precise_as_they_say() -> None:
    # twelve steps of 6 px on a line of 1000: nearly all frequencies hold noise alone
    scene_rng, rng = np.random.default_rng(7), np.random.default_rng(3)
    scene = np.zeros(2400)
    for _ in range(12):
        first, end = sorted(scene_rng.integers(0, scene.size, 2))
        scene[first:end] += scene_rng.normal()
    scene = gaussian_filter1d(scene, 12.0)
    scene = (scene - scene.min()) / np.ptp(scene)
    true = 30
    pair = 100 * (scene[200:2200:2] + 1), 190 * (scene[200 + 2 * true : 2200 + 2 * true : 2] + 1)
    excess = []
    for _ in range(40):
        answer = register(*(rng.poisson(mean).astype(np.uint16) for mean in pair))
        if answer.ok:
            excess.append(abs(answer.shift[0] - true) / answer.uncertainty[0])
    assert len(excess) >= 25
    assert max(excess) < 5
    assert np.sqrt(np.mean(np.square(excess))) < 1.7
