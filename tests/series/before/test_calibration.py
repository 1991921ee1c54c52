"""Dark and flat in a whole series: a fixed pattern that would win is taken out, and counts stay counts."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from maskreg import Options, align, open_run
from maskreg.errors import InputError, RunError
from maskreg.series import align_run
from maskreg.testing import Rings, beam_block

SHAPE = (96, 96)


@pytest.fixture(scope="module")
def case():
    """Rings under a strong fixed gain pattern and a pedestal: raw frames, dark, flat, mask, shifts."""
    rng = np.random.default_rng(3)
    drifts = np.array([[0, 0], [2.4, -1.7], [-3.2, 4.1], [5.5, 1.5]])
    flat = rng.uniform(0.6, 1.4, SHAPE)
    dark = 100 + 40 * rng.random(SHAPE)
    scene = Rings(SHAPE)
    raw = [np.rint(rng.poisson(50 * scene.render(d)) * flat + dark) for d in drifts]
    return np.array(raw, np.uint16), dark, flat, beam_block(SHAPE), -drifts


def errors(alignment, shifts):
    return np.hypot(*(alignment.shifts - shifts).T)


def test_the_fixed_pattern_is_out(case):
    raw, dark, flat, mask, shifts = case
    corrected = align(raw, mask, dark=dark, flat=flat)
    assert corrected.ok.all()
    assert errors(corrected, shifts).max() < 0.15


def test_how_the_flat_is_normalised_changes_no_shift(case):
    raw, dark, flat, mask, _ = case
    one = align(raw, mask, dark=dark, flat=flat)
    many = align(raw, mask, dark=dark, flat=1024 * flat)
    np.testing.assert_allclose(many.shifts, one.shifts, atol=1e-4)


def test_counts_keep_their_noise_model(case):
    raw, dark, flat, mask, _ = case
    by_hand = align(((raw - dark) / flat).astype(np.float32), mask, gain=float(np.median(flat)), offset=0)
    np.testing.assert_allclose(align(raw, mask, dark=dark, flat=flat).shifts, by_hand.shifts, atol=1e-5)


def test_every_output_is_corrected(case):
    raw, dark, flat, mask, _ = case
    alignment = align(raw, mask, dark=dark, flat=flat)
    image, valid = next(alignment.apply())
    np.testing.assert_allclose(image[valid], ((raw[0] - dark) / flat)[valid], rtol=1e-5, atol=1e-4)
    (merged,) = alignment.merge()
    truth = 50 * Rings(SHAPE).render((0.0, 0.0))
    seen = merged.count == 4
    assert abs(np.mean((merged.mean - truth)[seen] / np.sqrt(truth[seen] / 4))) < 0.2


def test_pixels_the_flat_does_not_know_are_left_out(case):
    raw, dark, flat, mask, _ = case
    broken = flat.copy()
    broken[50:60] = 0
    image, valid = next(align(raw, mask, dark=dark, flat=broken).apply())
    assert not valid[50:60].any()
    assert np.isnan(image[50:60]).all()


def test_a_pedestal_is_told_once(case):
    raw, dark, flat, mask, _ = case
    with pytest.raises(InputError, match=r"offset is 100 and dark or flat are given"):
        align(raw, mask, dark=dark, flat=flat, offset=100)


def test_of_several_darks_the_mean_is_taken(case, tmp_path, caplog):
    """The noise of a single dark frame is in every corrected frame, and stands still."""
    raw, dark, _, mask, _ = case
    several = np.random.default_rng(0).poisson(dark, (5, *SHAPE)).astype("uint16")
    tifffile.imwrite(tmp_path / "darks.tif", several)
    caplog.set_level("INFO")
    found = align(raw, mask, dark=tmp_path / "darks.tif")
    assert "darks.tif: the mean of its 5 frames is taken" in caplog.text
    np.testing.assert_array_equal(found.shifts, align(raw, mask, dark=several.mean(axis=0)).shifts)
    one = align(raw, mask, dark=f"{tmp_path}/darks.tif[1]")
    np.testing.assert_array_equal(one.shifts, align(raw, mask, dark=several[1]).shifts)


def test_a_reference_from_a_file_is_told_to_be_taken_as_it_is(case, tmp_path, caplog):
    raw, dark, flat, mask, _ = case
    np.save(tmp_path / "raw.npy", raw[0])
    align(raw, mask, reference=tmp_path / "raw.npy")
    align(raw, mask, reference=0, dark=dark, flat=flat)
    assert "as it is" not in caplog.text
    align(raw, mask, reference=tmp_path / "raw.npy", dark=dark, flat=flat)
    assert "raw.npy is taken as it is: dark and flat are those of the frames alone" in caplog.text


def test_files_identify_a_run_by_their_contents(case, tmp_path):
    raw, dark, flat, mask, _ = case
    np.save(tmp_path / "raw.npy", raw)
    for name, image in (("dark", dark), ("other", dark + 1), ("flat", flat)):
        tifffile.imwrite(tmp_path / f"{name}.tif", image.astype(np.float32))
    options = Options()

    def run(**images):
        return align_run(tmp_path / "raw.npy", tmp_path / "run", mask, options=options, **images)

    fresh = run(dark=tmp_path / "dark.tif", flat=tmp_path / "flat.tif")
    run(dark=dark.astype(np.float32), flat=tmp_path / "flat.tif")  # the same contents, another name
    with pytest.raises(RunError, match=r"dark: .* → "):
        run(dark=tmp_path / "other.tif", flat=tmp_path / "flat.tif")
    again = open_run(tmp_path / "run")
    for (a, valid), (b, other) in zip(fresh.apply(), again.apply(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(valid, other)
