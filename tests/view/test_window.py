from __future__ import annotations

import numpy as np
import pytest

from maskreg.apply.shift_image import shift_image
from maskreg.view.window import SCREEN, Window


def whole(shape):
    return Window.of(0, 0, shape[0] - 1, shape[1] - 1, shape)


@pytest.mark.parametrize("shape", [(5, 7), (100, 30), (1500, 900), (2048, 2048), (1, 3000)])
def test_it_covers_the_view_with_no_more_pixels_than_the_screen_has(shape):
    window = whole(shape)
    assert (window.row, window.col) == (0, 0)
    assert shape[0] <= window.rows < shape[0] + window.step
    assert shape[1] <= window.cols < shape[1] + window.step
    assert max(window.rows, window.cols) // window.step <= SCREEN


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, bool])
def test_pixels_are_means_of_what_they_cover(dtype):
    image = np.random.default_rng(1).integers(0, 2, (20, 33)).astype(dtype)
    small = Window(0, 0, 21, 33, 3).of_image(image)
    assert small.shape == (7, 11)
    np.testing.assert_allclose(small[2, 4], image[6:9, 12:15].astype(float).mean(), rtol=1e-6)
    np.testing.assert_allclose(small[6, 4], image[18:, 12:15].astype(float).mean(), rtol=1e-6)


def test_what_is_not_finite_or_masked_is_left_out_of_a_mean():
    image = np.ma.MaskedArray(np.ones((4, 4)), mask=np.zeros((4, 4), bool))
    image.data[0, 0], image.data[0, 1] = np.nan, np.inf
    image.data[1, 0] = 1e9
    image.mask[1, 0] = True
    image.data[2:, 2:] = np.nan
    small = Window(0, 0, 4, 4, 2).of_image(image)
    np.testing.assert_array_equal(small, [[1, 1], [1, np.nan]])


def test_outside_of_the_image_there_is_nothing():
    small = Window(-2, -2, 8, 4, 1).of_image(np.ones((4, 4), np.uint16))
    assert np.isnan(small[:2]).all()
    assert np.isnan(small[:, :2]).all()
    assert (small[2:6, 2:] == 1).all()
    assert np.isnan(Window(100, 100, 4, 4, 2).of_image(np.ones((4, 4)))).all()


def test_one_ignored_pixel_shows():
    mask = np.ones((30, 30), bool)
    mask[13, 22] = False
    assert np.argwhere(Window(0, 0, 30, 30, 3).of_mask(mask)).tolist() == [[4, 7]]


@pytest.mark.parametrize("shift", [(0, 0), (3, -4), (2.25, -7.75), (-11.5, 0.4)])
def test_aligned_is_the_shifted_image(shift):
    rows, cols = np.indices((60, 80))
    image = 100 + 10 * np.sin(rows / 9) + 8 * np.cos(cols / 11)
    moved, valid = shift_image(image, shift)
    shown = whole(image.shape).aligned(image, np.array(shift))
    both = valid & np.isfinite(shown)
    assert both.mean() > 0.6
    np.testing.assert_allclose(shown[both], moved[both], atol=0.05)


def test_a_view_beyond_the_frame_is_cut_to_it():
    assert Window.of(-50, -20, 500, 500, (100, 200)) == Window(0, 0, 100, 200, 1)
    assert Window.of(500, 500, 600, 600, (100, 200)) == Window(99, 199, 1, 1, 1)
