"""Hot and dead pixels do not decide where an image is, in one of both or in both."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg import Registrar, register
from maskreg.core.lone import COMMON, FEWEST_NEIGHBOURS, STANDS_OUT, SURELY, stand_out
from maskreg.core.pyramid import LevelImage
from maskreg.core.without_lone import _meet
from maskreg.registration import Status
from maskreg.testing import ChromiumScan, Rings, Spots, Texture, beam_block

SIDE = 256
SHIFT = (-9.3, 14.6)
BLOCK = beam_block((SIDE, SIDE))

seeds = st.integers(0, 2**32 - 1)


def frames(scene, dose=30.0, seed=0):
    rng = np.random.default_rng(seed)
    drift = tuple(-s for s in SHIFT)
    return [rng.poisson(dose * scene.render(d)).astype(np.uint16) for d in ((0.0, 0.0), drift)]


def places(count, seed=1):
    return tuple(np.random.default_rng(seed).integers(0, SIDE, (2, count)))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seeds, st.sampled_from([(11, 14), (30,), (5, 6, 7)]), st.booleans(), st.sampled_from([1, 40, 2**17]))
def test_what_stands_out_is_told_pixel_by_pixel(seed, shape, masked, at_once):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=shape).astype(np.float32)
    pixels[tuple(rng.integers(0, n) for n in shape)] = rng.choice([-40.0, 40.0])
    mask = rng.random(shape) < (0.7 if masked else 1.0)
    pixels[~mask] = 0
    expected = []
    for place in np.argwhere(mask):
        near = [place + step for step in itertools.product((-1, 0, 1), repeat=len(shape)) if any(step)]
        inside = [tuple(p) for p in near if ((p >= 0) & (p < shape)).all()]
        others = [float(pixels[p]) for p in inside if mask[p]]
        if len(others) < FEWEST_NEIGHBOURS:
            continue
        value = float(pixels[tuple(place)])
        off = max(value - max(others), min(others) - value)
        if off > STANDS_OUT * (max(others) - min(others)) and off > SURELY:
            expected.append(list(place))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskreg.core.lone.AT_ONCE", at_once)
        found = stand_out(LevelImage(pixels, mask), 1.0)
    common = len(expected) > COMMON * np.count_nonzero(mask)
    np.testing.assert_array_equal(found, np.reshape([] if common else expected, (-1, len(shape))))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seeds, st.sampled_from([(19,), (11, 14), (5, 6, 7)]), st.integers(0, 9))
def test_places_meet_those_that_are_next_to_them_at_a_lag(seed, shape, count):
    rng = np.random.default_rng(seed)
    places, others = (rng.integers(0, size, (count, len(shape))) for size in (20, shape))
    lag = tuple(int(s) for s in rng.integers(-6, 7, len(shape)))
    expected = [any(np.abs(p - q - np.array(lag)).max() <= 1 for q in others) for p in places]
    np.testing.assert_array_equal(_meet(places, others, lag, shape), expected)


def test_thousands_of_pixels_that_stand_out_are_compared_without_their_pairs():
    shape, count = (4096, 4096), 80_000  # the pairs would take a hundred gigabytes
    places = np.random.default_rng(1).integers(5, 4096, (count, 2))
    assert _meet(places, places - np.array([3, 5]), (3, 5), shape).all()


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("count", [2, 6, 25])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("exact", [False, True])
def test_hot_pixels_that_stay_do_not_hold_the_pattern_back(scene, count, dtype, exact):
    images = [image.astype(dtype) for image in frames(scene((SIDE, SIDE)))]
    if dtype is np.float32:  # no counts
        images = [image - 3.5 for image in images]
    for image in images:
        image[places(count)] = 60_000
    found = register(*images, exact=exact)
    assert found.ok
    np.testing.assert_allclose(found.shift, SHIFT, atol=0.3)


@pytest.mark.parametrize("count", [2, 12])
@pytest.mark.parametrize("hot", [0, 1])
def test_hot_pixels_of_one_image_do_not_carry_it_to_a_bright_spot(count, hot):
    images = [image - 3.5 for image in frames(Spots((SIDE, SIDE)))]
    images[hot][places(count)] = 30 * images[hot].max()
    found = register(*images, BLOCK, BLOCK)
    assert not found.ok or np.abs(found.shift - SHIFT).max() < 0.3


def test_where_nothing_else_is_found_it_is_said_what_was_left_out():
    rng = np.random.default_rng(3)
    images = [rng.poisson(5.0, (SIDE, SIDE)).astype(np.uint16) for _ in range(2)]
    for image in images:
        image[places(20)] = 4000
    found = register(*images)
    assert found.status is Status.WEAK
    assert "pixels that stand out" in found.detail


def test_sharp_spots_that_moved_are_the_pattern():
    rng = np.random.default_rng(4)
    scene = rng.poisson(3.0, (SIDE + 40, SIDE + 40)).astype(float)
    scene[tuple(rng.integers(20, SIDE, (2, 25)))] += 900
    images = [rng.poisson(scene[i : i + SIDE, j : j + SIDE]).astype(np.uint16) for i, j in ((0, 0), (6, 11))]
    found = register(*images)
    assert found.ok
    np.testing.assert_allclose(found.shift, (6, 11), atol=0.3)


@pytest.mark.parametrize("size", [512, 1024])
def test_ordinary_frames_are_not_asked(size, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr("maskreg.core.journey.without_lone", never)
    scan = ChromiumScan((size, size), scans=1, delays=(0.0, 1.0, 2.0))
    registrar = Registrar(scan.frame(0), scan.mask, scan.mask)
    for k in (0, 1, 2):
        assert registrar(scan.frame(k)).ok
