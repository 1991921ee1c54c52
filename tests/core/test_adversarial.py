"""Images made to deceive: what is ok is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from maskreg import Status, register
from maskreg.core.frequencies.gains import noise_gains
from maskreg.core.frequencies.low_pass import gaussian_low_pass

ROWS, COLUMNS = np.mgrid[:128, :128]


def lattice(period, shift=(0, 0)):
    row, column = (
        np.cos(2 * np.pi * (x + s) / p) for x, s, p in zip((ROWS, COLUMNS), shift, period, strict=True)
    )
    return 20 + 200 * ((row + column + 2) / 4) ** 6


@pytest.mark.parametrize("period", [(8, 8), (10, 10), (8, 12), (16, 16)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_a_period_of_an_exact_lattice_is_not_told_from_the_next_by_noise(period, dtype):
    rng = np.random.default_rng(1)
    for shift in ((3, -2), (3 + 2 * period[0], -2 + period[1])):
        a, b = (rng.poisson(lattice(period, s)).astype(dtype) for s in ((0, 0), shift))
        found = register(a, b)
        assert found.status is Status.AMBIGUOUS or np.abs(found.shift - shift).max() < 0.5, found


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_one_hot_pixel_meeting_another_is_no_match(dtype):
    rng = np.random.default_rng(2)
    for _ in range(6):
        a, b = (rng.poisson(50.0, (96, 96)).astype(dtype) for _ in range(2))
        for image in (a, b):
            image.flat[rng.integers(image.size)] = 60000
        assert register(a, b).status is Status.WEAK


def test_a_small_spot_is_a_match():
    spot = np.exp(-((ROWS - 60) ** 2 + (COLUMNS - 66) ** 2) / 2)
    rng = np.random.default_rng(3)
    a, b = (
        rng.poisson(10 + 3000 * image).astype(np.uint16) for image in (spot, np.roll(spot, (4, -7), (0, 1)))
    )
    found = register(a, b)
    assert found.ok
    assert np.abs(found.shift - (-4, 7)).max() < 5 * found.uncertainty.max()


def test_the_gains_of_a_gaussian_are_those_of_the_formula():
    found = noise_gains(gaussian_low_pass(2.0), 2).smooth
    assert found == pytest.approx(1 / (8 * np.pi), rel=0.02)


@pytest.mark.parametrize("envelope_moves", [False, True])
def test_a_sharp_lattice_between_the_lags_of_a_level_is_not_taken_for_its_next_period(envelope_moves):
    """At bin 2 the shift (5, 0) lies between lags, where sharp spots lose to a period that does not."""
    rows, columns = np.mgrid[:512, :512]

    def frame(drift, moved, seed):
        envelope = np.exp(-((rows + moved - 250) ** 2 + (columns - 262) ** 2) / 2 / 100**2)
        waves = np.cos(2 * np.pi * (rows + drift) / 22.5) + np.cos(2 * np.pi * columns / 22.5)
        spots = ((waves + 2) / 4) ** 20
        return np.random.default_rng(seed).poisson(5 + 200 * envelope * spots).astype(np.uint16)

    found = register(frame(0, 0, 1), frame(5, 5 * envelope_moves, 2))
    assert found.ok, found
    assert (np.abs(found.shift - (5, 0)) < 0.1).all(), found


@pytest.mark.parametrize("ramp", [ROWS / 7, 100.3 * (ROWS + COLUMNS), np.arange(200.0) / 7])
def test_a_ramp_has_no_place(ramp):
    """A shift of it is an offset, and the offset is free: of all but counts, which whole numbers are."""
    for added in (0, 5):
        assert not register(ramp, ramp + added).ok


def test_a_bright_pixel_outside_the_overlap_hides_no_lag():
    """Beside one pixel of 1e6 nothing of an overlap without it is left in float32."""
    rng = np.random.default_rng(4)
    scene = gaussian_filter(rng.standard_normal((200, 200)), 1.5)
    a, b = scene[30:158, 40:168].copy(), scene[50:178, 25:153] + 0.01 * rng.standard_normal((128, 128))
    a[:2, :2] = 1e6  # outside the overlap at the true shift (20, -15)
    found = register(a, b)
    assert found.ok, found
    assert (np.abs(found.shift - (20, -15)) < 0.1).all(), found
