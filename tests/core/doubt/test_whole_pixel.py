"""Pictures that match in single pixels only: a whole-pixel shift, or a reason why there is none."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

import maskreg
from maskreg.core.doubt.whole_pixel import WITHIN_HALF


def white(n: int, shift: tuple[int, int], seed: int, *, noise: float = 0.0):
    """Return two views of one picture of random numbers, `shift` being what brings moving onto reference."""
    rng = np.random.default_rng(seed)
    large = rng.normal(size=(n + 40, n + 40))
    # what begins earlier has its content lower
    moving = large[20 + shift[0] : 20 + shift[0] + n, 20 + shift[1] : 20 + shift[1] + n]
    return large[20 : 20 + n, 20 : 20 + n], moving + noise * rng.normal(size=(n, n))


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("n", [24, 64, 200, 400])
def test_random_numbers_are_placed_to_a_whole_pixel(n, noise):
    for seed, drift in enumerate([(-3, 4), (-6, 6), (-5, 3), (8, 1)]):
        reference, moving = white(n, drift, seed, noise=noise)
        found = maskreg.register(reference, moving)
        assert found.ok, found.reason
        np.testing.assert_array_equal(found.shift, drift)
        np.testing.assert_allclose(found.uncertainty, np.sqrt(WITHIN_HALF), rtol=0.1)


def test_the_uncertainty_holds_between_pixels():
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(20):
        truth = rng.uniform(-8, 8, 2)
        picture = rng.normal(size=(96, 96))
        moving = np.fft.ifft2(scipy.ndimage.fourier_shift(np.fft.fft2(picture), -truth)).real
        found = maskreg.register(picture, moving)
        assert found.ok, found.reason
        errors.append((found.shift - truth) / found.uncertainty)
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) < 1.2
    # within half a pixel, but for lags that are nearly equal
    assert np.abs(errors).max() < 0.6 / np.sqrt(WITHIN_HALF)


def test_ignored_pixels_do_not_matter_and_holes_do_not_hide_the_place():
    reference, moving = white(128, (-5, -9), 1)
    rng = np.random.default_rng(2)
    masks = [rng.random(reference.shape) > 0.3 for _ in range(2)]
    soiled = [np.where(mask, image, 1e6) for image, mask in zip((reference, moving), masks, strict=True)]
    clean, dirty = maskreg.register(reference, moving, *masks), maskreg.register(*soiled, *masks)
    assert clean.ok
    np.testing.assert_array_equal(clean.shift, (-5, -9))
    np.testing.assert_array_equal(clean.shift, dirty.shift)


@pytest.mark.parametrize("ndim", [1, 3])
def test_random_numbers_of_other_dimensions_are_placed(ndim):
    rng = np.random.default_rng(3)
    picture = rng.normal(size={1: (500,), 3: (40, 40, 40)}[ndim])
    moved = (-3, 2, 1)[:ndim]
    found = maskreg.register(picture, np.roll(picture, moved, tuple(range(ndim))))
    assert found.ok, found.reason
    np.testing.assert_array_equal(found.shift, np.negative(moved))


def test_the_fixed_pattern_of_a_detector_is_no_shift_of_nothing():
    rng = np.random.default_rng(4)
    pattern = rng.normal(size=(200, 200))
    frames = [pattern + rng.normal(size=pattern.shape) for _ in range(2)]
    found = maskreg.register(*frames)
    assert found.status is maskreg.Status.WEAK
    assert "fixed pattern" in found.reason


def test_parallel_lines_are_not_placed_along_themselves():
    lines = np.repeat(np.random.default_rng(6).normal(size=(200, 1)), 200, axis=1)
    found = maskreg.register(lines[20:180], lines[17:177])
    assert not found.ok


def test_one_bright_pixel_is_no_picture():
    images = np.zeros((2, 64, 64))
    images[0, 20, 30] = images[1, 24, 33] = 0.7
    found = maskreg.register(*images)
    assert found.status is maskreg.Status.WEAK
    assert "single pixel" in found.reason


def test_one_electron_on_another_where_nothing_else_is_makes_no_match():
    rng = np.random.default_rng(1710885340)
    rows, columns = np.mgrid[:256, :256].astype(float)

    def frame(shift):
        y, x = rows + shift[0], columns + shift[1]
        inside = np.exp(-((y - 128) ** 2 + (x - 128) ** 2) / 2 / 30**2)
        return rng.poisson(1.25 * inside * (2 + np.cos(2 * np.pi * y / 3) + np.cos(2 * np.pi * x / 5)))

    reference, moving = frame((0, 0)), frame((9.18, -38.59))
    corners = reference[:27, :198] * moving[-27:, -198:]
    assert corners.sum() == reference[:27, :198].sum() == 1
    for exact in (True, False):
        found = maskreg.register(reference, moving, exact=exact)
        assert not found.ok
        assert "single pixel" in found.reason
