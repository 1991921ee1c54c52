"""The gradient weighted by what it tells at each place and in each direction."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import register
from maskreg.core.frequencies.gains import Promised, noise_gains
from maskreg.core.frequencies.interpolation_error import SLOPE
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.checked import checked_image
from maskreg.core.image.filters import filtered
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector as Model
from maskreg.core.image.whole import Whole, image_of
from maskreg.core.reference import ReferenceSide
from maskreg.core.subpixel import template as templates
from maskreg.core.subpixel.local_weight import (
    BLOCK,
    Kept,
    applied,
    local_weights,
    plain_applied,
    plain_weights,
    weighted,
)
from maskreg.options import Options
from maskreg.testing import Detector, Rings, Texture, beam_block, simulate_pair

SHAPE = (160, 176)
MASK = beam_block(SHAPE)
LOW_PASS = gaussian_low_pass(1.5)
GAINS = noise_gains(LOW_PASS, 2)
CLEAR = Promised(5 * GAINS.slope, 5 * GAINS.gradient)


def pair_of(scene, dose, seed):
    detector = Detector(read_noise=0.3, dtype=np.uint16)
    return simulate_pair(scene, (3.4, -4.7), dose, MASK, np.random.default_rng(seed), detector=detector)


def template_of(scene, dose, seed=0):
    pixels, mask = checked_image("reference", pair_of(scene, dose, seed).reference, MASK)
    return ReferenceSide(Prepared(pixels, MaskPyramid(mask), Model(counts=True)), Options()).template(1)


def slopes(image):
    return np.stack([filtered(image, SLOPE, axis, nearest=True) for axis in range(2)])


def low_passed(image):
    whole = Whole(image, np.ones(image.shape, bool))
    return image_of(LOW_PASS.weigh(whole.coefficients))


def stabilised_rings():
    return np.asarray(2 * np.sqrt(10 * Rings(SHAPE).render((0, 0))), np.float32)


def rings_and_noise(seed):
    """Gradient of low-passed rings of 10 electrons a pixel, and the variance of the noise."""
    white = np.random.default_rng(seed).standard_normal(SHAPE, np.float32)
    return slopes(low_passed(stabilised_rings() + white)), np.ones(SHAPE, np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_those_of_the_formula_in_plain_eigenvectors(seed):
    rng = np.random.default_rng(seed)
    fields = rng.normal(size=(7, 6, 5, 2)) * rng.gamma(1, size=(1, 6, 5, 1))
    rows, cross, cols = (fields[..., i] * fields[..., j] for i, j in ((0, 0), (0, 1), (1, 1)))
    rows, cross, cols = (values.mean(axis=0) for values in (rows, cross, cols))
    noise = rng.random((6, 5))
    one, other, last = local_weights(rows, cross, cols, noise).matrix()
    plain = plain_weights(rows, cross, cols, noise)
    found = np.stack([one, other, other, last], -1).reshape(plain.shape)
    np.testing.assert_allclose(found, plain, atol=1e-6)
    values = np.linalg.eigvalsh(plain)
    assert values.min() > -1e-12
    assert values.max() < 1


def test_without_noise_everything_that_shows_has_weight_one_and_alone_noise_has_none():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 8, 8))
    ones = local_weights(a * a + 1, a * b, b * b + 1, np.zeros((8, 8))).weights
    np.testing.assert_allclose(ones, 1)
    noise = rng.random((8, 8))
    np.testing.assert_array_equal(local_weights(noise, 0 * noise, noise, noise).weights, 0)


def test_along_rings_the_gradient_loses_what_it_has_across_them_it_keeps():
    gradient, noise = rings_and_noise(0)
    found, kept = weighted(gradient, MASK, noise, GAINS, CLEAR)
    clean = slopes(low_passed(stabilised_rings()))
    steep = MASK & ((clean**2).sum(axis=0) > np.quantile((clean**2).sum(axis=0), 0.9))
    outward = clean / np.maximum(np.hypot(*clean), 1e-6)
    around = np.stack([-outward[1], outward[0]])
    left, whole = (
        [float(((field * way).sum(axis=0)[steep] ** 2).mean()) for way in (outward, around)]
        for field in (found, gradient)
    )
    assert left[0] > 0.8 * whole[0]
    assert left[1] < 0.4 * whole[1]
    assert np.trace(kept.energy) < 1.2


@pytest.mark.parametrize("seed", range(2))
def test_what_is_kept_of_noise_is_what_the_weights_leave_of_noise_they_do_not_know(seed):
    spread = np.tile(np.linspace(0.5, 2, SHAPE[1], dtype=np.float32), (SHAPE[0], 1))
    matrix = np.random.default_rng(6).random((3, SHAPE[0] // BLOCK, SHAPE[1] // BLOCK), np.float32)
    energy, slope = np.zeros((2, 2)), np.zeros((2, 2))
    turns = 60
    for turn in range(turns):
        white = np.random.default_rng([seed, turn]).standard_normal(SHAPE, np.float32) * np.sqrt(spread)
        false, kept = applied(matrix, slopes(low_passed(white)), spread)
        energy += np.einsum("ixy,jxy->ij", false * spread, false) / turns
        slope += np.einsum("ixy,jxy->ij", false, slopes(white)) / turns
    total, squares = float(spread.sum(dtype=float)), float((spread**2).sum(dtype=float))
    np.testing.assert_allclose(energy / squares, GAINS.gradient * kept.energy, rtol=0.05, atol=3e-4)
    np.testing.assert_allclose(slope / total, GAINS.slope * kept.slope, rtol=0.05, atol=3e-4)


@pytest.mark.parametrize("shape", [(64, 64), (67, 90), (81, 70)])
def test_a_weighted_gradient_is_that_of_arrays(shape):
    rng = np.random.default_rng(shape[1])
    blocks = rng.random((3, shape[0] // BLOCK, shape[1] // BLOCK), np.float32)
    gradient = rng.standard_normal((2, *shape), np.float32)
    noise = rng.random(shape, np.float32) * (rng.random(shape) < 0.8)
    found, kept = applied(blocks, gradient, noise)
    plain, same = plain_applied(blocks, gradient, noise)
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(kept.slope, same.slope, rtol=1e-5)
    np.testing.assert_allclose(kept.energy, same.energy, rtol=1e-5)


def test_brighter_units_change_no_weight():
    gradient, noise = rings_and_noise(2)
    found, kept = weighted(gradient, MASK, noise, GAINS, CLEAR)
    scaled, same = weighted(8 * gradient, MASK, 64 * noise, GAINS, CLEAR)
    np.testing.assert_allclose(scaled, 8 * found, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(same.energy, kept.energy, rtol=1e-4)


def test_turned_images_have_turned_weights():
    gradient, noise = (field[..., :160] for field in rings_and_noise(3))
    mask = np.ascontiguousarray(MASK[:, :160])
    turned = np.ascontiguousarray(gradient[::-1].transpose(0, 2, 1))
    found, kept = weighted(np.ascontiguousarray(gradient), mask, np.ascontiguousarray(noise), GAINS, CLEAR)
    other, same = weighted(turned, np.ascontiguousarray(mask.T), np.ascontiguousarray(noise.T), GAINS, CLEAR)
    np.testing.assert_allclose(other[::-1].transpose(0, 2, 1), found, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(same.slope[::-1, ::-1], kept.slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dose", [1, 10, 100, 1000])
def test_texture_is_alike_everywhere_and_stays_as_it_is(dose):
    np.testing.assert_array_equal(template_of(Texture(SHAPE), dose).kept.energy, np.eye(2))


def test_images_of_other_axes_small_noisy_and_clear_ones_stay_as_they_are():
    gradient, noise = rings_and_noise(4)
    for signal in (0.5, 50):
        promise = Promised(signal * GAINS.slope, signal * GAINS.gradient)
        same, _ = weighted(gradient, MASK, noise, GAINS, promise)
        assert same is gradient
    small = np.ascontiguousarray(gradient[:, :40, :40])
    same, _ = weighted(small, MASK[:40, :40], noise[:40, :40], GAINS, CLEAR)
    assert same is small
    line = gradient[:1, 0]
    same, kept = weighted(line, MASK[0], noise[0], GAINS, CLEAR)
    assert same is line
    assert kept.slope.shape == (1, 1)


def test_what_is_promised_falls_by_what_is_left_of_the_noise():
    kept = Kept(np.diag([0.2, 0.4]), np.diag([0.1, 0.3]))
    assert kept.at_least(Promised(2.0, 3.0)) == Promised(pytest.approx(0.6), pytest.approx(0.6))


def test_rings_in_noise_are_known_better_with_weights(monkeypatch):
    pairs = [pair_of(Rings(SHAPE), 10, seed) for seed in range(4)]

    def variances():
        answers = [register(pair.reference, pair.moving, MASK, MASK) for pair in pairs]
        assert all(np.abs(answer.shift + np.array([3.4, -4.7])).max() < 0.2 for answer in answers)
        return np.array([np.trace(answer.covariance) for answer in answers])

    found = variances()
    one = Kept(np.eye(2), np.eye(2))
    monkeypatch.setattr(templates, "weighted", lambda gradient, *_, **__: (gradient, one))
    assert (found < 0.99 * variances()).all()
