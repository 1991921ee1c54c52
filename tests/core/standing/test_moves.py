"""Where a scene has moved to is told under what stands still on the detector, and pulls the match."""

from __future__ import annotations

import numpy as np
import pytest
from tests.core.images import prepared

from maskreg import register
from maskreg.core.standing.held import Middle
from maskreg.core.standing.moves import moved_otherwise
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 256
SHAPE = SIDE, SIDE


def field(rng, slope, shape):
    """Structure of all sizes, the larger the more of it; of mean 0 and spread 1."""
    radius = np.sqrt(sum(f**2 for f in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")))
    weights = np.maximum(radius, 1 / 64) ** -slope * np.exp(-((radius / 0.35) ** 4))
    out = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * weights).real
    return (out - out.mean()) / out.std()


def textures(rng, drift, shape=SHAPE, slope=1.5):
    """A texture and the same moved by whole pixels; each a part of one field."""
    wide = field(rng, slope, tuple(n + 40 for n in shape))
    return [
        wide[tuple(slice(20 - x, 20 - x + n) for x, n in zip(by, shape, strict=True))]
        for by in ([0] * len(shape), drift)
    ]


def fringes(period, angle):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.cos(2 * np.pi / period * (np.cos(angle) * rows + np.sin(angle) * columns))


def counts(rng, dose, images):
    return [rng.poisson(dose * np.maximum(image, 0.02)).astype(np.uint16) for image in images]


def middle(image, mask=None):
    return Middle(prepared(image, mask), 1.0)


@pytest.mark.parametrize("seed", [0, 2, 4, 5, 9, 11])
def test_an_object_that_moves_behind_fringes_is_where_it_is_or_the_answer_is_none(seed):
    rng = np.random.default_rng(seed)
    drift = rng.integers(-12, 13, 2)
    still = fringes(rng.uniform(8, 25), rng.uniform(0, np.pi))
    pair = counts(rng, 100, [1.5 + 0.3 * one + 0.6 * still for one in textures(rng, drift)])
    found = register(*pair)
    if found.ok:
        np.testing.assert_allclose(found.shift, -drift, atol=1)
    else:
        np.testing.assert_allclose(found.rival.shift, -drift, atol=1)
        assert "what stands still on the detector pulls it" in found.reason


@pytest.mark.parametrize("seed", [0, 2])
def test_rings_that_move_under_scattered_light_are_where_they_are_or_the_answer_is_none(seed):
    rng = np.random.default_rng(seed)
    drift = rng.uniform(2, 10, 2) * rng.choice([-1, 1], 2)
    mask, scene, still = beam_block(SHAPE), Rings(SHAPE), np.exp(0.7 * field(rng, 2, SHAPE))
    most = scene.render((0.0, 0.0)).std()
    pair = counts(rng, 100, [scene.render(by) + 0.5 * most * still for by in ((0.0, 0.0), drift)])
    found = register(*pair, mask, mask)
    assert not found.ok
    np.testing.assert_allclose(found.rival.shift, -drift, atol=1)


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("drift", [(0.4, -0.3), (2.3, 1.2), (9.0, -6.5)])
def test_a_scene_that_fades_in_part_or_is_lit_from_a_side_stays_ok(scene, drift):
    rng = np.random.default_rng(5)
    slope = np.linspace(0.5, 1.5, SIDE)
    for change in (slope, slope[:, None], np.exp(0.3 * field(rng, 4, SHAPE)), 1 + 0.1 * field(rng, 1, SHAPE)):
        before, after = (scene(SHAPE).render(by) for by in ((0.0, 0.0), drift))
        found = register(*counts(rng, 20, [before, after * np.maximum(change, 0.1)]))
        assert found.ok, (drift, found)
        np.testing.assert_allclose(found.shift, -np.array(drift), atol=0.7)


@pytest.mark.parametrize("times", [2, 4])
def test_pixels_that_a_program_has_doubled_do_not_stand_still(times):
    rng = np.random.default_rng(times)
    for drift in ([3, -2], [-5, 4], [1, 3]):
        small = textures(rng, drift, (SIDE // times,) * 2)
        pair = [
            np.kron(one, np.ones((times, times), np.uint16))
            for one in counts(rng, 100, [2 + s for s in small])
        ]
        found = register(*pair)
        assert found.ok, (drift, found)
        np.testing.assert_allclose(found.shift, -times * np.array(drift), atol=1)


@pytest.mark.parametrize("shape", [(8192,), (200, 240), (48, 56, 60)])
def test_of_any_number_of_axes_and_with_the_images_the_sign_changes(shape):
    rng = np.random.default_rng(3)
    drift = np.array([7, -5, 4][: len(shape)])
    still = field(rng, 0.5, shape)
    one, other = (middle(image + still) for image in textures(rng, drift, shape, 0.5))
    elsewhere = drift + 6.0 if len(shape) < 3 else np.array([3.0, 2.0, -2.0])
    np.testing.assert_allclose(moved_otherwise(one, other, -elsewhere), -drift, atol=1)
    np.testing.assert_allclose(moved_otherwise(other, one, elsewhere), drift, atol=1)
    assert moved_otherwise(one, other, -drift.astype(float)) is None


def test_ignored_pixels_say_nothing():
    rng = np.random.default_rng(8)
    drift, mask = np.array([6, -4]), beam_block(SHAPE)
    pair = [one + 2 * field(np.random.default_rng(1), 1, SHAPE) for one in textures(rng, drift)]
    told = []
    for height in (0.0, 1e4):
        for one in pair:
            one[~mask] = height * rng.random(int((~mask).sum()))
        told.append(moved_otherwise(*(middle(one, mask) for one in pair), np.zeros(2)))
    assert told[0] == told[1] == tuple(-drift)


def test_a_small_image_one_of_which_little_is_valid_and_unequal_shapes_say_nothing():
    rng = np.random.default_rng(2)
    pair = textures(rng, [6, -4])
    narrow = np.zeros(SHAPE, bool)
    narrow[:100] = True
    assert moved_otherwise(*(middle(one, narrow) for one in pair), np.zeros(2)) is None
    assert moved_otherwise(*(middle(one[:24, :24]) for one in pair), np.zeros(2)) is None
    assert moved_otherwise(middle(pair[0]), middle(pair[1][:-8]), np.zeros(2)) is None


def test_far_off_nobody_asks():
    """Less of the scene is common then, and other periods of a lattice stand out as high."""
    rng = np.random.default_rng(3)
    one, other = (middle(image + field(rng, 0.5, SHAPE)) for image in textures(rng, (7, -5)))
    assert moved_otherwise(one, other, np.array([0.11 * SIDE, 0.0])) is None
