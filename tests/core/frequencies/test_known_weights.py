"""Which frequencies tell where a frame lies against the mean of many."""

from __future__ import annotations

import numpy as np

from maskreg.core.frequencies.spectrum import known_weights

SHAPE = (128, 128)
FRAMES = 20.0


def transforms(signal_at, seed=0):
    """Cosine transforms of a mean with this amplitude over frequency and unit noise, and of its twin."""
    rng = np.random.default_rng(seed)
    f = np.hypot(*np.meshgrid(*(np.arange(n) / (2 * n) for n in SHAPE), indexing="ij"))
    mean = signal_at(f) * rng.normal(size=SHAPE) + rng.normal(size=SHAPE)
    return mean.astype(np.float32), rng.normal(size=SHAPE).astype(np.float32)


def test_what_is_noise_has_no_weight():
    mean, twin = transforms(lambda f: np.zeros_like(f))
    assert known_weights(mean, twin, FRAMES).mean() < 0.05


def test_what_is_far_above_the_noise_has_the_weight_of_one_mean_frame():
    mean, twin = transforms(lambda f: 100.0 * (f < 0.2))
    weights = known_weights(mean, twin, FRAMES)
    inside = np.arange(len(weights)) < 0.35 * len(weights)  # of rings from 0 to 0.5
    np.testing.assert_allclose(weights[inside], 1 / (1 + 1 / FRAMES), rtol=0.01)
    assert weights[-20:].max() < 0.2


def test_no_other_weights_promise_less_variance():
    def signal(f):
        return 6 * np.exp(-8 * f)

    mean, twin = transforms(signal)
    h = known_weights(mean, twin, FRAMES)
    f = (np.arange(len(h)) + 0.5) / (2 * len(h))
    power, slopes = signal(f) ** 2, f * f**2  # a ring is as long as its radius

    def variance(weights):
        seen = (slopes * weights * power).sum()
        # noise one of the mean, FRAMES of the frame
        return (slopes * weights**2 * (power * (1 + FRAMES) + FRAMES)).sum() / seen**2

    rng = np.random.default_rng(1)
    for _ in range(20):
        assert variance(h) < 1.02 * variance(
            h * np.exp(0.3 * rng.normal() * np.cos(np.pi * f * rng.integers(1, 9)))
        )
    assert variance(h) < 0.95 * variance(np.ones_like(h))
