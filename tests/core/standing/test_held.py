"""A scene that moves under what stands still on the detector: hot pixels, clusters of them, at no shift."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cases import cases
from tests.core.images import prepared

from maskreg import Status, register
from maskreg.core.standing.held import Area, Middle, is_held, moved_under
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 192
SHAPE = SIDE, SIDE


def frames(seed, scene, dose, drift, stands):
    rng = np.random.default_rng(seed)
    counts = (rng.poisson(dose * scene.render(by) + stands) for by in ((0.0, 0.0), drift))
    return [np.minimum(one, 65535).astype(np.uint16) for one in counts]


def hot_pixels(rng, number, side, height):
    out = np.zeros(SHAPE)
    for row, column in rng.integers(0, SIDE - side, (number, 2)):
        out[row : row + side, column : column + side] += height * rng.uniform(0.3, 1)
    return out


def middle(image, mask=None):
    return Middle(prepared(image, mask), 1.0)


@pytest.mark.parametrize(("number", "side"), [(250, 1), (1500, 1), (40, 4), (60, 6)])
def test_hot_pixels_however_many_hold_no_scene_that_has_moved(number, side):
    told, pairs = 0, cases(3, 6)
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        scene = (Rings, Spots, Texture)[seed % 3](SHAPE)
        drift = tuple(rng.uniform(5, 20, 2) * rng.choice([-1, 1], 2))
        mask = beam_block(SHAPE) if seed % 2 else None
        stands = hot_pixels(rng, number, side, 30 * 10 ** rng.uniform(0, 3))
        found = register(*frames(seed, scene, 8.0, drift, stands), mask, mask)
        near = found.status.keeps_shift and np.abs(found.shift + drift).max() < 1
        assert near or not found.ok, (seed, drift, found)
        told += found.ok or np.abs(found.rival.shift + np.array(drift)).max() < 3
    assert told >= pairs - 1


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (0.4, -0.3)])
def test_a_scene_that_has_not_moved_stays_ok(scene, drift):
    rng = np.random.default_rng(7)
    for seed in range(cases(2, 4)):
        stands = hot_pixels(rng, 60 * seed, 1, 300)
        found = register(*frames(seed, scene(SHAPE), 8.0, drift, stands))
        assert found.ok, (seed, found)
        np.testing.assert_allclose(found.shift, 0, atol=0.5)


@pytest.mark.parametrize("dose", [2.0, 20.0])
@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
def test_where_the_scene_has_gone_changes_its_sign_with_the_images(scene, dose):
    drift = (9.0, -14.0)
    stands = hot_pixels(np.random.default_rng(0), 300, 2, 400)
    one, other = (middle(frame) for frame in frames(3, scene(SHAPE), dose, drift, stands))
    there, back = moved_under(one, other, np.zeros(2)), moved_under(other, one, np.zeros(2))
    np.testing.assert_allclose(there, -np.array(drift), atol=2)
    np.testing.assert_allclose(back, drift, atol=2)


@pytest.mark.parametrize(
    "change", ["fades", "is blurred", "fades in part", "is lit from a side", "is as it was"]
)
def test_a_scene_that_changes_where_it_stands_has_not_moved(change):
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    for seed in range(6):
        scene = (Rings, Spots, Texture)[seed % 3](SHAPE)
        before = scene.render((0.0, 0.0))
        after = {
            "fades": 0.7 * before,
            "is blurred": (before + np.roll(before, 1, 0) + np.roll(before, -1, 0)) / 3,
            "fades in part": before * np.where(np.hypot(rows - 0.4, columns - 0.6) < 0.2, 0.6, 1.0),
            "is lit from a side": before * (1 + 0.5 * (rows - 0.5)),
            "is as it was": before,
        }[change]
        rng = np.random.default_rng(seed)
        one, other = (middle(rng.poisson(30 * s).astype(np.uint16)) for s in (before, after))
        assert moved_under(one, other, np.zeros(2)) is None, seed


@pytest.mark.parametrize("shape", [(6000,), (40, 44, 48)])
def test_of_any_number_of_axes(shape):
    rng = np.random.default_rng(1)
    grains = rng.exponential(size=tuple(n + 20 for n in shape))
    scenes = [grains[tuple(slice(k, k + n) for n in shape)] for k in (0, 9)]
    stands = np.where(rng.random(shape) < 0.02, 500.0, 0.0)
    one, other = (middle(rng.poisson(20 * s + stands).astype(np.uint16)) for s in scenes)
    assert moved_under(one, other, np.zeros(len(shape))) == (9,) * len(shape)


def test_ignored_pixels_say_nothing():
    rng, mask = np.random.default_rng(2), beam_block(SHAPE)
    stands = hot_pixels(rng, 300, 1, 400)
    said = []
    for under in (0, 60000):
        pair = frames(4, Texture(SHAPE), 10.0, (12.0, 7.0), stands)
        one, other = (middle(np.where(mask, frame, under).astype(np.uint16), mask) for frame in pair)
        said.append(moved_under(one, other, np.zeros(2)))
    assert said[0] == said[1] is not None


def test_a_small_image_and_one_of_which_little_is_valid_say_nothing():
    rng = np.random.default_rng(3)
    small = [middle(rng.poisson(5, (20, 300)).astype(np.uint16)) for _ in range(2)]
    assert moved_under(*small, np.zeros(2)) is None
    mask = np.zeros(SHAPE, bool)
    mask[:20] = True
    one, other = (middle(f, mask) for f in frames(5, Texture(SHAPE), 10.0, (8.0, 8.0), np.zeros(SHAPE)))
    assert moved_under(one, other, np.zeros(2)) is None


@pytest.mark.parametrize(("shift", "held"), [((0.0, 0.0), True), ((-1.0, 0.9), True), ((0.0, 1.1), False)])
def test_held_is_what_is_found_near_no_shift(shift, held):
    assert is_held(np.array(shift)) == held


@pytest.mark.parametrize("seed", [21, 23])
def test_what_stands_still_is_told_where_the_scene_has_pulled_by_more_than_a_pixel(seed):
    rng, block = np.random.default_rng(seed), beam_block(SHAPE)
    drift, dose = rng.uniform(8, 30, 2) * rng.choice([-1, 1], 2), 10 ** rng.uniform(0.3, 1.5)
    pair = (rng.poisson(dose * Rings(SHAPE).render(by) * block) for by in ((0.0, 0.0), tuple(drift)))
    found = register(*(one.astype(np.uint16) for one in pair))
    assert found.status is Status.AMBIGUOUS
    np.testing.assert_allclose(found.rival.shift, -drift, atol=3)


@pytest.mark.parametrize("drift", [(2.3, -1.6), (-1.2, 2.7)])
def test_a_lattice_that_a_match_has_moved_rightly_has_not_moved_further(drift):
    for seed in range(4):
        stands = hot_pixels(np.random.default_rng(seed), 40, 4, 60)
        one, other = (middle(frame) for frame in frames(seed, Spots(SHAPE), 30.0, drift, stands))
        assert moved_under(one, other, -np.array(drift)) is None, seed


@pytest.mark.parametrize(("side", "seed"), [(384, 4), (512, 1), (512, 5)])
def test_bright_crystals_that_have_hardly_moved_are_sure(side, seed):
    rng, crystal = np.random.default_rng(seed), Spots((side, side), width=1.0)
    drift = rng.uniform(-0.9, 0.9, 2)
    pair = (rng.poisson(1000 * crystal.render(by)) for by in ((0.0, 0.0), tuple(drift)))
    found = register(*(one.astype(np.uint16) for one in pair))
    assert found.ok
    np.testing.assert_allclose(found.shift, -drift, atol=0.02)


def test_an_area_that_has_the_same_pixels_is_the_same():
    rng = np.random.default_rng(6)
    one, other = (Area(rng.random((40, 40)) < 0.7) for _ in range(2))
    assert one.shared_with(Area(one.valid.copy())) is one
    both = one.shared_with(other)
    np.testing.assert_array_equal(both.valid, one.valid & other.valid)
    assert both.pairs[3, 0] == np.sum(both.valid & np.roll(both.valid, 3, 0))


@pytest.mark.parametrize("seed", [6, 10, 12, 16])
def test_a_border_that_holds_no_noise_does_not_hide_that_the_scene_has_moved(seed):
    """The noise of a pixel is then less than the reference's dark pixels say."""
    rng, scene, inner = np.random.default_rng(seed), Rings(SHAPE, seed=seed + 1), np.zeros(SHAPE, bool)
    inner[9:-9, 9:-9] = True
    counts = (rng.poisson(0.9 * scene.render(by)) for by in ((0.0, 0.0), (-2.5, 2.5)))
    one, other = (np.where(inner, frame, 4).astype(np.uint16) for frame in counts)
    # images of one shape are looked through for lines of one value
    found = register(one, np.pad(other, ((0, 0), (0, 1)), constant_values=4))
    assert not found.ok, found
