"""Real pairs and series with default arguments: right, or not ok."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from tests.core.registration_law import assert_well_formed

from maskreg import Registrar, register

WHOLE_PIXEL_TRUTH = 0.6
"""Px: where the truth is known to the whole pixel only."""

PAIRS = [
    "seed_cr_blog",
    "padfield_X75Y75",
    "padfield_X-130Y130",
    "itk_brain_shift13x17y",
    "eolearn_clouds_17",
    "eolearn_clouds_18",
    "eolearn_clouds_50",
    "landsat_bands_0",
    "landsat_bands_1",
    "musclex_Mn23_264_265",
    "camera_corrupt25",
    "camera_ellipses",
    "seed_fig1_camera",
]
HARD = "eolearn_clouds_36"
"""An unmasked cloud shadow: right or doubtful, never confidently wrong."""

SERIES = ["graphite_series", "xray_rings_series"]
FRAMES = 12


@pytest.fixture(scope="module")
def truth(shared_data):
    return {case["name"]: case for case in json.loads((shared_data / "truth.json").read_text())}


def load(folder):
    """Reference, moving and their masks; nonzero = valid, a missing mask means all valid."""

    def read(name):
        path = folder / f"{name}.tif"
        return tifffile.imread(path) if path.exists() else None

    images = read("reference"), read("moving")
    masks = (read("reference_mask"), read("moving_mask"))
    return *images, *(None if mask is None else mask > 0 for mask in masks)


def error_and_tolerance(found, case):
    tolerance = max(case["tolerance"], WHOLE_PIXEL_TRUTH)
    return np.abs(found.shift - case["shift"]).max(), tolerance


def test_every_pair_of_the_truth_is_tried(truth):
    pairs = {name for name, case in truth.items() if case["kind"] == "pair"}
    assert pairs == {*PAIRS, HARD}


@pytest.mark.parametrize("name", PAIRS)
def test_a_real_pair_is_right_with_default_arguments(shared_data, truth, name):
    found = register(*load(shared_data / name))
    assert_well_formed(found, 2)
    error, tolerance = error_and_tolerance(found, truth[name])
    assert found.ok, found
    assert error <= tolerance, found


def test_a_hard_pair_is_right_or_doubtful(shared_data, truth):
    found = register(*load(shared_data / HARD))
    assert_well_formed(found, 2)
    if found.ok:
        error, tolerance = error_and_tolerance(found, truth[HARD])
        assert error <= tolerance, found


def test_without_its_mask_the_beam_block_is_told_or_makes_a_doubt(shared_data, truth):
    """What the masks are for: unmasked, what stands still must be told from what has moved."""
    reference, moving, *masks = load(shared_data / "seed_cr_blog")
    with_mask, without = register(reference, moving, *masks), register(reference, moving)
    assert_well_formed(without, 2)
    error, tolerance = error_and_tolerance(with_mask, truth["seed_cr_blog"])
    assert with_mask.ok
    assert error <= tolerance
    error, _ = error_and_tolerance(without, truth["seed_cr_blog"])
    assert not without.ok or error <= tolerance, without


@pytest.mark.parametrize("name", SERIES)
def test_a_real_series_follows_its_truth(shared_data, name):
    from PIL import Image

    folder = shared_data / name
    frames = tifffile.imread(folder / "frames.tif", key=range(FRAMES))
    mask = np.asarray(Image.open(folder / "valid_mask.png")) > 0
    shifts = np.loadtxt(folder / "truth_shifts.csv", delimiter=",")[:FRAMES]
    assert len(frames) == len(shifts) == FRAMES
    assert np.abs(shifts).max() > 1
    registrar = Registrar(frames[0], mask, mask)
    found = [registrar(frame) for frame in frames[1:]]
    assert all(f.ok for f in found), [f for f in found if not f.ok]
    error = np.array([f.shift for f in found]) - shifts[1:]
    distance = np.linalg.norm(error, axis=1)
    assert np.sqrt((distance**2).mean()) <= 0.15
    assert distance.max() <= 0.5
