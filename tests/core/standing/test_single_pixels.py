"""The fixed pattern of a detector, gains or hot pixels, is no shift of nothing, whatever lies over it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cases import cases
from tests.core.images import prepared

from maskreg import Status, register
from maskreg.core.standing.single_pixels import of_single_pixels
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 128
SHAPE = SIDE, SIDE


def counts(rng, *means):
    return [np.minimum(rng.poisson(mean), 65535).astype(np.uint16) for mean in means]


def hot_pixels(rng, number, shape=SHAPE):
    out = np.zeros(shape)
    out[tuple(rng.integers(0, n, number) for n in shape)] = rng.exponential(300, number)
    return out


def two_scenes(seed):
    """Of textures that have nothing in common."""
    return [Texture(SHAPE, seed=seed + k).render((0.0, 0.0)) for k in (0, 500)]


@pytest.mark.parametrize("spread", [0.03, 0.1])
@pytest.mark.parametrize("dose", [4.0, 40.0])
def test_a_pattern_of_gains_over_unrelated_scenes_is_never_ok(spread, dose):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gains = (1 + spread * rng.normal(size=SHAPE)).clip(0.1)
        mask = beam_block(SHAPE) if seed % 2 else None
        pair = counts(rng, *(gains * dose * (3 + scene) for scene in two_scenes(seed)))
        found = register(*pair, mask, mask)
        assert not found.ok, (seed, found)


@pytest.mark.parametrize("number", [90, 200, 1000])
def test_hot_pixels_over_unrelated_scenes_or_none_are_never_ok(number):
    for seed in range(cases(3, 6)):
        rng = np.random.default_rng(seed)
        hot, scenes = hot_pixels(rng, number), two_scenes(seed)
        for part in (0.0, 1.0):
            found = register(*counts(rng, *(hot + 1 + 8 * part * scene for scene in scenes)))
            assert not found.ok, (seed, part, found)


def test_the_reason_names_the_fixed_pattern():
    rng = np.random.default_rng(0)
    found = register(*counts(rng, *[1 + hot_pixels(rng, 1000)] * 2))
    assert found.status is Status.WEAK
    assert "fixed pattern" in found.reason
    assert np.isnan(found.shift).all()
    assert found.significance > 6


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (0.4, -0.3)])
def test_a_scene_that_shows_beside_a_pattern_stays_ok(scene, drift):
    for seed in range(cases(2, 4)):
        rng = np.random.default_rng(seed)
        stands = hot_pixels(rng, 10 * seed)
        gains = 1 + 0.02 * seed * rng.normal(size=SHAPE)
        pair = counts(rng, *(gains * 20 * scene(SHAPE).render(by) + stands for by in ((0.0, 0.0), drift)))
        found = register(*pair)
        assert found.ok, (seed, found)
        np.testing.assert_allclose(found.shift, np.negative(drift), atol=0.4)


@pytest.mark.parametrize("width", [0.8, 1.5, 4.0])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (0.5, 0.0), (0.9, -0.9)])
@pytest.mark.parametrize("dose", [1.0, 30.0])
def test_what_a_lens_has_drawn_is_not_of_single_pixels(width, drift, dose):
    for seed in range(cases(2, 4)):
        rng, scene = np.random.default_rng(seed), Spots(SHAPE, seed=seed, width=width)
        one, other = map(prepared, counts(rng, *(dose * scene.render(by) for by in ((0.0, 0.0), drift))))
        assert not of_single_pixels(one, other)


@pytest.mark.parametrize("shape", [(3000,), SHAPE, (40, 44, 48)], ids=str)
def test_a_pattern_is_of_single_pixels_in_any_number_of_axes_whatever_lamp_is_over_it(shape):
    rng = np.random.default_rng(1)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    lamp = 30 * np.exp(-((places - 0.2) ** 2).sum(axis=0))
    gains = 1 + 0.2 * rng.normal(size=shape).clip(-3, 3)
    one, other = map(prepared, counts(rng, *(gains * (50 + bright * lamp) for bright in (1, 2))))
    assert of_single_pixels(one, other)


def test_a_pattern_of_columns_is_of_single_pixels():
    rng = np.random.default_rng(2)
    gains = 1 + 0.1 * rng.normal(size=(1, SIDE))
    assert of_single_pixels(*map(prepared, counts(rng, *[100 * gains * np.ones(SHAPE)] * 2)))


def test_ignored_pixels_say_nothing():
    rng, mask = np.random.default_rng(3), beam_block(SHAPE)
    gains, scene = 1 + 0.1 * rng.normal(size=SHAPE), Spots(SHAPE).render((0.0, 0.0))
    for mean, said in ((gains, True), (scene, False)):
        pair = counts(rng, *[50 * mean] * 2)
        for under in (0, 60000):
            hidden = (prepared(np.where(mask, frame, under).astype(np.uint16), mask) for frame in pair)
            assert of_single_pixels(*hidden) == said, under


def test_a_copy_noise_and_all_is_where_it_is():
    for seed in range(4):
        frame = counts(np.random.default_rng(seed), 2 * Texture(SHAPE, seed=seed).render((0.0, 0.0)))[0]
        assert not of_single_pixels(*map(prepared, (frame, frame)))


def test_few_pixels_say_nothing():
    rng = np.random.default_rng(4)
    small = counts(rng, *[100 * (1 + 0.3 * rng.normal(size=(20, 60)).clip(-3, 3))] * 2)
    assert not of_single_pixels(*map(prepared, small))
    scattered = rng.random(SHAPE) < 0.5
    pattern = counts(rng, *[100 * (1 + 0.3 * rng.normal(size=SHAPE).clip(-3, 3))] * 2)
    assert of_single_pixels(*map(prepared, pattern))
    assert not of_single_pixels(*(prepared(frame, scattered) for frame in pattern))
