from __future__ import annotations

import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.registration import Status
from maskreg.series import align_run, read_run
from maskreg.series.open_run import write_table
from maskreg.series.run_folder.excluded import read_excluded, write_excluded
from maskreg.shifts.row import name_of, source_text


@pytest.fixture
def run(folder, tmp_path):
    (folder / "f3.tif").write_bytes(b"")
    align_run(folder, tmp_path / "run")
    return tmp_path / "run"


def statuses(run):
    return [row.registration.status for row in read_run(run)[1]]


def test_what_is_on_the_list_is_excluded_in_the_table_and_keeps_its_shift(run):
    before = read_run(run)[1][5].registration
    write_excluded(run, ["f5.tif"])
    after = read_run(run)[1][5].registration
    assert after.status is Status.EXCLUDED
    assert after.shift.tolist() == before.shift.tolist()
    assert not after.ok
    write_table(run)
    assert (run / "shifts.csv").read_text().splitlines()[6].count(",excluded,left out by the user,") == 1


def test_off_the_list_it_is_as_it_was_to_the_byte(run):
    before = (run / "shifts.csv").read_bytes()
    write_excluded(run, ["f5.tif", "f6.tif"])
    write_table(run)
    assert (run / "shifts.csv").read_bytes() != before
    write_excluded(run, [])
    write_table(run)
    assert (run / "shifts.csv").read_bytes() == before
    assert not (run / "excluded.txt").exists()


def test_the_reference_and_frames_without_a_shift_stay_what_they_are(run):
    write_excluded(run, ["f0.tif", "f3.tif", "f4.tif"])
    found = statuses(run)
    assert found[0] is Status.REFERENCE
    assert found[3] is Status.UNREADABLE
    assert found[4] is Status.EXCLUDED


def test_the_same_command_keeps_the_list_and_overwrite_drops_it(run, folder):
    write_excluded(run, ["f5.tif"])
    assert align_run(folder, run).status[5] is Status.EXCLUDED
    assert align_run(folder, run, overwrite=True).status[5] is Status.OK


def test_the_list_can_be_edited_by_hand(run):
    (run / "excluded.txt").write_text("# these are bad\n\nf4.tif\nf6.tif\n")
    assert read_excluded(run) == {"f4.tif", "f6.tif"}
    assert statuses(run)[4] is Status.EXCLUDED


def test_a_frame_stays_left_out_when_the_series_grows_before_it(run, folder, frames):
    write_excluded(run, ["f5.tif"])
    tifffile.imwrite(folder / "f0a.tif", frames[1])
    found = align_run(folder, run)
    assert [row.source for row in found.table() if row.registration.status is Status.EXCLUDED] == ["f5.tif"]
    assert found.table()[6].source == "f5.tif"


def test_a_name_on_the_list_that_is_no_frame_is_told(run, folder, caplog):
    write_excluded(run, ["f5.tiff"])
    align_run(folder, run)
    assert "excluded.txt names 'f5.tiff', which is no frame of the run" in caplog.text


@settings(max_examples=200)
@given(st.text(max_size=12))
def test_a_name_in_the_table_is_that_of_the_file(name):
    assert name_of(source_text(name)) == name
