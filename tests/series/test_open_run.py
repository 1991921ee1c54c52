"""A run folder that is opened again can do what the alignment could that made it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tifffile

from maskreg import open_run
from maskreg.errors import InputError, RunError
from maskreg.frames.array import ArrayFrames
from maskreg.masks import save_mask
from maskreg.registration import Status
from maskreg.series import align, align_run


class Delayed(ArrayFrames):
    """Frames with metadata."""

    def metadata(self, index):
        return {"delay": (index % 2) - 0.5, "scan": index // 2}


def same_frames(one, other):
    pairs = list(zip(one.apply(), other.apply(), strict=True))
    for (a, valid), (b, same) in pairs:
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(valid, same)
    assert len(pairs) == 8


@pytest.mark.parametrize("kind", ["folder", "stack"])
def test_it_can_do_what_a_fresh_one_can(request, kind, mask, tmp_path):
    source = request.getfixturevalue(kind)
    fresh = align_run(source, tmp_path / "run", mask)
    again = open_run(tmp_path / "run")
    np.testing.assert_array_equal(again.shifts, fresh.shifts)
    same_frames(fresh, again)
    np.testing.assert_array_equal(again.merge()[0].mean, fresh.merge()[0].mean)
    again.to_csv(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "run" / "shifts.csv").read_bytes()
    again.to_json(tmp_path / "again.json")
    rows = json.loads((tmp_path / "again.json").read_text())
    assert [row["shift_row_px"] for row in rows] == list(fresh.shifts[:, 0])


def test_frames_are_found_by_name_wherever_the_run_goes(folder, mask, tmp_path):
    fresh = list(align_run(folder, tmp_path / "run", mask).apply())
    (tmp_path / "away").mkdir()
    shutil.move(tmp_path / "run", tmp_path / "away" / "run")  # the frames stay: their old place is known
    moved = list(open_run(tmp_path / "away" / "run").apply())
    shutil.move(folder, tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"its frames cannot be found .* say where they are: --input"):
        next(open_run(tmp_path / "away" / "run").apply())
    told = list(open_run(tmp_path / "away" / "run", tmp_path / "elsewhere").apply())
    for frames in (moved, told):
        for (a, _), (b, _) in zip(fresh, frames, strict=True):
            np.testing.assert_array_equal(a, b)


def test_run_and_frames_move_together(folder, tmp_path):
    together = tmp_path / "together"
    together.mkdir()
    frames = folder.rename(together / "frames")
    fresh = list(align_run(frames, together / "run").apply())
    together.rename(tmp_path / "new")
    for (a, _), (b, _) in zip(fresh, open_run(tmp_path / "new" / "run").apply(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_more_frames_in_the_folder_change_nothing(folder, frames, tmp_path):
    import tifffile

    fresh = list(align_run(folder, tmp_path / "run").apply())
    tifffile.imwrite(folder / "a_new_one.tif", frames[0][:5])
    for (a, _), (b, _) in zip(fresh, open_run(tmp_path / "run").apply(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_arrays_must_be_given_again(frames, tmp_path):
    fresh = align_run(frames, tmp_path / "run")
    with pytest.raises(RunError, match="they were arrays in memory"):
        next(open_run(tmp_path / "run").apply())
    same_frames(fresh, open_run(tmp_path / "run", frames))


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(RunError, match="is no run folder"):
        open_run(tmp_path)


def test_metadata_group_a_merge_in_a_run_too(frames, mask, tmp_path):
    source = Delayed(frames)
    align_run(source, tmp_path / "run", mask)
    groups = open_run(tmp_path / "run", source).merge(by="delay")
    assert [group.value for group in groups] == [-0.5, 0.5]
    assert groups[0].frames == (0, 2, 4, 6)
    again = open_run(tmp_path / "run", source).aligned("xarray")
    np.testing.assert_array_equal(again.scan, np.arange(8) // 2)


def test_it_says_how_many_frames_are_used(frames, mask, tmp_path, caplog):
    spoiled = [*frames]
    spoiled[2] = np.zeros_like(frames[2])
    with caplog.at_level("INFO", logger="maskreg"):
        alignment = align(spoiled, mask)
        alignment.merge()
    assert alignment.status[2] is Status.FLAT
    assert "7 of 8 frames are used; left out are 1 flat" in caplog.messages


def test_it_says_what_a_narrow_type_cuts(frames, tmp_path, caplog):
    alignment = align(frames)
    alignment.apply(tmp_path / "a.tif", dtype="uint8")
    assert "uint8 holds 0 to 255: what the frames (uint16) have beyond is cut to that" in caplog.messages


@pytest.mark.parametrize("opened", [align, lambda frames, mask: open_run(run_beside(frames, mask))])
@pytest.mark.parametrize(
    ("kind", "named"), [("folder", "frames/f3.tif"), ("stack", "stack.tif"), ("stack", "link.tif")]
)
def test_what_is_made_of_the_frames_never_replaces_them(request, opened, kind, named, mask, tmp_path):
    (tmp_path / "link.tif").symlink_to("stack.tif")
    alignment, output = opened(request.getfixturevalue(kind), mask), tmp_path / named
    before = output.read_bytes()
    for write in (alignment.apply, alignment.merge):
        with pytest.raises(InputError, match=f"{output.name} holds the frames"):
            write(output, overwrite=True)
    assert output.read_bytes() == before
    assert not list(tmp_path.rglob("*.part*"))
    alignment.apply(tmp_path / "elsewhere.tif", overwrite=True)


@pytest.mark.parametrize(("name", "write"), [("s_valid.tif", "apply"), ("s_mean_odd.tif", "merge")])
def test_nor_does_a_file_that_is_written_beside_the_one_that_is_named(frames, tmp_path, name, write):
    tifffile.imwrite(tmp_path / name, np.stack(frames), photometric="minisblack")
    alignment, before = align(tmp_path / name), (tmp_path / name).read_bytes()
    how = {"halves": True} if write == "merge" else {}
    with pytest.raises(InputError, match=f"{name} holds the frames"):
        getattr(alignment, write)(tmp_path / "s.tif", overwrite=True, **how)
    assert (tmp_path / name).read_bytes() == before


def run_beside(frames, mask):
    align_run(frames, frames.parent / "run", mask)
    return frames.parent / "run"


@pytest.mark.parametrize("kept", ["valid_mask.tif", "dark.npy", "flat.npy"])
@pytest.mark.parametrize("lost", [True, False])
def test_frames_are_not_moved_behind_another_mask_or_calibration(folder, mask, tmp_path, kept, lost):
    image = np.ones(mask.shape, np.float32)
    how = {"dark": 10 * image, "flat": 2 * image}
    fresh = align_run(folder, tmp_path / "run", mask, **how)
    file = tmp_path / "run" / "inputs" / kept
    if lost:
        file.unlink()
    elif kept == "valid_mask.tif":
        save_mask(file, ~mask)
    else:
        np.save(file, 3 * image)
    again = open_run(tmp_path / "run")
    np.testing.assert_array_equal(again.shifts, fresh.shifts)
    name = "mask" if kept == "valid_mask.tif" else kept.removesuffix(".npy")
    with pytest.raises(RunError, match=f"inputs does not hold the {name} that the run was made with"):
        again.merge()
    align_run(folder, tmp_path / "run", mask, **how)
    same_frames(fresh, open_run(tmp_path / "run"))


def test_shifts_of_files_that_have_changed_since_are_told(folder, frames, tmp_path, caplog):
    align_run(folder, tmp_path / "run")
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    open_run(tmp_path / "run").merge()
    open_run(tmp_path / "run", tmp_path / "copy").merge()
    assert "changed since" not in caplog.text
    tifffile.imwrite(folder / "f3.tif", frames[5])
    open_run(tmp_path / "run").merge()
    assert "f3.tif has changed since the shifts were found" in caplog.text
    caplog.clear()
    align_run(folder, tmp_path / "run")
    caplog.clear()
    open_run(tmp_path / "run").merge()
    assert "changed since" not in caplog.text


def test_a_column_that_no_frame_has_is_told_once(frames, tmp_path, caplog):
    fresh = align_run(Delayed(frames), tmp_path / "run")
    caplog.clear()
    with pytest.raises(InputError, match="by is 'delya', which no frame of the series has"):
        fresh.merge(by="delya")
    assert "no group" not in caplog.text
