from __future__ import annotations

import pytest

from maskreg.errors import InputError, RunError
from maskreg.registration import Status
from maskreg.series import align_run, read_run
from maskreg.series.excluded import read_excluded, write_excluded
from maskreg.series.run import write_table


@pytest.fixture
def run(folder, tmp_path):
    (folder / "f3.tif").write_bytes(b"")
    align_run(folder, tmp_path / "run")
    return tmp_path / "run"


def statuses(run):
    return [row.registration.status for row in read_run(run)[1]]


def test_what_is_on_the_list_is_excluded_in_the_table_and_keeps_its_shift(run):
    before = read_run(run)[1][5].registration
    write_excluded(run, [5])
    after = read_run(run)[1][5].registration
    assert after.status is Status.EXCLUDED
    assert after.shift.tolist() == before.shift.tolist()
    assert not after.ok
    write_table(run)
    assert (run / "shifts.csv").read_text().splitlines()[6].count(",excluded,left out by the user,") == 1


def test_off_the_list_it_is_as_it_was_to_the_byte(run):
    before = (run / "shifts.csv").read_bytes()
    write_excluded(run, [5, 6])
    write_table(run)
    assert (run / "shifts.csv").read_bytes() != before
    write_excluded(run, [])
    write_table(run)
    assert (run / "shifts.csv").read_bytes() == before
    assert not (run / "excluded.txt").exists()


def test_the_reference_and_frames_without_a_shift_stay_what_they_are(run):
    write_excluded(run, [0, 3, 4])
    found = statuses(run)
    assert found[0] is Status.REFERENCE
    assert found[3] is Status.UNREADABLE
    assert found[4] is Status.EXCLUDED


def test_the_same_command_keeps_the_list_and_overwrite_drops_it(run, folder):
    write_excluded(run, [5])
    assert align_run(folder, run).status[5] is Status.EXCLUDED
    assert align_run(folder, run, overwrite=True).status[5] is Status.OK


def test_the_list_can_be_edited_by_hand(run):
    (run / "excluded.txt").write_text("# these are bad\n\n 4\n6 # a flash\n")
    assert read_excluded(run) == {4, 6}


@pytest.mark.parametrize("line", ["four", "-1", "1.5", "²", "4, 6"])
def test_a_line_that_is_no_index_is_told_with_its_number(run, line):
    (run / "excluded.txt").write_text(f"1\n{line}\n")
    with pytest.raises(RunError, match=r"excluded.txt, line 2: .* is no index of a frame"):
        read_run(run)


def test_frames_are_counted_from_0(run):
    with pytest.raises(InputError, match="-2"):
        write_excluded(run, [3, -2])
