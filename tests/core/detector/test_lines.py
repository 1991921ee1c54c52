"""Lines of the detector that stand out, as dead and hot columns do: found, left out, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from tests.core.images import prepared

from maskreg import Registrar, Status, register
from maskreg.core.detector.lines import COMMON, Line, less_lines, lines, standing
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 256
SHAPE = SIDE, SIDE
SCENES = [Rings, Spots, Texture]


def counts(scene, dose, drift=(0.0, 0.0), seed=0):
    return np.random.default_rng(seed).poisson(dose * scene.render(drift)).astype(np.uint16)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("dose", [0.5, 5.0, 50.0])
def test_no_scene_has_lines(scene, dose):
    image = counts(scene(SHAPE), dose)
    assert lines(prepared(image), 1.0) == frozenset()
    assert lines(prepared(image, beam_block(SHAPE)), 1.0) == frozenset()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("masked", [False, True])
def test_dead_and_hot_lines_are_found(scene, masked):
    image, known = counts(scene(SHAPE), 5.0), {Line(1, 40, False), Line(1, 151, True), Line(0, 90, False)}
    image[90] = 0
    image[:, 40], image[:, 151] = 0, 60
    mask = beam_block(SHAPE) if masked else None
    assert lines(prepared(image, mask), 1.0) == known
    turned = {Line(1 - line.axis, line.at, line.brighter) for line in known}
    assert lines(prepared(image.T.copy(), None if mask is None else mask.T.copy()), 1.0) == turned


@pytest.mark.parametrize("width", [2, 3])
def test_lines_side_by_side_are_found(width):
    image = counts(Texture(SHAPE), 10.0)
    image[:, 100 : 100 + width] = 0
    assert lines(prepared(image), 1.0) == {Line(1, 100 + k, False) for k in range(width)}


def test_the_whole_length_of_a_long_line_is_looked_at():
    image = counts(Texture((2048, 64)), 10.0)
    image[:, 30] = 0
    assert lines(prepared(image), 1.0) == {Line(1, 30, False)}
    image = counts(Texture((2048, 64)), 10.0)
    image[:1024, 30] = 0
    assert lines(prepared(image), 1.0) == frozenset()


def test_gain_and_offset_do_not_matter():
    image = counts(Texture(SHAPE), 10.0).astype(np.float64)
    image[:, 77] = 0
    found = [lines(prepared(a * image + b), 1e-3) for a, b in ((1.0, 0.0), (1e4, -3e5), (1e-6, 2.0))]
    assert found[0] == found[1] == found[2] == {Line(1, 77, False)}


def test_ignored_pixels_do_not_matter():
    image, mask = counts(Texture(SHAPE), 10.0), beam_block(SHAPE)
    image[:, 200] = 0
    found = [lines(prepared(np.where(mask, image, v).astype(np.uint16), mask), 1.0) for v in (0, 60000)]
    assert found[0] == found[1] == {Line(1, 200, False)}


def test_steps_and_rows_of_spots_are_no_lines():
    image = counts(Texture(SHAPE), 10.0)
    image[:, SIDE // 2 :] //= 2
    assert lines(prepared(image), 1.0) == frozenset()
    image = counts(Texture(SHAPE), 10.0)
    image[::16, 100] += 500
    assert lines(prepared(image), 1.0) == frozenset()


def test_what_most_of_a_picture_is_like_are_no_lines():
    image = counts(Texture(SHAPE), 10.0)
    image[:, :: int(0.5 / COMMON)] = 0
    assert lines(prepared(image), 1.0) == frozenset()


def test_only_lines_of_both_images_stand():
    first, second = (counts(Texture(SHAPE), 10.0, seed=k) for k in (0, 1))
    first[:, 50], second[:, 50], first[:, 120], second[:, 121], first[:, 180] = 0, 0, 0, 0, 0
    second[:, 180] = 90
    known = lines(prepared(first), 1.0)
    assert {line.at for line in known} == {50, 120, 180}
    assert standing(known, prepared(second), 1.0) == {Line(1, 50, False)}
    assert standing(known, prepared(second[:, :50].copy()), 1.0) == frozenset()


def test_a_mask_without_lines_lacks_these():
    mask = less_lines(np.ones((60, 70), bool), [Line(0, 3, True), Line(1, 5, False)])
    assert not mask[3].any()
    assert not mask[:, 5].any()
    assert np.count_nonzero(~mask) == 60 + 70 - 1


@pytest.mark.parametrize("shape", [(4000,), (64, 64, 64), (40, 400)])
def test_images_of_other_axes_and_small_ones_have_none(shape):
    image = np.random.default_rng(0).poisson(5, shape).astype(np.uint16)
    image[..., 7] = 0
    assert lines(prepared(image), 1.0) == frozenset()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("dead", [True, False])
def test_lines_that_stand_still_hold_no_scene(scene, dead):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        drift = rng.uniform(-1, 1, 2) * rng.choice([3, 15, 60])
        pair = [counts(scene(SHAPE), 15.0, by, seed + 5 * k) for k, by in enumerate([(0.0, 0.0), drift])]
        clean, columns, row = register(*pair), rng.integers(0, SIDE, 3), rng.integers(0, SIDE)
        for image in pair:
            image[row] = image[:, columns] = 0 if dead else 200
        found = register(*pair)
        assert found.ok and clean.ok, (seed, found, clean)
        np.testing.assert_allclose(found.shift, clean.shift, atol=0.1)
        np.testing.assert_allclose(found.shift, -drift, atol=0.3)


def test_the_same_lines_are_left_out_of_a_series_only_once():
    frames = [counts(Texture(SHAPE), 20.0, (0.7 * k, -0.4 * k), k) for k in range(4)]
    for frame in frames:
        frame[:, [30, 200]] = 0
    registrar = Registrar(frames[0])
    for k, frame in enumerate(frames):
        found = registrar(frame)
        assert found.status is Status.OK
        np.testing.assert_allclose(found.shift, (-0.7 * k, 0.4 * k), atol=0.1)
        assert repr(found) == repr(register(frames[0], frame))


def test_lines_and_nothing_else_are_no_match():
    image = np.full(SHAPE, 7, np.uint16)
    image[:, 40] = 0
    found = register(image, image)
    assert found.status is Status.WEAK
    assert found.detail == "nothing but lines that stand out differs"
