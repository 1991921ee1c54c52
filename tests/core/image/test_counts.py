"""Floats and long integers that hold counts are known as such, by every pixel that is not ignored."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.core.image.counts import as_counts, plain_as_counts

LONG = (200, 301)
"""More pixels than are looked at at once."""


def assert_same(one, other):
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint64])
@pytest.mark.parametrize("shape", [(7,), (100, 100), LONG, (9, 40, 41)])
@pytest.mark.parametrize("greatest", [0, 3, 65535, 65536, 2**24, 2**32 - 256, 2**32, 1e12, np.inf, np.nan])
def test_counts_are_what_the_plain_twin_says(dtype, shape, greatest):
    rng = np.random.default_rng(4)
    image = rng.poisson(3, shape).astype(dtype)
    valid = rng.random(shape) < 0.8
    place = tuple(rng.integers(n) for n in shape)
    if np.dtype(dtype).kind != "f" and not np.isfinite(greatest):
        greatest = 2**62
    image[place] = greatest
    for counts in (False, True):
        valid[place] = counts
        assert_same(as_counts(image, valid), plain_as_counts(image, valid))


@pytest.mark.parametrize("shape", [(100, 100), LONG])
@pytest.mark.parametrize("value", [0.5, -1, np.nan])
@pytest.mark.parametrize("where", [(0, 0), (50, 50), (-1, -1)])
def test_floats_with_one_number_that_is_no_count_are_none(shape, value, where):
    image, valid = np.ones(shape, np.float32), np.ones(shape, bool)
    assert as_counts(image, valid).dtype == np.uint16
    image[where] = value
    assert as_counts(image, valid) is image
    valid[where] = False
    counts = as_counts(image, valid)
    assert counts.dtype == np.uint16
    assert counts[where] == 0


@pytest.mark.parametrize("image", [np.ones(LONG, np.uint8), np.full(LONG, -3, np.int16), np.full(LONG, -3)])
def test_short_integers_and_negative_ones_stay_as_they_are(image):
    assert as_counts(image, np.ones(LONG, bool)) is image


def test_where_nothing_is_valid_there_are_no_counts():
    image = np.ones(LONG)
    assert as_counts(image, np.zeros(LONG, bool)) is image


def test_long_doubles_are_counts_too():
    image, valid = np.full((5, 6), 7, np.longdouble), np.ones((5, 6), bool)
    assert_same(as_counts(image, valid), np.full((5, 6), 7, np.uint16))


def test_no_pixel_of_short_integers_is_looked_at():
    class Unread(np.ndarray):
        def __getitem__(self, where):
            raise AssertionError("looked at")

    image = np.ones(LONG, np.uint16).view(Unread)
    assert as_counts(image, np.ones(LONG, bool)) is image
    assert plain_as_counts(image, np.ones(LONG, bool)) is image
