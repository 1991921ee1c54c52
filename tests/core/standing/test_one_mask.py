"""A mask that one image has and the other lacks: said so where what it ignores stands still in both."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from maskreg import Registrar, register
from maskreg.core.standing.one_mask import FRAMES_ASKED
from maskreg.testing import ChromiumScan, Texture

SCAN = ChromiumScan((192, 192), scans=2)
FRAMES = SCAN.frame(0), SCAN.frame(20)
SIDE = 160
REGION = np.zeros((SIDE, SIDE), bool)
REGION[20:130, 30:140] = True


@pytest.fixture
def said(caplog):
    """What the log said so far."""
    caplog.set_level(logging.WARNING, logger="maskreg")
    return lambda: [record.getMessage() for record in caplog.records]


def moved(dose=50, by=(3.0, -4.0), stands=0.0):
    rng, scene = np.random.default_rng(3), Texture((SIDE, SIDE))
    return [rng.poisson(dose * scene.render(drift) + stands).astype(np.uint16) for drift in ((0, 0), by)]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("has, lacks", [("reference", "moving"), ("moving", "reference")])
def test_a_beam_block_that_one_mask_lacks_is_told(has, lacks, dtype, said):
    found = register(*(frame.astype(dtype) for frame in FRAMES), **{f"{has}_mask": SCAN.mask})
    assert np.rint(found.shift).any()
    (message,) = said()
    assert message.startswith(f"{has}_mask ignores what stands still: {lacks} looks the same there")
    assert f"{lacks}_mask does not ignore it" in message


def test_the_black_around_a_fan_is_told(said):
    images = [np.where(REGION, image, 0) for image in moved()]
    register(*images, REGION)
    assert len(said()) == 1


def test_where_no_place_is_found_it_is_told_as_well(said):
    rng = np.random.default_rng(0)
    stands = np.where(REGION, 0, rng.integers(0, 1000, REGION.shape))
    noise = [rng.poisson(10 + stands) for _ in range(2)]
    assert not register(*noise, REGION, max_shift=0).ok
    assert "no place was found" in said()[0]


def test_masks_of_both_images_are_complete(said):
    assert register(*FRAMES, SCAN.mask, SCAN.mask).ok
    assert not said()


@pytest.mark.parametrize("scale", [1e-310, 1e-30, 1e30, 1e307])
def test_values_of_any_size_are_compared(scale, said):
    values = np.random.default_rng(0).random((SIDE, SIDE)) * scale
    image, other = values, np.roll(values, (3, 2), (0, 1))
    register(image, np.where(REGION, other, image), REGION)
    assert len(said()) == 1


@pytest.mark.parametrize("masks", [(REGION, None), (None, REGION), (REGION, ~REGION)])
def test_a_region_of_the_scene_is_no_block(masks, said):
    register(*moved(), *masks)
    assert not said()


def test_clouds_of_one_image_are_no_block(said):
    image, other = moved()
    clouded = np.where(REGION, image, np.random.default_rng(1).integers(0, 5000, REGION.shape))
    assert register(clouded, other, REGION).ok
    clouded = clouded.astype(float)
    clouded[~REGION] = np.nan
    assert register(clouded, other, REGION).ok
    assert not said()


def test_images_of_unequal_shapes_are_compared_where_both_are(said):
    register(FRAMES[0], FRAMES[1][:170, :180], SCAN.mask)
    assert len(said()) == 1


def test_a_registrar_says_it_once_and_soon(said):
    registrar = Registrar(FRAMES[0], SCAN.mask)
    registrar(FRAMES[0])  # which has not moved, and cannot tell
    assert not said()
    for _ in range(3):
        registrar(FRAMES[1])
    assert len(said()) == 1


def test_later_frames_are_not_asked(said):
    registrar = Registrar(FRAMES[0], SCAN.mask)
    for _ in range(FRAMES_ASKED):
        registrar(FRAMES[1], SCAN.mask)
    registrar(FRAMES[1])
    assert not said()
