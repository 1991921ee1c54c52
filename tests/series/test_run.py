from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile

from maskreg.errors import FrameError, InputError, RunError
from maskreg.options import Options
from maskreg.registration import Status
from maskreg.series import align, align_run, is_run, open_run, read_run
from maskreg.series import pipeline as pipeline_module
from maskreg.series.run_folder import unchanged


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
        "inputs",
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


def test_a_run_that_was_interrupted_says_so_when_it_is_opened(folder, tmp_path, interrupt_at, caplog):
    interrupt_at(3)
    with pytest.raises(KeyboardInterrupt):
        align_run(folder, tmp_path / "run", workers=1)
    part = open_run(tmp_path / "run")
    assert (len(part), part.total) == (3, 8)
    assert "is not complete (3 of 8 frames done); unless it is being written, the same call" in caplog.text
    assert repr(part).endswith("; not done are 5)")
    assert "Alignment of 3 of 8 frames" in part._repr_html_()
    assert align_run(folder, tmp_path / "run").total == 8
    assert "not done" not in repr(open_run(tmp_path / "run"))


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


@pytest.mark.parametrize("changed", ["mask", "reference", "reference_pixels"])
def test_whatever_can_change_a_row_identifies_the_run(folder, frames, mask, tmp_path, changed):
    align_run(folder, tmp_path / "run", mask)
    reference = "first"
    if changed == "mask":
        mask[0, 0] = False
    elif changed == "reference":
        reference = 1
    else:
        tifffile.imwrite(folder / "f0.tif", frames[0] + 1)
    with pytest.raises(RunError, match=f"{changed}: .* → "):
        align_run(folder, tmp_path / "run", mask, reference=reference)


@pytest.mark.parametrize("workers", [1, 3])
def test_rows_of_frames_that_are_gone_stay_and_are_told(folder, tmp_path, caplog, workers):
    late = (folder / "f5.tif").read_bytes()
    (folder / "f5.tif").unlink()
    align_run(folder, tmp_path / "run")
    before = (tmp_path / "run" / "shifts.csv").read_text().splitlines()
    for name in ("f2.tif", "f7.tif"):
        (folder / name).unlink()
    (folder / "f5.tif").write_bytes(late)
    alignment = align_run(folder, tmp_path / "run", workers=workers)
    assert "f2.tif and 1 more of the run are not in the input any more: their rows stay" in caplog.text
    assert [row.source for row in alignment.table()] == [f"f{number}.tif" for number in range(8)]
    after = (tmp_path / "run" / "shifts.csv").read_text().splitlines()
    without_number = [line.split(",", 1)[1] for line in after if "f5.tif" not in line]
    assert without_number == [line.split(",", 1)[1] for line in before]
    assert alignment.total == 8


def test_a_run_with_a_lost_frame_moves_each_other_frame_by_its_own_shift(folder, tmp_path, truth):
    align_run(folder, tmp_path / "run")
    (folder / "f1.tif").unlink()
    for aligned in (align_run(folder, tmp_path / "run"), open_run(tmp_path / "run")):
        with pytest.raises(FrameError, match=r"f1\.tif: is not among .* or leave it out: .* excluded\.txt"):
            list(aligned.apply(order=0))
    (tmp_path / "run" / "excluded.txt").write_text("f1.tif\n")
    for aligned in (align_run(folder, tmp_path / "run"), open_run(tmp_path / "run")):
        moved = list(aligned.apply(order=0))
        assert not moved[1][1].any()
        for number in (2, 5, 7):
            frame = tifffile.imread(folder / f"f{number}.tif")
            expected = np.roll(frame, truth[number], axis=(0, 1))
            image, valid = moved[number]
            np.testing.assert_array_equal(image[valid], expected[valid])


@pytest.mark.parametrize(
    ("reference", "gone", "message"),
    [
        (
            "first",
            [0],
            "its reference f0.tif, which is not in the input any more: the reference and the first 16",
        ),
        ("first", [1, 0, 2], "its reference f0.tif and 2 more, which are not in the input any more: the ref"),
        (3, [3], "its reference f3.tif, which is not"),
        (3, [1, 3], "its reference f3.tif and 1 more, which are not"),
        ("mean", [5], "f5.tif, which is not in the input any more: each frame has its part in the mean"),
    ],
)
def test_a_run_of_which_the_reference_or_a_part_of_it_is_gone_says_so(
    folder, tmp_path, reference, gone, message
):
    align_run(folder, tmp_path / "run", reference=reference)
    for number in gone:
        (folder / f"f{number}.tif").unlink()
    with pytest.raises(RunError) as caught:
        align_run(folder, tmp_path / "run", reference=reference if reference != 3 else 2)
    assert str(caught.value).startswith(f"the run in {tmp_path / 'run'} cannot go on without {message}")
    assert "; bring back what is gone, or take another folder or --overwrite" in str(caught.value)


def test_a_reference_that_cannot_be_read_any_more_is_not_to_be_replaced_by_another(folder, tmp_path):
    whole = (folder / "f0.tif").read_bytes()
    align_run(folder, tmp_path / "run", reference=1)
    (folder / "f0.tif").write_bytes(whole[:200])
    with pytest.raises(InputError, match="try another frame, --reference 1"):
        align_run(folder, tmp_path / "run")
    align_run(folder, tmp_path / "run", reference=1)
    (folder / "f1.tif").write_bytes(whole[:200])
    with pytest.raises(RunError, match=r"cannot go on without its reference, and f1\.tif: .*; bring"):
        align_run(folder, tmp_path / "run", reference=1)
    with pytest.raises(InputError, match="try another frame, --reference 2"):
        align_run(folder, tmp_path / "run", reference=1, overwrite=True)


def test_a_reference_whose_file_was_replaced_is_told(folder, frames, tmp_path):
    align_run(folder, tmp_path / "run")
    tifffile.imwrite(folder / "f0.tif", frames[0] + 1)
    with pytest.raises(RunError, match=r"the image that is the reference is not what it was"):
        align_run(folder, tmp_path / "run")


def test_an_input_without_any_frame_of_the_run_is_refused(folder, tmp_path, frames):
    align_run(folder, tmp_path / "run", reference=frames[0])
    for file in list(folder.iterdir()):
        file.rename(folder / f"g{file.name}")
    with pytest.raises(RunError, match=r"none is in the input \(f0\.tif and 7 more\)"):
        align_run(folder, tmp_path / "run", reference=frames[0])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_resumed_run_holds_no_row_of_a_frame_that_is_another_one_now(
    folder, tmp_path, frames, interrupt_at, workers, caplog
):
    interrupt_at(6)
    with pytest.raises(KeyboardInterrupt):
        align_run(folder, tmp_path / "run", workers=1)
    tifffile.imwrite(folder / "f3.tif", frames[6])
    tifffile.imwrite(folder / "f7.tif", frames[1])
    align_run(folder, tmp_path / "run", workers=workers)
    assert "f3.tif has changed since the run began: it is registered anew" in caplog.text
    align_run(folder, tmp_path / "whole")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def test_a_file_that_changes_while_a_run_goes_on_is_registered_anew_the_next_time(
    folder, tmp_path, frames, monkeypatch
):
    original = pipeline_module.FrameRow.of

    def changing(index, *rest):
        if index == 4:
            tifffile.imwrite(folder / "f4.tif", frames[6])
        return original(index, *rest)

    monkeypatch.setattr(pipeline_module.FrameRow, "of", changing)
    align_run(folder, tmp_path / "run", workers=1)
    monkeypatch.undo()
    align_run(folder, tmp_path / "run")
    align_run(folder, tmp_path / "whole")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def computed_from_now(monkeypatch):
    """The list to which each frame that is registered is added."""
    computed, original = [], pipeline_module.FrameRow.of
    monkeypatch.setattr(
        pipeline_module.FrameRow, "of", lambda index, *rest: computed.append(index) or original(index, *rest)
    )
    return computed


@pytest.mark.parametrize("what", ["grown", "touched", "others", "shorter", "other"])
def test_a_stack_that_has_changed_is_looked_at_again(frames, tmp_path, what, caplog, monkeypatch):
    caplog.set_level("INFO")
    path, many = tmp_path / "stack.npy", np.stack(frames)
    np.save(path, many[:6])
    align_run(path, tmp_path / "run")
    now = {
        "grown": many,
        "touched": many[:6],
        "others": many[[0, 6, 5, 4, 3, 2, 1]],
        "shorter": many[:4],
        "other": many[[0, 1, 2, 3, 4, 6]],
    }[what]
    np.save(path, now)
    caplog.clear()
    computed = computed_from_now(monkeypatch)
    monkeypatch.setattr(unchanged, "LOOKED_AT_AGAIN", 3)
    align_run(path, tmp_path / "run", workers=1)
    same = "stack.npy has changed since: 3 of "
    anew = "stack.npy has changed since the run began: 6 frames are registered anew"
    assert (anew if what in ("others", "other") else same) in caplog.text, caplog.text
    if what == "grown":
        assert "the others are kept (--overwrite registers all anew)" in caplog.text
        assert computed == [0, 2, 5, 6, 7]
    align_run(path, tmp_path / "whole")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def test_files_of_a_virtual_dataset_are_those_of_its_stack(frames, tmp_path, caplog):
    """What had changed was a file beside the one that is named: rows of other frames stayed."""
    h5py = pytest.importorskip("h5py")
    many = np.stack(frames)
    whole = h5py.VirtualLayout(many.shape, many.dtype)

    def write(number, part):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["pixels"] = part

    for number in range(2):
        write(number, many[4 * number : 4 * number + 4])
        whole[4 * number : 4 * number + 4] = h5py.VirtualSource(
            f"part{number}.h5", "pixels", (4, *many.shape[1:])
        )
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.create_virtual_dataset("frames", whole)
    before = align_run(tmp_path / "whole.h5", tmp_path / "run")
    (tmp_path / "part1.h5").rename(tmp_path / "away.h5")
    again = align_run(tmp_path / "whole.h5", tmp_path / "run")
    np.testing.assert_array_equal(again.shifts, before.shifts)  # what is gone keeps its rows
    write(1, many[[7, 6, 5, 4]])
    caplog.clear()
    after = align_run(tmp_path / "whole.h5", tmp_path / "run")
    assert "whole.h5 has changed since the run began: 8 frames are registered anew" in caplog.text
    np.testing.assert_array_equal(after.shifts[4:], before.shifts[:3:-1])


def test_frames_of_a_stack_that_were_not_written_yet_are_registered_again(frames, tmp_path, monkeypatch):
    path, many = tmp_path / "stack.npy", np.stack(frames)
    written = many.copy()
    written[[3, 5, 6, 7]] = 0
    np.save(path, written)
    assert align_run(path, tmp_path / "run").status[3] is Status.FLAT
    np.save(path, many)
    computed = computed_from_now(monkeypatch)
    monkeypatch.setattr(unchanged, "LOOKED_AT_AGAIN", 3)
    align_run(path, tmp_path / "run", workers=1)
    assert computed == [0, 2, 4, 3, 5, 6, 7]  # three that held an image are looked at, and are the same
    align_run(path, tmp_path / "whole")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def test_arrays_in_memory_are_looked_at_again(frames, tmp_path, caplog):
    caplog.set_level("INFO")
    align_run(frames, tmp_path / "run")
    align_run(frames, tmp_path / "run")
    assert "the frames are in memory: 8 of 8 frames that were done are registered again" in caplog.text
    others = [frames[0], *frames[:0:-1]]
    align_run(others, tmp_path / "run")
    assert "the frames in memory are others than those of the run" in caplog.text
    align_run(others, tmp_path / "whole")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def test_a_stack_in_place_of_a_frame_leaves_no_row_of_that(folder, frames, tmp_path):
    align_run(folder, tmp_path / "run")
    tifffile.imwrite(folder / "f5.tif", np.stack(frames[5:7]), photometric="minisblack")
    alignment = align_run(folder, tmp_path / "run")
    assert [row.source for row in alignment.table()][4:7] == ["f4.tif", "f5.tif[0]", "f5.tif[1]"]


def test_the_mean_of_frames_of_which_one_has_changed_is_another(folder, frames, tmp_path, interrupt_at):
    interrupt_at(6)
    with pytest.raises(KeyboardInterrupt):
        align_run(folder, tmp_path / "run", reference="mean", workers=1)
    tifffile.imwrite(folder / "f3.tif", frames[6])
    with pytest.raises(
        RunError, match=r"f3\.tif has changed since the run began, and the mean of the series"
    ):
        align_run(folder, tmp_path / "run", reference="mean")


def test_a_run_grows_with_its_input_and_ends_as_if_all_had_been_there(folder, tmp_path):
    align_run(folder, tmp_path / "whole")
    late = {name: (folder / name).read_bytes() for name in ("f3.tif", "f7.tif")}
    for name in late:
        (folder / name).unlink()
    align_run(folder, tmp_path / "run")
    for name, content in late.items():
        (folder / name).write_bytes(content)
    align_run(folder, tmp_path / "run")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()
    assert read_run(tmp_path / "run")[0]["frames"] == 8


def test_a_frame_that_could_not_be_read_is_tried_again(folder, tmp_path):
    align_run(folder, tmp_path / "whole")
    content = (folder / "f3.tif").read_bytes()
    (folder / "f3.tif").write_bytes(content[:100])
    assert align_run(folder, tmp_path / "run").status[3] is Status.UNREADABLE
    (folder / "f3.tif").write_bytes(content)
    align_run(folder, tmp_path / "run")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_share_that_is_lost_stops_the_run_and_is_no_row(folder, tmp_path, monkeypatch, workers):
    align_run(folder, tmp_path / "whole", workers=1)
    of, away = pipeline_module.FrameRow.of, tmp_path / "away"

    def losing(index, *rest):
        if index == 3:
            folder.rename(away)
        return of(index, *rest)

    monkeypatch.setattr(pipeline_module.FrameRow, "of", losing)
    with pytest.raises(RunError, match=r"is the share lost\?"):
        align_run(folder, tmp_path / "run", workers=workers)
    monkeypatch.undo()
    away.rename(folder)
    assert Status.UNREADABLE not in read_run(tmp_path / "run")[1].counts()
    align_run(folder, tmp_path / "run")
    assert (tmp_path / "run" / "shifts.csv").read_bytes() == (tmp_path / "whole" / "shifts.csv").read_bytes()


def test_a_table_of_an_older_state_does_not_stay_while_a_run_goes_on(folder, tmp_path, interrupt_at):
    late = (folder / "f5.tif").read_bytes()
    (folder / "f5.tif").unlink()
    align_run(folder, tmp_path / "run")
    (folder / "f5.tif").write_bytes(late)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        align_run(folder, tmp_path / "run")
    assert not (tmp_path / "run" / "shifts.csv").exists()


def test_a_run_can_be_moved_with_its_input(folder, mask, tmp_path):
    align_run(folder, tmp_path / "run", mask)
    moved = folder.rename(tmp_path / "elsewhere")
    align_run(moved, (tmp_path / "run").rename(tmp_path / "moved"), mask)


def test_a_run_folder_that_is_a_link_has_its_frames_where_they_were(folder, frames, tmp_path):
    (tmp_path / "disk" / "run").mkdir(parents=True)
    (tmp_path / "run").symlink_to("disk/run")
    align_run(folder, tmp_path / "run")
    others = tmp_path / "disk" / folder.name  # what lies beside the run itself is called the same
    shutil.copytree(folder, others)
    tifffile.imwrite(others / "f1.tif", np.zeros_like(frames[1]))
    aligned = list(open_run(tmp_path / "run").apply(order=0))
    assert aligned[1][0].any()


def test_the_input_is_not_changed(folder, tmp_path):
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    align_run(folder, tmp_path / "run")
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_one_line(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="it is a file, no folder"):
        align_run(folder, tmp_path / "file" / "run")


def test_reading_a_run(folder, tmp_path):
    assert not is_run(tmp_path / "run")
    align_run(folder, tmp_path / "run")
    assert is_run(tmp_path / "run")
    settings, table = read_run(tmp_path / "run")
    assert settings["frames"] == len(table) == 8
    assert table.counts() == {Status.OK: 7, Status.REFERENCE: 1}
