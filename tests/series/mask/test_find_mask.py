"""The mask of a series, found from nothing but the series."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from tests.cases import cases

from maskreg import align, find_mask
from maskreg.errors import InputError
from maskreg.masks import load_mask
from maskreg.series.mask.doubts import about_given
from maskreg.testing import Rings, Spots, Texture, beam_block

SHAPE = (128, 128)


def drifting(count=16, size=8.0):
    t = np.linspace(0, 1, count)
    return size * np.stack([t, 0.5 * np.sin(4 * t)], axis=1)


def frames_of(valid, drifts, seed=1, dose=60):
    """Counts of rings behind a dark block; `valid` may be one mask or one a frame."""
    rng, scene = np.random.default_rng(seed), Rings(SHAPE)
    masks = np.broadcast_to(valid, (len(drifts), *SHAPE))
    frames = [
        rng.poisson(dose * np.where(m, scene.render(d), 0.02)) for m, d in zip(masks, drifts, strict=True)
    ]
    return np.array(frames, dtype=np.uint16)


@pytest.fixture(scope="module")
def valid():
    return beam_block(SHAPE)


@pytest.fixture(scope="module")
def frames(valid):
    return frames_of(valid, drifting())


@pytest.fixture(scope="module")
def found(frames):
    return find_mask(frames, workers=1)


def test_the_block_is_found_and_aligning_with_it_is_right(found, frames, valid):
    both, either = (~found.mask & ~valid).sum(), (~found.mask | ~valid).sum()
    assert both >= 0.8 * either
    assert found.warnings == ()
    assert 8 < found.drift < 11
    shifts = align(frames, found).shifts  # it will do for a mask
    np.testing.assert_array_equal(found, found.mask)
    truth = drifting()[0] - drifting()
    assert np.sqrt(np.mean(np.sum((shifts - truth) ** 2, axis=1))) < 0.2


def test_frames_that_show_nothing_are_not_looked_at(found, frames):
    spoiled = np.concatenate([frames[:1], frames, frames[:1]]).astype(np.float32)
    spoiled[0], spoiled[-1] = np.nan, 0
    again = find_mask(spoiled, workers=1)
    np.testing.assert_array_equal(again.mask, found.mask)
    assert again.frames == tuple(index + 1 for index in found.frames)


def test_workers_never_change_the_mask(found, frames):
    np.testing.assert_array_equal(find_mask(frames, workers=3).mask, found.mask)


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        (lambda valid: valid, None),
        (lambda valid: ~valid, "looks upside down"),
        (lambda valid: np.ones(SHAPE, bool), "% of the frame uncovered that stands still"),
    ],
)
def test_a_given_mask_is_judged(found, valid, given, warning, monkeypatch):
    told = about_given(~found.mask, given(valid))
    assert told == [] if warning is None else warning in told[0]


def test_a_block_that_moves_is_told():
    early, late = (beam_block(SHAPE, "small", centre=(62, column)) for column in (62, 76))
    drifts = drifting(24, 12)
    masks = np.where(np.arange(24)[:, None, None] < 12, early, late)
    warnings = find_mask(frames_of(masks, drifts)).warnings
    assert any("the beam-block itself seems to move" in warning for warning in warnings)


@pytest.mark.parametrize("size", cases([2.5], [10.0, 2.5]))
def test_large_frames_are_binned_for_the_first_look_and_the_block_is_found(size):
    shape = (360, 360)
    block, scene, rng = beam_block(shape), Rings(shape), np.random.default_rng(2)
    frames = [rng.poisson(40 * np.where(block, scene.render(d), 0.02)) for d in drifting(12, size)]
    found = find_mask(np.array(frames, dtype=np.uint16))
    assert (~found.mask & ~block).sum() >= 0.8 * (~found.mask | ~block).sum()
    assert found.warnings == ()
    assert found.drift == pytest.approx(np.hypot(*np.ptp(drifting(12, size), axis=0)), abs=0.3)


FAR = (192, 192)
SCENES = {"rings": Rings, "spots": Spots, "texture": Texture}


def far_drifting(scene, block, dose, rng, jumps=False):
    """Frames whose pattern drifts by two thirds of their side: the ends of the series share little."""
    count = cases(22, 32)
    t = rng.random(count) if jumps else np.linspace(0, 1, count)
    drifts = 125 * t[:, None] * [0.8, 0.6]
    frames = [rng.poisson(dose * np.where(block, scene.render(d), 0.02)) for d in drifts]
    return np.array(frames, dtype=np.uint16)


FAR_DRIFTS = [("rings", 40, False), ("spots", 40, False), ("texture", 40, True), ("rings", 2, False)]


@pytest.mark.parametrize(("scene", "dose", "jumps"), cases(FAR_DRIFTS[1:], FAR_DRIFTS))
def test_a_pattern_may_drift_far(scene, dose, jumps):
    block = beam_block(FAR)
    frames = far_drifting(SCENES[scene](FAR, 3), block, dose, np.random.default_rng(4), jumps)
    found = find_mask(frames)
    assert (~found.mask)[~block].mean() >= 0.97
    assert (~found.mask)[block].mean() <= 0.02
    assert found.warnings == ()
    assert 105 < found.drift < 130


@pytest.mark.parametrize("scene", cases(["rings"], ["rings", "texture"]))
def test_far_drifts_mask_nothing_where_nothing_stands_still(scene):
    everywhere = np.ones(FAR, bool)
    frames = far_drifting(SCENES[scene](FAR, 3), everywhere, 40, np.random.default_rng(5))
    frames[:, :, 40] = 0
    found = find_mask(frames)
    assert not found.mask[:, 40].any()
    found.mask[:, 40] = True
    assert found.mask.mean() > 0.998


def test_where_nothing_moves_only_defects_are_found(valid):
    still = frames_of(valid, np.zeros((8, 2)))
    still[:, 5, 5] = 65535
    answer = find_mask(still)
    assert "only dead, hot and saturated pixels are found" in answer.warnings[0]
    assert not answer.mask[5, 5]


def test_too_few_frames_are_an_error(frames):
    with pytest.raises(
        InputError, match=r"from 6 frames or more, of which the pattern drifts; here can be read, .*: 3"
    ):
        find_mask(frames[:3])


REAL = [("xray_rings_series", 0.75), ("graphite_series", 0.5)]


@pytest.mark.timeout(600)  # half a minute on an idle core
@pytest.mark.parametrize(("name", "least"), REAL)
def test_real_series(shared_data, name, least):
    folder = shared_data / name
    frames = tifffile.imread(folder / "frames.tif")
    ignored = ~load_mask(folder / "valid_mask.png")
    found = find_mask(frames).mask
    assert (~found & ignored).sum() >= least * (~found | ignored).sum()
    hot = frames.min(axis=0) == 60000
    assert hot.sum() > 8
    assert (~found)[hot].mean() >= 0.8
    truth = np.loadtxt(folder / "truth_shifts.csv", delimiter=",")
    alignment = align(frames, found)
    errors = np.hypot(*(alignment.shifts - truth)[alignment.ok].T)
    assert alignment.ok.mean() > 0.95
    assert np.sqrt(np.mean(errors**2)) <= 0.2
    assert ndimage.label(~found)[1] < 200


@pytest.mark.parametrize("scene", ["rings", "texture"])
def test_what_only_noise_moves_has_no_mask(scene):
    block, rng = beam_block(FAR), np.random.default_rng(6)
    still = 0.3 * np.where(block, SCENES[scene](FAR, 3).render(), 0.02)
    found = find_mask(rng.poisson(still, (20, *FAR)).astype(np.uint16))
    assert "only dead, hot and saturated pixels are found" in found.warnings[0]
    assert found.mask[block].all()
