"""Dead rows and columns, and padding that both images share, do not hold a match."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from maskreg import Registrar, register
from maskreg.core.detector.drawn import Box, less_boxes
from maskreg.core.detector.still_lines import still_lines, tell
from maskreg.testing import Rings, Texture

SHAPE = 96, 112
DRIFT = 4.0, -6.0
WIDTHS = (20, 12), (16, 9)
STRIPS = {Box(0, 20, 0, 137), Box(116, 128, 0, 137), Box(0, 128, 0, 16), Box(0, 128, 128, 137)}


def images(drift=DRIFT, dose=60, seed=1):
    rng, scene = np.random.default_rng(seed), Texture(SHAPE)
    return [rng.poisson(dose * scene.render(by)).astype(np.uint16) for by in ((0.0, 0.0), drift)]


def padded(image, value=0, widths=WIDTHS):
    return np.pad(image, widths, constant_values=value)


def whole(image):
    return np.ones(image.shape, bool)


def strips(one, other):
    return still_lines(one, whole(one), other, whole(other))


@pytest.fixture
def said(caplog):
    tell.cache_clear()
    caplog.set_level(logging.WARNING, logger=tell.__module__)
    return lambda: [record.getMessage() for record in caplog.records if record.name == tell.__module__]


@pytest.mark.parametrize("value", [0, 7, 65535])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, ">f8"])
def test_padding_does_not_hold_a_match_and_is_told(dtype, value, said):
    pair = [padded(image, value).astype(dtype) for image in images()]
    assert strips(*pair) == STRIPS
    found = register(*pair)
    assert found.ok
    assert np.abs(found.shift + DRIFT).max() < 0.1
    (message,) = said()
    assert message.startswith("rows 0:20, columns 0:137; rows 0:128, columns 0:16; ")


def test_rings_behind_padding_are_where_they_are():
    rng, scene = np.random.default_rng(5), Rings((160, 160))
    drift = np.array([7.0, -3.0])
    pair = [padded(rng.poisson(100 * scene.render(by)).astype(np.uint16)) for by in ((0.0, 0.0), drift)]
    found = register(*pair)
    assert found.ok
    assert np.abs(found.shift + drift).max() < 0.2


@pytest.mark.parametrize("seed", [6, 10, 12, 16])
def test_few_electrons_within_a_border_of_some_are_where_they_are(seed):
    rng, scene, inner = (
        np.random.default_rng(seed),
        Rings((192, 192), seed=seed + 1),
        np.zeros((192, 192), bool),
    )
    inner[9:-9, 9:-9] = True
    counts = (rng.poisson(0.9 * scene.render(by)) for by in ((0.0, 0.0), (-2.5, 2.5)))
    found = register(*(np.where(inner, frame, 4).astype(np.uint16) for frame in counts))
    assert found.ok
    assert np.abs(found.shift - (2.5, -2.5)).max() < 0.3


def test_the_answer_is_that_behind_a_mask_to_the_bit(said):
    pair = [padded(image) for image in images()]
    mask = less_boxes(whole(pair[0]), STRIPS)
    masked = register(*pair, mask, mask)
    assert not said()
    found = register(*pair)
    assert found.shift.tobytes() == masked.shift.tobytes()
    assert found.covariance.tobytes() == masked.covariance.tobytes()


def test_what_is_masked_is_not_looked_at():
    pair = [padded(image) for image in images()]
    mask = whole(pair[0])
    mask[:, 60:80] = False
    for image in pair:
        image[~mask] = np.arange((~mask).sum())
    assert still_lines(pair[0], mask, pair[1], mask) == STRIPS
    mask[:20] = False
    assert still_lines(pair[0], mask, pair[1], mask) == STRIPS - {Box(0, 20, 0, 137)}


def test_each_side_is_one_by_itself():
    rows = ((3, 0), (0, 0))
    assert strips(*(padded(image, 0, rows) for image in images())) == {Box(0, 3, 0, 112)}
    assert len(strips(*(padded(image, 0, ((1, 1), (1, 1))) for image in images()))) == 4
    assert not strips(*images())


def test_a_few_valid_pixels_are_of_one_value_by_chance():
    one, other = images()
    mask = whole(one)
    mask[:50] = mask[49:, :4] = False
    for valid, found in ((15, frozenset()), (16, {Box(49, 50, 0, 112)})):
        mask[49, 30 : 30 + valid] = True
        one[49] = other[49] = 5
        assert still_lines(one, mask, other, mask) == found


@pytest.mark.parametrize("columns", [[30], [30, 31], [5, 17, 18, 40, 41, 42, 60, 71, 88, 100, 111]])
@pytest.mark.parametrize("value", [0, 30, 4000])
def test_dead_columns_do_not_hold_a_match(columns, value, said):
    pair = images()
    for image in pair:
        image[:, columns] = value
        image[40] = 2 * value
    found = register(*pair)
    assert found.ok
    assert np.abs(found.shift + DRIFT).max() < 0.1
    (message,) = said()
    assert f"columns {columns[0]}:{columns[0] + 1 + (columns[0] + 1 in columns)}" in message
    assert "rows 40:41, columns 0:112" in message


def test_lines_that_are_dead_in_one_image_or_hold_other_values_are_left_to_others():
    one, other = images()
    one[:, 30] = 0
    assert not strips(one, other)
    other[:, 30] = 1
    assert not strips(one, other)


def test_the_dark_around_a_scene_is_no_still_lines():
    y, x = np.indices((96, 96))
    cell = [((y - 48 - k) ** 2 + (x - 48) ** 2 < 900) for k in (0, 3)]
    rng = np.random.default_rng(2)
    assert not strips(*(rng.poisson(50, cell[0].shape) * inside for inside in cell))
    # nor are sheets that are the same in both, which only the edges place
    sheet = np.zeros((64, 64), np.uint16)
    sheet[10:50, 8:60] = 200
    assert not strips(sheet, sheet.copy())
    assert np.abs(register(sheet, sheet).shift).max() < 0.1


def test_other_widths_other_values_little_that_is_left_and_other_shapes_are_none():
    one, other = images()
    assert not strips(padded(one, 0, 20), padded(other, 1, 20))
    assert not strips(padded(one, 0, ((20, 12), (0, 0))), padded(other, 0, ((12, 20), (0, 0))))
    assert not strips(padded(one, 0, 60), padded(other, 0, 60))
    assert not strips(padded(one), padded(other)[:100].copy())
    assert not strips(np.zeros_like(one), np.zeros_like(one))


def test_a_registrar_says_so_once(said):
    reference, *frames = (padded(image) for seed in (1, 2) for image in images(seed=seed))
    registrar = Registrar(reference)
    assert np.abs(registrar(frames[0]).shift + DRIFT).max() < 0.1
    assert np.abs(registrar(frames[2]).shift + DRIFT).max() < 0.1
    assert len(said()) == 1
