from __future__ import annotations

import numpy as np
import pytest
import tifffile

from maskreg.errors import RunError
from maskreg.options import Options
from maskreg.registration import Status
from maskreg.series import align, align_run, is_run, read_run
from maskreg.series import pipeline as pipeline_module


@pytest.fixture
def interrupt_at(monkeypatch):
    """Make the reading of a frame raise KeyboardInterrupt, once."""

    def arrange(frame):
        original = pipeline_module.FrameRow.of

        def interrupting(index, *rest):
            if index == frame:
                monkeypatch.undo()
                raise KeyboardInterrupt
            return original(index, *rest)

        monkeypatch.setattr(pipeline_module.FrameRow, "of", interrupting)

    return arrange


def test_a_run_holds_what_align_answers(folder, mask, tmp_path):
    alignment = align_run(folder, tmp_path / "run", mask)
    alone = align(folder, mask)
    np.testing.assert_array_equal(alignment.shifts, alone.shifts)
    alone.to_csv(tmp_path / "alone.csv")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()
    assert {file.name for file in (tmp_path / "run").iterdir()} == {
        "run.sqlite",
        "run.lock",
        "shifts.csv",
        "mask_valid.tif",
    }


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_run_goes_on_and_ends_in_the_same_bytes(folder, mask, tmp_path, interrupt_at, workers):
    (folder / "f3.tif").write_bytes(b"")
    align_run(folder, tmp_path / "whole", mask, workers=1)
    for frame in (2, 5):
        interrupt_at(frame)
        with pytest.raises(KeyboardInterrupt):
            align_run(folder, tmp_path / "run", mask, workers=workers)
        assert len(read_run(tmp_path / "run")[1]) == frame
        assert not (tmp_path / "run" / "shifts.csv").exists()
    align_run(folder, tmp_path / "run", mask, workers=workers)
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def test_a_complete_run_is_not_computed_again(folder, tmp_path, interrupt_at):
    align_run(folder, tmp_path / "run")
    table = (tmp_path / "run" / "shifts.csv").read_bytes()
    (tmp_path / "run" / "shifts.csv").unlink()
    interrupt_at(0)
    align_run(folder, tmp_path / "run")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == table


def test_other_settings_are_refused_and_overwrite_starts_anew(folder, mask, tmp_path):
    align_run(folder, tmp_path / "run", mask)
    with pytest.raises(RunError, match=r"max_shift: none → 20\.0"):
        align_run(folder, tmp_path / "run", mask, options=Options(max_shift=20))
    align_run(folder, tmp_path / "run", mask, options=Options(max_shift=20), overwrite=True)
    assert read_run(tmp_path / "run")[0]["max_shift"] == 20


@pytest.mark.parametrize("changed", ["mask", "reference", "reference_pixels", "frames", "frame_names"])
def test_whatever_can_change_the_table_identifies_the_run(folder, frames, mask, tmp_path, changed):
    align_run(folder, tmp_path / "run", mask)
    reference = "first"
    if changed == "mask":
        mask[0, 0] = False
    elif changed == "reference":
        reference = 1
    elif changed == "reference_pixels":
        tifffile.imwrite(folder / "f0.tif", frames[0] + 1)
    elif changed == "frames":
        (folder / "f7.tif").unlink()
    else:
        (folder / "f7.tif").rename(folder / "f8.tif")
    with pytest.raises(RunError, match=f"{changed}: .* → "):
        align_run(folder, tmp_path / "run", mask, reference=reference)


def test_a_run_can_be_moved_with_its_input(folder, mask, tmp_path):
    align_run(folder, tmp_path / "run", mask)
    moved = folder.rename(tmp_path / "elsewhere")
    align_run(moved, (tmp_path / "run").rename(tmp_path / "moved"), mask)


def test_the_input_is_not_changed(folder, tmp_path):
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    align_run(folder, tmp_path / "run")
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_one_line(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot make the run folder"):
        align_run(folder, tmp_path / "file" / "run")


def test_reading_a_run(folder, tmp_path):
    assert not is_run(tmp_path / "run")
    align_run(folder, tmp_path / "run")
    assert is_run(tmp_path / "run")
    settings, table = read_run(tmp_path / "run")
    assert settings["frames"] == len(table) == 8
    assert table.counts() == {Status.OK: 7, Status.REFERENCE: 1}
