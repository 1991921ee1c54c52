"""Merging: each pixel from the frames that saw it, with its error, and no ghost of the block."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from maskreg.apply.aligned import AlignedFrames, Moving
from maskreg.apply.groups import describe_alone, describe_groupless
from maskreg.apply.merge import Merging, merge, write_merged
from maskreg.apply.moments import Moments
from maskreg.apply.write import names_in_output, write_aligned
from maskreg.errors import InputError
from maskreg.frames.array import ArrayFrames
from maskreg.masks import load_mask
from maskreg.registration import Registration, Status
from maskreg.series import Alignment, align
from maskreg.shifts import FrameRow, ShiftTable
from maskreg.testing import Rings, beam_block, simulate_series


def test_moments_are_those_of_numpy_also_on_a_pedestal():
    rng = np.random.default_rng(5)
    images = 60000 + rng.normal(0, 5, (30, 7, 9))
    valid = rng.random(images.shape) > 0.4
    valid[:, 0, 0] = False
    valid[1:, 0, 1] = False
    moments = Moments((7, 9))
    for image, use in zip(images, valid, strict=True):
        moments.add(np.where(use, image, np.nan), use)
    masked = np.ma.array(images, mask=~valid)
    np.testing.assert_array_equal(moments.count, valid.sum(0))
    np.testing.assert_allclose(moments.mean, masked.mean(0).filled(np.nan), rtol=1e-13)
    enough = valid.sum(0) > 1
    np.testing.assert_allclose(moments.variance[enough], masked.var(0, ddof=1)[enough], rtol=1e-9)
    assert np.isnan(moments.mean[0, 0])
    assert np.isnan(moments.variance[~enough]).all()
    np.testing.assert_allclose(
        moments.standard_error[enough], np.sqrt(masked.var(0, ddof=1) / valid.sum(0))[enough], rtol=1e-9
    )


def table_of(shifts, delays, statuses=None):
    rows = []
    for i, (shift, delay) in enumerate(zip(shifts, delays, strict=True)):
        status = statuses[i] if statuses else (Status.OK if i else Status.REFERENCE)
        answer = Registration(np.array(shift, float), np.eye(2) * 1e-4, 1.0, 9.0, 1.0, None, status)
        rows.append(FrameRow(i, f"frames[{i}]", answer, {} if delay is None else {"delay": delay}))
    return ShiftTable(rows)


@pytest.fixture(scope="module")
def series():
    """Rings behind a block, drifting by up to 30 px, at 200 electrons a pixel."""
    rng = np.random.default_rng(8)
    drifts = rng.integers(-15, 16, (24, 2)).astype(float)
    drifts[0] = 0
    scene = Rings((128, 128))
    return scene, simulate_series(scene, drifts, 200, beam_block((128, 128), "small"), rng)


def of(series, *, delays=None, **how):
    _, (frames, mask, shifts) = series
    table = table_of(shifts, [i % 3 for i in range(len(frames))] if delays is None else delays)
    return AlignedFrames(ArrayFrames(frames), table, mask, Moving(**how))


def test_the_block_is_filled_and_leaves_no_ghost(series):
    scene, (frames, mask, _) = series
    (merged,) = merge(of(series), Merging())
    truth = 200 * scene.render((0.0, 0.0))
    behind = ~mask & (merged.count > 1)
    assert behind.sum() > 0.9 * (~mask).sum()
    assert merged.count[mask].max() == len(frames)
    # Poisson: what was behind the block, and along its edge, is the truth within its noise
    sigma = np.sqrt(truth / np.maximum(merged.count, 1))
    z = (merged.mean - truth) / sigma
    assert abs(z[behind].mean()) < 4 / np.sqrt(behind.sum())
    assert 0.95 < z[behind].std() < 1.05
    seen = merged.count > 1
    assert 0.97 < np.nanmean(merged.sem[seen] ** 2 / sigma[seen] ** 2) < 1.03


def test_without_the_mask_there_would_be_a_ghost(series):
    scene, (frames, mask, shifts) = series
    table = table_of(shifts, [0] * len(frames))
    (merged,) = merge(AlignedFrames(ArrayFrames(frames), table, None, Moving()), Merging())
    truth = 200 * scene.render((0.0, 0.0))
    assert np.nanmean(((merged.mean - truth) / np.sqrt(truth / len(frames)))[~mask] ** 2) > 100


def test_numbers_that_no_float_holds_are_groups_as_others_are(series):
    great = 10**400
    groups = list(merge(of(series, delays=[great, "later", -1.5] * 8), Merging(by="delay")))
    assert [group.value for group in groups] == [-1.5, great, "later"]


def test_groups_come_in_ascending_order_and_hold_their_frames(series):
    groups = list(merge(of(series, delays=[10, 9, -1.5] * 8), Merging(by="delay")))
    assert [group.value for group in groups] == [-1.5, 9, 10]
    assert groups[0].frames == tuple(range(2, 24, 3))
    alone = of(series, delays=[0 if i % 3 == 2 else None for i in range(24)])
    (only,) = merge(alone, Merging(by="delay"))
    np.testing.assert_array_equal(only.mean, groups[0].mean)
    unknown = of(series, delays=[float("nan"), 1, 0] * 8)
    assert [group.value for group in merge(unknown, Merging(by="delay"))] == [0, 1]


def test_halves_are_halves(series):
    (merged,) = merge(of(series), Merging(halves=True))
    np.testing.assert_array_equal(
        merged.images["count_even"] + merged.images["count_odd"], merged.images["count"]
    )
    both = (merged.images["count_even"] > 1) & (merged.images["count_odd"] > 1)
    difference = (merged.images["mean_even"] - merged.images["mean_odd"])[both]
    expected = np.sqrt(merged.images["sem_even"] ** 2 + merged.images["sem_odd"] ** 2)[both]
    assert 0.9 < np.median(np.abs(difference)) / (0.6745 * np.median(expected)) < 1.1


def test_beam_current_is_taken_out_and_no_noise(series):
    _, (frames, mask, shifts) = series
    current = 1 + 0.3 * np.sin(np.arange(len(frames)))
    current /= current[0]
    aligned = AlignedFrames(
        ArrayFrames(frames * current[:, None, None]), table_of(shifts, [0] * 24), mask, Moving()
    )
    (merged,) = merge(aligned, Merging(normalise=True))
    np.testing.assert_allclose(merged.factors, current, rtol=5e-3)
    assert merged.factors[0] == 1
    (steady,) = merge(of(series), Merging())
    (drifting,) = merge(aligned, Merging())
    seen = merged.count > 20
    assert np.median(merged.var[seen] / steady.var[seen]) < 1.2
    assert np.median(drifting.var[seen] / steady.var[seen]) > 3


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tif"])
def test_what_is_written_is_what_was_merged(series, tmp_path, suffix):
    aligned = of(series)
    groups = list(merge(aligned, Merging(by="delay")))
    written = []
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        write_merged(aligned, folder / f"m{suffix}", Merging(by="delay", normalise=True), workers=workers)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        written.append({path.relative_to(folder): path.read_bytes() for path in files})
        assert (folder / "m_factors.csv").read_text().count("\n") == 25
    assert written[0] == written[1]
    plain = tmp_path / f"plain{suffix}"
    write_merged(aligned, plain, Merging(by="delay"))
    for name in ("mean", "count", "sem", "var"):
        np.testing.assert_array_equal(load(plain, name), np.stack([g.images[name] for g in groups]))
    if suffix != ".tif":
        np.testing.assert_array_equal(load(plain, "delay"), [0, 1, 2])
    else:
        assert (tmp_path / "plain_delays.csv").read_text() == "delay\n0\n1\n2\n"


def test_without_groups_the_images_have_two_axes(series, tmp_path):
    write_merged(of(series), tmp_path / "m.h5", Merging())
    assert load(tmp_path / "m.h5", "mean").shape == (128, 128)


@pytest.mark.parametrize(
    ("by", "message"),
    [("delya", "by is 'delya', which no frame of the series has: there are delay")],
)
def test_a_column_that_is_not_there_names_those_that_are(series, by, message):
    with pytest.raises(InputError, match=message):
        list(merge(of(series), Merging(by=by)))


def test_frames_without_a_value_are_told_to_be_in_no_group(series):
    aligned = of(series, delays=[None if i % 4 == 0 else 1.5 for i in range(24)])
    assert describe_groupless(aligned, "delay") == "6 of these have no 'delay', and are in no group"
    assert describe_groupless(aligned, None) == ""
    assert describe_groupless(of(series), "delay") == ""


def test_readings_that_no_two_frames_share_are_told(series):
    """A stage that is read back says 1.0002 and 0.9998: each frame was a group, and nothing was averaged."""
    readings = of(series, delays=[i + 0.001 * i for i in range(24)])
    assert describe_alone(readings, "delay").startswith("each of the 24 frames has a 'delay' of its own")
    assert describe_alone(readings, None) == ""
    assert describe_alone(of(series), "delay") == ""


ODD_NAMES = [
    "mean",
    "count",
    "valid",
    "frames",
    "delay/ps",
    "..",
    "/abs",
    "T [K]",
    "ome",
    "__x",
    "metadata_mean",
]


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tif"])
def test_columns_of_any_name_stand_beside_the_images(series, tmp_path, suffix):
    table = ShiftTable(
        FrameRow(row.frame, row.source, row.registration, dict.fromkeys(ODD_NAMES, row.frame % 2))
        for row in of(series).table.rows[:4]
    )
    _, (frames, mask, _) = series
    aligned = AlignedFrames(ArrayFrames(frames[:4]), table, mask, Moving())
    write_aligned(aligned, tmp_path / f"a{suffix}")
    for number, name in enumerate(ODD_NAMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert write_merged(aligned, folder / f"m{suffix}", Merging(by=name)) == 2
        assert load(folder / f"m{suffix}", "mean").shape == (2, 128, 128)
        assert all(path.is_relative_to(folder) for path in folder.rglob("*"))


def test_names_in_an_output_differ():
    names = names_in_output([*ODD_NAMES, "delay_ps", "mean_"], ["mean", "count"])
    assert names["T [K]"] == "T [K]"
    assert names["mean"] == "metadata_mean"
    assert names["delay/ps"] == "delay_ps"
    assert len(set(names.values())) == len(names)
    assert not {"mean", "count", "ome", ".."} & set(names.values())


def test_nothing_ok_is_nothing_to_merge(series):
    _, (frames, mask, shifts) = series
    table = table_of(shifts, [0] * 24, [Status.AMBIGUOUS] * 24)
    with pytest.raises(InputError, match="no frame of the series is ok"):
        list(merge(AlignedFrames(ArrayFrames(frames), table, mask, Moving()), Merging()))


def test_intensities_must_be_positive(series):
    _, (frames, mask, shifts) = series
    dark = frames.copy()
    dark[3] = 0
    aligned = AlignedFrames(ArrayFrames(dark), table_of(shifts, [0] * 24), mask, Moving())
    with pytest.raises(InputError, match=r"frame 3 \(frames\[3\]\) sums up to 0"):
        list(merge(aligned, Merging(normalise=True)))


@pytest.mark.parametrize("name", ["xray_rings_series", "graphite_series"])
def test_no_ghost_on_real_series(shared_data, name):
    """Where the block was, frames that hid nothing there and all frames together agree."""
    folder = shared_data / name
    frames = tifffile.imread(folder / "frames.tif")
    mask = load_mask(folder / "valid_mask.png")
    alignment = align(frames, mask)
    (merged,) = alignment.merge(order=1)
    # frames in which the place lies far from the block cannot know of it
    far = ndimage.distance_transform_edt(mask) > 6
    (clean,) = Alignment(alignment.table(), frames, far).merge(order=1)
    edge = (merged.count > clean.count) & (clean.count >= 8)
    z = (merged.mean - clean.mean)[edge] / clean.sem[edge]
    assert edge.sum() > 1000
    assert abs(np.median(z)) < 0.15


def load(path, name):
    if path.suffix == ".tif":
        return tifffile.imread(path.with_name(f"{path.stem}_{name}.tif"))
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path) as file:
            return file[name][...]
    import zarr

    return zarr.open_group(path, mode="r")[name][...]
