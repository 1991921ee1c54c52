from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile

from maskreg import Status, align
from maskreg.core.aligned.known import plain_known_sums
from maskreg.core.aligned.known_frame import KnownFrame
from maskreg.core.aligned.known_kernels import known_sums_2d
from maskreg.errors import InputError, RunError
from maskreg.series import align_run, read_run
from maskreg.series import pipeline as pipeline_module
from maskreg.testing import Detector, Rings, beam_block, known_reference_bound, simulate_series

SHAPE = (128, 128)
DRIFTS = np.random.default_rng(8).normal(0, 2.0, (16, 2))
DRIFTS[0] = 0


def sparse_rings(seed: int, dose: float = 1.0):
    mask = beam_block(SHAPE)
    rng = np.random.default_rng(seed)
    return simulate_series(Rings(SHAPE), DRIFTS, dose, mask, rng, detector=Detector(dtype=np.uint16))


def csv_of(alignment):
    stream = io.StringIO()
    alignment.table().to_csv(stream)
    return stream.getvalue()


def deviations(alignment, truth):
    """Return errors with one common shift removed, px, and the sigma that the table gives them."""
    errors = alignment.shifts - truth
    n = len(errors)
    return errors - errors.mean(axis=0), alignment.uncertainty * np.sqrt(1 - 1 / n)


def test_the_mean_is_near_the_bound_of_a_known_reference_and_says_how_near():
    ratios, scores, before = [], [], []
    for seed in range(2):
        series = sparse_rings(seed)
        alignment = align(list(series.frames), series.mask, reference="mean")
        assert alignment.ok.all()
        errors, sigma = deviations(alignment, series.shifts)
        bound = np.array(
            [np.sqrt(np.diag(known_reference_bound(Rings(SHAPE), d, series.mask, 1.0))) for d in DRIFTS]
        ) * np.sqrt(1 - 1 / len(DRIFTS))
        ratios.append(errors / bound)
        scores.append(errors / sigma)
        first, _ = deviations(align(list(series.frames), series.mask), series.shifts)
        before.append(first / bound)
    rms = [float(np.sqrt(np.mean(np.square(each)))) for each in (ratios, scores, before)]
    # 64 values: a spread of one is seen to 9 %
    assert rms[0] < 1.25
    assert 0.8 < rms[1] < 1.2
    assert rms[2] > 1.2 * rms[0]


def test_the_first_frame_keeps_the_shift_zero_and_every_row_says_what_sigma_refers_to():
    series = sparse_rings(5, dose=5)
    alignment = align(list(series.frames), series.mask, reference="mean")
    assert alignment.status[0] is Status.REFERENCE
    np.testing.assert_array_equal(alignment.shifts[0], 0)
    assert (alignment.uncertainty > 0).all()
    assert {row.metadata["sigma_relative_to"] for row in alignment.table()} == {"mean"}
    np.testing.assert_allclose(alignment.shifts, series.shifts, atol=0.2)


def test_frames_that_one_frame_cannot_place_are_placed_by_the_mean():
    series = sparse_rings(2, dose=0.02)
    bright = sparse_rings(3, dose=2.0)
    frames = [*bright.frames, series.frames[3]]
    mask = series.mask
    alignment = align(frames, mask, reference="mean", max_shift=10)
    assert alignment.ok[:16].all()
    if alignment.ok[16]:
        assert np.abs(alignment.shifts[16] - series.shifts[3]).max() < 5 * alignment.uncertainty[16].max()


def test_frames_of_changing_brightness_are_found_all_the_same():
    series = sparse_rings(4, dose=20)
    rng = np.random.default_rng(0)
    dimmed = [
        rng.binomial(frame, part) for frame, part in zip(series.frames, np.linspace(1, 0.4, 16), strict=True)
    ]
    frames = [frame.astype(np.uint16) for frame in dimmed]
    alignment = align(frames, series.mask, reference="mean")
    assert alignment.ok.all()
    errors, sigma = deviations(alignment, series.shifts)
    assert np.sqrt(np.mean((errors / sigma) ** 2)) < 1.4


def test_what_lies_under_the_mask_and_the_number_of_workers_change_nothing():
    series = sparse_rings(6, dose=2)
    garbage = np.random.default_rng(1).integers(0, 65535, SHAPE)
    painted = [np.where(series.mask, frame, garbage).astype(np.uint16) for frame in series.frames]
    one = csv_of(align(list(series.frames), series.mask, reference="mean", workers=1))
    assert csv_of(align(painted, series.mask, reference="mean", workers=3)) == one


def test_bad_frames_are_left_out_of_the_mean_and_are_rows_with_reasons():
    series = sparse_rings(7, dose=5)
    frames = list(series.frames)
    frames[4] = np.zeros(SHAPE, np.uint16)
    alignment = align(frames, series.mask, reference="mean")
    assert alignment.status[4] is Status.FLAT
    assert alignment.ok.sum() == 15


@pytest.mark.parametrize("stop", [(1, 3), (2, 5)])
def test_a_run_interrupted_in_any_round_ends_in_the_same_bytes(tmp_path, monkeypatch, stop):
    series = sparse_rings(9, dose=10)
    tifffile.imwrite(tmp_path / "stack.tif", series.frames[:8], photometric="minisblack")
    align_run(tmp_path / "stack.tif", tmp_path / "whole", series.mask, reference="mean")
    original, seen = pipeline_module.FrameRow.of, []

    def interrupting(frame, *rest):
        seen.append(frame)
        if frame == stop[1] and seen.count(frame) == stop[0] + 1:
            raise KeyboardInterrupt
        return original(frame, *rest)

    monkeypatch.setattr(pipeline_module.FrameRow, "of", interrupting)
    with pytest.raises(KeyboardInterrupt):
        align_run(tmp_path / "stack.tif", tmp_path / "run", series.mask, reference="mean", workers=1)
    monkeypatch.undo()
    assert read_run(tmp_path / "run")[0]["frames"] == 8  # whatever the round
    align_run(tmp_path / "stack.tif", tmp_path / "run", series.mask, reference="mean", workers=2)
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()
    assert read_run(tmp_path / "run")[0]["reference"] == "mean"
    with pytest.raises(RunError, match="reference: mean → stack"):
        align_run(tmp_path / "stack.tif", tmp_path / "run", series.mask)


def test_rounds_before_an_overwrite_that_was_interrupted_are_not_gone_on_with(tmp_path, monkeypatch):
    series = sparse_rings(9, dose=10)
    frames = series.frames[:6].copy()
    file, run = tmp_path / "stack.tif", tmp_path / "run"
    tifffile.imwrite(file, frames, photometric="minisblack")
    align_run(file, run, series.mask, reference="mean")
    frames[4] = np.roll(frames[4], (3, -4), (0, 1))
    tifffile.imwrite(file, frames, photometric="minisblack")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline_module.FrameRow, "of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        align_run(file, run, series.mask, reference="mean", overwrite=True)
    monkeypatch.undo()
    align_run(file, run, series.mask, reference="mean")
    align_run(file, tmp_path / "anew", series.mask, reference="mean")
    assert (run / "shifts.csv").read_bytes() == (tmp_path / "anew" / "shifts.csv").read_bytes()


def test_a_mean_needs_frames_and_sub_pixels():
    series = sparse_rings(1, dose=5)
    with pytest.raises(InputError, match="only 3 of 3 frames are ok, a mean needs 4"):
        align(list(series.frames[:3]), series.mask, reference="mean")
    with pytest.raises(InputError, match="subpixel=False"):
        align(list(series.frames), series.mask, reference="mean", subpixel=False)


@pytest.mark.parametrize("shape", [(7, 9), (31, 64)])
def test_the_compiled_pass_is_the_plain_one(shape):
    rng = np.random.default_rng(3)
    pixels, own, moved = rng.normal(size=(3, *shape)).astype(np.float32)
    weight = rng.integers(0, 6, shape).astype(np.float32)
    part = rng.integers(0, 2, shape).astype(np.float32)
    fields = rng.normal(size=(4, *shape)).astype(np.float32)
    args = (pixels, weight, np.float32(1.5), fields, own, part, moved, rng.random(shape) > 0.3)
    assert known_sums_2d(*args)[0] > 5
    np.testing.assert_allclose(known_sums_2d(*args), plain_known_sums(*args), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -1.25), (-2.5, 0.5), (40.0, 0.3)])
def test_a_frame_in_the_mean_is_made_of_valid_pixels_only(shift):
    rng = np.random.default_rng(4)
    pixels, mask = rng.normal(size=(24, 30)).astype(np.float32), rng.random((24, 30)) > 0.02
    image, valid = KnownFrame(pixels, mask, np.array(shift)).contribution()
    other, same = KnownFrame(np.where(mask, pixels, 1e6), mask, np.array(shift)).contribution()
    np.testing.assert_array_equal(valid, same)
    np.testing.assert_array_equal(image[valid], other[valid])
    assert valid.any() == (shift[0] < 24)
