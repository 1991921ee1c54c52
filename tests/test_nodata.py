"""A number that stands for no data is suspected, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import align, register
from maskreg.nodata import nodata_warning
from maskreg.testing import Rings, Texture, beam_block, simulate_pair

SHAPE = (128, 128)


def counts(seed=1, dose=60):
    return simulate_pair(Rings(SHAPE), (1.0, 2.0), dose, None, np.random.default_rng(seed)).reference


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-9999, "6.2 % of the pixels hold -9999, far below all others"),
        (-1e30, "far below"),
        (65535, "hold 65535, far above all others"),
    ],
)
def test_one_value_far_from_all_others_is_told(value, told):
    image = counts().astype(float)
    image[40:48] = value
    assert told in nodata_warning(image)
    mask = np.ones(SHAPE, bool)
    mask[40:48] = False
    assert nodata_warning(image, mask) is None
    assert nodata_warning(np.ma.array(image, mask=~mask)) is None


def test_nan_is_ignored_anyway():
    image = counts().astype(float)
    image[40:48] = np.nan
    assert nodata_warning(image) is None


def test_what_it_advises_ignores_just_these_pixels():
    image = counts()
    image[40:48] = 65535
    limit = float(nodata_warning(image).partition("--ignore-above ")[2].partition(",")[0])
    np.testing.assert_array_equal(image > limit, image == 65535)


@pytest.mark.parametrize("dose", [0.1, 1, 100, 10_000])
@pytest.mark.parametrize("scene", [Rings(SHAPE), Texture(SHAPE)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_ordinary_frames_are_not_suspected(dose, scene, dtype):
    mask = beam_block(SHAPE)
    frame = simulate_pair(scene, (1.0, 2.0), dose, mask, np.random.default_rng(2)).reference
    limit = 255 if dtype == "u1" else 65535
    for image in (frame, np.where(mask, frame, 0)):
        assert nodata_warning(np.minimum(image, limit).astype(dtype)) is None


@pytest.mark.parametrize("image", [np.zeros((9, 9)), np.eye(9), np.eye(9) > 0, np.full((9, 9), np.nan)])
def test_images_of_one_or_two_values_are_not_suspected(image):
    assert nodata_warning(image) is None


def test_one_hot_pixel_is_not_suspected():
    image = counts()
    image[5, 5] = 65535
    assert nodata_warning(image) is None


def test_a_series_says_so(caplog):
    frames = np.stack([counts(seed) for seed in range(3)]).astype(np.int32)
    frames[:, 40:48] = -9999
    align(frames, workers=1)
    (told,) = [message for message in caplog.messages if "no data" in message]
    assert told.startswith("the reference, frame 0 (frames[0]): 6.2 % of the pixels hold -9999")


def test_a_large_image_is_asked_by_a_sample_first():
    image = np.tile(counts().astype(np.float32), (8, 8))
    image[::32, 100:200] = -9999
    assert "hold -9999" in nodata_warning(image)
    assert nodata_warning(np.asfortranarray(image)) == nodata_warning(image)


def test_a_pair_says_so_of_either_image(caplog):
    reference, moving = (counts(seed).astype(np.int32) for seed in (1, 2))
    moving[40:48] = -9999
    register(reference, moving)
    (told,) = caplog.messages
    assert told.startswith("moving: 6.2 % of the pixels hold -9999, far below all others")
    caplog.clear()
    register(moving, reference, moving > -9999)
    register(reference, np.ma.masked_equal(moving, -9999))
    assert not caplog.messages


def test_a_labelled_pair_says_so(caplog):
    xarray = pytest.importorskip("xarray")
    image = counts().astype(np.int32)
    image[40:48] = -9999
    register(xarray.DataArray(image, dims=("y", "x")), counts(2))
    (told,) = caplog.messages
    assert told.startswith("reference: 6.2 %")
