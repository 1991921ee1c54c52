"""Stripes, as the rows of a camera have them: told from the scene, and taken off."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cases import cases
from tests.core.images import prepared

from maskreg import Registrar, Registration, Status, register
from maskreg.core import reference
from maskreg.core.detector.stripes import (
    Stripes,
    are_of_scene,
    lines_off,
    striped_axes,
    stripes_of_both,
    stripes_of_moving,
    without_stripes,
)
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 256
SHAPE = SIDE, SIDE
SCENES = [Rings, Spots, Texture]


def frames(scene, dose, drift, noise, seed, axis=0, dtype=np.float32):
    """Return two frames, the second drifted, whose lines along an axis have offsets of their own."""
    rng, out = np.random.default_rng(seed), []
    for by in ((0.0, 0.0), drift):
        offsets = np.expand_dims(rng.normal(0, noise, SIDE), 1 - axis)
        out.append(
            np.maximum(rng.poisson(dose * scene.render(by)) + 20 + np.round(offsets, 3), 0).astype(dtype)
        )
    return out


def found_at(*shift):
    return Registration(np.array(shift), np.eye(2), 0.5, 20.0, 1.0, None, Status.OK, "")


def of(one, other, *shift):
    return said(prepared(one), prepared(other), *shift)


def said(one, other, *shift):
    """Return what is said of both before they match, or of moving alone where they match."""
    if not shift:
        return stripes_of_both({axis: lines_off(one, axis) for axis in striped_axes(one)}, other)
    return stripes_of_moving(frozenset(), one, other, found_at(*shift))


def test_what_both_frames_have_where_they_match_is_the_scene_and_where_none_is_known_nothing_is():
    lines = 20 + np.random.default_rng(4).normal(0, 5, SIDE)
    one, other = (
        prepared(np.random.default_rng(k).normal(lines[:, None], 1, SHAPE).astype(np.float32)) for k in (1, 2)
    )
    rows, columns = Stripes((0,)), Stripes((1,))
    assert are_of_scene(rows, one, other, found_at(0.0, 0.0))
    assert not are_of_scene(columns, one, other, found_at(0.0, 0.0))
    assert not are_of_scene(rows, one, other, found_at(7.0, 0.0))
    assert not are_of_scene(rows, one, other, Registration.failed(Status.WEAK, 2))


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("dose", [0.5, 5.0, 200.0])
def test_no_scene_has_stripes(scene, dose):
    drift = (6.4, -11.0)
    one, other = frames(scene(SHAPE), dose, drift, 0.0, 1)
    assert of(one, other, -6.4, 11.0) is None


@pytest.mark.parametrize("scene", [Rings, Texture])
@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_are_told_across_their_axis(scene, axis):
    one, other = frames(scene(SHAPE), 5.0, (6.4, -11.0), 1.0, 2, axis)
    assert of(one, other, -6.4, 11.0) == of(one, other) == Stripes((axis,))
    assert of(one.T.copy(), other.T.copy(), 11.0, -6.4) == Stripes((1 - axis,))


def test_lines_of_the_scene_are_no_stripes():
    rng = np.random.default_rng(3)
    layers = rng.normal(0, 3, (SIDE + 10, 1)) * np.ones((1, SIDE))
    one, other = (layers[k : k + SIDE] + 50 + rng.normal(0, 1, SHAPE) for k in (0, 10))
    assert striped_axes(prepared(one)) == {0}
    assert of(one, other, 10.0, 0.0) is None
    assert of(one, rng.permutation(other), 10.0, 0.0) == Stripes((0,))
    found = register(one, other)
    assert round(found.shift[0]) == 10


def test_lines_of_a_scene_of_which_little_meets_are_told_where_it_matches():
    rng = np.random.default_rng(8)
    scene = np.kron(rng.normal(0, 3, (SIDE + 100, 6)), np.ones((1, 64)))  # layers, others every 64 px
    one, other = (scene[k : k + SIDE, k : k + SIDE] + rng.normal(0, 0.1, SHAPE) for k in (0, 80))
    found = register(one, other)
    assert found.ok
    np.testing.assert_allclose(found.shift, 80, atol=0.05)


def test_without_stripes_each_line_is_as_those_about_it():
    rng = np.random.default_rng(4)
    flat = 1e5 + 3.0 * np.arange(SIDE)[:, None] + np.zeros(SHAPE)
    image = prepared(flat + rng.normal(0, 20, (SIDE, 1)), beam_block(SHAPE))
    left = without_stripes(image, Stripes((0,)))
    assert not left[~image.mask].any()
    inside = slice(16, -16)
    off = (left - flat)[inside][image.mask[inside]]
    assert np.std(off) < 0.4 * 20
    assert np.ptp(left[100][image.mask[100]]) == 0


@pytest.mark.parametrize("scene", SCENES)
def test_ignored_pixels_do_not_matter(scene):
    one, other = frames(scene(SHAPE), 5.0, (6.4, -11.0), 1.0, 5)
    mask, left = beam_block(SHAPE), []
    for value in (0.0, 1e6):
        pair = [prepared(np.where(mask, frame, value).astype(np.float32), mask) for frame in (one, other)]
        left.append(without_stripes(pair[0], said(*pair, -6.4, 11.0)))
    np.testing.assert_array_equal(*left)


def test_gain_and_offset_do_not_matter():
    one, other = (frame.astype(np.float64) for frame in frames(Texture(SHAPE), 5.0, (6.4, -11.0), 1.0, 6))
    for gain, offset in ((1e4, 0.0), (1e-6, 1.0), (3.0, -500.0)):
        assert of(gain * one + offset, gain * other + offset) == Stripes((0,))


@pytest.mark.parametrize(
    ("dtype", "left"), [(np.uint16, np.float32), (np.float32, np.float32), (np.int32, float), (float, float)]
)
def test_grey_values_keep_their_digits(dtype, left):
    image = prepared((np.arange(SIDE)[:, None] % 2 + np.full(SHAPE, 3e4)).astype(dtype))
    found = without_stripes(image, Stripes((0,)))
    assert found.dtype == left
    np.testing.assert_allclose(found[32:-32], 30000.5, atol=0.01)


@pytest.mark.parametrize("shape", [(5000,), (40, 40, 40)])
def test_images_of_other_axes_have_none(shape):
    assert striped_axes(prepared(np.random.default_rng(0).normal(size=shape))) == frozenset()


def test_a_small_image_has_none():
    one, other = (np.random.default_rng(k).normal(size=(30, 30)) for k in (0, 1))
    assert of(one + np.arange(30)[:, None] % 2, other) is None


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(
    ("dtype", "axis"),
    cases(
        [(np.float32, 0), (np.uint16, 1)],
        [(dtype, axis) for dtype in (np.float32, np.uint16) for axis in (0, 1)],
    ),
)
@pytest.mark.parametrize("of_both", [True, False])
def test_stripes_pull_no_match(scene, dtype, axis, of_both):
    errors = {0.0: [], 2.0: []}
    for noise, seen in errors.items():
        for seed in range(cases(3, 6)):
            drift = np.random.default_rng(seed).uniform(-20, 20, 2)
            one, other = frames(scene(SHAPE), 5.0, drift, noise, seed, axis, dtype)
            if not of_both:
                one, _ = frames(scene(SHAPE), 5.0, drift, 0.0, seed, axis, dtype)
            found = register(one, other)
            assert found.ok, (seed, found)
            seen.append(found.shift + drift)
    clean, striped = (np.sqrt(np.mean(np.square(seen), axis=0)) for seen in errors.values())
    assert (striped < 3 * clean + 0.01).all(), (clean, striped)


def test_a_series_says_what_pairs_do_and_the_reference_loses_its_stripes_once(monkeypatch):
    series = [frames(Texture(SHAPE), 20.0, (2.0 * k, -k), 4.0, k)[1] for k in range(6)]
    pairs = [repr(register(series[0], frame)) for frame in series[1:]]
    times = []
    monkeypatch.setattr(reference, "without_stripes", lambda *of: times.append(of) or without_stripes(*of))
    registrar = Registrar(series[0])
    assert [repr(registrar(frame)) for frame in series[1:]] == pairs
    assert len(times) == 1


@pytest.mark.parametrize("axis", [0, 1])
def test_where_most_lines_are_ignored_the_others_tell(axis):
    one, other = frames(Texture(SHAPE), 5.0, (4.0, -3.0), 2.0, 7, axis)
    mask = np.zeros(SHAPE, bool)
    np.moveaxis(mask, axis, 0)[SIDE // 3 : SIDE // 2 + 30] = True
    assert said(prepared(one, mask), prepared(other, mask), -4.0, 3.0) == Stripes((axis,))
    left = without_stripes(prepared(one, mask), Stripes((0, 1)))
    assert np.isfinite(left).all()
    assert not left[~mask].any()
