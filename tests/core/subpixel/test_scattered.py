"""Scattered ignored pixels: filled well enough, nothing made of a slope, and sigma says what is left."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from tests.cases import cases

import maskreg
from maskreg.core.frequencies.kriging import kriged
from maskreg.core.frequencies.low_pass import LowPass, gaussian_low_pass
from maskreg.core.frequencies.spectrum import forecast
from maskreg.core.image import holes as holes_module
from maskreg.core.image.holes import NEAR, NOISIEST, Holes
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.image.whole import image_of
from maskreg.core.subpixel.refill import Shown
from maskreg.core.subpixel.template import make_template
from maskreg.testing import Rings, Spots, Texture, pair_bound, simulate_pair

SHAPE = (192, 192)


def scattered(part: float, seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) >= part


@pytest.mark.parametrize("shape", [(200,), (60, 50), (18, 20, 22)])
def test_a_parabola_is_filled_exactly(shape):
    mask = scattered(0.3, 0, shape)
    places = np.indices(shape).astype(np.float64)
    surface = 3 + sum((k + 1) * (x / 9) ** 2 + x / 7 for k, x in enumerate(places))
    surface = (surface - surface.mean()) / surface.std()
    holes = Holes(mask)
    found = holes(np.where(mask, surface, 0).astype(np.float32))
    good = np.zeros(shape, bool)
    good[tuple(slice(4, -4) for _ in shape)] = True
    good &= holes.usable | ~mask
    near_usable = good & holes.usable
    assert near_usable.any()
    # everything that interpolation next to a usable pixel meets
    for axis in range(len(shape)):
        for step in (-NEAR, NEAR):
            moved = np.roll(near_usable, step, axis)
            np.testing.assert_allclose(found[moved], surface[moved], atol=2e-3)
    np.testing.assert_array_equal(found[mask], np.float32(surface)[mask])


@pytest.mark.parametrize("shape", [(200,), (60, 50), (18, 20, 22)])
def test_few_rows_at_a_time_fill_as_all_at_once_do(shape, monkeypatch):
    mask = scattered(0.4, 7, shape)
    pixels = np.where(mask, np.random.default_rng(8).standard_normal(shape), 0).astype(np.float32)
    whole = Holes(mask)
    filled = whole(pixels)
    monkeypatch.setattr(holes_module, "AT_ONCE", 5 * mask[0].size)
    few = Holes(mask)
    np.testing.assert_array_equal(few.usable, whole.usable)
    np.testing.assert_allclose(few(pixels), filled, rtol=1e-5, atol=1e-6)


def test_what_is_filled_next_to_usable_pixels_is_no_noisier_than_they_are():
    mask = scattered(0.5, 1)
    holes = Holes(mask)
    rng = np.random.default_rng(2)
    noise = [holes(np.where(mask, rng.normal(size=SHAPE), 0).astype(np.float32)) for _ in range(200)]
    near = ~mask & np.roll(holes.usable, 1, 0)
    assert near.mean() > 0.1
    assert np.var(noise, axis=0)[near].max() < 1.5 * NOISIEST


def test_the_rim_of_an_area_is_not_interpolated():
    mask = scattered(0.2, 3)
    mask[60:120, 40:90] = False
    usable = Holes(mask).usable
    assert usable.sum() > 0.8 * mask.sum()
    # between two lines of valid pixels beside it, extrapolation is too noisy
    assert usable[59, 45:85].mean() < 0.5 * usable[30, 45:85].mean()


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("noise", cases([0.0, 1.0], [0.0, 0.01, 1.0]))
def test_a_slope_alone_is_never_placed(same, noise):
    for seed in range(cases(3, 6)):
        rng = np.random.default_rng(seed)
        y, x = np.indices((256, 256))
        slope, angle = rng.choice([0.1, 1, 10, 100]), rng.uniform(0, 2 * np.pi)
        ramp = slope * (np.cos(angle) * y + np.sin(angle) * x)
        images = [ramp + 3 * k * slope + noise * rng.normal(size=ramp.shape) for k in range(2)]
        masks = [
            scattered(0.5, 10 + seed, ramp.shape),
            scattered(0.5, 10 + seed + 100 * (not same), ramp.shape),
        ]
        found = maskreg.register(*images, *masks)
        assert not found.ok, (seed, slope, found)


def errors_of(scene, part):
    """Return errors over the bound and over sigma of pairs behind scattered pixels, root mean squares."""
    errors, over_sigma, bounds = [], [], []
    for seed in range(8):
        rng, mask = np.random.default_rng([3, seed]), scattered(part, seed)
        pattern, drift = scene(SHAPE, seed), rng.uniform(-10, 10, 2)
        pair = simulate_pair(pattern, drift, 100.0, mask, rng)
        found = maskreg.register(pair.reference, pair.moving, mask, mask)
        assert found.ok, found.reason
        errors.append(found.shift + drift)
        over_sigma.append(errors[-1] / found.uncertainty)
        bounds.append(np.diag(pair_bound(pattern, drift, mask, 100.0)))
    over_bound = np.sqrt(np.mean(np.square(errors)) / np.mean(bounds))
    return over_bound, np.sqrt(np.mean(np.square(over_sigma)))


@pytest.mark.parametrize("part", [0.08, 0.2, 0.5])
@pytest.mark.parametrize(("scene", "worst"), [(Rings, 1.6), (Texture, 2.6)])
def test_scattered_pixels_cost_little_and_sigma_is_true(scene, worst, part):
    over_bound, over_sigma = errors_of(scene, part)
    assert over_bound < worst
    assert 0.5 < over_sigma < 1.4


@pytest.mark.parametrize(("part", "worst"), [(0.01, 1.4), (0.08, 1.4), (0.2, 1.5), (0.5, 4.0)])
def test_sharp_spots_are_as_near_and_as_sure_as_they_may_be(part, worst):
    over_bound, over_sigma = errors_of(Spots, part)
    # filled by parabolas 1.2, 3, 5 and 6 times
    assert over_bound < worst
    assert 0.5 < over_sigma < 1.5


@pytest.mark.parametrize("shape", [(400,), (96, 80), (24, 30, 28)])
def test_kriged_pixels_are_what_the_filter_leaves_as_it_is(shape):
    rng, mask = np.random.default_rng(1), scattered(0.2, 0, shape)
    image = scipy.ndimage.gaussian_filter(rng.normal(size=shape), 1.5, mode="reflect")
    image = (10 * image / image.std() + rng.normal(size=shape)).astype(np.float32)
    weights = forecast(scipy.fft.dctn(image, norm="ortho"), 1.0).low_pass.weights
    found = kriged(np.where(mask, image, np.float32(0)), ~mask, LowPass(weights, 0.0), 1.0)
    np.testing.assert_array_equal(found[mask], image[mask])
    wiener = LowPass(weights / (2 - weights), 0.0)
    coefficients = scipy.fft.dctn(found, norm="ortho").astype(np.float32)
    left = found - image_of(wiener.weigh(coefficients))
    assert np.sqrt(np.mean(left[~mask] ** 2)) < 0.1
    # the noise of an ignored pixel is not to be known
    assert np.std((found - image)[~mask]) < 2


def test_without_noise_what_is_kriged_ends_where_rounding_begins():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pixels, holes = rng.normal(size=(16, 16)).astype(np.float32), ~scattered(0.06, seed, (16, 16))
        found = kriged(pixels, holes, LowPass(np.ones(16), 0.0), 0.0)
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found[~holes], pixels[~holes])


def test_refilled_pixels_are_the_reference_at_the_shift_and_only_where_it_is_known():
    shape, shift = (96, 80), np.array([3.3, -2.6])
    y, x = np.indices(shape).astype(np.float64)

    def scene(y, x):
        return (5 * np.sin(y / 3) * np.cos(x / 4)).astype(np.float32)

    reference, whole = scene(y, x), np.ones(shape, bool)
    known = whole.copy()
    known[40:60, 30:50] = False
    template = make_template(
        reference, whole, np.ones(shape, np.float32), gaussian_low_pass(0.1), np.ones(32)
    )
    mask, gain, brighter = scattered(0.2, 1, shape), 0.8, 1.5
    moving = (scene(y + shift[0], x + shift[1]) - np.float32(brighter)) / np.float32(gain)
    first = np.full(shape, -99, np.float32)
    level = LevelImage(np.where(mask, moving, np.float32(0)), mask)
    found = Shown(template, known).refilled(level, first, ~mask, shift, gain)
    filled = found != -99
    inner = filled & (np.minimum(y, shape[0] - 1 - y) > 8) & (np.minimum(x, shape[1] - 1 - x) > 8)
    np.testing.assert_allclose(found[inner], moving[inner], atol=0.1)
    assert not (filled & mask).any()
    assert filled.sum() > 0.7 * (~mask).sum()
    assert not (filled & np.roll(~known, (-3, 3), (0, 1)))[10:-10, 10:-10].any()


def test_whole_numbers_in_floats_are_counts():
    rng, mask = np.random.default_rng(5), scattered(0.0, 0)
    pair = simulate_pair(Rings(SHAPE), (3.3, -2.1), 20.0, mask, rng)
    counts = [image.astype(np.uint16) for image in (pair.reference, pair.moving)]
    answers = [
        maskreg.register(*(image.astype(dtype) for image in counts))
        for dtype in (np.uint16, np.float32, float)
    ]
    for other in answers[1:]:
        np.testing.assert_array_equal(other.shift, answers[0].shift)
        np.testing.assert_array_equal(other.covariance, answers[0].covariance)
    holed = counts[0].astype(float)
    holed[5:9, 7] = np.nan
    assert maskreg.register(holed, counts[1].astype(float)).ok
