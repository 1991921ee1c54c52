"""What is gathered for a report: from the run folder alone, and never a failure for want of a picture."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
import tifffile

from maskreg import open_run
from maskreg.errors import InputError, RunError
from maskreg.report.panel import binned
from maskreg.series import Origin, align_run
from maskreg.series.run_folder.inputs import kept_mask, kept_origin, kept_reference
from maskreg.series.run_folder.repeat import command_to_repeat
from maskreg.series.story import PICTURE, story_of
from maskreg.testing import ChromiumScan


@pytest.fixture
def run(folder, mask, tmp_path):
    align_run(
        folder, tmp_path / "run", mask, origin=Origin.here([str(folder)], ["align", "x y", "-o", "run"])
    )
    return tmp_path / "run"


def test_it_has_all_parts_and_the_frame_that_was_farthest(run, truth, mask):
    story = story_of(run)
    farthest = int(np.hypot(*truth.T).argmax())
    named = re.match(
        rf"Frame {farthest}, f{farthest}\.tif: shift (\S+) ± \S+, (\S+) ±", story.before_after.title
    )
    assert [float(part) for part in named.groups()] == pytest.approx(truth[farthest], abs=0.01)
    assert story.peak is not None
    assert story.mean.count.max() == 8
    assert np.isnan(story.masked).mean() == pytest.approx(1 - mask.mean(), abs=0.02)
    assert story.command == "maskreg align 'x y' -o run"
    assert {"maskreg", "numpy", "reference_pixels", "input"} <= set(story.settings)
    assert story.notes == ()


def test_the_difference_after_is_less_than_before(run):
    pair = story_of(run).before_after
    before, after = (np.nanstd(image - pair.reference) for image in (pair.before, pair.after))
    assert after < 0.3 * before


def test_the_correlation_is_greatest_at_the_place_found(run, truth):
    peak = story_of(run, frame=4).peak
    greatest = np.unravel_index(np.nanargmax(peak.ncc), peak.ncc.shape)
    np.testing.assert_array_equal(np.add(greatest, peak.first), truth[4])


def test_a_frame_can_be_chosen_and_must_have_a_shift(run):
    assert "Frame 2, " in story_of(run, frame=2).before_after.title
    with pytest.raises(InputError, match="frame is 99"):
        story_of(run, frame=99)


def test_the_reference_alone_is_not_shown_before_and_after_unless_asked_for(folder, tmp_path):
    align_run(folder / "f0.tif", tmp_path / "run")
    story = story_of(tmp_path / "run")
    assert (story.before_after, story.peak, story.mean) == (None, None, None)
    assert story.unmasked is not None
    assert story_of(tmp_path / "run", frame=0).before_after is not None


@pytest.mark.parametrize("name", ["merged.h5", "merged.zarr", "merged.TIF"])
def test_mean_and_count_of_what_merge_wrote(run, tmp_path, name):
    (merged,) = open_run(run).merge()
    open_run(run).merge(tmp_path / name)
    mean = story_of(run, merged=tmp_path / name).mean
    for shown, image in ((mean.mean, merged.mean), (mean.count, merged.count)):
        np.testing.assert_array_equal(shown, binned(image, np.isfinite(image), PICTURE))
    assert name in mean.title


def test_merged_frames_of_another_shape_are_refused(run, tmp_path):
    for kind in ("mean", "count"):
        tifffile.imwrite(tmp_path / f"other_{kind}.tif", np.ones((5, 5)))
    with pytest.raises(InputError, match="mean has shape"):
        story_of(run, merged=tmp_path / "other.tif")


def test_frames_that_are_copies_are_a_note(tmp_path):
    scan = ChromiumScan((128, 128), scans=1)
    frames = tmp_path / "frames.tif"
    tifffile.imwrite(frames, np.stack([scan.frame(k) for k in (0, 1, 1, 2)]), photometric="minisblack")
    align_run(frames, tmp_path / "run", scan.mask)
    (note,) = story_of(tmp_path / "run").notes
    assert note.startswith("frame 2 is the same as frame 1")


def test_without_the_frames_there_are_no_pictures_but_a_note(run, folder, caplog):
    folder.rename(folder.with_name("elsewhere"))
    story = story_of(run)
    assert story.before_after is None
    assert "No pictures: " in story.notes[0]
    assert "no pictures: " in caplog.text
    (run / "inputs" / "where.json").unlink()
    assert "cannot be found" in story_of(run).notes[0]


def test_pictures_of_frames_that_have_changed_since_come_with_a_note(run, folder):
    assert not story_of(run).notes
    tifffile.imwrite(folder / "f3.tif", tifffile.imread(folder / "f5.tif"))
    assert story_of(run).notes[0].startswith("f3.tif has changed since the shifts were found")


def test_a_broken_note_of_where_they_are_is_told(run):
    (run / "inputs" / "where.json").write_text("{")
    with pytest.raises(RunError, match=r"where\.json"):
        story_of(run)


def test_no_run_is_told(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        story_of(tmp_path)


def test_mask_reference_and_origin_of_a_run_come_back(folder, frames, mask, tmp_path):
    origin = Origin.here([str(folder)])
    align_run(folder, tmp_path / "run", mask, reference=frames[3], origin=origin)
    np.testing.assert_array_equal(kept_reference(tmp_path / "run"), frames[3])
    np.testing.assert_array_equal(kept_mask(tmp_path / "run"), mask)
    assert kept_origin(tmp_path / "run") == origin


@pytest.mark.parametrize(
    ("command", "more", "expected"),
    [
        ("align a -o r", {"reference": 7}, "align a -o r --reference 7 --overwrite"),
        ("align a -o r --reference 3", {"reference": 7}, "align a -o r --reference 7 --overwrite"),
        (
            "align a --reference=3 -o r --overwrite",
            {"reference": 7},
            "align a -o r --overwrite --reference 7",
        ),
        ("align a --valid m.tif --grow=2 -o r", {"mask": "n.tif"}, "align a -o r --valid n.tif --overwrite"),
        ("align 'a b' -o r", {}, "align 'a b' -o r"),
        (
            "watch a -o r --until-idle 9 --settle=1 --grow 2",
            {"reference": 7},
            "align a -o r --grow 2 --reference 7 --overwrite",
        ),
    ],
)
def test_the_command_to_repeat_a_run(command, more, expected):
    origin = Origin(["a"], "/somewhere", shlex.split(command))
    assert command_to_repeat(origin, **more) == f"maskreg {expected}"
    assert command_to_repeat(None, **more) == ""
