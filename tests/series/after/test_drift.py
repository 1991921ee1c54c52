from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from benchmarks.outliers import measure

from maskreg.registration import Registration, Status
from maskreg.series.after.closing import closed, jumps_of
from maskreg.series.after.drift import find_jumps, find_outliers, interpolate
from maskreg.series.pipeline import of_the_reference
from maskreg.shifts import FrameRow, ShiftTable

NOISE = 0.02


def drift(frames=60, seed=1):
    """Return shifts of a smooth drift with noise, their covariances, and that all are good."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / frames
    shifts = 8 * np.sin(2 * time * [1, 2]) + rng.normal(0, NOISE, (frames, 2))
    return shifts, np.tile(NOISE**2 * np.eye(2), (frames, 1, 1)), np.ones(frames, dtype=bool)


def rows_of(shifts, covariances, statuses=None):
    answers = [
        Registration(shift, covariance, 0.9, 20.0, 1.0, None, Status.OK)
        for shift, covariance in zip(shifts, covariances, strict=True)
    ]
    answers[0] = of_the_reference()
    for frame, status in (statuses or {}).items():
        answers[frame] = Registration.failed(status, 2)
    return [FrameRow(frame, f"f{frame}.tif", answer, {}) for frame, answer in enumerate(answers)]


def test_an_undisturbed_drift_has_no_outlier_and_no_jump():
    assert not find_outliers(*drift()).any()
    assert find_jumps(*drift()) == []


@pytest.mark.parametrize("frame", [3, 17, 56])
def test_a_frame_that_contradicts_both_sides_is_an_outlier(frame):
    shifts, covariances, good = drift()
    shifts[frame] += (2.0, -2.0)
    np.testing.assert_array_equal(np.flatnonzero(find_outliers(shifts, covariances, good)), [frame])


def test_a_frame_that_is_not_sure_of_itself_may_lie_elsewhere():
    shifts, covariances, good = drift()
    shifts[17] += (1.0, -1.0)
    covariances[17] = np.eye(2)
    assert not find_outliers(shifts, covariances, good).any()


def test_its_own_covariance_counts_in_its_own_direction():
    shifts, covariances, good = drift()
    shifts[17] += (1.0, 1.0)
    covariances[17] = [[1.0, 0.999], [0.999, 1.0]]
    assert not find_outliers(shifts, covariances, good).any()
    covariances[17, 0, 1] = covariances[17, 1, 0] = -0.9999
    assert find_outliers(shifts, covariances, good)[17]


def test_two_frames_far_off_are_outliers_and_a_move_that_stays_is_a_jump():
    shifts, covariances, good = drift()
    shifts[20:22] += 5
    shifts[40:] += (3.0, -2.0)
    outlier = find_outliers(shifts, covariances, good)
    np.testing.assert_array_equal(np.flatnonzero(outlier), [20, 21])
    (jump,) = find_jumps(shifts, covariances, good & ~outlier)
    assert jump.frame == 40
    np.testing.assert_allclose(jump.size, (3, -2), atol=0.5)


@pytest.mark.parametrize("frames", [3, 4, 5, 6])
def test_frames_that_stay_between_two_jumps_are_the_drift(frames):
    shifts, covariances, good = drift(200)
    shifts[80:] += (-1.0, 0.0)
    shifts[80 + frames :] += (0.0, -1.0)
    outlier = find_outliers(shifts, covariances, good)
    assert not outlier.any()


@pytest.mark.parametrize("end", [slice(0, 1), slice(-1, None)])
def test_the_ends_are_not_judged(end):
    shifts, covariances, good = drift()
    shifts[end] += 9
    assert not find_outliers(shifts, covariances, good)[end].any()
    assert find_jumps(shifts, covariances, good) == []


def test_the_order_of_the_series_may_be_turned_round():
    shifts, covariances, good = drift()
    shifts[[5, 31]] += 4
    turned = find_outliers(shifts[::-1], covariances[::-1], good[::-1])[::-1]
    np.testing.assert_array_equal(find_outliers(shifts, covariances, good), turned)


def test_frames_that_are_not_good_are_not_looked_at():
    shifts, covariances, good = drift()
    shifts[10:14] = np.nan
    covariances[10:14] = np.nan
    good[10:14] = False
    assert not find_outliers(shifts, covariances, good).any()
    assert find_jumps(shifts, covariances, good) == []


@pytest.mark.parametrize("frames", [0, 1, 2, 9])
def test_a_short_series_is_left_alone(frames):
    shifts, covariances, good = drift(frames)
    shifts[frames // 2 :] += 100
    assert not find_outliers(shifts, covariances, good).any()
    assert find_jumps(shifts, covariances, good) == []
    np.testing.assert_array_equal(interpolate(shifts, covariances, good)[0], shifts)


def test_repaired_is_what_lies_between_with_the_doubt_that_is_due():
    shifts, covariances, good = drift()
    shifts[40:] += 50
    truth = shifts.copy()
    good[[20, 30, 31, 32, 40, 59]] = False
    shifts[~good] = np.nan
    covariances[~good] = np.nan
    values, sigmas = interpolate(shifts, covariances, good)
    np.testing.assert_array_equal(values[good], shifts[good])
    np.testing.assert_allclose(values[[20, 31]], truth[[20, 31]], atol=6 * NOISE)
    assert (sigmas[20] < 2 * NOISE).all()
    assert (sigmas[31] > sigmas[20]).all()
    assert (sigmas[40] > 20).all()  # in the jump nobody knows on which side it is
    assert np.isfinite(sigmas[59]).all()


def test_without_any_good_frame_nothing_is_known():
    shifts, covariances, good = drift(5)
    values, sigmas = interpolate(shifts, covariances, np.zeros_like(good))
    assert np.isnan(values).all()
    assert np.isnan(sigmas).all()


@pytest.mark.parametrize("kind", ["still", "smooth", "walk", "smooth and walk", "with jumps"])
@pytest.mark.parametrize("share", [0.01, 0.2])
def test_of_wrong_frames_nearly_all_are_found_and_of_good_ones_nearly_none(kind, share):
    got = measure(kind, "anywhere", share, series=3, frames=600)
    assert got["found"] > 0.98
    # beside a jump, wrong frames may make a good one look wrong
    assert got["false"] < (0.01 if kind == "with jumps" else 0.001)
    assert got["false_jumps"] < 3
    assert not got["jumps"] < 0.8
    assert 0.2 < got["repair_z"] < 1.5


@pytest.mark.parametrize("kind", ["rough walk", "uneven"])
def test_a_rough_drift_has_few_false_outliers(kind):
    assert measure(kind, "anywhere", 0.0, series=3, frames=1000)["false"] < 0.005


def test_the_closing_pass_flags_and_keeps_the_value():
    shifts, covariances, _ = drift()
    shifts -= shifts[0]
    shifts[17] += 5
    table = closed(rows_of(shifts, covariances, {30: Status.WEAK}))
    assert table.counts() == {Status.OK: 57, Status.REFERENCE: 1, Status.OUTLIER: 1, Status.WEAK: 1}
    row = table[17]
    np.testing.assert_array_equal(row.registration.shift, shifts[17])
    assert row.registration.reason.startswith("the shift contradicts those of its neighbours in the series (")
    assert row.repaired is None
    assert jumps_of(table) == []


def test_the_reference_is_never_an_outlier():
    shifts, covariances, _ = drift()
    shifts += 50
    rows = rows_of(shifts, covariances)
    rows[0], rows[30] = rows[30]._replace(frame=0), rows[0]._replace(frame=30)
    rows[0] = rows[0]._replace(registration=rows[1].registration)
    assert closed(rows)[30].registration.status is Status.REFERENCE


def test_repair_adds_columns_and_leaves_the_others_alone():
    shifts, covariances, _ = drift()
    shifts -= shifts[0]
    shifts[17] += 5
    rows = rows_of(shifts, covariances, {30: Status.UNREADABLE})
    texts = []
    for repair in (False, True):
        stream = io.StringIO()
        table = closed(rows, repair=repair)
        table.to_csv(stream)
        texts.append(list(csv.reader(io.StringIO(stream.getvalue()))))
        stream.seek(0)
        again = io.StringIO()
        ShiftTable.read_csv(stream).to_csv(again)
        assert again.getvalue() == stream.getvalue()
    plain, repaired = texts
    assert [line[:12] for line in repaired] == plain
    assert repaired[0][12:] == [
        "repaired_row_px",
        "repaired_col_px",
        "repaired_sigma_row_px",
        "repaired_sigma_col_px",
    ]
    assert repaired[5][12:] == plain[5][2:6]
    for frame in (17, 30):
        middle = (shifts[frame - 1] + shifts[frame + 1]) / 2
        np.testing.assert_allclose([float(cell) for cell in repaired[frame + 1][12:14]], middle, atol=1e-6)
    assert set(table.to_dicts()[0]) >= {"repaired_row_px", "repaired_sigma_col_px"}
