"""What stands still is told from what moves, when the shifts are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from tests.cases import cases

from maskreg.masks.static import _nearer, static_pixels
from maskreg.masks.temporal import temporal
from maskreg.testing import Rings, Spots, Texture

SIZE = 144


def shape_of(name):
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    y, x = y - 0.48 * SIZE, x - 0.53 * SIZE
    return {
        "rod": ~((np.abs(x - 0.05 * y) < 7) & (y < 0)),
        "disk": np.hypot(y, x) > 16,
        "wedge": ~(np.abs(np.degrees(np.arctan2(x, -y)) - 20) < 10),
        "gaps": (np.abs(y - 20) > 3.1) & (np.abs(x + 30) > 3.1),
    }[name]


def simulated(valid, drift, rng, level=0.02, dose=40, count=20, scene=None):
    """A scene behind a dark shape, with hot and dead pixels; and the shifts to apply."""
    t = np.linspace(0, 1, count)
    drifts = drift * np.stack([0.8 * t + 0.2 * np.sin(9 * t), 0.25 * np.cos(7 * t) - 0.6 * t], axis=1)
    scene = scene or Rings((SIZE, SIZE))
    hot = np.zeros(valid.shape, bool)
    hot.flat[rng.choice(hot.size, 20, replace=False)] = True
    dead = np.zeros(valid.shape, bool)
    dead.flat[rng.choice(hot.size, 12, replace=False)] = True
    extra = np.where(hot, rng.uniform(4, 30, valid.shape) * dose, 0)
    frames = [rng.poisson(dose * np.where(valid, scene.render(d), level) + extra) * ~dead for d in drifts]
    return np.array(frames, dtype=np.float32), drifts[0] - drifts, hot, dead


def agreement(found, truth):
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize(
    ("drift", "seed"),
    cases([(1, 4), (1, 23), (6, 4)], [(1, 4), (1, 9), (1, 22), (1, 23), (1, 25), (2, 4), (6, 4)]),
)
@pytest.mark.parametrize("name", ["rod", "disk", "wedge", "gaps"])
def test_a_block_is_found_whatever_its_shape(name, drift, seed, scene):
    valid = shape_of(name)
    made = simulated(valid, drift, np.random.default_rng(seed), scene=scene((SIZE, SIZE)))
    frames, shifts, hot, dead = made
    found = static_pixels(frames, shifts)
    assert agreement(found, ~valid | hot | dead) >= 0.8
    assert found[hot].mean() >= 0.9
    assert found[dead].all()


@pytest.mark.parametrize("scene", [Rings, Texture])
@pytest.mark.parametrize(("drift", "seed"), cases([(1, 4), (6, 4)], [(1, 4), (1, 23), (1, 24), (6, 4)]))
@pytest.mark.parametrize("name", ["rod", "disk", "wedge", "gaps"])
def test_a_block_that_scatters_is_found_before_rings_and_texture(name, drift, seed, scene):
    valid, rng = shape_of(name), np.random.default_rng(seed)
    scattered = 0.02 + np.abs(ndimage.gaussian_filter(rng.normal(size=valid.shape), 3))
    frames, shifts, hot, dead = simulated(valid, drift, rng, level=scattered, scene=scene((SIZE, SIZE)))
    assert agreement(static_pixels(frames, shifts), ~valid | hot | dead) >= 0.8


def test_on_a_flat_image_the_nearer_mark_has_the_shorter_way():
    rng = np.random.default_rng(3)
    marks = rng.permutation(30 * 41).reshape(30, 41)
    first, second = marks < 4, (marks >= 4) & (marks < 9)
    nearer = _nearer(first, second, np.ones(marks.shape))
    y, x = np.mgrid[:30, :41]

    def away(mark):  # steps are straight or diagonal
        places = np.argwhere(mark)
        down, right = (np.abs(a[..., None] - b) for a, b in zip((y, x), places.T, strict=True))
        return (np.maximum(down, right) + (np.sqrt(2) - 1) * np.minimum(down, right)).min(axis=-1)

    sure = np.abs(away(first) - away(second)) > 1e-6
    np.testing.assert_array_equal(nearer[sure], (away(first) < away(second))[sure])


def test_a_break_in_an_edge_is_no_loophole():
    cost = np.full((60, 60), 0.005)
    cost[:, 29:31] = 1
    cost[28:31, 29:31] = 0.005
    first, second = np.zeros((2, 60, 60), bool)
    first[:, 25] = True
    second[:28, 33] = second[31:, 33] = True
    np.testing.assert_array_equal(_nearer(first, second, cost)[:, 31:].any(axis=1).nonzero()[0], [])


def test_nothing_is_found_where_nothing_stands_still():
    valid = np.ones((SIZE, SIZE), bool)
    frames, shifts, hot, dead = simulated(valid, 6, np.random.default_rng(5))
    found = static_pixels(frames, shifts)
    assert found[~hot & ~dead].mean() < 0.005


def test_dead_hot_and_saturated_pixels_need_no_shifts():
    rng = np.random.default_rng(6)
    frames = rng.poisson(50, (12, 40, 40)).astype(np.float32)
    frames[:, 3, 4] = 0
    frames[:, 9, 9] = 65535
    at = [20, 0, 0, 39, 17], [30, 0, 12, 39, 39]  # also at the border, where a pixel has few neighbours
    frames[:, *at] += 200
    expected = np.zeros((40, 40), bool)
    expected[[3, 9], [4, 9]] = expected[at] = True
    np.testing.assert_array_equal(temporal(frames).defective, expected)


def test_few_electrons_may_be_none_in_every_frame_by_chance():
    rng = np.random.default_rng(8)
    level = np.full((60, 60), 0.1)
    level[:, 30:] = 2
    frames = rng.poisson(level, (20, 60, 60)).astype(np.float32)
    frames[:, :, 45] = 0
    frames[:, 10:20, 5:15] = 0
    defective = temporal(frames, counts=True).defective
    dark = np.zeros((60, 60), bool)
    dark[10:20, 5:15] = True
    assert defective[:, 45].all()
    assert defective[13:17, 8:12].all()  # where nothing comes at all
    chance = ~dark
    chance[:, 45] = False
    assert (frames == 0).all(axis=0)[chance].sum() > 100
    assert not defective[chance].any()
    assert (
        temporal(frames).defective[chance].sum() > 100
    )  # of what are no counts, nothing is constant by chance


def test_the_noise_is_that_of_the_quietest_pixels():
    rng = np.random.default_rng(7)
    level = np.linspace(5, 200, 64)[None, :] * np.ones((64, 1))
    frames = rng.poisson(level, (40, 64, 64)).astype(np.float32)
    frames[:, :20] += 30 * rng.normal(size=(40, 1, 1)).astype(np.float32)
    noise = temporal(frames).noise
    assert 0.75 < np.median(noise[20:] / level[20:]) < 1.25
