"""Hot and dead pixels do not decide where an image is, in one of both or in both."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import cases

from maskreg import Registrar, register
from maskreg.core import cleaned, clipped
from maskreg.core.detector.lone import (
    ALIKE,
    ALONE,
    BLOCK,
    COMMON,
    FEWEST_NEIGHBOURS,
    HANDFUL,
    LEFT,
    STANDS_OUT,
    SURELY,
    groups,
    most_with,
    plain_off_most,
    stand_out,
)
from maskreg.core.detector.lone_kernels import off_most_2d
from maskreg.core.doubt.without_lone import SPREAD, Clean, _met
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage, MaskPyramid
from maskreg.core.image.stabilise import Detector
from maskreg.core.reference import ReferenceSide
from maskreg.options import Options
from maskreg.registration import Status
from maskreg.testing import ChromiumScan, Rings, Spots, Texture, beam_block

SIDE = 256
SHIFT = (-9.3, 14.6)
BEAM_BLOCK = beam_block((SIDE, SIDE))

seeds = st.integers(0, 2**32 - 1)


def frames(scene, dose=30.0, seed=0):
    rng = np.random.default_rng(seed)
    drift = tuple(-s for s in SHIFT)
    return [rng.poisson(dose * scene.render(d)).astype(np.uint16) for d in ((0.0, 0.0), drift)]


def places(count, seed=1):
    return tuple(np.random.default_rng(seed).integers(0, SIDE, (2, count)))


def plainly_lone(pixels, mask, place):
    """Whether a pixel stands out by itself, of noise of unit variance."""
    shape = mask.shape
    reach = range(-3, 4) if mask.ndim == 1 else (-1, 0, 1)
    near = [place + step for step in itertools.product(reach, repeat=mask.ndim) if any(step)]
    inside = [tuple(p) for p in near if ((p >= 0) & (p < shape)).all()]
    others = sorted(float(pixels[p]) for p in inside if mask[p])
    value = float(pixels[tuple(place)])
    if len(others) < FEWEST_NEIGHBOURS:
        return False
    with_it = min(most_with(mask.ndim), len(others) - LEFT)
    for hot in (True, False):
        values = others if hot else [-v for v in reversed(others)]
        for left, block in ((len(others), 1), (len(others) - with_it, BLOCK)):
            off, differ = (value if hot else -value) - values[left - 1], values[left - 1] - values[0]
            if off > block * (STANDS_OUT if differ < ALIKE else ALONE) * differ and off > SURELY:
                return True
    return False


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seeds, st.sampled_from([(11, 14), (30,), (5, 6, 7)]), st.booleans(), st.sampled_from([1, 40, 2**17]))
def test_what_stands_out_is_told_pixel_by_pixel(seed, shape, masked, at_once):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=shape).astype(np.float32)
    for _ in range(3):
        there = tuple(slice(i, i + int(rng.integers(1, 4))) for i in rng.integers(0, shape))
        pixels[there] = rng.choice([-90.0, -20.0, 20.0, 90.0]) + rng.normal(size=pixels[there].shape)
    mask = rng.random(shape) < (0.7 if masked else 1.0)
    pixels[~mask] = 0
    expected = [list(place) for place in np.argwhere(mask) if plainly_lone(pixels, mask, place)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskreg.core.detector.lone.AT_ONCE", at_once)
        found = stand_out(LevelImage(pixels, mask), 1.0)
    number = groups(np.reshape(expected, (-1, len(shape))).astype(int), shape)
    common = number > max(HANDFUL, COMMON * np.count_nonzero(mask))
    np.testing.assert_array_equal(found, np.reshape([] if common else expected, (-1, len(shape))))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seeds, st.sampled_from([(11, 14), (2, 30), (1, 1)]), st.floats(0.3, 1.0), st.integers(0, 3))
def test_what_is_off_most_neighbours_is_told_by_the_compiled_pass_as_plainly(seed, shape, part, most):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < part
    pixels = np.where(mask, rng.normal(0, 4, shape), 0).astype(np.float32)
    np.testing.assert_array_equal(
        off_most_2d(pixels, mask, 5.0, most) & mask, plain_off_most(pixels, mask, 5.0, most)
    )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seeds, st.sampled_from([(19,), (11, 14), (5, 6, 7)]), st.integers(0, 9))
def test_places_show_in_another_image_at_a_lag_as_well(seed, shape, count):
    rng = np.random.default_rng(seed)
    image, other = (
        LevelImage(rng.normal(size=shape).astype(np.float32), np.ones(shape, bool)) for _ in range(2)
    )
    places = rng.integers(0, shape, (count, len(shape)))
    lag = tuple(int(s) for s in rng.integers(-6, 7, len(shape)))
    expected = []
    for p in places:
        value = float(image.pixels[tuple(p)])
        near = [p - lag + step for step in itertools.product((-1, 0, 1), repeat=len(shape))]
        inside = [tuple(q) for q in near if ((q >= 0) & (q < shape)).all()]
        shown = [float(other.pixels[q]) * np.sign(value) for q in inside]
        expected.append(max(shown, default=0.0) > SPREAD * abs(value))
    np.testing.assert_array_equal(_met(image, places, other, lag), expected)


def test_pixels_side_by_side_are_counted_as_one():
    places = np.array([[0, 0], [0, 1], [1, 1], [5, 5], [5, 7]])
    assert groups(places, (8, 8)) == 3
    assert groups(places[:0], (8, 8)) == 0


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("count", cases([2, 25, 200], [2, 6, 25, 80, 200]))
@pytest.mark.parametrize(
    ("dtype", "exact"),
    cases(
        [(np.uint16, False), (np.float32, True)],
        [(dtype, exact) for dtype in (np.uint16, np.float32) for exact in (False, True)],
    ),
)
def test_hot_pixels_that_stay_do_not_hold_the_pattern_back(scene, count, dtype, exact):
    images = [image.astype(dtype) for image in frames(scene((SIDE, SIDE)))]
    if dtype is np.float32:  # no counts
        images = [image - 3.5 for image in images]
    for image in images:
        image[places(count)] = 60_000
    found = register(*images, exact=exact)
    assert found.ok
    np.testing.assert_allclose(found.shift, SHIFT, atol=0.3)


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize(
    ("count", "size"),
    cases(
        [(2, (2, 2)), (20, (1, 2)), (20, (7, 1))],
        [(count, size) for count in (2, 20) for size in ((1, 2), (2, 2), (7, 1))],
    ),
)
def test_hot_pixels_side_by_side_do_not_hold_the_pattern_back(scene, count, size):
    images = frames(scene((SIDE, SIDE)))
    apart = np.random.default_rng(1).permutation(16 * 16)[:count]
    for i, j in zip(16 * (apart // 16), 16 * (apart % 16), strict=True):
        for image in images:
            image[i : i + size[0], j : j + size[1]] = 30_000
    found = register(*images)
    assert found.ok
    np.testing.assert_allclose(found.shift, SHIFT, atol=0.3)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_hot_pixels_of_a_line_do_not_hold_it_back(count):
    rng = np.random.default_rng(5)
    line = scipy.ndimage.gaussian_filter1d(rng.normal(size=1200), 4.0)
    line = 100 * (1 + np.clip(line / line.std(), -3, 3) / 4)
    images = [rng.poisson(line[k : k + 1000]).astype(np.uint16) for k in (100, 93)]
    for image in images:
        image[np.arange(count) * 190 + 7] = 60_000
    found = register(*images)
    assert found.ok
    np.testing.assert_allclose(found.shift, -7, atol=0.3)


def test_pixels_that_stand_out_again_and_again_leave_a_doubt(monkeypatch):
    images = frames(Rings((SIDE, SIDE)))
    for image in images:
        image[places(12)] = 60_000
    without, times = cleaned.without_lone, []

    def always_others(masked, moving, shift):
        times.append(1)
        moving.pointed = True
        return without(masked, moving, shift) or Clean(masked, moving, 1)

    def pointed(masked, moving, found):
        moving.pointed = True
        return True

    monkeypatch.setattr(cleaned, "without_lone", always_others)
    monkeypatch.setattr(cleaned, "may_be_held", pointed)
    monkeypatch.setattr(clipped, "_clipped", lambda *_: iter(()))
    found = register(*images)
    assert len(times) == cleaned.MOST_CLEANED + 1
    assert found.status is Status.WEAK
    assert "others do" in found.detail


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_single_electrons_are_no_hot_pixels(dtype):
    rng = np.random.default_rng(6)
    pattern = Spots((1024, 1024)).render((0.2, -0.3))
    image = rng.poisson(0.004 * pattern / pattern.mean()).astype(dtype)
    side = ReferenceSide(
        Prepared(image, MaskPyramid(np.ones(image.shape, bool)), Detector(dtype is np.uint16)), Options()
    )
    assert len(side.lone) < 20 < np.count_nonzero(image)


@pytest.mark.parametrize("count", [2, 12])
@pytest.mark.parametrize("hot", [0, 1])
def test_hot_pixels_of_one_image_do_not_carry_it_to_a_bright_spot(count, hot):
    images = [image - 3.5 for image in frames(Spots((SIDE, SIDE)))]
    images[hot][places(count)] = 30 * images[hot].max()
    found = register(*images, BEAM_BLOCK, BEAM_BLOCK)
    assert not found.ok or np.abs(found.shift - SHIFT).max() < 0.3


@pytest.mark.parametrize("side", [32, 64, 128])
def test_two_hot_pixels_that_meet_two_others_do_not_carry_a_small_image_there(side):
    right = 0
    for seed in range(6):
        rng = np.random.default_rng([seed, side])
        drift, apart = rng.uniform(-side / 8, side / 8, 2), rng.integers(side // 6, side // 4, 2)
        scene = Texture((side, side))
        one, other = (rng.poisson(20 * scene.render(d)).astype(np.uint16) for d in ((0.0, 0.0), drift))
        hot = rng.integers(2, side - side // 4 - 2, (2, 2))
        one[tuple(hot.T)] = other[tuple((hot + apart).T)] = 20_000
        found = register(one, other)
        near = bool(np.abs(found.shift + drift).max() < 0.5)
        assert near or not found.ok
        right += near and found.ok
    assert right >= 3


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

    monkeypatch.setattr("maskreg.core.cleaned.without_lone", never)
    scan = ChromiumScan((size, size), scans=1, delays=(0.0, 1.0, 2.0))
    registrar = Registrar(scan.frame(0), scan.mask, scan.mask)
    for k in (0, 1, 2):
        assert registrar(scan.frame(k)).ok
