"""The reference by a condition on metadata, and metadata in the table and in the identity of a run."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile

from maskreg.errors import InputError, RunError
from maskreg.frames import open_frames
from maskreg.options import Options
from maskreg.series import align, align_run
from maskreg.series.before.condition import Term, frames_that_meet, mean_of, parse_condition

PATTERN = "d{delay:f}.tif"


@pytest.fixture
def delays(tmp_path, frames):
    """The drifting series of conftest, named by delay; files come in natural order."""
    folder = tmp_path / "delays"
    folder.mkdir()
    for number, frame in enumerate(frames):
        tifffile.imwrite(folder / f"d{number}.tif", frame)
    return folder


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("delay<0", [Term("delay", "<", 0.0)]),
        ("delay <= -1.5e1", [Term("delay", "<=", -15.0)]),
        (
            "delay<3 and scan==1 and p!=.5",
            [Term("delay", "<", 3), Term("scan", "==", 1), Term("p", "!=", 0.5)],
        ),
        ("sand>2 and delay>=1", [Term("sand", ">", 2), Term("delay", ">=", 1)]),
    ],
)
def test_conditions_are_read(text, terms):
    assert parse_condition(text) == terms


@pytest.mark.parametrize(
    "text", ["delay<", "<0", "delay<x", "delay<0 or scan==1", "delay<0 and", "a<1<2", "__import__('os')<1"]
)
def test_what_is_no_condition_is_said(text):
    with pytest.raises(InputError, match=r"is no condition; it looks like delay<0"):
        parse_condition(text)


def test_unknown_values_meet_nothing():
    assert [Term("a", "!=", 1.0).holds(value) for value in (None, float("nan"), 2)] == [False, False, True]


def test_the_mean_is_that_of_the_frames_on_the_first_of_them(delays, truth):
    with open_frames(delays, pattern=PATTERN) as source:
        chosen = frames_that_meet("delay<4", source)
        assert chosen == [0, 1, 2, 3]
        mean = mean_of(chosen, source, None, Options())
        first = source.read(0)
    inner = np.s_[8:-8, 8:-8]
    assert np.isfinite(mean[inner]).all()
    # the noise (20 counts a frame) of four frames against that of one, with nothing blurred
    difference = (mean - first)[inner]
    assert difference.std() < 20
    blurred = np.mean([tifffile.imread(delays / f"d{k}.tif") for k in range(4)], axis=0)
    assert (blurred - first)[inner].std() > 100


def test_a_condition_as_reference_gives_the_true_shifts(delays, truth):
    alignment = align(delays, reference="delay>=4 and delay<=6", pattern=PATTERN)
    assert alignment.ok.all()
    np.testing.assert_allclose(alignment.shifts, truth - truth[4], atol=0.1)
    assert [row.metadata for row in alignment.table()][5] == {"delay": 5.0}


def test_a_beam_block_is_left_out_and_filled_from_the_other_frames(delays, frames, truth):
    valid = np.ones(frames[0].shape, dtype=bool)
    valid[30:40, 20:60] = False
    for number, frame in enumerate(frames):
        tifffile.imwrite(delays / f"d{number}.tif", np.where(valid, frame, 0).astype("u2"))
    with open_frames(delays, pattern=PATTERN) as source:
        mean = mean_of([0, 4, 5, 6], source, valid, Options())
    behind = (mean - frames[0])[~valid]
    assert np.isfinite(behind).mean() > 0.25
    assert np.nanstd(behind) < 60  # the texture has 300
    alignment = align(delays, valid, reference="delay<4", pattern=PATTERN)
    np.testing.assert_allclose(alignment.shifts, truth, atol=0.1)


def test_frames_that_are_not_ok_are_left_out_of_the_mean(delays, frames, caplog):
    (delays / "d0.tif").write_bytes(b"")
    tifffile.imwrite(delays / "d2.tif", np.random.default_rng(0).integers(0, 99, frames[0].shape, "u2"))
    with open_frames(delays, pattern=PATTERN) as source, caplog.at_level("INFO"):
        mean_of([0, 1, 2, 3], source, None, Options())
    assert "the reference is the mean of 2 frames" in caplog.text
    assert (
        "2 frames are left out of the reference; the first: d0.tif: is no readable TIFF file" in caplog.text
    )


@pytest.mark.parametrize("name", ["delay", "delay/ps", "T [K]", "delay (ps)", "pump power, mW"])
def test_a_column_may_have_any_name_without_an_operator(name):
    first, second = parse_condition(f"{name} < -1.5 and scan==1")
    assert (first.column, first.sign, first.number) == (name, "<", -1.5)
    assert second.column == "scan"


@pytest.mark.parametrize("terms", [1, 50])  # fifty are longer than the name of a file may be
def test_one_frame_that_meets_it_is_the_reference_itself(delays, terms):
    table = align(delays, reference=" and ".join(["delay==3"] * terms), pattern=PATTERN).table()
    assert [row.registration.status.label for row in table].index("reference") == 3


@pytest.mark.parametrize(
    ("reference", "pattern", "why"),
    [
        ("delay<0", PATTERN, r"no frame meets the condition delay<0: delay runs from 0\.0 to 7\.0"),
        ("dely<0", PATTERN, "no metadata 'dely'; did you mean 'delay'"),
        ("power<0", PATTERN, "no metadata 'power', but delay"),
        ("delay<0", None, r"no metadata 'delay'; --pattern or --metadata \(pattern=, metadata=\) tell them"),
        ("name<0", "{name}.tif", r"'name' of d0\.tif is the text 'd0'; conditions compare numbers"),
        ("delay<", PATTERN, "is no condition"),
    ],
)
def test_a_condition_that_cannot_be_met_says_why(delays, reference, pattern, why):
    with pytest.raises(InputError, match=why):
        align(delays, reference=reference, pattern=pattern)


def test_metadata_are_columns_of_the_table_and_identify_the_run(delays, tmp_path):
    run = tmp_path / "run"
    align_run(delays, run, pattern=PATTERN)
    header, first, *_ = (run / "shifts.csv").read_text().splitlines()
    assert header.endswith(",cov_row_col_px2,delay")
    assert first.endswith(",0.0")
    align_run(delays, run, pattern=PATTERN)
    with pytest.raises(RunError, match=r"metadata: delay → none"):
        align_run(delays, run)
    with pytest.raises(RunError, match=r"metadata: delay → number"):
        align_run(delays, run, pattern="d{number:d}.tif")


def test_a_mean_of_more_frames_is_another_reference_and_says_so(delays, tmp_path):
    align_run(delays / "d[0-2].tif", tmp_path / "run", reference="delay<9", pattern=PATTERN)
    with pytest.raises(RunError, match="do more frames meet its condition"):
        align_run(delays, tmp_path / "run", reference="delay<9", pattern=PATTERN)


@pytest.mark.parametrize("kind", ["table", "HDF5", "HDF5 behind others"])
def test_a_series_with_metadata_may_grow_and_rows_that_are_done_get_those_of_now(kind, frames, tmp_path):
    folder, log = tmp_path / "folder", tmp_path / "log.csv"
    folder.mkdir()

    def aligned(run, count, power):
        """Align the first frames of the series, whose first frame has this power."""
        powers = [power, *range(1, count)]
        if kind == "table":
            for number in range(count):
                tifffile.imwrite(folder / f"f{number}.tif", frames[number])
            lines = (f"f{number}.tif,{value}\n" for number, value in enumerate(powers))
            log.write_text("file,power\n" + "".join(lines))
            align_run(folder, tmp_path / run, metadata=log)
        else:
            first = 0 if kind == "HDF5" else 4
            for number in range(first):
                tifffile.imwrite(folder / f"f{number}.tif", frames[number])
            if count > first:
                with h5py.File(folder / "g.h5", "w") as file:
                    file["frames"] = np.stack(frames[first:count])
                    file["power"] = np.array(powers[first:])
            align_run(folder, tmp_path / run)
        return (tmp_path / run / "shifts.csv").read_bytes()

    aligned("run", 4, 0.5)
    assert aligned("run", 6, 0.25) == aligned("anew", 6, 0.25)


def test_the_aligned_frames_are_those_of_the_table_in_the_order_of_time(delays, frames, tmp_path):
    lines = [f"d{number}.tif,{-number}" for number in range(8)]
    (tmp_path / "log.csv").write_text("\n".join(["file,time", *lines]))
    alignment = align(delays, metadata=tmp_path / "log.csv")
    assert [row.source for row in alignment.table()] == [f"d{number}.tif" for number in range(7, -1, -1)]
    image, _ = next(iter(alignment.apply()))
    np.testing.assert_array_equal(image, frames[7])


def test_a_condition_with_one_sign_too_few_is_told(frames):
    with pytest.raises(InputError, match=r"'delay=-1', which is no file; a condition is 'delay==-1'"):
        align(frames, reference="delay=-1")
